//! What is wrong with a document: every broken rule with its place.

use std::fmt;

/// Most problems that are listed for one document; more help nobody.
pub(crate) const PROBLEMS: usize = 100;
/// Most characters of a stranger's value that a message repeats.
const SHOWN: usize = 72;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the document, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The rule, as a sentence without full stop.
    pub rule: String,
    /// The value that breaks it, shortened and made harmless for a terminal.
    pub value: Option<String>,
}

impl Problem {
    pub(crate) fn new((line, column): (u32, u32), rule: impl Into<String>) -> Self {
        Self { line, column, rule: rule.into(), value: None }
    }

    pub(crate) fn with_value(mut self, value: &str) -> Self {
        self.value = Some(printable(value));
        self
    }

    /// The rule and the value without the place, for a document that nobody sees.
    pub fn sentence(&self) -> String {
        match &self.value {
            Some(value) => format!("{}; found `{value}`", self.rule),
            None => self.rule.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.sentence())
    }
}

/// Why a document cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadErrorKind {
    /// Larger than 4 MiB.
    TooLarge,
    /// Not UTF-8 text.
    Encoding,
    /// Not well-formed XML 1.0 with namespaces.
    NotXml,
    /// It has a document type declaration, which no manifest needs.
    Doctype,
    /// Elements nested deeper than 32, or more elements, attributes or namespaces than any manifest
    /// has.
    TooDeep,
    /// Well-formed, but the root element is of no known format.
    UnknownFormat,
    /// A known format whose rules are broken.
    Rules,
}

/// A document that cannot be read, with everything that is wrong with it.
///
/// Displayed, it is one line for each problem: `line:column: rule; found value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    kind: ReadErrorKind,
    problems: Vec<Problem>,
}

impl ReadError {
    pub(crate) fn new(kind: ReadErrorKind, problems: Vec<Problem>) -> Self {
        Self { kind, problems }
    }

    pub(crate) fn one(kind: ReadErrorKind, problem: Problem) -> Self {
        Self::new(kind, vec![problem])
    }

    /// Why, for a machine.
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// All problems in the order of the document, at most 100; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ReadError {}

/// A stranger's text, short and without anything a terminal would act on.
pub(crate) fn printable(text: &str) -> String {
    stratus_model::text::printable(text, SHOWN)
}

/// A message that may repeat a stranger's text, made harmless but not shortened to a value's length.
pub(crate) fn printable_line(text: &str) -> String {
    stratus_model::text::printable(text, 300)
}
