//! The text of a site file, parsed, before anybody asks for a value.

use crate::near;
use crate::problems::{Invalid, Problems};
use crate::section::Section;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, TableLike, TomlError, Value};

/// The text of a site file, parsed.
#[derive(Debug)]
pub struct SiteText {
    name: String,
    pub(crate) folder: PathBuf,
    raw: String,
    document: Document<String>,
    /// What the syntax alone showed; the reading went on without it.
    syntax: Problems,
    /// Every key that a section asked for, as `section.key`, names given by people as `*`.
    asked: RefCell<BTreeSet<String>>,
    /// Parts of the text that no report may show.
    hidden: RefCell<Vec<Range<usize>>>,
    /// How the value of a key is written, by the key's pattern.
    examples: fn(&str) -> Option<&'static str>,
}

/// One value as it is written, on a walk through the whole file.
#[derive(Debug)]
pub struct Written<'a> {
    /// The key that it belongs to, without the sections around it.
    pub key: &'a str,
    /// Where the key is.
    pub key_span: Range<usize>,
    /// The text, where the value is one.
    pub text: Option<&'a str>,
    /// Where the value is.
    pub span: Range<usize>,
}

/// Most repeated keys that one report shows.
const REPEATED: usize = 50;

impl SiteText {
    /// Parses the text. `file` is the name that reports show; relative paths in values start from
    /// its folder. A key given twice is noted and read once; other slips of syntax end the reading.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        let name = file.display().to_string();
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let mut syntax = Problems::default();
        let mut readable = text.to_owned();
        for _ in 0..REPEATED {
            match Document::parse(readable.clone()) {
                Ok(document) => {
                    return Ok(Self {
                        name,
                        folder,
                        raw: text.to_owned(),
                        document,
                        syntax,
                        asked: RefCell::default(),
                        hidden: RefCell::default(),
                        examples: |_| None,
                    });
                }
                Err(error) => match without_repeated(&readable, &error, &mut syntax) {
                    Some(shorter) => readable = shorter,
                    None => break,
                },
            }
        }
        Err(syntax.into_result(&name, text).expect_err("each way here added a problem"))
    }

    /// Knows how the value of a key is written, by its pattern such as `networks.*.base`: problems
    /// that have no better cure show it.
    #[must_use]
    pub fn with_examples(mut self, examples: fn(&str) -> Option<&'static str>) -> Self {
        self.examples = examples;
        self
    }

    pub(crate) fn example(&self, pattern: &str) -> Option<&'static str> {
        (self.examples)(pattern)
    }

    /// The section called `name`; an absent one reads as empty.
    pub fn section(&self, name: &'static str) -> Section<'_> {
        let item = self.document.get(name);
        let table = item.and_then(Item::as_table_like);
        let span = item.and_then(Item::span);
        let section = Section::new(self, name.to_owned(), name.to_owned(), table, span);
        if let (Some(item), None) = (item, table) {
            let span = item.span().unwrap_or(0..0);
            let cure = Some(format!("write [{name}]"));
            section.complain_at(span, format!("`{name}` must be a section"), cure);
        }
        section
    }

    /// Whether there is such a section.
    pub fn has(&self, name: &str) -> bool {
        self.document.contains_key(name)
    }

    /// Notes every section that is none of these.
    pub fn only_sections(&self, known: &[&str]) -> Problems {
        let mut problems = Problems::default();
        for (name, item) in self.document.iter().filter(|(name, _)| !known.contains(name)) {
            let key = self.document.as_table().key(name).and_then(toml_edit::Key::span);
            let span = key.or_else(|| item.span()).unwrap_or(0..0);
            let cure = near::cure(name, known.iter().copied(), "known sections");
            problems.add(span, format!("there is no section [{name}]"), Some(cure));
        }
        problems
    }

    /// Every value of the file, lists and tables opened up.
    pub fn walk(&self, visit: &mut dyn FnMut(&Written<'_>)) {
        walk_table(self.document.as_table(), visit);
    }

    /// Every key that sections asked for so far, as `section.key`; names that people choose are
    /// `*`, as in `networks.*.base`.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    pub(crate) fn note_asked(&self, section: &str, keys: &BTreeSet<String>) {
        self.asked.borrow_mut().extend(keys.iter().map(|key| format!("{section}.{key}")));
    }

    /// Turns what sections noted into one answer.
    pub fn conclude(&self, mut problems: Problems) -> Result<(), Invalid> {
        problems.extend(self.syntax.clone());
        problems.into_result(&self.name, &with_stars(&self.raw, &self.hidden.borrow()))
    }

    /// Keeps a part of the text, such as a secret, out of the report.
    pub fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }
}

/// The text with these parts as stars, as long as before.
fn with_stars(text: &str, hidden: &[Range<usize>]) -> String {
    let mut shown = text.to_owned();
    for span in hidden {
        if let Some(part) = text.get(span.clone()) {
            let star = |c: char| if c == '\n' { "\n".to_owned() } else { "*".repeat(c.len_utf8()) };
            shown.replace_range(span.clone(), &part.chars().map(star).collect::<String>());
        }
    }
    shown
}

/// Notes the problem. Where it is a key given twice on a line of its own, gives the text with
/// that line blank, so that places stay the same; of a section given twice the whole second one.
fn without_repeated(text: &str, error: &TomlError, problems: &mut Problems) -> Option<String> {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().trim().to_owned();
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(span.start..)?.find('\n').map_or(text.len(), |at| span.start + at);
    let line = text.get(start..end)?;
    if message != "duplicate key" {
        // After a line was taken out, what is left of its value is no mistake of the person.
        if problems.is_empty() {
            let cure = "what is written must be TOML: `key = \"text\"`, `key = 12`, `[section]`";
            problems.add(span, message, Some(cure.to_owned()));
        }
        return None;
    }
    if line.trim_start().starts_with('[') {
        let message = format!("the section {} is there twice", line.trim());
        let cure = "write the keys of both into one, which has to be right then".to_owned();
        problems.add(span, message, Some(cure));
        let next = text[end..].find("\n[").map_or(text.len(), |at| end + at);
        let blank: String = text[start..next]
            .chars()
            .map(|c| if c == '\n' { "\n" } else { " " }.repeat(c.len_utf8()))
            .collect();
        return Some(format!("{}{blank}{}", &text[..start], &text[next..]));
    }
    let key = text.get(span.clone()).unwrap_or("the key").trim();
    let cure = Some("keep one of the two".to_owned());
    problems.add(span.clone(), format!("duplicate key `{key}`"), cure);
    let blank = " ".repeat(line.len());
    Some(format!("{}{blank}{}", &text[..start], &text[end..]))
}

fn walk_table(table: &dyn TableLike, visit: &mut dyn FnMut(&Written<'_>)) {
    for (name, item) in table.iter() {
        let key_span = table.get_key_value(name).and_then(|(key, _)| key.span());
        let key_span = key_span.or_else(|| item.span()).unwrap_or(0..0);
        match item {
            Item::Value(value) => walk_value(name, &key_span, value, visit),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|t| walk_table(t, visit)),
            Item::Table(inner) => walk_table(inner, visit),
            Item::None => {}
        }
    }
}

fn walk_value(
    key: &str,
    key_span: &Range<usize>,
    value: &Value,
    visit: &mut dyn FnMut(&Written<'_>),
) {
    match value {
        Value::Array(list) => list.iter().for_each(|v| walk_value(key, key_span, v, visit)),
        Value::InlineTable(table) => walk_table(table, visit),
        _ => visit(&Written {
            key,
            key_span: key_span.clone(),
            text: value.as_str(),
            span: value.span().unwrap_or(0..0),
        }),
    }
}
