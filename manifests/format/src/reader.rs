//! Reading typed values out of a tree while collecting everything that is wrong.
//!
//! Nothing here stops at the first problem: a value that cannot be read becomes `None` and a
//! [`Problem`], and the caller goes on.

use crate::dates;
use crate::problem::{PROBLEMS, Problem, ReadError, ReadErrorKind};
use jiff::Timestamp;
use roxmltree::{Document, Node};
use std::collections::HashMap;
use stratus_model::{Algorithm, Digest};

/// An element of the tree.
pub(crate) type Element<'d> = Node<'d, 'd>;

/// Collects problems and notes while one document is read.
pub(crate) struct Reader<'d> {
    document: &'d Document<'d>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(document: &'d Document<'d>) -> Self {
        Self { document, problems: Vec::new(), notes: Vec::new() }
    }

    /// The result, if no rule was broken.
    pub(crate) fn finish<T>(mut self, value: T) -> Result<(T, Vec<String>), ReadError> {
        if self.problems.is_empty() {
            return Ok((value, self.notes));
        }
        self.problems.sort_by_key(|p| (p.line, p.column));
        Err(ReadError::new(ReadErrorKind::Rules, self.problems))
    }

    /// Finding a line is linear in the document, so a document full of faults is cut short.
    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS
    }

    fn add(&mut self, node: Element<'_>, rule: String, value: Option<&str>) {
        if self.is_full() {
            return;
        }
        let at = self.document.text_pos_at(node.range().start);
        let problem = Problem::new((at.row, at.col), rule);
        self.problems.push(match value {
            Some(value) => problem.with_value(value),
            None => problem,
        });
    }

    /// Reports something that is unusual and tolerated.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < PROBLEMS {
            self.notes.push(note.into());
        }
    }

    /// Reports a broken rule.
    pub(crate) fn broken(&mut self, node: Element<'_>, rule: impl Into<String>) {
        self.add(node, rule.into(), None);
    }

    /// Reports a broken rule and the value that breaks it.
    pub(crate) fn wrong(&mut self, node: Element<'_>, rule: impl Into<String>, value: &str) {
        self.add(node, rule.into(), Some(value));
    }

    /// The text of an element without surrounding white space; none where it is empty or holds
    /// elements. Comments inside it do not count, as they do not in the signed form.
    pub(crate) fn text(&mut self, node: Element<'_>) -> Option<String> {
        if let Some(child) = node.children().find(Node::is_element) {
            let rule = format!("<{}> holds text only", name(node));
            self.wrong(child, rule, &format!("<{}>", name(child)));
            return None;
        }
        let text: String = node.children().filter(Node::is_text).filter_map(|c| c.text()).collect();
        let text = trim(&text);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// As [`Self::text`], and empty is a problem.
    pub(crate) fn required_text(&mut self, node: Element<'_>) -> Option<String> {
        let holds_elements = node.children().any(|c| c.is_element());
        let text = self.text(node);
        if text.is_none() && !holds_elements {
            self.broken(node, format!("<{}> must not be empty", name(node)));
        }
        text
    }

    /// A value that `parse` reads; `rule` says what it should be.
    pub(crate) fn parsed<T>(
        &mut self,
        node: Element<'_>,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.required_text(node)?;
        let value = parse(&text);
        if value.is_none() {
            self.wrong(node, format!("<{}> must be {rule}", name(node)), &text);
        }
        value
    }

    /// A whole number of `u64`, digits only, not less than `least`.
    pub(crate) fn number(&mut self, node: Element<'_>, least: u64) -> Option<u64> {
        let rule = format!("a whole number, at least {least}");
        self.parsed(node, &rule, |t| whole(t).filter(|n| *n >= least))
    }

    /// A date in the one spelling of the later formats: `2011-02-28T16:33:17Z`.
    pub(crate) fn date(&mut self, node: Element<'_>) -> Option<Timestamp> {
        self.parsed(node, "a date as 2011-02-28T16:33:17Z", dates::strict)
    }

    /// A digest from its algorithm's name and its hexadecimal digits.
    pub(crate) fn digest(
        &mut self,
        node: Element<'_>,
        algorithm: &str,
        hex: &str,
    ) -> Option<Digest> {
        let Ok(known) = Algorithm::parse(algorithm) else {
            let rule =
                "the algorithm of a checksum must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512";
            self.wrong(node, rule, algorithm);
            return None;
        };
        let digest = Digest::from_hex(known, hex).ok();
        if digest.is_none() {
            let rule = format!(
                "a {} checksum must be {} hexadecimal digits",
                known.name(),
                known.length() * 2
            );
            self.wrong(node, rule, hex);
        }
        digest
    }

    /// Keeps one digest for each algorithm.
    pub(crate) fn add_digest(&mut self, list: &mut Vec<Digest>, node: Element<'_>, digest: Digest) {
        if list.iter().any(|d| d.algorithm() == digest.algorithm()) {
            let rule = format!(
                "one checksum for each algorithm, and {} is given twice",
                digest.algorithm().name()
            );
            self.wrong(node, rule, &digest.to_hex());
        } else {
            list.push(digest);
        }
    }

    /// Text between elements where only elements belong.
    pub(crate) fn elements_only(&mut self, node: Element<'_>) {
        let stray = node
            .children()
            .filter(Node::is_text)
            .find(|t| !trim(t.text().unwrap_or_default()).is_empty());
        if let Some(stray) = stray {
            let rule = format!("<{}> holds elements only, no text between them", name(node));
            self.wrong(stray, rule, trim(stray.text().unwrap_or_default()));
        }
    }
}

/// Remembers which elements came already, to find the second one.
#[derive(Default)]
pub(crate) struct Seen<'d>(HashMap<(Option<&'d str>, &'d str), Element<'d>>);

impl<'d> Seen<'d> {
    /// Whether this is the first of its name; a second one is a problem.
    pub(crate) fn first(&mut self, reader: &mut Reader<'d>, node: Element<'d>) -> bool {
        let key = (namespace(node), name(node));
        let Some(earlier) = self.0.get(&key) else {
            self.0.insert(key, node);
            return true;
        };
        if reader.is_full() {
            return false;
        }
        let at = reader.document.text_pos_at(earlier.range().start);
        let rule =
            format!("<{}> may be given once; the first is at {}:{}", name(node), at.row, at.col);
        reader.broken(node, rule);
        false
    }

    /// Whether an element of this name came.
    pub(crate) fn has(&self, namespace: Option<&'d str>, name: &'d str) -> bool {
        self.0.contains_key(&(namespace, name))
    }

    /// The element of this name.
    pub(crate) fn get(&self, namespace: Option<&'d str>, name: &'d str) -> Option<Element<'d>> {
        self.0.get(&(namespace, name)).copied()
    }
}

/// Child elements only.
pub(crate) fn elements(node: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    node.children().filter(Node::is_element)
}

/// An attribute without a namespace; the parser's own search takes `x:name` for `name`.
pub(crate) fn plain_attribute<'d>(node: Element<'d>, name: &str) -> Option<&'d str> {
    let plain = |a: &roxmltree::Attribute<'d, 'd>| a.namespace().is_none() && a.name() == name;
    node.attributes().find(plain).map(|a| a.value())
}

/// Namespace of an element; `xmlns=""` is none.
pub(crate) fn namespace(node: Element<'_>) -> Option<&str> {
    node.tag_name().namespace().filter(|n| !n.is_empty())
}

/// Local name of an element.
pub(crate) fn name(node: Element<'_>) -> &str {
    node.tag_name().name()
}

/// Without the white space that XML 1.0 section 2.3 knows.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Digits only: no sign, no fraction.
pub(crate) fn whole(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
