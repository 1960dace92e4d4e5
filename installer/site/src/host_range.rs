//! Host names with ranges: `node[01-40].example.org`, `rack[1,3]-node[1-8]`.

use crate::values::WrongValue;

/// Most hosts of a site.
pub(crate) const MOST_HOSTS: usize = 10_000;

/// A piece of a name: as it is, or one of several.
enum Piece {
    Plain(String),
    OneOf(Vec<String>),
}

/// The names that the text stands for, in its order; the last bracket changes fastest.
pub fn expand(text: &str) -> Result<Vec<String>, WrongValue> {
    let pieces = pieces(text)?;
    let count = pieces.iter().try_fold(1_usize, |count, piece| match piece {
        Piece::Plain(_) => Some(count),
        Piece::OneOf(list) => count.checked_mul(list.len()),
    });
    if count.is_none_or(|count| count > MOST_HOSTS) {
        return Err(too_many(text));
    }
    let mut names = vec![String::new()];
    for piece in pieces {
        let endings = match piece {
            Piece::Plain(text) => vec![text],
            Piece::OneOf(list) => list,
        };
        let longer = |name: &String| {
            endings.iter().map(|ending| format!("{name}{ending}")).collect::<Vec<_>>()
        };
        names = names.iter().flat_map(longer).collect();
    }
    Ok(names)
}

fn pieces(text: &str) -> Result<Vec<Piece>, WrongValue> {
    let wrong = |why: &str| WrongValue(format!("`{text}` is no range of hosts: {why}"));
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, behind) = after.split_once(']').ok_or_else(|| wrong("`[` without `]`"))?;
        if before.contains(']') {
            return Err(wrong("`]` without `[`"));
        }
        pieces.push(Piece::Plain(before.to_owned()));
        let mut list = Vec::new();
        for part in inside.split(',') {
            list.extend(numbers(text, part.trim())?);
            if list.len() > MOST_HOSTS {
                return Err(too_many(text));
            }
        }
        pieces.push(Piece::OneOf(list));
        rest = behind;
    }
    if rest.contains(']') {
        return Err(wrong("`]` without `[`"));
    }
    pieces.push(Piece::Plain(rest.to_owned()));
    Ok(pieces)
}

/// `7`, `1-40` or `01-40`; where an end begins with a zero, all get its width.
fn numbers(text: &str, part: &str) -> Result<Vec<String>, WrongValue> {
    let wrong = |why: &str| WrongValue(format!("`{text}` is no range of hosts: `{part}` {why}"));
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let number = |digits: &str| {
        let plain = digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|_| plain)
    };
    let (Some(from), Some(to)) = (number(first), number(last)) else {
        return Err(wrong("is no number or range such as 01-40"));
    };
    if from > to {
        return Err(wrong("goes backwards"));
    }
    let padded = |digits: &str| digits.len() > 1 && digits.starts_with('0');
    if first.len() != last.len() && (padded(first) || padded(last)) {
        return Err(wrong("has ends of different widths"));
    }
    if usize::try_from(to - from).is_ok_and(|n| n >= MOST_HOSTS) {
        return Err(too_many(text));
    }
    let width = if padded(first) { first.len() } else { 0 };
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
}

fn too_many(text: &str) -> WrongValue {
    WrongValue(format!("`{text}` is more than {MOST_HOSTS} hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_keep_their_padding_and_order() {
        for (text, names) in [
            ("a", vec!["a"]),
            ("n[08-11].x", vec!["n08.x", "n09.x", "n10.x", "n11.x"]),
            ("n[8-11]", vec!["n8", "n9", "n10", "n11"]),
            ("n[1,3,5-6]", vec!["n1", "n3", "n5", "n6"]),
            ("r[1-2]n[1-2]", vec!["r1n1", "r1n2", "r2n1", "r2n2"]),
            ("n[007]", vec!["n007"]),
        ] {
            assert_eq!(expand(text).unwrap(), names, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        for (text, why) in [
            ("n[1-", "without `]`"),
            ("n1]", "without `[`"),
            ("n][1]", "without `[`"),
            ("n[]", "is no number"),
            ("n[a-b]", "is no number"),
            ("n[5-1]", "backwards"),
            ("n[1-010]", "different widths"),
            ("n[1-999999999]", "more than 10000"),
            ("n[1-200][1-200]", "more than 10000"),
            ("n[+1]", "is no number"),
        ] {
            let error = expand(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_has_all_its_numbers_once(from in 0_u32..3000, more in 0_u32..3000, width in 4_usize..8) {
            let to = from + more;
            let names = expand(&format!("n[{from:0width$}-{to:0width$}]")).unwrap();
            let wanted: Vec<String> = (from..=to).map(|n| format!("n{n:0width$}")).collect();
            prop_assert_eq!(names, wanted);
        }

        #[test]
        fn any_text_is_expanded_or_refused(text in "[a-z0-9\\[\\],-]{0,30}") {
            if let Ok(names) = expand(&text) {
                prop_assert!(!names.is_empty() && names.len() <= MOST_HOSTS);
                prop_assert!(names.iter().all(|n| !n.contains(['[', ']'])));
            }
        }
    }
}
