//! Entity tags and preconditions (RFC 9110 sections 8.8 and 13.2.2).

use crate::date;
use jiff::Timestamp;
use std::fmt;
use stratus_model::Digest;

/// Longest header that is looked at, in bytes.
const HEADER_LIMIT: usize = 4096;

/// An entity tag, strong or weak. Stratus only makes strong ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag {
    opaque: String,
    weak: bool,
}

impl EntityTag {
    /// A strong tag; none if the text has characters that a tag cannot have (section 8.8.3).
    pub fn strong(opaque: impl Into<String>) -> Option<Self> {
        let opaque = opaque.into();
        is_opaque(&opaque).then_some(Self { opaque, weak: false })
    }

    /// The tag of bytes with this digest: `"sha-256:…"` in hexadecimal.
    pub fn of_digest(digest: &Digest) -> Self {
        let name = digest.algorithm().name().to_ascii_lowercase();
        Self { opaque: format!("{name}:{}", digest.to_hex()), weak: false }
    }

    /// Reads one tag, with its quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let (weak, quoted) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        is_opaque(opaque).then(|| Self { opaque: opaque.to_owned(), weak })
    }

    /// Section 8.8.3.2: both strong and the same text.
    pub fn strongly_equals(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Section 8.8.3.2: the same text.
    pub fn weakly_equals(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

fn is_opaque(text: &str) -> bool {
    text.len() <= 1024 && text.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b) || b >= 0x80)
}

/// What identifies the bytes that are here now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: EntityTag,
    /// `Last-Modified`.
    pub modified: Option<Timestamp>,
}

/// The precondition headers of a request, each as it came. A header that came several times is
/// joined with commas first (section 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preconditions<'a> {
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a str>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<&'a str>,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Do what was asked.
    Proceed,
    /// 304, without a body.
    NotModified,
    /// 412; nothing is done.
    Failed,
}

/// Which preconditions apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET or HEAD.
    Read,
    /// PUT, PATCH, POST, DELETE.
    Write,
}

/// Evaluates the preconditions in the order of section 13.2.2, against what is there now (none:
/// nothing is).
pub fn evaluate(
    asked: &Preconditions<'_>,
    method: Method,
    current: Option<&Validators>,
) -> Decision {
    let unmet = match (asked.if_match, asked.if_unmodified_since) {
        (Some(list), _) => !matches(list, current, EntityTag::strongly_equals),
        (None, Some(since)) => modified_after(since, current) == Some(true),
        (None, None) => false,
    };
    if unmet {
        return Decision::Failed;
    }
    match (asked.if_none_match, asked.if_modified_since, method) {
        (Some(list), _, method) if matches(list, current, EntityTag::weakly_equals) => match method
        {
            Method::Read => Decision::NotModified,
            Method::Write => Decision::Failed,
        },
        (None, Some(since), Method::Read) if modified_after(since, current) == Some(false) => {
            Decision::NotModified
        }
        _ => Decision::Proceed,
    }
}

/// Whether `*` or a list of tags names what is there. A list that cannot be read names nothing.
fn matches(
    list: &str,
    current: Option<&Validators>,
    same: impl Fn(&EntityTag, &EntityTag) -> bool,
) -> bool {
    let Some(current) = current else { return false };
    if list.trim() == "*" {
        return true;
    }
    tags(list).is_some_and(|tags| tags.iter().any(|tag| same(tag, &current.etag)))
}

/// Splits a list at commas outside of quotes.
fn tags(list: &str) -> Option<Vec<EntityTag>> {
    if list.len() > HEADER_LIMIT {
        return None;
    }
    let mut quoted = false;
    list.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(|tag| tag.trim_matches([' ', '\t']))
    .filter(|tag| !tag.is_empty())
    .map(EntityTag::parse)
    .collect()
}

/// Whether it changed after the date; none where there is no such date, and the header is ignored.
fn modified_after(since: &str, current: Option<&Validators>) -> Option<bool> {
    let since = date::parse(since.trim())?;
    let modified = current?.modified?;
    Some(modified.as_second() > since.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Fri, 20 Nov 2026 09:59:59 GMT";
    const AT: &str = "Fri, 20 Nov 2026 10:00:00 GMT";

    fn current() -> Validators {
        Validators {
            etag: EntityTag::strong("abc").unwrap(),
            // Half a second more than the header can say.
            modified: Some("2026-11-20T10:00:00.5Z".parse().unwrap()),
        }
    }

    fn asked<'a>(
        if_match: Option<&'a str>,
        if_none_match: Option<&'a str>,
        if_modified_since: Option<&'a str>,
        if_unmodified_since: Option<&'a str>,
    ) -> Preconditions<'a> {
        Preconditions { if_match, if_none_match, if_modified_since, if_unmodified_since }
    }

    #[test]
    fn preconditions_are_evaluated_in_the_order_of_the_rfc() {
        use Decision::{Failed, NotModified, Proceed};
        for (headers, read, write) in [
            (asked(None, None, None, None), Proceed, Proceed),
            (asked(Some("\"abc\""), None, None, None), Proceed, Proceed),
            (asked(Some("*"), None, None, None), Proceed, Proceed),
            (asked(Some("\"x\", \"abc\""), None, None, None), Proceed, Proceed),
            (asked(Some("W/\"abc\""), None, None, None), Failed, Failed),
            (asked(Some("\"x\""), None, None, None), Failed, Failed),
            (asked(Some("x"), None, None, None), Failed, Failed),
            (asked(None, Some("\"abc\""), None, None), NotModified, Failed),
            (asked(None, Some("W/\"abc\""), None, None), NotModified, Failed),
            (asked(None, Some("*"), None, None), NotModified, Failed),
            (asked(None, Some("\"a,b\",\"abc\""), None, None), NotModified, Failed),
            (asked(None, Some("\"x\""), None, None), Proceed, Proceed),
            // A list of tags makes the date count no longer.
            (asked(None, Some("\"x\""), Some(AT), None), Proceed, Proceed),
            (asked(None, None, Some(AT), None), NotModified, Proceed),
            (asked(None, None, Some(BEFORE), None), Proceed, Proceed),
            (asked(None, None, Some("yesterday"), None), Proceed, Proceed),
            (asked(None, None, None, Some(AT)), Proceed, Proceed),
            (asked(None, None, None, Some(BEFORE)), Failed, Failed),
            (asked(None, None, None, Some("yesterday")), Proceed, Proceed),
            (asked(Some("\"abc\""), None, None, Some(BEFORE)), Proceed, Proceed),
            (asked(Some("\"x\""), Some("\"abc\""), None, None), Failed, Failed),
        ] {
            let found = current();
            assert_eq!(evaluate(&headers, Method::Read, Some(&found)), read, "{headers:?}");
            assert_eq!(evaluate(&headers, Method::Write, Some(&found)), write, "{headers:?}");
        }
    }

    #[test]
    fn where_nothing_is_only_a_new_thing_may_be_written() {
        for (headers, decision) in [
            (asked(Some("*"), None, None, None), Decision::Failed),
            (asked(Some("\"abc\""), None, None, None), Decision::Failed),
            (asked(None, Some("*"), None, None), Decision::Proceed),
            (asked(None, Some("\"abc\""), None, None), Decision::Proceed),
        ] {
            assert_eq!(evaluate(&headers, Method::Write, None), decision, "{headers:?}");
        }
    }

    #[test]
    fn tags_have_quotes_and_no_blanks() {
        for text in ["abc", "\"abc", "abc\"", "\"a b\"", "\"a\"b\"", "w/\"a\"", "\"a\u{7f}\""] {
            assert_eq!(EntityTag::parse(text), None, "{text:?}");
        }
        for text in ["\"\"", "\"a\"", "W/\"a,b\""] {
            assert_eq!(EntityTag::parse(text).map(|t| t.to_string()), Some(text.to_owned()));
        }
        assert_eq!(
            EntityTag::of_digest(&Digest::sha256([0; 32])).to_string(),
            format!("\"sha-256:{}\"", "00".repeat(32))
        );
    }
}
