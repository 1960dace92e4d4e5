//! Typed values by key, with their places.

use crate::problems::{Invalid, Problems};
use jiff::SignedDuration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use stratus_model::ByteCount;
use toml_edit::{Document, Item, TableLike, Value};

/// The text of a site file, parsed.
#[derive(Debug)]
pub struct SiteText {
    name: String,
    folder: PathBuf,
    document: Document<String>,
}

impl SiteText {
    /// Parses the text. `file` is the name that reports show; relative paths in values start from
    /// its folder.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Invalid> {
        let name = file.display().to_string();
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        match Document::parse(text.to_owned()) {
            Ok(document) => Ok(Self { name, folder, document }),
            Err(error) => {
                let mut problems = Problems::default();
                let span = error.span().unwrap_or(0..0);
                problems.add(span, error.message().trim().to_owned(), None);
                Err(problems.into_result(&name, text).expect_err("one problem was added"))
            }
        }
    }

    /// The section called `name`; an absent one reads as empty.
    pub fn section(&self, name: &'static str) -> Section<'_> {
        let item = self.document.get(name);
        let table = item.and_then(Item::as_table_like);
        let section = Section::new(self, name.to_owned(), table, item.and_then(Item::span));
        if let (Some(item), None) = (item, table) {
            let span = item.span().unwrap_or(0..0);
            section.problems.borrow_mut().add(
                span,
                format!("`{name}` must be a section"),
                Some(format!("write [{name}]")),
            );
        }
        section
    }

    /// Whether there is such a section.
    pub fn has(&self, name: &str) -> bool {
        self.document.contains_key(name)
    }

    /// Turns what sections noted into one answer.
    pub fn conclude(&self, problems: Problems) -> Result<(), Invalid> {
        problems.into_result(&self.name, self.document.raw())
    }
}

/// A table of the file while its keys are taken out of it.
pub struct Section<'a> {
    site: &'a SiteText,
    name: String,
    table: Option<&'a dyn TableLike>,
    span: Range<usize>,
    asked: RefCell<BTreeSet<&'static str>>,
    problems: RefCell<Problems>,
}

impl<'a> Section<'a> {
    fn new(
        site: &'a SiteText,
        name: String,
        table: Option<&'a dyn TableLike>,
        span: Option<Range<usize>>,
    ) -> Self {
        Self {
            site,
            name,
            table,
            span: span.unwrap_or(0..0),
            asked: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    /// Whether the table is in the file.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Notes a problem with the value of `key`, or with the section where it has none.
    pub fn complain(&self, key: &str, message: impl Into<String>, cure: Option<String>) {
        let span = self.item(key).and_then(Item::span).unwrap_or_else(|| self.span.clone());
        self.problems.borrow_mut().add(span, message, cure);
    }

    /// The same, where the value has a secret in it that no report may show.
    pub fn complain_of_secret(&self, key: &str, message: &str, cure: Option<String>) {
        if let Some(span) = self.item(key).and_then(Item::span) {
            self.problems.borrow_mut().hide(span);
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
            self.complain("", format!("[{}] needs `{key}`", self.name), None);
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
        Some(Self::new(self.site, format!("{}.{key}", self.name), Some(table), item.span()))
    }

    /// The tables `[[section.key]]`, in order.
    pub fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(item) = self.ask(key) else { return Vec::new() };
        let name = format!("{}.{key}", self.name);
        if let Some(tables) = item.as_array_of_tables() {
            let section =
                |t: &'a toml_edit::Table| Self::new(self.site, name.clone(), Some(t), t.span());
            return tables.iter().map(section).collect();
        }
        let inline: Option<Vec<Section<'a>>> = item.as_array().and_then(|array| {
            let table = |v: &'a Value| {
                let table = v.as_inline_table()?;
                Some(Self::new(self.site, name.clone(), Some(table), v.span()))
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
                    found.push((
                        name.to_owned(),
                        Self::new(self.site, full, Some(inner), item.span()),
                    ));
                }
                None => self.complain(key, format!("`{key}.{name}` must be a table"), None),
            }
        }
        found
    }

    /// Notes every key that nobody asked for, and gives up what was noted.
    pub fn finish(self) -> Problems {
        let asked = self.asked.into_inner();
        let mut problems = self.problems.into_inner();
        for (key, item) in self.table.into_iter().flat_map(|t| t.iter()) {
            if asked.contains(key) {
                continue;
            }
            let key_span =
                self.table.and_then(|t| t.get_key_value(key)).and_then(|(k, _)| k.span());
            let span = key_span.or_else(|| item.span()).unwrap_or_else(|| self.span.clone());
            let near =
                asked.iter().filter(|a| distance(a, key) <= 2).min_by_key(|a| distance(a, key));
            let cure = near.map_or_else(
                || format!("known keys: {}", asked.iter().copied().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            problems.add(span, format!("[{}] has no key `{key}`", self.name), Some(cure));
        }
        problems
    }

    fn item(&self, key: &str) -> Option<&'a Item> {
        self.table.and_then(|t| t.get(key))
    }

    fn ask(&self, key: &'static str) -> Option<&'a Item> {
        self.asked.borrow_mut().insert(key);
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

/// Edit distance, for keys that are a slip of the finger away.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> SiteText {
        SiteText::parse(Path::new("/etc/stratus/stratus.toml"), text).unwrap()
    }

    #[test]
    fn values_come_with_their_types() {
        let site = site(
            "[cache]\nlisten = \"a\"\nsize = \"2 GiB\"\nage = \"7 days\"\nwait = 5\ndirectory = \"x\"\non = true\n",
        );
        let s = site.section("cache");
        assert_eq!(s.texts("listen"), ["a"]);
        assert_eq!(s.size("size"), Some(ByteCount(2 << 30)));
        assert_eq!(s.duration("age"), Some(Duration::from_hours(7 * 24)));
        assert_eq!(s.duration("wait"), Some(Duration::from_secs(5)));
        assert_eq!(s.path("directory"), Some(PathBuf::from("/etc/stratus/x")));
        assert!(s.flag("on", false));
        assert!(site.conclude(s.finish()).is_ok());
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_place_and_cure() {
        let site = site("[cache]\nlistem = \"a\"\nsize = \"much\"\non = 3\n");
        let s = site.section("cache");
        s.texts("listen");
        s.size("size");
        s.flag("on", true);
        s.required_text("directory");
        let report = site.conclude(s.finish()).unwrap_err().to_string();
        for expected in [
            "[cache] has no key `listem`",
            "stratus.toml:2:1",
            "did you mean `listen`?",
            "`size` must be a size",
            "stratus.toml:3:8",
            "`on` must be true or false",
            "[cache] needs `directory`",
        ] {
            assert!(report.contains(expected), "{expected} not in:\n{report}");
        }
    }

    #[test]
    fn a_repeated_key_is_refused_with_its_place() {
        let twice = SiteText::parse(Path::new("s.toml"), "[a]\nx = 1\nx = 2\n");
        let report = twice.unwrap_err().to_string();
        assert!(report.contains("s.toml:3:1") && report.contains("duplicate key"), "{report}");
    }
}
