//! Lists whose elements have places of their own, and tables by names that people choose.

use crate::section::Section;
use std::ops::Range;
use toml_edit::{Item, TableLike, Value};

/// One element of a list that may hold texts and tables side by side.
pub enum Element<'a> {
    /// A text, and where it is.
    Text(String, Range<usize>),
    /// A table.
    Table(Section<'a>),
}

/// A value that is true, false, or a table with more to say, which means true.
pub enum Switch<'a> {
    /// Absent or false.
    Off,
    /// True.
    On,
    /// True, with more to say.
    With(Section<'a>),
}

impl<'a> Section<'a> {
    /// A list of texts, each with its place; a single text is a list of one.
    pub fn texts_at(&self, key: &'static str) -> Vec<(String, Range<usize>)> {
        let elements = self.list(key, "a text or a list of texts");
        let text = |element| match element {
            Element::Text(text, span) => Some((text, span)),
            Element::Table(table) => {
                self.complain_at(
                    table.span(),
                    format!("`{key}` is a list of texts"),
                    self.example(key),
                );
                None
            }
        };
        elements.into_iter().filter_map(text).collect()
    }

    /// A list of texts and tables; a single one is a list of one. `wanted` says what may be in it.
    pub fn list(&self, key: &'static str, wanted: &str) -> Vec<Element<'a>> {
        let Some(item) = self.ask(key) else { return Vec::new() };
        let (name, pattern) = (format!("{}.{key}", self.name()), self.pattern_of(key));
        let table = |table: &'a dyn TableLike, span| {
            Element::Table(Section::new(
                self.site(),
                name.clone(),
                pattern.clone(),
                Some(table),
                span,
            ))
        };
        let value = |value: &'a Value| match value {
            Value::String(text) => {
                let span = value.span().unwrap_or(0..0);
                Some(Element::Text(text.value().clone(), span))
            }
            Value::InlineTable(inner) => Some(table(inner, value.span())),
            _ => {
                let span = value.span().unwrap_or(0..0);
                self.complain_at(span, format!("`{key}` must be {wanted}"), self.example(key));
                None
            }
        };
        match item {
            Item::Value(Value::Array(list)) => list.iter().filter_map(value).collect(),
            Item::Value(single) => value(single).into_iter().collect(),
            Item::ArrayOfTables(tables) => tables.iter().map(|t| table(t, t.span())).collect(),
            Item::Table(inner) => vec![table(inner, item.span())],
            Item::None => Vec::new(),
        }
    }

    /// True, false, or a table.
    pub fn switch(&self, key: &'static str) -> Switch<'a> {
        let Some(item) = self.ask(key) else { return Switch::Off };
        match (item.as_bool(), item.as_table_like()) {
            (Some(true), _) => Switch::On,
            (Some(false), _) => Switch::Off,
            (None, Some(table)) => {
                let (name, pattern) = (format!("{}.{key}", self.name()), self.pattern_of(key));
                Switch::With(Section::new(self.site(), name, pattern, Some(table), item.span()))
            }
            (None, None) => {
                self.complain(key, format!("`{key}` must be true, false or a table"), None);
                Switch::Off
            }
        }
    }

    /// Every key of this section as a table by its name: `[section.<name>]`. Each comes with the
    /// place of the name.
    pub fn tables_by_name(&self) -> Vec<(String, Range<usize>, Section<'a>)> {
        let mut found = Vec::new();
        for (name, item) in self.entries() {
            self.note_name(name);
            let span = self.key_span(name);
            match item.as_table_like() {
                Some(table) => {
                    let (full, pattern) = (format!("{}.{name}", self.name()), self.pattern_of("*"));
                    let section =
                        Section::new(self.site(), full, pattern, Some(table), item.span());
                    found.push((name.to_owned(), span, section));
                }
                None => {
                    let cure = format!("write [{}.{name}] above what belongs to it", self.name());
                    self.complain_at(span, format!("`{name}` must be a table"), Some(cure));
                }
            }
        }
        found
    }
}
