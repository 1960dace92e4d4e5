//! Templates in OpenNebula's own spelling.
//!
//! `NAME = text`, `NAME = "text"` over any number of lines with `\"` for a quotation mark,
//! `NAME = [ A = text, B = "text" ]`, `NAME =` for an empty text, and `#` comments on lines of
//! their own. A backslash is only special before a quotation mark.

use super::{Attribute, Attributes, Unwritable, check};

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template cannot be read at line {line}: {expected} was expected")]
pub struct SyntaxError {
    /// Line, counted from 1.
    pub line: usize,
    /// What belongs there.
    pub expected: &'static str,
}

impl Attributes {
    /// Reads OpenNebula's own spelling.
    pub fn from_syntax(text: &str) -> Result<Self, SyntaxError> {
        let mut source = Source { text, at: 0 };
        let mut attributes = Self::new();
        loop {
            source.skip_blanks_and_comments();
            if source.rest().is_empty() {
                return Ok(attributes);
            }
            let name = source.name()?;
            source.equals()?;
            let value = if source.take('[') { source.vector()? } else { source.text()? };
            attributes.push(&name, value);
        }
    }

    /// Reads either spelling: XML if it begins with `<`, as oned decides.
    pub fn read(text: &str) -> Result<Self, crate::object::ObjectError> {
        if text.starts_with('<') { Self::from_xml(text) } else { Ok(Self::from_syntax(text)?) }
    }

    /// Writes OpenNebula's own spelling, one attribute a line.
    pub fn to_syntax(&self) -> Result<String, Unwritable> {
        let mut out = String::new();
        for (name, value) in self.iter() {
            match value {
                Attribute::Text(text) => {
                    out.push_str(&format!("{name} = {}\n", quoted(None, name, text)?));
                }
                Attribute::Vector(members) if members.is_empty() => {}
                Attribute::Vector(members) => {
                    check(None, name, "")?;
                    let members = members
                        .iter()
                        .map(|(m, text)| Ok(format!("{m} = {}", quoted(Some(name), m, text)?)))
                        .collect::<Result<Vec<_>, Unwritable>>()?;
                    out.push_str(&format!("{name} = [ {} ]\n", members.join(", ")));
                }
            }
        }
        Ok(out)
    }
}

fn quoted(vector: Option<&str>, name: &str, text: &str) -> Result<String, Unwritable> {
    check(vector, name, text)?;
    if text.ends_with('\\') {
        let reason = "a text cannot end in a backslash in this spelling; write XML";
        return Err(Unwritable { name: name.to_owned(), reason });
    }
    Ok(format!("\"{}\"", text.replace('"', "\\\"")))
}

struct Source<'a> {
    text: &'a str,
    at: usize,
}

impl Source<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { line: self.text[..self.at].matches('\n').count() + 1, expected }
    }

    fn skip(&mut self, blank: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(blank).len();
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.skip(char::is_whitespace);
            if !self.rest().starts_with('#') {
                return;
            }
            self.skip(|c| c != '\n');
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        self.skip(|c| c.is_ascii_alphanumeric() || c == '_');
        if self.at == start {
            return Err(self.error("a name"));
        }
        Ok(self.text[start..self.at].to_ascii_uppercase())
    }

    /// The `=` and the blanks around it, but no line end behind it: that means an empty text.
    fn equals(&mut self) -> Result<(), SyntaxError> {
        self.skip(is_blank);
        if !self.take('=') {
            return Err(self.error("`=`"));
        }
        self.skip(is_blank);
        Ok(())
    }

    fn text(&mut self) -> Result<Attribute, SyntaxError> {
        Ok(Attribute::Text(self.plain_or_quoted()?))
    }

    fn plain_or_quoted(&mut self) -> Result<String, SyntaxError> {
        if self.take('"') {
            return self.quoted();
        }
        let start = self.at;
        self.skip(|c| !matches!(c, '=' | '#' | ' ' | '\t' | '\r' | '\n' | ',' | '[' | ']'));
        Ok(self.text[start..self.at].to_owned())
    }

    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let mut out = String::new();
        let mut letters = self.rest().char_indices().peekable();
        while let Some((offset, letter)) = letters.next() {
            match letter {
                '\\' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                    letters.next();
                    out.push('"');
                }
                '"' => {
                    self.at += offset + 1;
                    return Ok(out);
                }
                _ => out.push(letter),
            }
        }
        Err(self.error("the `\"` that ends the text"))
    }

    fn vector(&mut self) -> Result<Attribute, SyntaxError> {
        let mut members = Vec::new();
        loop {
            self.skip(char::is_whitespace);
            let name = self.name()?;
            self.equals()?;
            members.push((name, self.plain_or_quoted()?));
            self.skip(char::is_whitespace);
            if self.take(']') {
                return Ok(Attribute::Vector(members));
            }
            if !self.take(',') {
                return Err(self.error("`,` or `]`"));
            }
        }
    }
}

fn is_blank(letter: char) -> bool {
    letter == ' ' || letter == '\t'
}
