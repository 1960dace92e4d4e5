//! Text to a tree, within limits that no manifest reaches.

use crate::error::SignatureError;
use roxmltree::{Document, Node, ParsingOptions};

/// Largest document, in bytes: 4 MiB.
pub(crate) const SIZE_LIMIT: usize = 4 << 20;
/// Deepest nesting of a document. The signature itself has a depth of 6.
pub(crate) const DEPTH_LIMIT: u32 = 32;
const NODE_LIMIT: u32 = 200_000;
/// Most attributes of one element: the parser compares each with each.
const ATTRIBUTE_LIMIT: usize = 256;
/// Most namespace declarations of a document: the parser copies them to every element below.
const NAMESPACE_LIMIT: usize = 256;

/// Parses a document; a DOCTYPE is refused.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, SignatureError> {
    let wrong = |message: String, line, column| SignatureError::NotXml { message, line, column };
    if text.len() > SIZE_LIMIT {
        return Err(wrong(format!("the document is larger than {SIZE_LIMIT} bytes"), 1, 1));
    }
    if let Some((line, rule)) = out_of_proportion(text) {
        return Err(wrong(rule, line, 1));
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

/// What would cost the parser more than its length tells: the line, and the rule that is broken.
///
/// Counted without parsing, between one `<` and the next, so that nothing can be hidden in quotes; text
/// that looks like attributes counts as well.
fn out_of_proportion(text: &str) -> Option<(u32, String)> {
    if text.matches("xmlns").count() > NAMESPACE_LIMIT {
        let rule =
            format!("a document may have {NAMESPACE_LIMIT} namespace declarations, not more");
        return Some((1, rule));
    }
    let mut line = 1;
    for piece in text.split('<') {
        let values = piece.split('=').skip(1).filter(|rest| {
            rest.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['"', '\''])
        });
        if values.count() > ATTRIBUTE_LIMIT {
            let rule = format!("an element may have {ATTRIBUTE_LIMIT} attributes, not more");
            return Some((line, rule));
        }
        line += u32::try_from(piece.matches('\n').count()).unwrap_or(0);
    }
    None
}

/// Line and column of a node, from 1.
pub(crate) fn place(node: Node<'_, '_>) -> (u32, u32) {
    let place = node.document().text_pos_at(node.range().start);
    (place.row, place.col)
}
