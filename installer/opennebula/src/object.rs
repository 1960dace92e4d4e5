//! Reading OpenNebula's objects: XML within bounds, and elements as typed values.

use std::str::FromStr;

use roxmltree::{Document, Node, ParsingOptions};

use crate::attributes::{Attributes, SyntaxError};

/// How many nodes one document may have: 20,000 machines with full bodies are about 6 million.
const MAX_NODES: u32 = 20_000_000;

/// Why an object of an answer cannot be read. It names elements, never their content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The text is not well-formed XML, or too large.
    #[error("it is not well-formed XML: line {line}, column {column}")]
    NotXml {
        /// Line, counted from 1.
        line: u32,
        /// Column in characters, counted from 1.
        column: u32,
    },
    /// The root element is another one.
    #[error("`<{found}>` came where `<{expected}>` was expected")]
    Root {
        /// What belongs there.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// An element is missing.
    #[error("`<{element}>` is missing in `<{parent}>`")]
    Missing {
        /// The element.
        element: &'static str,
        /// The element around it.
        parent: String,
    },
    /// An element's text is not what it should be.
    #[error("`<{element}>` in `<{parent}>` is no valid value")]
    Invalid {
        /// The element.
        element: &'static str,
        /// The element around it.
        parent: String,
    },
    /// A template in OpenNebula's own spelling.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// An object that oned describes with one element.
pub trait Object: Sized {
    /// The element's name.
    const ELEMENT: &'static str;
    /// The name of the element around it in a pool.
    const POOL: &'static str;
    /// Reads it.
    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError>;
}

/// Reads one object.
pub fn read_object<T: Object>(text: &str) -> Result<T, ObjectError> {
    let document = parse(text)?;
    let root = document.root_element();
    expect(root, T::ELEMENT)?;
    T::read(Element(root))
}

/// Reads a pool, in the order of the answer: newest first. Elements of other kinds between the
/// objects (quotas) are passed over.
pub fn read_pool<T: Object>(text: &str) -> Result<Vec<T>, ObjectError> {
    let document = parse(text)?;
    let root = document.root_element();
    expect(root, T::POOL)?;
    root.children()
        .filter(|child| child.has_tag_name(T::ELEMENT))
        .map(|child| T::read(Element(child)))
        .collect()
}

pub(crate) fn parse(text: &str) -> Result<Document<'_>, ObjectError> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let place = error.pos();
        ObjectError::NotXml { line: place.row, column: place.col }
    })
}

fn expect(root: Node<'_, '_>, expected: &'static str) -> Result<(), ObjectError> {
    if root.has_tag_name(expected) {
        return Ok(());
    }
    Err(ObjectError::Root { expected, found: root.tag_name().name().to_owned() })
}

/// An element of an answer.
#[derive(Clone, Copy)]
pub struct Element<'a, 'input>(Node<'a, 'input>);

impl<'a, 'input> Element<'a, 'input> {
    /// The first child of this name.
    pub fn child(self, name: &str) -> Option<Self> {
        self.0.children().find(|child| child.has_tag_name(name)).map(Self)
    }

    /// All children of this name.
    pub fn children(self, name: &'static str) -> impl Iterator<Item = Self> + use<'a, 'input> {
        self.0.children().filter(move |child| child.has_tag_name(name)).map(Self)
    }

    /// The text of a child; empty if there is none.
    pub fn text(self, name: &str) -> String {
        let texts = self.child(name).into_iter().flat_map(|child| child.0.children());
        texts.filter(Node::is_text).filter_map(|node| node.text()).collect()
    }

    /// The text of a child, if it is there and not empty.
    pub fn some_text(self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The text of a child that must be there.
    pub fn needed_text(self, name: &'static str) -> Result<String, ObjectError> {
        match self.child(name) {
            Some(_) => Ok(self.text(name)),
            None => Err(ObjectError::Missing { element: name, parent: self.name() }),
        }
    }

    /// The value of a child that must be there.
    pub fn needed<T: FromStr>(self, name: &'static str) -> Result<T, ObjectError> {
        let text = self.needed_text(name)?;
        text.trim().parse().map_err(|_| ObjectError::Invalid { element: name, parent: self.name() })
    }

    /// The value of a child; absent or empty counts as none, anything else must be valid.
    pub fn optional<T: FromStr>(self, name: &'static str) -> Result<Option<T>, ObjectError> {
        if self.text(name).trim().is_empty() { Ok(None) } else { self.needed(name).map(Some) }
    }

    /// The identifiers below a child: `<VMS><ID>1</ID>...</VMS>`.
    pub fn ids<T: From<i32>>(self, name: &'static str) -> Result<Vec<T>, ObjectError> {
        let invalid = || ObjectError::Invalid { element: name, parent: self.name() };
        let Some(list) = self.child(name) else { return Ok(Vec::new()) };
        list.children("ID")
            .map(|id| id.0.text().unwrap_or_default().trim().parse::<i32>().map(T::from))
            .collect::<Result<_, _>>()
            .map_err(|_| invalid())
    }

    /// The attributes below a child; none if it is absent.
    pub fn attributes(self, name: &str) -> Attributes {
        self.child(name).map(Element::all_attributes).unwrap_or_default()
    }

    /// The children of this element as attributes.
    pub fn all_attributes(self) -> Attributes {
        Attributes::from_element(self.0)
    }

    fn name(self) -> String {
        self.0.tag_name().name().to_owned()
    }
}
