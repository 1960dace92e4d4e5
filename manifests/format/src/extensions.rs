//! Elements of other namespaces at the end of a manifest, carried over when it is written anew.
//!
//! They are copied as they stand. Only the namespace declarations that they inherit and use are
//! repeated on them, so that they mean the same in their new place.

use crate::format1::NAMESPACE;
use crate::problem::{Problem, ReadError, ReadErrorKind};
use crate::reader::{Element, elements, namespace};
use crate::tags;
use crate::xml::{self, DS, SIZE_LIMIT};
use std::fmt::Write as _;

/// The foreign children of a document's root, each complete in itself.
///
/// Repeating declarations makes them longer; what then passes the limit of a document is refused.
pub(crate) fn of(text: &str) -> Result<Vec<String>, ReadError> {
    let text = xml::text(text.as_bytes())?;
    let document = xml::parse(text)?;
    let mut found = Vec::new();
    let mut length = 0;
    for node in elements(document.root_element()) {
        if matches!(namespace(node), None | Some(NAMESPACE | DS)) {
            continue;
        }
        let element = standalone(node);
        length += element.len();
        if length > SIZE_LIMIT {
            let rule =
                "the elements of other namespaces are longer than 4 MiB when each stands alone";
            let place = document.text_pos_at(node.range().start);
            let problem = Problem::new((place.row, place.col), rule);
            return Err(ReadError::one(ReadErrorKind::TooLarge, problem));
        }
        found.push(element);
    }
    Ok(found)
}

fn standalone(node: Element<'_>) -> String {
    let source = &node.document().input_text()[node.range()];
    let tag_end = source
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(source.len());
    let declarations = inherited(node, source);
    format!("{}{declarations}{}", &source[..tag_end], &source[tag_end..])
}

/// Declarations of the parent that the element uses and does not make itself.
fn inherited(node: Element<'_>, source: &str) -> String {
    let mut declarations = String::new();
    let Some(parent) = node.parent_element() else { return declarations };
    let start_tag = start_tag(node, source);
    if !declares(start_tag, None) {
        // Also where there is none: in the new place there is one.
        let default = parent.namespaces().find(|n| n.name().is_none());
        let uri = default.map_or("", roxmltree::Namespace::uri);
        let _ = write!(declarations, " xmlns=\"{}\"", escape(uri));
    }
    for namespace in parent.namespaces() {
        let Some(prefix) = namespace.name().filter(|p| *p != "xml") else { continue };
        if source.contains(&format!("{prefix}:")) && !declares(start_tag, Some(prefix)) {
            let _ = write!(declarations, " xmlns:{prefix}=\"{}\"", escape(namespace.uri()));
        }
    }
    declarations
}

fn start_tag<'s>(node: Element<'_>, source: &'s str) -> &'s str {
    let end = node.first_child().map_or(source.len(), |c| c.range().start - node.range().start);
    &source[..end]
}

/// Whether a start tag declares a prefix itself. What values say does not count.
fn declares(start_tag: &str, prefix: Option<&str>) -> bool {
    let wanted = prefix.map_or_else(|| "xmlns".to_owned(), |p| format!("xmlns:{p}"));
    let names: Vec<u8> = tags::outside_quotes(start_tag).collect();
    names
        .split(u8::is_ascii_whitespace)
        .any(|word| word.split(|b| *b == b'=').next() == Some(wanted.as_bytes()))
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
