//! Elements of other namespaces at the end of a manifest, carried over when it is written anew.
//!
//! They are copied as they stand. Only the namespace declarations that they inherit are repeated on
//! them, so that they mean the same in their new place.

use crate::format1::NAMESPACE;
use crate::reader::{Element, elements, namespace};
use crate::xml::DS;
use std::fmt::Write as _;

/// The foreign children of a root, each complete in itself.
pub(crate) fn of(root: Element<'_>) -> Vec<String> {
    elements(root)
        .filter(|n| !matches!(namespace(*n), None | Some(NAMESPACE | DS)))
        .map(standalone)
        .collect()
}

fn standalone(node: Element<'_>) -> String {
    let source = &node.document().input_text()[node.range()];
    let tag_end = source
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(source.len());
    let mut declarations = String::new();
    for namespace in inherited(node) {
        let _ = match namespace.name() {
            Some(prefix) => write!(declarations, " xmlns:{prefix}=\"{}\"", escape(namespace.uri())),
            None => write!(declarations, " xmlns=\"{}\"", escape(namespace.uri())),
        };
    }
    format!("{}{declarations}{}", &source[..tag_end], &source[tag_end..])
}

/// Declarations of the parent that the element does not make itself.
fn inherited(node: Element<'_>) -> Vec<&roxmltree::Namespace<'_>> {
    let Some(parent) = node.parent_element() else {
        return Vec::new();
    };
    let start_tag = start_tag(node);
    parent
        .namespaces()
        .filter(|n| n.name() != Some("xml"))
        .filter(|n| !declares(start_tag, n.name()))
        .collect()
}

fn start_tag(node: Element<'_>) -> &str {
    let source = &node.document().input_text()[node.range()];
    let end = node.first_child().map_or(source.len(), |c| c.range().start - node.range().start);
    &source[..end]
}

/// Whether a start tag declares a prefix itself. A value that looks like a declaration only leads
/// to a missing one, which the reading of what was written finds.
fn declares(start_tag: &str, prefix: Option<&str>) -> bool {
    let wanted = prefix.map_or_else(|| "xmlns".to_owned(), |p| format!("xmlns:{p}"));
    start_tag.split(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'')).any(|word| {
        word.split('=').next() == Some(wanted.as_str()) && word.contains('=') || word == wanted
    })
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
