//! The historical file as Python's SafeConfigParser read it.
//!
//! Sections, `key = value` or `key: value`, keys in lower case, values that go on in lines that
//! begin with a blank, comments with `#`, `;` or `rem` in the first column and after ` ;`, and
//! `%(other)s` for the value of another key. Lines with `[…]` that are set in are part of a value:
//! two keys held whole files that way. What that reader refused is noted here, and the reading
//! goes on.

use super::work::{is_secret, sounds_secret};
use std::collections::BTreeMap;

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    /// Lines of the value, parted by line ends, `%(…)s` resolved.
    pub(super) value: String,
    pub(super) line: usize,
}

/// The file, flattened: names were unique over the whole file, and the last one won.
#[derive(Debug, Default)]
pub(super) struct Ini {
    pub(super) entries: Vec<Entry>,
    /// What was odd, with its line.
    pub(super) notes: Vec<(usize, String)>,
}

/// How deep one value may lead to another.
const DEPTH: usize = 10;
/// Most `%(…)s` that one value may lead to.
const STEPS: usize = 1000;
/// Longest value after `%(…)s` was resolved, in bytes.
const LONGEST: usize = 1 << 16;

/// Reads the text.
pub(super) fn read(text: &str) -> Ini {
    let mut lines = Lines::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        lines.take(number + 1, line);
    }
    let Lines { entries, mut notes, .. } = lines;
    let resolved = entries.iter().map(|entry| {
        let value = resolve(&entry.value, &entry.section, &entries, &mut Vec::new(), &mut 0);
        let value = value.unwrap_or_else(|why| {
            notes.push((entry.line, format!("`{}`: {why}; taken as it is written", entry.key)));
            entry.value.clone()
        });
        Entry { value, ..entry.clone() }
    });
    let resolved: Vec<Entry> = resolved.collect();
    let mut last: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in resolved {
        if let Some(before) = last.insert(entry.key.clone(), entry.clone()) {
            let (key, line) = (&entry.key, before.line);
            let hidden = is_secret(key, &before.value) || sounds_secret(key, &before.value);
            let lost = if hidden { "hidden" } else { before.value.trim() };
            let told = format!("`{key}` is given again; line {line} had `{lost}`, this one holds");
            notes.push((entry.line, told));
        }
    }
    let mut entries: Vec<Entry> = last.into_values().collect();
    entries.sort_by_key(|entry| entry.line);
    notes.sort();
    Ini { entries, notes }
}

#[derive(Default)]
struct Lines {
    section: String,
    entries: Vec<Entry>,
    /// Whether a line that begins with a blank belongs to the last entry.
    open: bool,
    notes: Vec<(usize, String)>,
}

impl Lines {
    fn take(&mut self, number: usize, line: &str) {
        let word = line.split_whitespace().next().unwrap_or_default();
        let comment = line.starts_with(['#', ';'])
            || (line.starts_with(['r', 'R']) && word.eq_ignore_ascii_case("rem"));
        if word.is_empty() || comment {
            return;
        }
        if line.starts_with(char::is_whitespace) {
            match self.entries.last_mut().filter(|_| self.open) {
                Some(entry) => {
                    entry.value.push('\n');
                    entry.value.push_str(line.trim());
                }
                None => {
                    self.notes.push((number, "the line belongs to no key; left out".to_owned()));
                }
            }
        } else if let Some(rest) = line.strip_prefix('[') {
            self.open = false;
            match rest.split_once(']') {
                Some((name, _)) => name.clone_into(&mut self.section),
                None => self.notes.push((number, "`[` without `]`; left out".to_owned())),
            }
        } else if let Some((key, value)) =
            line.split_once(['=', ':']).filter(|(k, _)| !k.is_empty())
        {
            let value = without_comment(value.trim());
            let value = if value == "\"\"" { "" } else { value };
            self.entries.push(Entry {
                section: self.section.clone(),
                key: key.trim_end().to_lowercase(),
                value: value.to_owned(),
                line: number,
            });
            self.open = true;
        } else {
            self.open = false;
            self.notes.push((number, "neither a section nor `key = value`; left out".to_owned()));
        }
    }
}

/// A `;` after a blank begins a comment.
fn without_comment(value: &str) -> &str {
    let at = value
        .char_indices()
        .zip(value.chars().skip(1))
        .find_map(|((at, c), next)| (c.is_whitespace() && next == ';').then_some(at));
    at.map_or(value, |at| value[..at].trim_end())
}

/// Puts the values of other keys in; the same section or DEFAULT has them.
fn resolve(
    value: &str,
    section: &str,
    entries: &[Entry],
    above: &mut Vec<String>,
    steps: &mut usize,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let named = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
        let Some((name, after)) = named else {
            return Err("a `%` stands alone (a literal one was written twice)".to_owned());
        };
        let name = name.to_lowercase();
        if above.contains(&name) || above.len() >= DEPTH {
            return Err(format!("`%({name})s` leads back to itself"));
        }
        let found = entries
            .iter()
            .rev()
            .filter(|e| e.key == name && (e.section == section || e.section == "DEFAULT"))
            .min_by_key(|e| e.section != section);
        let Some(found) = found else {
            return Err(format!("`%({name})s` names no key of the section"));
        };
        *steps += 1;
        above.push(name);
        out.push_str(&resolve(&found.value, section, entries, above, steps)?);
        above.pop();
        if out.len() > LONGEST || *steps > STEPS {
            return Err("it becomes too long".to_owned());
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> String {
        read(text).entries.into_iter().find(|e| e.key == key).unwrap().value
    }

    #[test]
    fn values_are_read_as_they_always_were() {
        let text = "[a]\nOne = 1 ; first\ntwo: b;c\nthree = x\n# no end\n\n  y ; kept\n  [inside]\nfour = \"\"\nrem not me = 1\n";
        assert_eq!(value(text, "one"), "1");
        assert_eq!(value(text, "two"), "b;c");
        assert_eq!(value(text, "three"), "x\ny ; kept\n[inside]");
        assert_eq!(value(text, "four"), "");
        assert_eq!(read(text).entries.len(), 4);
    }

    #[test]
    fn other_keys_are_put_in_and_loops_are_found() {
        let text = "[a]\nhome = /srv\nshare = %(home)s/100%%\nx = %(y)s\ny = %(x)s\nz = %(far)s\nw = 5%\n[b]\nfar = 1\n";
        assert_eq!(value(text, "share"), "/srv/100%");
        assert_eq!(value(text, "x"), "%(y)s");
        let notes: Vec<usize> = read(text).notes.iter().map(|(line, _)| *line).collect();
        assert_eq!(notes, [4, 5, 6, 7]);
    }

    #[test]
    fn values_that_grow_without_end_are_cut_off() {
        let nothing = (1..10).fold("[a]\nk0 =\n".to_owned(), |text, n| {
            text + &format!("k{n} = {}\n", format!("%(k{})s", n - 1).repeat(16))
        });
        assert!(!read(&nothing).notes.is_empty());
        let mut text = String::from("[a]\nk0 = xxxxxxxxxxxxxxxx\n");
        for n in 1..10 {
            let part = format!("%(k{})s", n - 1).repeat(16);
            text.push_str(&format!("k{n} = {part}\n"));
        }
        assert!(read(&text).entries.iter().all(|e| e.value.len() <= LONGEST + 1));
    }

    #[test]
    fn the_last_of_two_holds() {
        let ini = read("[a]\nx = 1\n[b]\nX = 2\n");
        assert_eq!((ini.entries.len(), ini.entries[0].value.as_str()), (1, "2"));
        assert_eq!(ini.notes[0].0, 4);
    }
}
