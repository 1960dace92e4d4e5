//! Names that are a slip of the finger away.

/// `did you mean …?` where one of the known names is near, else all of them.
pub fn cure<'a>(given: &str, known: impl Iterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", known.join(", ")),
    }
}

/// The nearest of the names, where one is at most two slips away.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.map(|name| (distance(name, given), name)).filter(|(far, _)| *far <= 2).min().map(|n| n.1)
}

/// Edit distance: how many characters to put in, take out or change.
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

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["hosts", "bridge"];
        assert_eq!(nearest("host", known.into_iter()), Some("hosts"));
        assert_eq!(nearest("brigde", known.into_iter()), Some("bridge"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(cure("colour", known.into_iter(), "known keys"), "known keys: hosts, bridge");
    }
}
