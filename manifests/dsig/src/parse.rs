//! Text to a tree, within limits that no manifest reaches.

use crate::error::SignatureError;
use roxmltree::{Document, Node, ParsingOptions};
use std::borrow::Cow;

/// Largest document, in bytes, as it is written and in its canonical form: 4 MiB.
pub(crate) const SIZE_LIMIT: usize = 4 << 20;
/// Deepest nesting of a document. The signature itself has a depth of 6.
pub(crate) const DEPTH_LIMIT: u32 = 32;
const NODE_LIMIT: u32 = 200_000;
/// Most attributes of one element: the parser compares each with each.
const ATTRIBUTE_LIMIT: usize = 64;
/// Most namespace declarations of a document: the parser copies them to every element below.
const NAMESPACE_LIMIT: usize = 256;
/// Longest name of an attribute, in bytes: the parser loses count at 65536.
const NAME_LIMIT: usize = 1024;

/// Line ends as XML has them (section 2.11). The parser does it too, but not in comments and
/// instructions, and not before a character reference.
pub(crate) fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Parses a document; a DOCTYPE is refused.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, SignatureError> {
    let wrong = |message: String, line, column| SignatureError::NotXml { message, line, column };
    if text.len() > SIZE_LIMIT {
        return Err(wrong(format!("the document is larger than {SIZE_LIMIT} bytes"), 1, 1));
    }
    check_tags(text)?;
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

/// Refuses what would cost the parser more than its length tells, and what it reads otherwise than
/// other parsers do.
///
/// `<` is nowhere allowed inside a tag, so every start tag is the beginning of what stands between one
/// `<` and the next. Markup inside a comment or CDATA is judged as well; nobody misses it.
fn check_tags(text: &str) -> Result<(), SignatureError> {
    let (mut at, mut declarations) = (0, 0);
    for piece in text.split('<') {
        // The first piece is what stands before any tag.
        if at > 0 && !piece.starts_with(['!', '?', '/']) {
            let names: Vec<&str> =
                attribute_names(piece).take(ATTRIBUTE_LIMIT + NAMESPACE_LIMIT + 1).collect();
            let is_declaration = |name: &&&str| **name == "xmlns" || name.starts_with("xmlns:");
            let declared = names.iter().filter(is_declaration).count();
            declarations += declared;
            if let Some(rule) = broken_rule(&names, declared, declarations) {
                let (line, column) = line_and_column(text, at - 1);
                return Err(SignatureError::NotXml { message: rule, line, column });
            }
        }
        at += piece.len() + 1;
    }
    Ok(())
}

fn broken_rule(names: &[&str], declared: usize, declarations: usize) -> Option<String> {
    if names.len() - declared > ATTRIBUTE_LIMIT {
        Some(format!("an element may have {ATTRIBUTE_LIMIT} attributes, not more"))
    } else if declarations > NAMESPACE_LIMIT {
        Some(format!("a document may have {NAMESPACE_LIMIT} namespace declarations, not more"))
    } else if names.iter().any(|name| name.len() > NAME_LIMIT) {
        Some(format!("the name of an attribute may have {NAME_LIMIT} bytes, not more"))
    } else if names.iter().any(|name| name.ends_with(":xmlns")) {
        Some("an attribute may not be called xmlns in a namespace".to_owned())
    } else if names.iter().filter(|name| **name == "xmlns").count() > 1 {
        Some("the default namespace is declared twice in one element".to_owned())
    } else {
        None
    }
}

/// The names of the attributes of a start tag. Ends where the parser would end or refuse.
pub(crate) fn attribute_names(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let equals = rest.find(['=', '>']).filter(|at| rest[*at..].starts_with('='))?;
        let name = rest[..equals].trim_end_matches(SPACE).rsplit(SPACE).next()?;
        let value = rest[equals + 1..].trim_start_matches(SPACE);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest = value[1..].split_once(quote)?.1;
        Some(name)
    })
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Line and column of a node, from 1.
pub(crate) fn place(node: Node<'_, '_>) -> (u32, u32) {
    let place = node.document().text_pos_at(node.range().start);
    (place.row, place.col)
}
