//! What is asked.

use crate::text::printable;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::str::FromStr;

/// Appliances on a page when the query does not say.
pub const LIMIT_DEFAULT: u16 = 50;
/// Most appliances on a page.
pub const LIMIT_MAX: u16 = 200;

/// Longest query string, in bytes.
const QUERY_LIMIT: usize = 8192;
/// Longest value of one parameter, in characters.
const VALUE_LIMIT: usize = 256;
/// Most words in `q`.
const WORD_LIMIT: usize = 16;
/// Longest cursor, in bytes.
const CURSOR_LIMIT: usize = 4096;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is looked for. Every field narrows the search; empty means everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words that all occur in name, title, description, user or endorser; case does not matter.
    pub q: Option<String>,
    /// Operating system, exactly.
    pub os: Option<String>,
    /// Architecture, exactly.
    pub arch: Option<String>,
    /// Type, exactly or with sub-types: `grid` finds `grid.ce`.
    pub kind: Option<String>,
    /// Endorser: a part of the subject or the e-mail address.
    pub endorser: Option<String>,
    /// Which states to show.
    pub status: StatusFilter,
    /// In which order.
    pub sort: Sort,
    /// Appliances on a page: 1 to [`LIMIT_MAX`].
    pub limit: u16,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self {
            q: None,
            os: None,
            arch: None,
            kind: None,
            endorser: None,
            status: StatusFilter::default(),
            sort: Sort::default(),
            limit: LIMIT_DEFAULT,
            after: None,
        }
    }
}

/// Which appliances are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusFilter {
    /// Neither deprecated nor expired.
    #[default]
    Valid,
    /// Past the end of their validity, not deprecated.
    Expired,
    /// Deprecated.
    Deprecated,
    /// Every one.
    All,
}

impl StatusFilter {
    /// All, in the order pages show them.
    pub const ALL: [Self; 4] = [Self::Valid, Self::Expired, Self::Deprecated, Self::All];

    /// The word in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Deprecated => "deprecated",
            Self::All => "all",
        }
    }
}

/// What decides the order. Ties are broken by the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// The appliance's name.
    Name,
    /// When it was published.
    Published,
    /// Size of the file as served.
    Size,
}

/// The order of the answer: `name`, or `-name` for the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// What decides.
    pub key: SortKey,
    /// Largest, newest, or last name first.
    pub descending: bool,
}

impl Default for Sort {
    /// Newest first.
    fn default() -> Self {
        Self { key: SortKey::Published, descending: true }
    }
}

impl SortKey {
    /// All.
    pub const ALL: [Self; 3] = [Self::Name, Self::Published, Self::Size];

    /// The word in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Published => "published",
            Self::Size => "size",
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.key.name())
    }
}

impl FromStr for Sort {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (descending, word) = text.strip_prefix('-').map_or((false, text), |w| (true, w));
        let key = SortKey::ALL.into_iter().find(|k| k.name() == word).ok_or(())?;
        Ok(Self { key, descending })
    }
}

/// Where a page ended. Opaque on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The order the page was in; a cursor is of no use in another.
    pub sort: Sort,
    /// The sort key of the last appliance: its name, or a number in decimal digits.
    pub key: String,
    /// Its path in the tree.
    pub path: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}\n{}\n{}", self.sort, self.key, self.path);
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Cursor {
    type Err = ();

    /// Whoever makes up a cursor gets a page that starts elsewhere, nothing more.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() > CURSOR_LIMIT {
            return Err(());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(drop)?;
        let plain = String::from_utf8(bytes).map_err(drop)?;
        let mut lines = plain.split('\n');
        let (Some(sort), Some(key), Some(path), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(());
        };
        if plain.chars().any(|c| c.is_control() && c != '\n') {
            return Err(());
        }
        Ok(Self { sort: sort.parse()?, key: key.to_owned(), path: path.to_owned() })
    }
}

/// A query that cannot be answered: 400, `bad-query`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The query string is longer than 8192 bytes.
    #[error("the query is longer than 8192 bytes")]
    TooLong,
    /// No such parameter.
    #[error(
        "`{0}` is not a search parameter; known are q, os, arch, type, endorser, status, sort, limit and after"
    )]
    Unknown(String),
    /// A parameter came twice.
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    /// A value that the parameter cannot have.
    #[error("`{name}={value}` is not valid: {reason}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it may be.
        reason: &'static str,
    },
}

const PARAMETERS: [&str; 9] =
    ["q", "os", "arch", "type", "endorser", "status", "sort", "limit", "after"];

impl SearchQuery {
    /// Reads a query string, without its question mark. Empty parameters count as absent.
    pub fn parse(query: &str) -> Result<Self, SearchError> {
        if query.len() > QUERY_LIMIT {
            return Err(SearchError::TooLong);
        }
        let mut found = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, raw) = pair.split_once('=').unwrap_or((pair, ""));
            let name = PARAMETERS
                .into_iter()
                .find(|name| *name == key)
                .ok_or_else(|| SearchError::Unknown(printable(key)))?;
            if seen.contains(&name) {
                return Err(SearchError::Twice(name.to_owned()));
            }
            seen.push(name);
            let text = decode(name, raw)?;
            if !text.is_empty() {
                found.set(name, text)?;
            }
        }
        match &found.after {
            Some(cursor) if cursor.sort != found.sort => {
                Err(wrong("after", &cursor.to_string(), "it comes from a page in another order"))
            }
            _ => Ok(found),
        }
    }

    fn set(&mut self, name: &'static str, text: String) -> Result<(), SearchError> {
        match name {
            "q" if text.split_whitespace().count() > WORD_LIMIT => {
                return Err(wrong(name, &text, "it has more than 16 words"));
            }
            "q" => self.q = Some(text),
            "os" => self.os = Some(text),
            "arch" => self.arch = Some(text),
            "type" => self.kind = Some(text),
            "endorser" => self.endorser = Some(text),
            "status" => {
                self.status = StatusFilter::ALL
                    .into_iter()
                    .find(|s| s.name() == text)
                    .ok_or_else(|| wrong(name, &text, "use valid, expired, deprecated or all"))?;
            }
            "sort" => {
                self.sort = text.parse().map_err(|()| {
                    wrong(name, &text, "use name, published or size, with `-` in front to reverse")
                })?;
            }
            "limit" => {
                self.limit = crate::text::number(&text)
                    .and_then(|n| u16::try_from(n).ok())
                    .filter(|n| (1..=LIMIT_MAX).contains(n))
                    .ok_or_else(|| wrong(name, &text, "use a number from 1 to 200"))?;
            }
            _ => {
                self.after = Some(
                    text.parse()
                        .map_err(|()| wrong(name, &text, "use the `next` of the page before"))?,
                );
            }
        }
        Ok(())
    }

    /// The words of `q` in lower case.
    pub fn words(&self) -> Vec<String> {
        self.q.iter().flat_map(|q| q.split_whitespace()).map(str::to_lowercase).collect()
    }

    /// The query string, without question mark; what is default is left out.
    pub fn to_query(&self) -> String {
        let normal = Self::default();
        let text = |value: &Option<String>| value.clone();
        let unless = |same: bool, value: String| (!same).then_some(value);
        let pairs = [
            ("q", text(&self.q)),
            ("os", text(&self.os)),
            ("arch", text(&self.arch)),
            ("type", text(&self.kind)),
            ("endorser", text(&self.endorser)),
            ("status", unless(self.status == normal.status, self.status.name().to_owned())),
            ("sort", unless(self.sort == normal.sort, self.sort.to_string())),
            ("limit", unless(self.limit == normal.limit, self.limit.to_string())),
            ("after", self.after.as_ref().map(Cursor::to_string)),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| {
                Some(format!("{name}={}", utf8_percent_encode(&value?, UNRESERVED)))
            })
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// Decodes a form value: `+` is a blank, then percent-decoding once.
fn decode(name: &'static str, raw: &str) -> Result<String, SearchError> {
    let plus = raw.replace('+', " ");
    let text = percent_decode_str(&plus)
        .decode_utf8()
        .map_err(|_| wrong(name, raw, "it is not UTF-8"))?
        .trim()
        .to_owned();
    // A cursor has its own limit: it holds a whole path.
    if name != "after" && text.chars().count() > VALUE_LIMIT {
        return Err(wrong(name, &text, "it is longer than 256 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(name, &text, "it has a control character"));
    }
    Ok(text)
}

fn wrong(name: &'static str, value: &str, reason: &'static str) -> SearchError {
    SearchError::Value { name, value: printable(value), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let query = SearchQuery::parse(
            "q=Ubuntu+24.04%20base&os=ubuntu&type=base&status=all&sort=-size&limit=200&arch=",
        )
        .unwrap();
        assert_eq!(query.words(), ["ubuntu", "24.04", "base"]);
        assert_eq!(query.os.as_deref(), Some("ubuntu"));
        assert_eq!(query.arch, None);
        assert_eq!(query.status, StatusFilter::All);
        assert_eq!(query.sort, Sort { key: SortKey::Size, descending: true });
        assert_eq!(query.limit, 200);
        assert_eq!(SearchQuery::parse(""), Ok(SearchQuery::default()));
        assert_eq!(SearchQuery::parse("&&"), Ok(SearchQuery::default()));
        assert_eq!(SearchQuery::default().to_query(), "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let words = "a+".repeat(17);
        for (query, named) in [
            ("x=1", "`x`"),
            ("q=a&q=b", "`q` is given twice"),
            ("limit=0", "1 to 200"),
            ("limit=201", "1 to 200"),
            ("limit=-1", "1 to 200"),
            ("status=new", "valid, expired"),
            ("sort=color", "name, published"),
            ("after=!!", "`next`"),
            ("after=YQ", "`next`"),
            ("os=%ff", "UTF-8"),
            ("os=%00", "control"),
            (&format!("q={}", "a".repeat(257)), "256"),
            (&format!("q={words}"), "16 words"),
            (&"a".repeat(9000), "8192"),
        ] {
            let error = SearchQuery::parse(query).expect_err(query).to_string();
            assert!(error.contains(named), "{query}: {error}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_order() {
        let cursor = Cursor { sort: Sort::default(), key: "17".into(), path: "base/x".into() };
        let good = SearchQuery { after: Some(cursor), ..SearchQuery::default() };
        assert_eq!(SearchQuery::parse(&good.to_query()), Ok(good.clone()));
        let bad = format!("{}&sort=name", good.to_query());
        assert!(SearchQuery::parse(&bad).unwrap_err().to_string().contains("another order"));
    }

    proptest! {
        #[test]
        fn every_query_comes_back(
            q in proptest::option::of("[a-zé&=+%#]([a-zé &=+%#]{0,20}[a-z&])?"),
            os in proptest::option::of("[a-z]{1,8}"),
            limit in 1u16..=200,
            key in "\\PC{0,20}",
            descending: bool,
        ) {
            let sort = Sort { key: SortKey::Name, descending };
            let after = Some(Cursor { sort, key, path: "base/x".into() });
            let query = SearchQuery { q, os, sort, limit, after, ..SearchQuery::default() };
            prop_assert_eq!(SearchQuery::parse(&query.to_query()), Ok(query));
        }

        #[test]
        fn no_query_breaks_the_parser(query in "\\PC{0,80}") {
            if let Ok(found) = SearchQuery::parse(&query) {
                prop_assert!((1..=LIMIT_MAX).contains(&found.limit));
            }
        }
    }
}
