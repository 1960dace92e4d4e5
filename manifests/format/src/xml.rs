//! Bytes to a tree, with everything refused that no manifest needs.
//!
//! 4 MiB of UTF-8, 32 levels, no document type, no other declared encoding. Each refusal names line
//! and column.

use crate::problem::{Problem, ReadError, ReadErrorKind};
use crate::tags;
use roxmltree::{Document, ParsingOptions};

/// Largest document, in bytes: 4 MiB.
pub const SIZE_LIMIT: usize = 4 << 20;
/// Most nodes; a manifest has about a hundred.
const NODES: u32 = 100_000;
/// Namespace of XML Signature (XML-DSig section 1.3).
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// The text of a document: within the limit, UTF-8, a byte order mark removed.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() > SIZE_LIMIT {
        let rule =
            format!("the document has {} bytes; {SIZE_LIMIT} (4 MiB) are allowed", bytes.len());
        return Err(ReadError::one(ReadErrorKind::TooLarge, Problem::new((1, 1), rule)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        let rule = "the document is not UTF-8 text; manifests are UTF-8";
        let place = tags::line_column(good, good.len());
        ReadError::one(ReadErrorKind::Encoding, Problem::new(place, rule))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    declared_encoding(text)?;
    Ok(text)
}

/// A declaration of another encoding would make other programs read other characters.
fn declared_encoding(text: &str) -> Result<(), ReadError> {
    let Some(declaration) = text.strip_prefix("<?xml").and_then(|r| r.split_once("?>")) else {
        return Ok(());
    };
    let Some((_, after)) = declaration.0.split_once("encoding") else {
        return Ok(());
    };
    let name = after.split(['"', '\'']).nth(1).unwrap_or_default();
    if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let rule = "the declared encoding must be UTF-8";
    Err(ReadError::one(ReadErrorKind::Encoding, Problem::new((1, 1), rule).with_value(name)))
}

/// Parses a text that [`text`] gave.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, ReadError> {
    if text.trim().is_empty() {
        let rule = "the document is empty";
        return Err(ReadError::one(ReadErrorKind::NotXml, Problem::new((1, 1), rule)));
    }
    tags::check(text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..Default::default() };
    Document::parse_with_options(text, options).map_err(|error| not_xml(&error))
}

fn not_xml(error: &roxmltree::Error) -> ReadError {
    let at = error.pos();
    let (kind, rule) = match error {
        roxmltree::Error::DtdDetected => {
            (ReadErrorKind::Doctype, "a document type declaration is refused; remove it".to_owned())
        }
        roxmltree::Error::NodesLimitReached
        | roxmltree::Error::AttributesLimitReached
        | roxmltree::Error::NamespacesLimitReached => {
            (ReadErrorKind::TooDeep, "the document has more elements than any manifest".to_owned())
        }
        other => {
            // The parser ends its message with the place, which is told in front already.
            let message = other.to_string();
            let end =
                message.rfind(" at ").filter(|_| message.ends_with(|c: char| c.is_ascii_digit()));
            (
                ReadErrorKind::NotXml,
                format!("not well-formed XML: {}", &message[..end.unwrap_or(message.len())]),
            )
        }
    };
    ReadError::one(kind, Problem::new((at.row, at.col), crate::problem::printable_line(&rule)))
}
