//! Distinguished names in three spellings: DER, the slash form of grids, and RFC 4514.
//!
//! The slash form is what grid tools print, with escapes where that would be ambiguous, so that two
//! different names never share one spelling: a `/` inside a value is escaped where it could begin a
//! new part (`CN=host/www` is fine, `x\/CN=root` is escaped), and so are `\`, `+` and control
//! characters. A value is never empty.

use stratus_model::Subject;
use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::X509Name;

/// Attribute types by their short names, as openssl prints them; the first name of a type is written.
const NAMES: [(&str, &str); 18] = [
    ("CN", "2.5.4.3"),
    ("C", "2.5.4.6"),
    ("ST", "2.5.4.8"),
    ("L", "2.5.4.7"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("Email", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("serialNumber", "2.5.4.5"),
    ("SN", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("title", "2.5.4.12"),
    ("street", "2.5.4.9"),
    ("postalCode", "2.5.4.17"),
    ("S", "2.5.4.8"),
];

/// A text that is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a distinguished name; write it like `/O=Example/CN=name` or `CN=name,O=Example`"
)]
pub struct NameError(String);

/// A name taken apart: parts from the root down, each with one or more attributes.
pub(crate) type Parts = Vec<Vec<(String, String)>>;

/// The slash form of an RFC 4514 name: `CN=signer,O=Example` becomes `/O=Example/CN=signer`.
pub fn slash_from_rfc4514(text: &str) -> Result<Subject, NameError> {
    Ok(Subject::new(slash(&parse_rfc4514(text)?)))
}

/// The RFC 4514 form of a slash name.
pub fn rfc4514_from_slash(text: &str) -> Result<String, NameError> {
    Ok(rfc4514(&parse_slash(text)?))
}

/// The parts of a certificate's name.
pub(crate) fn parts_of(name: &X509Name<'_>) -> Parts {
    let attribute = |a: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let oid = a.attr_type().to_id_string();
        let known = NAMES.iter().find(|(_, o)| *o == oid).map(|(name, _)| (*name).to_owned());
        let value = text(a).unwrap_or_else(|| hex_value(a.as_slice()));
        (known.unwrap_or(oid), value)
    };
    name.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect()).collect()
}

/// A value in any of the string types of X.520. Teletex is taken for Latin 1, as openssl takes it.
fn text(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Option<String> {
    let bytes = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let text = char::decode_utf16(units).collect::<Result<_, _>>().ok();
            text.filter(|_| rest.is_empty())
        }
        Tag::UniversalString => {
            let (units, rest) = bytes.as_chunks::<4>();
            let text = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            rest.is_empty().then_some(text)?
        }
        Tag::VisibleString => str::from_utf8(bytes).ok().map(str::to_owned),
        _ => attribute.as_str().ok().map(str::to_owned),
    }
}

/// A value that is no text, as RFC 4514 section 2.4 writes it.
fn hex_value(bytes: &[u8]) -> String {
    let mut text = "#".to_owned();
    for byte in bytes {
        text += &format!("{byte:02x}");
    }
    text
}

pub(crate) fn slash(parts: &Parts) -> String {
    let mut out = String::new();
    for part in parts {
        for (index, (name, value)) in part.iter().enumerate() {
            out.push(if index == 0 { '/' } else { '+' });
            out.push_str(name);
            out.push('=');
            escape_slash(value, &mut out);
        }
    }
    out
}

fn escape_slash(value: &str, out: &mut String) {
    for (at, c) in value.char_indices() {
        match c {
            '\\' | '+' => out.extend(['\\', c]),
            '/' if begins_part(&value[at + 1..]) => out.push_str("\\/"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// Whether a text could be read as `NAME=value`.
fn begins_part(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(text.len());
    end > 0 && text[end..].starts_with('=')
}

/// The name as Globus tools print it, without any escape: what signing policies are written against.
pub(crate) fn compat(parts: &Parts) -> String {
    parts.iter().flatten().map(|(name, value)| format!("/{name}={value}")).collect()
}

pub(crate) fn rfc4514(parts: &Parts) -> String {
    let attribute = |(name, value): &(String, String)| format!("{name}={}", escape_rfc4514(value));
    let part =
        |part: &Vec<(String, String)>| part.iter().map(attribute).collect::<Vec<_>>().join("+");
    parts.iter().rev().map(part).collect::<Vec<_>>().join(",")
}

/// RFC 4514 section 2.4.
fn escape_rfc4514(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::new();
    for (index, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            ' ' if index == 0 || index == last => out.push_str("\\ "),
            '#' if index == 0 => out.push_str("\\#"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out += &format!("\\{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The attribute name as we write it; an unknown one stays.
fn canonical(name: &str) -> String {
    let oid = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, oid)| *oid);
    let written =
        NAMES.iter().find(|(_, o)| Some(*o) == oid.or(Some(name))).map(|(known, _)| *known);
    written.unwrap_or(name).to_owned()
}

/// The dotted object identifier of an attribute name.
pub(crate) fn oid_of(name: &str) -> Option<Vec<u64>> {
    let known =
        NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(name, |(_, oid)| *oid);
    let numbers: Option<Vec<u64>> = known.split('.').map(|n| n.parse().ok()).collect();
    numbers.filter(|n| n.len() > 2)
}

pub(crate) fn parse_slash(text: &str) -> Result<Parts, NameError> {
    let wrong = || NameError(text.chars().take(200).collect());
    let rest = text.strip_prefix('/').ok_or_else(wrong)?;
    if !begins_part(rest) {
        return Err(wrong());
    }
    let mut parts: Parts = Vec::new();
    let mut current = String::new();
    let mut fields: Vec<(bool, String)> = Vec::new();
    let mut joined = false;
    let mut rest = rest.char_indices().peekable();
    let body = &text[1..];
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some((_, 'x')) => {
                    let digits: String =
                        [rest.next(), rest.next()].into_iter().flatten().map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    current.push(code.ok_or_else(wrong)?);
                }
                Some((_, escaped)) => current.push(escaped),
                None => return Err(wrong()),
            },
            '/' | '+' if begins_part(&body[at + 1..]) => {
                fields.push((joined, std::mem::take(&mut current)));
                joined = c == '+';
            }
            c => current.push(c),
        }
    }
    fields.push((joined, current));
    for (joined, field) in fields {
        let (name, value) =
            field.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(wrong)?;
        let attribute = (canonical(name), value.to_owned());
        match parts.last_mut() {
            Some(part) if joined => part.push(attribute),
            _ => parts.push(vec![attribute]),
        }
    }
    Ok(parts)
}

pub(crate) fn parse_rfc4514(text: &str) -> Result<Parts, NameError> {
    let wrong = || NameError(text.chars().take(200).collect());
    let mut parts: Parts = vec![Vec::new()];
    for (separator, field) in split_rfc4514(text).ok_or_else(wrong)? {
        let (name, value) = field.split_once('=').ok_or_else(wrong)?;
        let is_type = |c: char| c.is_ascii_alphanumeric() || c == '.';
        if name.trim().is_empty() || !name.trim().chars().all(is_type) {
            return Err(wrong());
        }
        if separator == ',' {
            parts.push(Vec::new());
        }
        let value = unescape_rfc4514(value.trim_start_matches(' '));
        let value = value.filter(|value| !value.is_empty()).ok_or_else(wrong)?;
        parts.last_mut().ok_or_else(wrong)?.push((canonical(name.trim()), value));
    }
    parts.retain(|p| !p.is_empty());
    parts.reverse();
    Ok(parts)
}

/// The fields with the separator in front of each; escapes are kept.
fn split_rfc4514(text: &str) -> Option<Vec<(char, String)>> {
    let mut fields = vec![(',', String::new())];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let field = &mut fields.last_mut()?.1;
        match c {
            '\\' => {
                field.push('\\');
                field.push(chars.next()?);
            }
            ',' | ';' => fields.push((',', String::new())),
            '+' => fields.push(('+', String::new())),
            c => field.push(c),
        }
    }
    Some(fields)
}

fn unescape_rfc4514(value: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = value.trim_end_matches(' ').to_owned();
    // A trailing space that is escaped belongs to the value.
    if rest.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
        rest.push(' ');
    }
    let raw = rest.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        if raw[at] != b'\\' {
            bytes.push(raw[at]);
            at += 1;
            continue;
        }
        let digits = rest.get(at + 1..at + 3).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        let hex = digits.and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(*raw.get(at + 1)?);
                at += 2;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_tell_the_same_name() {
        for (slash, rfc4514) in [
            ("/O=Example/CN=signer", "CN=signer,O=Example"),
            (
                "/DC=org/DC=example/CN=host/www.example.org",
                "CN=host/www.example.org,DC=example,DC=org",
            ),
            ("/O=A, B/CN=x", "CN=x,O=A\\, B"),
            ("/O=Example/CN=x\\/CN=root", "CN=x/CN=root,O=Example"),
        ] {
            assert_eq!(rfc4514_from_slash(slash).as_deref(), Ok(rfc4514));
            assert_eq!(slash_from_rfc4514(rfc4514).map(|s| s.to_string()).as_deref(), Ok(slash));
        }
    }

    #[test]
    fn spellings_of_an_attribute_are_one() {
        let forms = ["/O=x/Email=a@b.c", "/O=x/E=a@b.c", "/O=x/emailAddress=a@b.c"];
        for form in forms {
            assert_eq!(slash(&parse_slash(form).unwrap()), "/O=x/emailAddress=a@b.c");
        }
        assert_eq!(slash_from_rfc4514("cn=a, o=b").unwrap().as_str(), "/O=b/CN=a");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "CN=x", "/", "/x", "//CN=x", "/O=", "/O=/CN=x", "/CN=x/O=", "/CN=x+O="] {
            assert!(parse_slash(text).is_err(), "{text}");
        }
        for text in ["", "x", "=x", "CN=x,", "CN=x\\", "O=", "O=,CN=x", "CN=x,O= ", "CN=+O=x"] {
            assert!(parse_rfc4514(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_two_names_share_a_slash_form(values in proptest::collection::vec("[ -~]{1,12}", 1..4)) {
            let parts: Parts = values.iter().map(|v| vec![("CN".to_owned(), v.clone())]).collect();
            prop_assert_eq!(parse_slash(&slash(&parts)), Ok(parts.clone()));
            prop_assert_eq!(parse_rfc4514(&rfc4514(&parts)), Ok(parts));
        }
    }
}
