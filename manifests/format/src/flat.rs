//! The flat manifests of 2010: `<manifest>` without a namespace.
//!
//! Three generations: seven elements; then `filename`, `checksum type=` and `comments` (some files
//! `comment`); then more checksum types. They were never signed inside the XML. Elements that
//! nobody knows are noted and left aside, because what people wrote by hand in 2010 varies.

use crate::dates;
use crate::reader::{Element, Reader, Seen, elements, name, namespace, plain_attribute};
use stratus_model::{Compression, Manifest};

/// Elements without which a manifest of any format names no appliance.
const NEEDED: [&str; 5] = ["type", "version", "arch", "os", "osversion"];

/// Elements that may be given once.
const SINGLE: [&str; 9] =
    ["created", "type", "version", "arch", "user", "os", "osversion", "filename", "compression"];

/// Reads the children of the root.
pub(crate) fn read<'d>(reader: &mut Reader<'d>, root: Element<'d>) -> Manifest {
    let mut manifest = Manifest::empty();
    let mut seen = Seen::default();
    reader.elements_only(root);
    for node in elements(root) {
        if namespace(node).is_some() {
            reader.note(format!("<{}> is of another namespace and was left aside", name(node)));
            continue;
        }
        match name(node) {
            "checksum" => checksum(reader, &mut manifest, node),
            "comment" | "comments" => manifest.comments.extend(reader.text(node)),
            known if SINGLE.contains(&known) => {
                if seen.first(reader, node) {
                    single(reader, &mut manifest, node);
                }
            }
            other => {
                let value = reader.text(node).unwrap_or_default();
                reader.note(format!("<{other}> is not known and was left aside"));
                manifest.historical.push((other.to_owned(), value));
            }
        }
    }
    for field in NEEDED {
        if !seen.has(None, field) {
            reader
                .broken(root, format!("a flat manifest has one <{field}>, and this one has none"));
        }
    }
    manifest
}

/// One of [`SINGLE`].
fn single(reader: &mut Reader<'_>, manifest: &mut Manifest, node: Element<'_>) {
    match name(node) {
        "created" => {
            let rule = "a date as 2010-08-17 13:39:23, with or without microseconds, or as `date -R` writes it";
            manifest.created = reader.parsed(node, rule, dates::of_2010);
        }
        "type" => manifest.kind = reader.required_text(node),
        "version" => manifest.version = reader.required_text(node),
        "arch" => manifest.arch = reader.required_text(node),
        "user" => manifest.user = reader.text(node),
        "os" => manifest.os = reader.required_text(node),
        "osversion" => manifest.osversion = reader.required_text(node),
        "filename" => manifest.filename = reader.text(node),
        _ => manifest.compression = reader.parsed(node, "gz, bz2 or none", compression),
    }
}

fn checksum(reader: &mut Reader<'_>, manifest: &mut Manifest, node: Element<'_>) {
    let Some(algorithm) = plain_attribute(node, "type").map(str::to_owned) else {
        return reader.broken(node, "<checksum> says its algorithm in the attribute `type`");
    };
    let Some(hex) = reader.required_text(node) else {
        return;
    };
    if let Some(digest) = reader.digest(node, &algorithm, &hex) {
        reader.add_digest(&mut manifest.checksums, node, digest);
    }
}

/// The names that historical tools wrote.
pub(crate) fn compression(text: &str) -> Option<Compression> {
    match text.to_ascii_lowercase().as_str() {
        "gz" | "gzip" => Some(Compression::Gz),
        "bz2" | "bzip2" => Some(Compression::Bz2),
        "none" => Some(Compression::None),
        _ => None,
    }
}
