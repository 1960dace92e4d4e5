//! Files of sections with `key=value` lines, as values.

use crate::pan::{Value, key};

/// The sections of a text that holds nothing else, keys and values without blanks around them.
/// `None` where a component that writes sections could not give the same back.
pub(crate) fn sections(text: &str) -> Option<Value> {
    let mut sections: Vec<(String, Vec<(String, Value)>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.push((key(name).ok()?, Vec::new()));
            continue;
        }
        let (name, value) = line.split_once('=')?;
        let (_, members) = sections.last_mut()?;
        members.push((key(name.trim()).ok()?, Value::text(value.trim())));
    }
    let different = |names: Vec<&String>| {
        let all = names.len();
        names.into_iter().collect::<std::collections::BTreeSet<_>>().len() == all
    };
    let good = different(sections.iter().map(|(name, _)| name).collect())
        && sections.iter().all(|(_, m)| different(m.iter().map(|(name, _)| name).collect()));
    let records = sections.into_iter().map(|(name, members)| (name, Value::Record(members)));
    good.then(|| Value::Record(records.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_records() {
        let text = "[mysqld]\ntransaction-isolation = READ-COMMITTED\n";
        let inside = vec![("transaction-isolation".to_owned(), Value::text("READ-COMMITTED"))];
        let wanted = Value::Record(vec![("mysqld".to_owned(), Value::Record(inside))]);
        assert_eq!(sections(text), Some(wanted));
    }

    #[test]
    fn what_is_more_than_sections_stays_a_text() {
        for text in
            ["# note\n[a]\n", "a=1\n", "[a]\nb=1\nb=2\n", "[a]\nx y\n", "[1]\n", "[a]\n[a]\n"]
        {
            assert_eq!(sections(text), None, "{text}");
        }
    }
}
