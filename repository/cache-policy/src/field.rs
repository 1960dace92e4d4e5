//! Field values as lists (RFC 9110 sections 5.3, 5.6.1) and the numbers in them (RFC 9111 section
//! 1.2.2). Works on bytes: a field value may hold any byte above 0x7f.

use http::{HeaderMap, HeaderName};

/// What a backslash inside quotes means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// It takes the next byte's meaning away (quoted-string, RFC 9110 section 5.6.4).
    Escapes,
    /// Nothing (entity-tag, RFC 9110 section 8.8.3).
    Plain,
}

/// The members of a list.
pub(crate) struct Members<'a> {
    /// Without the blanks around them; empty ones are left out.
    pub(crate) list: Vec<&'a [u8]>,
    /// Whether every quote was closed.
    pub(crate) closed: bool,
}

/// All lines of a field, joined with commas; none if there is no line.
pub(crate) fn combined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(name).iter();
    let mut joined = lines.next()?.as_bytes().to_vec();
    for line in lines {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
    }
    Some(joined)
}

/// Splits at commas outside of quotes. After a quote that is never closed every comma splits, so
/// that no directive hides behind it.
pub(crate) fn members(value: &[u8], quoting: Quoting) -> Members<'_> {
    let (mut list, mut start, mut at, mut quoted) = (Vec::new(), 0, 0, false);
    while let Some(&byte) = value.get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted && quoting == Quoting::Escapes => at += 1,
            b',' if !quoted => {
                list.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let rest = &value[start..];
    if quoted {
        list.extend(rest.split(|&b| b == b','));
    } else {
        list.push(rest);
    }
    let list = list.into_iter().map(trim).filter(|member| !member.is_empty()).collect();
    Members { list, closed: !quoted }
}

/// Without the optional whitespace at both ends (RFC 9110 section 5.6.3).
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let Some(first) = value.iter().position(|b| !blank(b)) else { return &[] };
    let last = value.iter().rposition(|b| !blank(b)).unwrap_or(first);
    &value[first..=last]
}

/// A number of seconds (RFC 9111 section 1.2.2). One that is too large counts as the largest.
pub(crate) fn delta_seconds(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit =
        |seconds: u64, b: &u8| seconds.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    Some(value.iter().fold(0, digit))
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(value: &[u8]) -> bool {
    !value.is_empty()
        && value.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

/// The text of a quoted-string; what is not quoted stays as it is; none if the quotes are broken
/// (RFC 9110 section 5.6.4).
pub(crate) fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    let Some(inner) = value.strip_prefix(b"\"") else { return Some(value.to_vec()) };
    let inner = inner.strip_suffix(b"\"")?;
    let (mut text, mut bytes) = (Vec::with_capacity(inner.len()), inner.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => text.push(*bytes.next()?),
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &str) -> Vec<&str> {
        let list = members(value.as_bytes(), Quoting::Escapes).list;
        list.into_iter().map(|m| std::str::from_utf8(m).unwrap()).collect()
    }

    #[test]
    fn commas_in_quotes_do_not_split() {
        assert_eq!(split(r#"a, b="x, y",, c="\", d" "#), ["a", r#"b="x, y""#, r#"c="\", d""#]);
        assert_eq!(members(br#""a\", "b""#, Quoting::Plain).list, [&br#""a\""#[..], br#""b""#]);
    }

    #[test]
    fn a_quote_that_stays_open_hides_nothing() {
        assert_eq!(split(r#"a, b="x, no-store"#), ["a", r#"b="x"#, "no-store"]);
        assert!(!members(br#"a=""#, Quoting::Escapes).closed);
    }

    #[test]
    fn seconds_are_digits_and_saturate() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("003600", Some(3600)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1a", None),
            (" 1", None),
        ] {
            assert_eq!(delta_seconds(text.as_bytes()), seconds, "{text:?}");
        }
    }

    #[test]
    fn quotes_are_taken_off_once() {
        assert_eq!(unquoted(br#""a\"b""#).unwrap(), br#"a"b"#);
        assert_eq!(unquoted(b"'a'").unwrap(), b"'a'");
        for broken in [&br#"""#[..], br#""a"b""#, br#""a\""#] {
            assert_eq!(unquoted(broken), None);
        }
    }
}
