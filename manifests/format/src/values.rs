//! Values of format 1: for each a reader and the words that say what it should be.
//!
//! The XSD has the same rules as patterns.

use stratus_model::{Compression, DiskFormat, Kind, Part};

pub(crate) const PART: &str =
    "1 to 64 ASCII letters, digits and `.`, `_`, `+`, `~`, `-`, with a letter or digit first";
pub(crate) const KIND: &str = "a type such as base or grid.ce: words of letters and digits with dots between them, at most 64 characters";
pub(crate) const NAME: &str =
    "the name of an appliance with its version: ASCII letters, digits and `.`, `_`, `+`, `~`, `-`";
pub(crate) const LINE: &str = "one line of at most 1024 characters without control characters";
pub(crate) const PROSE: &str = "text without control characters other than line breaks and tabs";
pub(crate) const WORD: &str = "a word of lower-case letters, digits and `-`, at most 32 characters";
pub(crate) const IDENTIFIER: &str =
    "27 characters of A-Z, a-z, 0-9, `-` and `_`, the first within A to P";
pub(crate) const FILE_NAME: &str = "the name of a file, one line without folders";
pub(crate) const LOCATION: &str = "a URL that begins with http:// or https://, without spaces";

/// Most characters of a [`line()`].
const LINE_LIMIT: usize = 1024;

pub(crate) fn part(text: &str) -> Option<String> {
    text.parse::<Part>().ok().map(|p| p.as_str().to_owned())
}

pub(crate) fn kind(text: &str) -> Option<String> {
    text.parse::<Kind>().ok().map(|k| k.as_str().to_owned())
}

pub(crate) fn line(text: &str) -> Option<String> {
    let fits = text.chars().count() <= LINE_LIMIT && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

pub(crate) fn prose(text: &str) -> Option<String> {
    let stray = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    (!text.chars().any(stray)).then(|| text.to_owned())
}

pub(crate) fn word(text: &str) -> Option<String> {
    let fits = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then(|| text.to_owned())
}

pub(crate) fn file_name(text: &str) -> Option<String> {
    let fits = !matches!(text, "." | "..") && !text.contains(['/', '\\']) && text.len() <= 255;
    line(text).filter(|_| fits)
}

pub(crate) fn location(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = |b: u8| b.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&b);
    (!rest.is_empty() && text.len() <= 4096 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// New manifests are gzip only; historical names are for historical formats.
pub(crate) fn compression(text: &str) -> Option<Compression> {
    (text == "gz").then_some(Compression::Gz)
}

pub(crate) fn disk_format(text: &str) -> Option<DiskFormat> {
    [DiskFormat::Raw, DiskFormat::Qcow2].into_iter().find(|f| f.name() == text)
}

pub(crate) fn processors(text: &str) -> Option<u32> {
    crate::reader::whole(text).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)
}

/// The name of an appliance with its version: parts joined by `-`.
pub(crate) fn name(text: &str) -> Option<String> {
    let fits = (1..=400).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b));
    fits.then(|| text.to_owned())
}
