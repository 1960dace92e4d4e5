//! `KEY = value` lines as oned.conf has them, as values.

use crate::pan::Value;
use stratus_plan::step::Piece;

/// Stands for a secret while a line is read; no text of a site holds this character.
const SECRET: char = '\u{1}';

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// A secret, which is in a file of the host.
    Secret,
    /// `[ A = 1, B = 2 ]`.
    Group(Vec<(String, Setting)>),
}

impl Setting {
    /// As a value; keys of groups in lower case, as ncm-opennebula has them. A secret is the
    /// value of a variable.
    pub(crate) fn value(&self, secret: &'static str) -> Value {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::text(text),
            Self::Secret => Value::Variable(secret),
            Self::Group(members) => {
                let member = |(k, v): &(String, Self)| (k.to_ascii_lowercase(), v.value(secret));
                Value::Record(members.iter().map(member).collect())
            }
        }
    }
}

/// The settings of a file's pieces, one in each line.
pub(crate) fn read(pieces: &[Piece]) -> Option<Vec<(String, Setting)>> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Quoted { .. } => text.push(SECRET),
            Piece::From { .. } => return None,
        }
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| pair(line.trim())).collect()
}

fn pair(text: &str) -> Option<(String, Setting)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_owned(), setting(value.trim())?))
}

fn setting(text: &str) -> Option<Setting> {
    if let Some(inside) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Some(Setting::Group(members(inside).into_iter().map(pair).collect::<Option<_>>()?));
    }
    if text.chars().eq([SECRET]) {
        return Some(Setting::Secret);
    }
    if let Some(inside) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        return Some(Setting::Text(inside.replace("\\\"", "\"")));
    }
    text.parse().ok().map(Setting::Number)
}

/// The parts between commas that are not in quotes.
fn members(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_plan::step::Quoting;

    #[test]
    fn groups_numbers_texts_and_secrets_are_told_apart() {
        let quoted = Piece::Quoted {
            host: "one.example.org".parse().unwrap(),
            path: "/secret".into(),
            quoting: Quoting::Oned,
        };
        let text = |t: &str| Piece::Text(t.into());
        let pieces =
            [text("DB = [ A = \"x, \\\"y\\\"\", PASSWD = "), quoted, text(" ]\nPORT = 2\n")];
        let group = Setting::Group(vec![
            ("A".into(), Setting::Text("x, \"y\"".into())),
            ("PASSWD".into(), Setting::Secret),
        ]);
        let wanted = vec![("DB".to_owned(), group), ("PORT".to_owned(), Setting::Number(2))];
        assert_eq!(read(&pieces), Some(wanted));
        assert_eq!(read(&[text("not a setting\n")]), None);
    }
}
