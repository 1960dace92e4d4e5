//! Text to a tree, within limits that no manifest reaches.

use crate::error::SignatureError;
use roxmltree::{Document, Node, ParsingOptions};

/// Largest document, in bytes: 4 MiB.
pub(crate) const SIZE_LIMIT: usize = 4 << 20;
/// Deepest nesting of a document. The signature itself has a depth of 6.
pub(crate) const DEPTH_LIMIT: u32 = 32;
const NODE_LIMIT: u32 = 200_000;

/// Parses a document; a DOCTYPE is refused.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, SignatureError> {
    let wrong = |message: String, line, column| SignatureError::NotXml { message, line, column };
    if text.len() > SIZE_LIMIT {
        return Err(wrong(format!("the document is larger than {SIZE_LIMIT} bytes"), 1, 1));
    }
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: NODE_LIMIT, ..Default::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let place = error.pos();
        wrong(error.to_string(), place.row, place.col)
    })?;
    // The canonicaliser recurses, so the depth is bounded first, in one pass without recursion:
    // parents come before their children.
    let mut depths: Vec<u32> = Vec::new();
    for node in document.root().descendants() {
        let depth = node.parent().map_or(0, |p| depths[p.id().get_usize()] + 1);
        if depth > DEPTH_LIMIT {
            let (line, column) = place(node);
            return Err(wrong(
                format!("elements are nested deeper than {DEPTH_LIMIT}"),
                line,
                column,
            ));
        }
        depths.push(depth);
    }
    Ok(document)
}

/// Line and column of a node, from 1.
pub(crate) fn place(node: Node<'_, '_>) -> (u32, u32) {
    let place = node.document().text_pos_at(node.range().start);
    (place.row, place.col)
}
