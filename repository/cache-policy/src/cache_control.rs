//! `Cache-Control` of responses (RFC 9111 section 5.2.2, RFC 5861, RFC 8246).

use crate::field::{self, Quoting};
use http::{HeaderMap, HeaderName, header};
use std::time::Duration;

/// A directive with a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Not there.
    #[default]
    Absent,
    /// There, and once or always the same.
    Given(Duration),
    /// There, but no number, or two numbers. The response is stale (section 4.2.1).
    Invalid,
}

impl Period {
    /// Whether the directive is there at all.
    pub fn is_present(self) -> bool {
        self != Self::Absent
    }

    fn and(self, seconds: Option<u64>) -> Self {
        match (self, seconds.map(Duration::from_secs)) {
            (Self::Absent, Some(found)) => Self::Given(found),
            (Self::Given(before), Some(found)) if before == found => self,
            _ => Self::Invalid,
        }
    }
}

/// `no-cache` and `private`, which may apply to some fields only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Not there.
    #[default]
    None,
    /// For these fields only (the qualified form).
    Fields(Vec<HeaderName>),
    /// For the response.
    Whole,
}

impl Restriction {
    /// Whether it applies to the response.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// The fields of the qualified form.
    pub fn fields(&self) -> &[HeaderName] {
        if let Self::Fields(names) = self { names } else { &[] }
    }

    fn and(&mut self, argument: Option<&[u8]>) {
        let found = argument.map_or(Some(vec![]), field_names).filter(|names| !names.is_empty());
        match (found, &mut *self) {
            (Some(names), Self::None) => *self = Self::Fields(names),
            (Some(names), Self::Fields(before)) => before.extend(names),
            _ => *self = Self::Whole,
        }
    }
}

/// The names of a qualified directive. None if one is no name, or names a field that the rules of
/// this crate need: then the directive is taken for the response, which section 5.2.2.4 allows.
fn field_names(argument: &[u8]) -> Option<Vec<HeaderName>> {
    let names = field::members(argument, Quoting::Escapes).list;
    let name = |n: &[u8]| HeaderName::from_bytes(n).ok().filter(|n| !NEEDED.contains(n));
    names.into_iter().map(name).collect()
}

/// Fields without which a stored response could not be judged or would be another one.
const NEEDED: [HeaderName; 13] = [
    header::AGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::VARY,
    HeaderName::from_static("cdn-cache-control"),
];

/// The directives of a response that we know. Others are ignored (section 5.2.3).
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `max-age`, section 5.2.2.1.
    pub max_age: Period,
    /// `s-maxage`, section 5.2.2.10.
    pub s_maxage: Period,
    /// `no-cache`, section 5.2.2.4.
    pub no_cache: Restriction,
    /// `private`, section 5.2.2.7.
    pub private: Restriction,
    /// `no-store`, section 5.2.2.5.
    pub no_store: bool,
    /// `must-understand`, section 5.2.2.3.
    pub must_understand: bool,
    /// `must-revalidate`, section 5.2.2.2.
    pub must_revalidate: bool,
    /// `proxy-revalidate`, section 5.2.2.8.
    pub proxy_revalidate: bool,
    /// `public`, section 5.2.2.9.
    pub public: bool,
    /// `immutable`, RFC 8246 section 2.
    pub immutable: bool,
    /// `stale-while-revalidate`, RFC 5861 section 3.
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error`, RFC 5861 section 4.
    pub stale_if_error: Option<Duration>,
}

impl Directives {
    /// Reads `Cache-Control`, all lines of it.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let Some(value) = field::combined(headers, &header::CACHE_CONTROL) else { return found };
        let members = field::members(&value, Quoting::Escapes);
        for member in members.list {
            let (name, argument) = split_directive(member);
            found.add(&name, argument.as_deref());
        }
        if !members.closed {
            // Nobody knows what was meant, so nothing stays fresh by it.
            found.max_age = Period::Invalid;
            found.s_maxage = Period::Invalid;
        }
        found
    }

    /// Whether a stale response must not be served without asking the origin (section 4.2.4).
    /// `s-maxage` has the effect of `proxy-revalidate` (section 5.2.2.10).
    pub fn forbids_stale(&self) -> bool {
        self.must_revalidate
            || self.proxy_revalidate
            || self.s_maxage.is_present()
            || self.no_cache.is_whole()
    }

    /// Whether a response to a request with `Authorization` may be stored and reused (section 3.5).
    pub fn allows_authorized(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_present()
    }

    /// Takes a directive, its name in lower case, its argument without quotes.
    pub(crate) fn add(&mut self, name: &str, argument: Option<&[u8]>) {
        let seconds = || argument.and_then(field::delta_seconds);
        match name {
            "max-age" => self.max_age = self.max_age.and(seconds()),
            "s-maxage" => self.s_maxage = self.s_maxage.and(seconds()),
            "no-cache" => self.no_cache.and(argument),
            "private" => self.private.and(argument),
            "no-store" => self.no_store = true,
            "must-understand" => self.must_understand = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "public" => self.public = true,
            "immutable" => self.immutable = true,
            "stale-while-revalidate" => shorten(&mut self.stale_while_revalidate, seconds()),
            "stale-if-error" => shorten(&mut self.stale_if_error, seconds()),
            _ => {}
        }
    }
}

/// A permission that was given twice is the smaller one, and one that cannot be read is none
/// (section 4.2.1: the most restrictive directive).
fn shorten(permission: &mut Option<Duration>, seconds: Option<u64>) {
    let found = Duration::from_secs(seconds.unwrap_or(0));
    *permission = Some(permission.map_or(found, |before| before.min(found)));
}

/// The name in lower case, the argument without quotes. A broken quoted-string stays as it is, and
/// so is no valid argument of anything. Blanks around `=` are an error of the sender's: the name
/// counts, so that nothing is stored that was forbidden, and the argument with its blank does not.
pub(crate) fn split_directive(member: &[u8]) -> (String, Option<Vec<u8>>) {
    let equals = member.iter().position(|&b| b == b'=');
    let (name, argument) = match equals {
        Some(at) => (&member[..at], Some(&member[at + 1..])),
        None => (member, None),
    };
    let blank = name.ends_with(b" ") || name.ends_with(b"\t");
    let name = String::from_utf8_lossy(field::trim(name)).to_ascii_lowercase();
    let argument = argument.map(|raw| {
        if blank { b" ".to_vec() } else { field::unquoted(raw).unwrap_or_else(|| raw.to_vec()) }
    });
    (name, argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Directives {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        Directives::of(&headers)
    }

    fn given(seconds: u64) -> Period {
        Period::Given(Duration::from_secs(seconds))
    }

    #[test]
    fn rfc_9111_5_2_names_have_no_case_and_unknown_ones_no_effect() {
        let found = read(&["foobar, MaX-aGe=3600", "nO-StOrE, x=\"max-age=1\""]);
        assert_eq!((found.max_age, found.no_store), (given(3600), true));
    }

    #[test]
    fn rfc_9111_5_2_both_forms_of_an_argument_are_read() {
        for (text, expected) in [
            ("max-age=3600", given(3600)),
            ("max-age=\"3600\"", given(3600)),
            ("max-age=003600", given(3600)),
            ("max-age=99999999999999999999", given(u64::MAX)),
            ("max-age", Period::Invalid),
            ("max-age=", Period::Invalid),
            ("max-age='3600'", Period::Invalid),
            ("max-age=-3600", Period::Invalid),
            ("max-age=3600.0", Period::Invalid),
            ("max-age=3600a", Period::Invalid),
            ("max-age=a3600", Period::Invalid),
            ("max-age =3600", Period::Invalid),
            ("max-age= 3600", Period::Invalid),
            ("max-age=\"3600", Period::Invalid),
            ("x=\"max-age=3600\"", Period::Absent),
        ] {
            assert_eq!(read(&[text]).max_age, expected, "{text}");
        }
    }

    #[test]
    fn rfc_9111_4_2_1_a_lifetime_given_twice_must_agree() {
        assert_eq!(read(&["max-age=1, max-age=1"]).max_age, given(1));
        assert_eq!(read(&["max-age=1800, max-age=1"]).max_age, Period::Invalid);
        assert_eq!(read(&["max-age=1", "max-age=1800"]).max_age, Period::Invalid);
        let swr = read(&["stale-while-revalidate=9, stale-while-revalidate=3"]);
        assert_eq!(swr.stale_while_revalidate, Some(Duration::from_secs(3)));
    }

    #[test]
    fn rfc_9111_5_2_2_4_the_qualified_form_names_fields() {
        let names = |text: &str| read(&[text]).no_cache;
        let a_b = Restriction::Fields(vec!["a".parse().unwrap(), "b".parse().unwrap()]);
        assert_eq!(names("no-cache=\"a, B\""), a_b);
        assert_eq!(names("no-cache=\"a\", no-cache=b"), a_b);
        for whole in [
            "no-cache",
            "No-CaChE",
            "no-cache=\"\"",
            "no-cache=\"a b\"",
            "no-cache=a, no-cache",
            "no-cache, no-cache=a",
            "no-cache=\"vary\"",
        ] {
            assert_eq!(names(whole), Restriction::Whole, "{whole}");
        }
    }

    #[test]
    fn rfc_9111_4_2_4_directives_that_forbid_stale_responses() {
        for text in ["must-revalidate", "proxy-revalidate", "s-maxage=2", "no-cache", "s-maxage=x"]
        {
            assert!(read(&[text]).forbids_stale(), "{text}");
        }
        for text in ["max-age=2", "public", "no-cache=a"] {
            assert!(!read(&[text]).forbids_stale(), "{text}");
        }
    }
}
