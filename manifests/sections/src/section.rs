//! Typed values by key, with their places.

use crate::near;
use crate::problems::Problems;
use crate::site_text::SiteText;
use jiff::SignedDuration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use stratus_model::ByteCount;
use toml_edit::{Item, Key, TableLike, Value};

/// A table of the file while its keys are taken out of it.
pub struct Section<'a> {
    site: &'a SiteText,
    name: String,
    /// The name with `*` for what people choose.
    pattern: String,
    table: Option<&'a dyn TableLike>,
    span: Range<usize>,
    asked: RefCell<BTreeSet<String>>,
    /// Names that people chose; no key of the format.
    chosen: RefCell<BTreeSet<String>>,
    problems: RefCell<Problems>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(
        site: &'a SiteText,
        name: String,
        pattern: String,
        table: Option<&'a dyn TableLike>,
        span: Option<Range<usize>>,
    ) -> Self {
        Self {
            site,
            name,
            pattern,
            table,
            span: span.unwrap_or(0..0),
            asked: RefCell::default(),
            chosen: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    /// Whether the table is in the file.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Notes a problem with the value of `key`, or with the section where it has none.
    pub fn complain(&self, key: &str, message: impl Into<String>, cure: Option<String>) {
        let cure = cure.or_else(|| self.example(key));
        self.complain_at(self.value_span(key), message, cure);
    }

    /// Notes that what the value of `key` names cannot be used, with every cause.
    pub fn complain_because(
        &self,
        key: &str,
        error: &dyn std::error::Error,
        cure: impl Into<Option<String>>,
    ) {
        let mut told = error.to_string();
        let mut next = error.source();
        while let Some(error) = next {
            let text = error.to_string();
            if !told.ends_with(&text) {
                told = format!("{told}: {text}");
            }
            next = error.source();
        }
        self.complain(key, format!("`{key}`: {told}"), cure.into());
    }

    /// How the value of a key would be written, for a problem that has no better cure.
    pub(crate) fn example(&self, key: &str) -> Option<String> {
        let example = self.site.example(&self.pattern_of(key))?;
        Some(format!("write it as {key} = {example}"))
    }

    /// Notes a problem with a part of the text.
    pub fn complain_at(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        cure: Option<String>,
    ) {
        self.problems.borrow_mut().add(span, message, cure);
    }

    /// Where the section is.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Its full name, as `networks.private`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the value of `key` is, or the section where it has none.
    pub fn value_span(&self, key: &str) -> Range<usize> {
        self.item(key).and_then(Item::span).unwrap_or_else(|| self.span.clone())
    }

    /// Whether the key is in the file, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Takes keys for good that another program reads.
    pub fn accept(&self, keys: &[&str]) {
        self.asked.borrow_mut().extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// As [`Self::complain`], where the value has a secret in it that no report may show.
    pub fn complain_of_secret(&self, key: &str, message: &str, cure: Option<String>) {
        if let Some(span) = self.item(key).and_then(Item::span) {
            self.site.hide(span);
        }
        self.complain(key, message, cure);
    }

    /// A text, if given.
    pub fn text(&self, key: &'static str) -> Option<String> {
        let item = self.ask(key)?;
        let text = item.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "a text in quotes");
        }
        text
    }

    /// A text that must be there. Empty when it is not, after noting it.
    pub fn required_text(&self, key: &'static str) -> String {
        let text = self.text(key);
        if text.is_none() && self.item(key).is_none() {
            let example = self.site.example(&self.pattern_of(key)).unwrap_or("\"…\"");
            let cure = format!("write {key} = {example} in [{}]", self.name);
            self.complain("", format!("[{}] needs `{key}`", self.name), Some(cure));
        }
        text.unwrap_or_default()
    }

    /// A list of texts; a single text is a list of one.
    pub fn texts(&self, key: &'static str) -> Vec<String> {
        let Some(item) = self.ask(key) else { return Vec::new() };
        if let Some(text) = item.as_str() {
            return vec![text.to_owned()];
        }
        let list: Option<Vec<String>> = item
            .as_array()
            .and_then(|array| array.iter().map(|v| v.as_str().map(str::to_owned)).collect());
        list.unwrap_or_else(|| {
            self.wrong_type(key, "a text or a list of texts");
            Vec::new()
        })
    }

    /// A text read into a type of its own.
    pub fn parsed<T: FromStr>(&self, key: &'static str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.text(key)?;
        text.parse().map_err(|e: T::Err| self.complain(key, format!("`{key}`: {e}"), None)).ok()
    }

    /// A list of texts read into a type of its own.
    pub fn parsed_list<T: FromStr>(&self, key: &'static str) -> Vec<T>
    where
        T::Err: std::fmt::Display,
    {
        self.texts(key)
            .iter()
            .filter_map(|text| {
                let read = text.parse();
                read.map_err(|e: T::Err| {
                    self.complain(key, format!("`{key}`: `{text}`: {e}"), None);
                })
                .ok()
            })
            .collect()
    }

    /// A path; a relative one starts from the folder of the file.
    pub fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.site.folder.join(text))
    }

    /// True or false.
    pub fn flag(&self, key: &'static str, default: bool) -> bool {
        self.optional_flag(key).unwrap_or(default)
    }

    /// True or false, where it makes a difference that nothing is said.
    pub fn optional_flag(&self, key: &'static str) -> Option<bool> {
        let item = self.ask(key)?;
        let flag = item.as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false");
        }
        flag
    }

    /// A whole number within limits.
    pub fn number(&self, key: &'static str, allowed: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let item = self.ask(key)?;
        match item.as_integer() {
            Some(number) if allowed.contains(&number) => Some(number),
            _ => {
                self.wrong_type(
                    key,
                    &format!("a whole number from {} to {}", allowed.start(), allowed.end()),
                );
                None
            }
        }
    }

    /// A whole number, or else a text.
    pub fn number_or_text(&self, key: &'static str) -> Option<Result<i64, String>> {
        let item = self.ask(key)?;
        match item.as_value() {
            Some(Value::Integer(number)) => Some(Ok(*number.value())),
            Some(Value::String(text)) => Some(Err(text.value().clone())),
            _ => None,
        }
    }

    /// A list of whole numbers within limits.
    pub fn numbers(
        &self,
        key: &'static str,
        allowed: std::ops::RangeInclusive<i64>,
    ) -> Option<Vec<i64>> {
        let item = self.ask(key)?;
        let number = |v: &Value| v.as_integer().filter(|n| allowed.contains(n));
        let list = item.as_array().and_then(|array| array.iter().map(number).collect());
        if list.is_none() {
            let (from, to) = (allowed.start(), allowed.end());
            self.wrong_type(key, &format!("a list of whole numbers from {from} to {to}"));
        }
        list
    }

    /// A size: a number of bytes, or a text such as `"200 GiB"`.
    pub fn size(&self, key: &'static str) -> Option<ByteCount> {
        let item = self.ask(key)?;
        let size = match item.as_value() {
            Some(Value::Integer(n)) => u64::try_from(*n.value()).ok().map(ByteCount),
            Some(Value::String(text)) => text.value().parse().ok(),
            _ => None,
        };
        if size.is_none() {
            self.wrong_type(key, "a size such as \"200 GiB\"");
        }
        size
    }

    /// A duration: a text such as `"10 min"`, `"7 days"`, `"1h 30m"`, or a number of seconds.
    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        let item = self.ask(key)?;
        let duration = match item.as_value() {
            Some(Value::Integer(n)) => u64::try_from(*n.value()).ok().map(Duration::from_secs),
            Some(Value::String(text)) => duration(text.value()),
            _ => None,
        };
        if duration.is_none() {
            self.wrong_type(key, "a duration such as \"30 s\", \"10 min\" or \"7 days\"");
        }
        duration
    }

    /// A table inside this one; absent reads as `None`.
    pub fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let item = self.ask(key)?;
        let table = item.as_table_like();
        if table.is_none() {
            self.wrong_type(key, "a table");
        }
        let table = table?;
        let name = format!("{}.{key}", self.name);
        Some(Self::new(self.site, name, self.pattern_of(key), Some(table), item.span()))
    }

    /// The tables `[[section.key]]`, in order.
    pub fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(item) = self.ask(key) else { return Vec::new() };
        let (name, pattern) = (format!("{}.{key}", self.name), self.pattern_of(key));
        if let Some(tables) = item.as_array_of_tables() {
            let section = |t: &'a toml_edit::Table| {
                Self::new(self.site, name.clone(), pattern.clone(), Some(t), t.span())
            };
            return tables.iter().map(section).collect();
        }
        let inline: Option<Vec<Section<'a>>> = item.as_array().and_then(|array| {
            let table = |v: &'a Value| {
                let table = v.as_inline_table()?;
                Some(Self::new(self.site, name.clone(), pattern.clone(), Some(table), v.span()))
            };
            array.iter().map(table).collect()
        });
        inline.unwrap_or_else(|| {
            self.wrong_type(key, "a list of tables");
            Vec::new()
        })
    }

    /// The tables inside the table `key`, by name: `[section.key.<name>]`.
    pub fn named_tables(&self, key: &'static str) -> Vec<(String, Section<'a>)> {
        let Some(item) = self.ask(key) else { return Vec::new() };
        let Some(table) = item.as_table_like() else {
            self.wrong_type(key, "tables by name");
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, item) in table.iter() {
            match item.as_table_like() {
                Some(inner) => {
                    let full = format!("{}.{key}.{name}", self.name);
                    let pattern = self.pattern_of(key) + ".*";
                    let table = Self::new(self.site, full, pattern, Some(inner), item.span());
                    found.push((name.to_owned(), table));
                }
                None => {
                    let cure = Some(format!("write [{}.{key}.{name}]", self.name));
                    self.complain(key, format!("`{key}.{name}` must be a table"), cure);
                }
            }
        }
        found
    }

    /// Notes every key that nobody asked for, and gives up what was noted.
    pub fn finish(self) -> Problems {
        let asked = self.asked.borrow();
        let chosen = self.chosen.borrow();
        self.site.note_asked(&self.pattern, &asked);
        for (key, _) in self.entries() {
            if !asked.contains(key) && !chosen.contains(key) {
                let cure = near::cure(key, asked.iter().map(String::as_str), "known keys");
                let message = format!("[{}] has no key `{key}`", self.name);
                self.complain_at(self.key_span(key), message, Some(cure));
            }
        }
        self.problems.take()
    }

    pub(crate) fn site(&self) -> &'a SiteText {
        self.site
    }

    pub(crate) fn pattern_of(&self, key: &str) -> String {
        format!("{}.{key}", self.pattern)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Item)> + use<'a> {
        self.table.into_iter().flat_map(TableLike::iter)
    }

    pub(crate) fn key_span(&self, key: &str) -> Range<usize> {
        let written = self.table.and_then(|t| t.get_key_value(key)).and_then(|(k, _)| Key::span(k));
        written.unwrap_or_else(|| self.value_span(key))
    }

    pub(crate) fn note_name(&self, name: &str) {
        self.chosen.borrow_mut().insert(name.to_owned());
    }

    fn item(&self, key: &str) -> Option<&'a Item> {
        self.table.and_then(|t| t.get(key))
    }

    pub(crate) fn ask(&self, key: &'static str) -> Option<&'a Item> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.item(key)
    }

    fn wrong_type(&self, key: &str, wanted: &str) {
        self.complain(key, format!("`{key}` must be {wanted}"), None);
    }
}

/// Reads the friendly form; days and weeks count as 24 hours and 7 days.
fn duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let relative = jiff::SpanRelativeTo::days_are_24_hours();
    let signed: SignedDuration = span.to_duration(relative).ok()?;
    Duration::try_from(signed).ok()
}
