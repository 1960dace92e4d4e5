//! Which stored response fits a request (RFC 9111 section 4.1, RFC 9110 section 12.5.5).
//!
//! Both sides are normalised in the ways that section 4.1 allows: lines of a field are joined, blanks
//! around commas go, and the members of the `Accept` family, whose order and case mean nothing
//! (RFC 9110 section 12.4.2 ranks them by weight), are sorted in lower case.

use crate::field::{self, Quoting};
use http::{HeaderMap, HeaderName, header};

/// A request field that selected the response, and its normalised value; none if the request did
/// not have the field.
pub(crate) type Selecting = (HeaderName, Option<Vec<u8>>);

/// What `Vary` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vary {
    /// `*` is among its members, or a member is no field name: nothing ever fits.
    Never,
    /// The response depends on these fields of the request, perhaps none.
    Fields(Vec<HeaderName>),
}

impl Vary {
    /// Reads all lines of the field.
    pub(crate) fn of(response: &HeaderMap) -> Self {
        let Some(value) = field::combined(response, &header::VARY) else {
            return Self::Fields(vec![]);
        };
        let list = field::members(&value, Quoting::Escapes).list;
        let name = |n: &&[u8]| (*n != b"*").then(|| HeaderName::from_bytes(n).ok()).flatten();
        let Some(mut names) = list.iter().map(name).collect::<Option<Vec<_>>>() else {
            return Self::Never;
        };
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Self::Fields(names)
    }
}

/// The selecting fields of a request.
pub(crate) fn selecting(names: Vec<HeaderName>, request: &HeaderMap) -> Vec<Selecting> {
    names
        .into_iter()
        .map(|name| {
            let value = normalised(request, &name);
            (name, value)
        })
        .collect()
}

/// A value in the form in which it is compared.
pub(crate) fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let value = field::combined(request, name)?;
    let mut members: Vec<Vec<u8>> =
        field::members(&value, Quoting::Escapes).list.into_iter().map(<[u8]>::to_vec).collect();
    if is_ranked(name) {
        for member in &mut members {
            *member = ranked_form(member);
        }
        members.sort_unstable();
    }
    Some(members.join(&b", "[..]))
}

fn is_ranked(name: &HeaderName) -> bool {
    [header::ACCEPT, header::ACCEPT_CHARSET, header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE]
        .contains(name)
}

/// Lower case without blanks; a quoted parameter stays as it is.
fn ranked_form(member: &[u8]) -> Vec<u8> {
    if member.contains(&b'"') {
        return member.to_vec();
    }
    let visible = member.iter().filter(|b| !matches!(b, b' ' | b'\t'));
    visible.map(u8::to_ascii_lowercase).collect()
}

/// Whether the client prefers this one language to all others it names.
pub(crate) fn prefers_language(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(language) = only_language(response) else { return false };
    let Some(value) = field::combined(request, &header::ACCEPT_LANGUAGE) else { return false };
    let ranked: Vec<(Vec<u8>, u16)> = field::members(&value, Quoting::Escapes)
        .list
        .into_iter()
        .filter_map(|member| weight(&ranked_form(member)))
        .collect();
    let best = ranked.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    let mut first = ranked.iter().filter(|(_, weight)| *weight == best);
    best > 0 && first.next().is_some_and(|(range, _)| *range == language) && first.next().is_none()
}

fn only_language(response: &HeaderMap) -> Option<Vec<u8>> {
    let value = field::combined(response, &header::CONTENT_LANGUAGE)?;
    let list = field::members(&value, Quoting::Escapes).list;
    let [one] = list.as_slice() else { return None };
    Some(one.to_ascii_lowercase())
}

/// A range and its weight in thousandths (RFC 9110 section 12.4.2).
fn weight(member: &[u8]) -> Option<(Vec<u8>, u16)> {
    let mut parts = member.split(|&b| b == b';');
    let range = parts.next()?.to_vec();
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => thousandths(parameter.strip_prefix(b"q=")?)?,
    };
    Some((range, weight))
}

fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, part) = match value {
        [whole] => (*whole, &[][..]),
        [whole, b'.', part @ ..] if part.len() <= 3 => (*whole, part),
        _ => return None,
    };
    if !matches!(whole, b'0' | b'1') || !part.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| u16::from(part.get(at).map_or(0, |b| b - b'0'));
    Some((u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2)).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers
                .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn rfc_9111_4_1_a_star_anywhere_never_fits() {
        for lines in
            [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, Foo"], &["Foo, *"]]
        {
            let pairs: Vec<_> = lines.iter().map(|line| ("vary", *line)).collect();
            assert_eq!(Vary::of(&headers(&pairs)), Vary::Never, "{lines:?}");
        }
        assert_eq!(Vary::of(&headers(&[("vary", "a b")])), Vary::Never);
    }

    #[test]
    fn rfc_9110_12_5_5_names_are_a_list_without_case() {
        let fields =
            |names: &[&str]| Vary::Fields(names.iter().map(|n| n.parse().unwrap()).collect());
        assert_eq!(
            Vary::of(&headers(&[("vary", "Foo, bar,"), ("vary", "FOO")])),
            fields(&["bar", "foo"])
        );
        assert_eq!(Vary::of(&headers(&[("vary", "")])), fields(&[]));
        assert_eq!(Vary::of(&headers(&[])), fields(&[]));
    }

    #[test]
    fn rfc_9111_4_1_values_are_compared_normalised() {
        for (name, left, right, same) in [
            ("foo", &["1, 2"][..], &["1", "2"][..], true),
            ("foo", &["1,2"], &[" 1, 2 "], true),
            ("foo", &["1, 2"], &["2, 1"], false),
            ("foo", &["a"], &["A"], false),
            ("foo", &[""], &[], false),
            ("foo", &[], &[], true),
            ("foo", &["\"a,b\""], &["\"a, b\""], false),
            ("accept-language", &["en, de"], &["de, en"], true),
            ("accept-language", &["en, de"], &[" eN ,   De"], true),
            ("accept-language", &["en;q=0.5, de"], &["de, en; q=0.5"], true),
            ("accept-language", &["en;q=0.5, de"], &["de;q=0.5, en"], false),
            ("accept-encoding", &["gzip, br"], &["br", "GZIP"], true),
            ("accept-encoding", &[""], &[], false),
        ] {
            let form = |lines: &[&str]| {
                let pairs: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
                normalised(&headers(&pairs), &name.parse().unwrap())
            };
            assert_eq!(form(left) == form(right), same, "{name} {left:?} {right:?}");
        }
    }

    #[test]
    fn a_language_is_preferred_when_it_alone_has_the_greatest_weight() {
        for (accept, content, preferred) in [
            ("fr;q=0.5, de;q=1.0", "de", true),
            ("de", "DE", true),
            ("fr, de", "de", false),
            ("fr, de;q=0.9", "de", false),
            ("de", "de, fr", false),
            ("de;q=0", "de", false),
            ("de;q=2", "de", false),
            ("*", "de", false),
        ] {
            let request = headers(&[("accept-language", accept)]);
            let response = headers(&[("content-language", content)]);
            assert_eq!(prefers_language(&request, &response), preferred, "{accept} {content}");
        }
    }
}
