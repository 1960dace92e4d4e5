//! The part of the pan language that is written here: assignments of values, block by block.
//!
//! Rules by the Pan Book ("Data Types", "Paths", "Strings"). A key of a path is a letter or `_`
//! followed by letters, digits, `_`, `+`, `-` or `.`; any other text stands in braces and is
//! escaped by the compiler, which can do so for characters below U+0100 only.

use std::fmt::{self, Write as _};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Permission bits, written in octal.
    Mode(u32),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Value>),
    /// Keys with values, in the order given.
    Dict(Vec<(&'static str, Value)>),
    /// Keys that come from data, with values.
    Record(Vec<(String, Value)>),
    /// The value of a global variable: what may not stand in a template.
    Variable(&'static str),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// Why something cannot be said in pan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable(pub String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// This is the value.
    Set,
    /// This is the value unless there is one already.
    Default,
    /// This is one more member of a list.
    Append,
}

/// An assignment below the path of a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The key, or keys with `/` between; made by [`key`] and [`escaped`].
    pub key: String,
    /// How.
    pub how: How,
    /// What.
    pub value: Value,
}

impl Line {
    /// Sets a value.
    pub fn set(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), how: How::Set, value }
    }

    /// Gives a value where there is none.
    pub fn default(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), how: How::Default, value }
    }

    /// Adds to a list.
    pub fn append(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), how: How::Append, value }
    }
}

/// Assignments below one path, with the reason for them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// The path.
    pub path: String,
    /// The assignments.
    pub lines: Vec<Line>,
    /// Why, in one sentence.
    pub reason: String,
}

/// A text as a key of a path, as it is.
pub fn key(text: &str) -> Result<String, Unwritable> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    if text.starts_with(first) && text.chars().all(rest) {
        return Ok(text.to_owned());
    }
    Err(Unwritable(format!(
        "`{text}` cannot be a key in pan: a letter or `_`, then letters, digits, `_`, `+`, `-`, `.`"
    )))
}

/// A text as a key of a path that the compiler escapes.
pub fn escaped(text: &str) -> Result<String, Unwritable> {
    let good = |c: char| !c.is_control() && u32::from(c) < 256 && !matches!(c, '{' | '}' | '\'');
    if !text.is_empty() && text.chars().all(good) {
        return Ok(format!("{{{text}}}"));
    }
    Err(Unwritable(format!(
        "`{text}` cannot be a key in pan: empty, or with a brace, a quote, a control character or \
         one beyond U+00FF"
    )))
}

/// Whether a text can be a value: pan has no way to write control characters in a file that people
/// read, except tabs and line ends.
pub fn writable(text: &str) -> Result<(), Unwritable> {
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        Some(c) => Err(Unwritable(format!(
            "it holds the control character U+{:04X}, which is not written to a template",
            u32::from(c)
        ))),
        None => Ok(()),
    }
}

/// The blocks as statements, each with its reason above.
pub fn statements(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        let reason = block.reason.replace(['\n', '\r'], " ");
        let _ = write!(text, "\n# {reason}\nprefix '{}';\n", block.path);
        for line in &block.lines {
            text.push_str(&statement(line));
        }
    }
    text
}

fn statement(line: &Line) -> String {
    let value = shown(&line.value, 0);
    let key = &line.key;
    match (line.how, &line.value) {
        (How::Set, Value::Text(text)) if is_long(text) => {
            let marker = marker(text);
            format!("'{key}' = <<{marker};\n{text}{marker}\n")
        }
        (How::Set, _) => format!("'{key}' = {value};\n"),
        (How::Default, _) => format!("'{key}' ?= {value};\n"),
        (How::Append, _) => format!("'{key}' = append({value});\n"),
    }
}

/// A text of whole lines is shown as such.
fn is_long(text: &str) -> bool {
    text.ends_with('\n')
}

/// The first of EOF, `EOF_1`, … that is not a line of the text.
fn marker(text: &str) -> String {
    let taken = |marker: &str| text.lines().any(|line| line == marker);
    let names = (0_u32..).map(|n| if n == 0 { "EOF".to_owned() } else { format!("EOF_{n}") });
    names.into_iter().find(|name| !taken(name)).unwrap_or_default()
}

fn shown(value: &Value, depth: usize) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Mode(mode) => format!("0{mode:03o}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Variable(name) => (*name).to_owned(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(|v| shown(v, depth + 1)).collect();
            format!("list({})", values.join(", "))
        }
        Value::Dict(members) => dict(members.iter().map(|(k, v)| (*k, v)), depth),
        Value::Record(members) => dict(members.iter().map(|(k, v)| (k.as_str(), v)), depth),
    }
}

fn dict<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>, depth: usize) -> String {
    let indent = "    ".repeat(depth + 1);
    let line = |(key, value): (&str, &Value)| {
        format!("{indent}{}, {},\n", quoted(key), shown(value, depth + 1))
    };
    let lines: String = members.map(line).collect();
    if lines.is_empty() {
        return "dict()".to_owned();
    }
    format!("dict(\n{lines}{})", "    ".repeat(depth))
}

/// A text in quotes: single ones, in which only the quote itself is special, or double ones where
/// there are line ends or tabs.
pub fn quoted(text: &str) -> String {
    if !text.contains(['\n', '\t', '\r']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_are_doubled_and_line_ends_escaped() {
        assert_eq!(quoted("it's \\n"), "'it''s \\n'");
        assert_eq!(quoted("a\t\"b\\\"\nc"), "\"a\\t\\\"b\\\\\\\"\\nc\"");
    }

    #[test]
    fn a_text_of_lines_is_shown_as_lines_whatever_it_holds() {
        let line = Line::set("config", Value::text("EOF\n  EOF_1\n"));
        assert_eq!(statement(&line), "'config' = <<EOF_1;\nEOF\n  EOF_1\nEOF_1\n");
    }

    #[test]
    fn keys_that_pan_does_not_take_are_refused() {
        assert_eq!(key("node1.example.org").unwrap(), "node1.example.org");
        assert!(key("1node").is_err() && key("").is_err() && key("a/b").is_err());
        assert_eq!(escaped("/etc/x").unwrap(), "{/etc/x}");
        assert!(escaped("/etc/{x}").is_err() && escaped("it's").is_err() && escaped("Ā").is_err());
        assert!(writable("a\tb\n").is_ok() && writable("a\0").is_err() && writable("\r").is_err());
    }

    #[test]
    fn what_is_nested_is_indented() {
        let inner = Value::Dict(vec![("b", Value::Mode(0o640)), ("c", Value::List(vec![]))]);
        let text = shown(&Value::Dict(vec![("a", inner)]), 0);
        assert_eq!(
            text,
            "dict(\n    'a', dict(\n        'b', 0640,\n        'c', list(),\n    ),\n)"
        );
    }

    proptest! {
        /// A value never leaves its quotes.
        #[test]
        fn single_quotes_come_in_pairs(text in "[ -~é]{0,40}") {
            let inside = quoted(&text);
            let inside = &inside[1..inside.len() - 1];
            prop_assert_eq!(inside.matches('\'').count() % 2, 0);
            prop_assert_eq!(inside.replace("''", "'"), text);
        }
    }
}
