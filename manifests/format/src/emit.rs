//! XML as bytes: two spaces, UTF-8, LF, one element a line.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io;

/// Collects the lines of one document.
pub(crate) struct Emitter {
    writer: Writer<Vec<u8>>,
    /// The first value that XML cannot hold.
    refused: Option<WriteError>,
}

/// Why a document cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A value holds a character that the format, or XML 1.0 section 2.2, does not allow.
    #[error("<{field}> holds the character U+{:04X} at position {position}, which a manifest cannot hold; remove it", u32::from(*character))]
    Character {
        /// Element name.
        field: &'static str,
        /// The character.
        character: char,
        /// Where it is, in characters from 1.
        position: usize,
    },
    /// The content breaks rules of the format; each is a sentence with the value.
    #[error("the manifest cannot be written:\n{}", .0.join("\n"))]
    Rules(Vec<String>),
}

impl Emitter {
    pub(crate) fn new() -> Self {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        in_memory(writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))));
        Self { writer, refused: None }
    }

    /// Opens an element, lets `inside` fill it, closes it.
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self),
    ) {
        in_memory(self.writer.write_event(Event::Start(start(name, attributes))));
        inside(self);
        in_memory(self.writer.write_event(Event::End(BytesEnd::new(name))));
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element that holds text, with attributes.
    pub(crate) fn text_with(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
        text: &str,
    ) {
        if let Some((index, character)) = text.chars().enumerate().find(|(_, c)| !holds(*c)) {
            let error = WriteError::Character { field: name, character, position: index + 1 };
            self.refused.get_or_insert(error);
            return;
        }
        in_memory(self.writer.write_event(Event::Start(start(name, attributes))));
        in_memory(self.writer.write_event(Event::Text(BytesText::from_escaped(escape(text)))));
        in_memory(self.writer.write_event(Event::End(BytesEnd::new(name))));
    }

    /// An element that holds text, if there is one.
    pub(crate) fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A complete element from elsewhere, as it stands.
    pub(crate) fn verbatim(&mut self, element: &str) {
        in_memory(self.writer.write_indent());
        self.writer.get_mut().extend_from_slice(element.as_bytes());
    }

    /// The document, ending in a line feed.
    pub(crate) fn finish(self) -> Result<String, WriteError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let mut text = String::from_utf8(self.writer.into_inner()).expect("made of strings");
        text.push('\n');
        Ok(text)
    }
}

fn start<'a>(name: &'a str, attributes: &[(&'a str, &'a str)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for attribute in attributes {
        start.push_attribute(*attribute);
    }
    start
}

/// Writing to a vector cannot fail.
fn in_memory(result: io::Result<()>) {
    result.expect("memory takes all bytes");
}

/// What XML 1.0 section 2.2 allows, without the control characters that no manifest needs: of
/// those only line feed and tab stay.
fn holds(c: char) -> bool {
    (!c.is_control() || matches!(c, '\n' | '\t')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Text as XML-DSig's canonical form writes it, so that nothing changes when it is canonicalised.
fn escape(text: &str) -> String {
    text.trim_matches([' ', '\t', '\r', '\n'])
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
