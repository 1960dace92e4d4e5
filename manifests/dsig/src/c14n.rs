//! Canonical XML: the one spelling of a tree that digests are made over.
//!
//! Inclusive (Canonical XML 1.0) and exclusive (Exclusive XML Canonicalization 1.0), each with or
//! without comments, over a whole document or one element, leaving out one element if asked.

use crate::error::SignatureError;
use crate::parse::{SIZE_LIMIT, attribute_names};
use roxmltree::{Attribute, Node, NodeType};
use std::collections::BTreeMap;

/// Which of the four canonical forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct C14n {
    pub(crate) exclusive: bool,
    pub(crate) comments: bool,
}

impl C14n {
    pub(crate) const EXCLUSIVE: Self = Self { exclusive: true, comments: false };
    pub(crate) const INCLUSIVE: Self = Self { exclusive: false, comments: false };

    /// The form with this algorithm URI.
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        let (exclusive, comments) = match uri {
            crate::uri::EXC_C14N => (true, false),
            crate::uri::EXC_C14N_COMMENTS => (true, true),
            crate::uri::C14N => (false, false),
            crate::uri::C14N_COMMENTS => (false, true),
            _ => return None,
        };
        Some(Self { exclusive, comments })
    }
}

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

type Namespaces<'a> = BTreeMap<&'a str, &'a str>;

/// The canonical form of what is at and below `top`, without the element `skip`. The tree must have
/// been made of text that went through [`crate::parse::line_ends`].
///
/// Refused if it is larger than any document: a long namespace is repeated wherever it is used.
pub(crate) fn canonicalize<'a>(
    top: Node<'a, 'a>,
    skip: Option<Node<'a, 'a>>,
    form: C14n,
) -> Result<String, SignatureError> {
    let mut writer = Writer { skip, form, rendered: Namespaces::new(), out: String::new() };
    let nothing = Namespaces::new();
    if top.is_element() {
        writer.element(top, &nothing, true);
    }
    let mut after_root = false;
    for child in top.children().filter(|_| top.is_root()) {
        match child.node_type() {
            NodeType::Element => {
                writer.element(child, &nothing, true);
                after_root = true;
            }
            NodeType::PI => writer.outside(child, after_root),
            NodeType::Comment if form.comments => writer.outside(child, after_root),
            _ => {}
        }
    }
    if writer.out.len() > SIZE_LIMIT {
        let message = format!("the canonical form is larger than {SIZE_LIMIT} bytes");
        return Err(SignatureError::NotXml { message, line: 1, column: 1 });
    }
    Ok(writer.out)
}

struct Writer<'a> {
    skip: Option<Node<'a, 'a>>,
    form: C14n,
    /// What the output declares where we are.
    rendered: Namespaces<'a>,
    out: String,
}

struct Attr<'a> {
    namespace: &'a str,
    local: &'a str,
    prefix: &'a str,
    value: &'a str,
}

impl<'a> Writer<'a> {
    /// Outside of the root element each node stands on a line of its own.
    fn outside(&mut self, node: Node<'a, 'a>, after_root: bool) {
        if after_root {
            self.out.push('\n');
        }
        self.misc(node);
        if !after_root {
            self.out.push('\n');
        }
    }

    fn misc(&mut self, node: Node<'a, 'a>) {
        if let Some(pi) = node.pi() {
            self.out.push_str("<?");
            self.out.push_str(pi.target);
            if let Some(value) = pi.value {
                self.out.push(' ');
                self.out.push_str(value);
            }
            self.out.push_str("?>");
        } else {
            self.out.push_str("<!--");
            self.out.push_str(node.text().unwrap_or_default());
            self.out.push_str("-->");
        }
    }

    fn element(&mut self, node: Node<'a, 'a>, above: &Namespaces<'a>, apex: bool) {
        if Some(node) == self.skip || self.out.len() > SIZE_LIMIT {
            return;
        }
        let prefix = element_prefix(node);
        let attributes = self.attributes(node, apex);
        let own;
        let (scope, changed) = if apex || declares(node) {
            own = scope_of(node);
            (&own, true)
        } else {
            (above, false)
        };
        let declared = self.namespaces(scope, changed, prefix, &attributes);
        self.out.push('<');
        self.name(prefix, node.tag_name().name());
        let mut hidden = Vec::new();
        for (prefix, uri) in declared {
            hidden.push((prefix, self.rendered.insert(prefix, uri)));
            self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.out.push_str(prefix);
            self.value(uri);
        }
        for attribute in &attributes {
            self.out.push(' ');
            self.name(attribute.prefix, attribute.local);
            self.value(attribute.value);
        }
        self.out.push('>');
        for child in node.children() {
            match child.node_type() {
                NodeType::Element => self.element(child, scope, false),
                NodeType::Text => {
                    let text = child.text().unwrap_or_default();
                    self.escape(
                        text,
                        &[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('\r', "&#xD;")],
                    );
                }
                NodeType::PI => self.misc(child),
                NodeType::Comment if self.form.comments => self.misc(child),
                _ => {}
            }
        }
        self.out.push_str("</");
        self.name(prefix, node.tag_name().name());
        self.out.push('>');
        for (prefix, before) in hidden {
            match before {
                Some(uri) => self.rendered.insert(prefix, uri),
                None => self.rendered.remove(prefix),
            };
        }
    }

    /// The attributes by namespace, then name. The inclusive form gives the top element the `xml:`
    /// attributes of the elements it was taken out of.
    fn attributes(&self, node: Node<'a, 'a>, apex: bool) -> Vec<Attr<'a>> {
        let mut found: Vec<Attr<'a>> = node.attributes().map(|a| attribute(node, &a)).collect();
        if apex && !self.form.exclusive {
            for above in node.ancestors().skip(1).filter(Node::is_element) {
                for a in above.attributes().filter(|a| a.namespace() == Some(XML_NAMESPACE)) {
                    if !found.iter().any(|f| f.namespace == XML_NAMESPACE && f.local == a.name()) {
                        found.push(attribute(above, &a));
                    }
                }
            }
        }
        found.sort_by(|a, b| (a.namespace, a.local).cmp(&(b.namespace, b.local)));
        found
    }

    /// What has to be declared here; `changed` says that the scope is another than the parent's.
    fn namespaces(
        &self,
        scope: &Namespaces<'a>,
        changed: bool,
        prefix: &'a str,
        attributes: &[Attr<'a>],
    ) -> Namespaces<'a> {
        let mut wanted: Vec<&'a str> = Vec::new();
        if self.form.exclusive {
            // Only what this element visibly uses.
            wanted.push(prefix);
            wanted.extend(attributes.iter().map(|a| a.prefix).filter(|p| !p.is_empty()));
        } else if changed {
            wanted.extend(scope.keys().copied());
            wanted.push("");
        }
        let mut declared = Namespaces::new();
        for prefix in wanted.into_iter().filter(|p| *p != "xml") {
            let uri = scope.get(prefix).copied().unwrap_or_default();
            if self.rendered.get(prefix).copied().unwrap_or_default() != uri {
                declared.insert(prefix, uri);
            }
        }
        declared
    }

    fn name(&mut self, prefix: &str, local: &str) {
        if !prefix.is_empty() {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.out.push_str(local);
    }

    fn value(&mut self, value: &str) {
        self.out.push_str("=\"");
        let escapes = [
            ('&', "&amp;"),
            ('<', "&lt;"),
            ('"', "&quot;"),
            ('\t', "&#x9;"),
            ('\n', "&#xA;"),
            ('\r', "&#xD;"),
        ];
        self.escape(value, &escapes);
        self.out.push('"');
    }

    fn escape(&mut self, text: &str, escapes: &[(char, &str)]) {
        for c in text.chars() {
            match escapes.iter().find(|(from, _)| *from == c) {
                Some((_, to)) => self.out.push_str(to),
                None => self.out.push(c),
            }
        }
    }
}

fn attribute<'a>(node: Node<'a, 'a>, a: &Attribute<'a, 'a>) -> Attr<'a> {
    let written = &node.document().input_text()[a.range_qname()];
    Attr {
        namespace: a.namespace().unwrap_or_default(),
        local: a.name(),
        prefix: written.split_once(':').map_or("", |(prefix, _)| prefix),
        value: a.value(),
    }
}

/// The start tag without its `<`, and the text behind it.
fn start_tag<'a>(node: Node<'a, 'a>) -> &'a str {
    let text = &node.document().input_text()[node.range().start + 1..];
    text.split('<').next().unwrap_or_default()
}

fn declares(node: Node<'_, '_>) -> bool {
    attribute_names(start_tag(node)).any(|name| name == "xmlns" || name.starts_with("xmlns:"))
}

fn scope_of<'a>(node: Node<'a, 'a>) -> Namespaces<'a> {
    node.namespaces().map(|n| (n.name().unwrap_or_default(), n.uri())).collect()
}

/// The prefix as it is written: two prefixes of one namespace are two spellings.
fn element_prefix<'a>(node: Node<'a, 'a>) -> &'a str {
    let tag = start_tag(node);
    let end =
        tag.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').unwrap_or(tag.len());
    tag[..end].split_once(':').map_or("", |(prefix, _)| prefix)
}

#[cfg(test)]
mod tests;
