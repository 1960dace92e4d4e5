//! Setting keys in files such as `oned.conf`, and leaving every other byte alone.
//!
//! A line is `KEY = value` or `KEY = [ NAME = value, NAME = value ]`, the second over several lines
//! where somebody likes it so; `#` starts a comment outside quotes. A key of ours may name one
//! element of a list: `LOG/DEBUG_LEVEL`. Keys are compared without regard to case, as oned does.

use std::ops::Range;

/// The text with one key set: in place where it stands, else at the end.
pub fn set(text: &str, key: &str, value: &str) -> String {
    let (key, element) = match key.split_once('/') {
        Some((list, element)) => (list, Some(element)),
        None => (key, None),
    };
    let place = entries(text).into_iter().find(|e| e.key.eq_ignore_ascii_case(key));
    match (place, element) {
        (Some(entry), None) => replaced(text, entry.value, value),
        (Some(entry), Some(element)) => set_element(text, entry.value, element, value),
        (None, None) => appended(text, &format!("{key} = {value}")),
        (None, Some(element)) => appended(text, &format!("{key} = [ {element} = {value} ]")),
    }
}

/// The text with the keys of all lines of `wanted` set, in their order.
pub fn set_all(text: &str, wanted: &str) -> String {
    let lines = wanted.lines().filter_map(|l| l.split_once('='));
    lines.fold(text.to_owned(), |text, (key, value)| set(&text, key.trim(), value.trim()))
}

struct Entry {
    key: String,
    value: Range<usize>,
}

fn replaced(text: &str, place: Range<usize>, value: &str) -> String {
    format!("{}{value}{}", &text[..place.start], &text[place.end..])
}

fn appended(text: &str, line: &str) -> String {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}{line}\n")
}

/// Sets an element of the list at `place`; a value that is no list becomes one.
fn set_element(text: &str, place: Range<usize>, element: &str, value: &str) -> String {
    let list = &text[place.clone()];
    let Some(inside) = list.strip_prefix('[').map(|rest| rest.strip_suffix(']').unwrap_or(rest))
    else {
        return replaced(text, place, &format!("[ {element} = {value} ]"));
    };
    let shift = |r: Range<usize>| r.start + place.start + 1..r.end + place.start + 1;
    let elements = elements(inside);
    if let Some(found) = elements.iter().find(|e| e.key.eq_ignore_ascii_case(element)) {
        return replaced(text, shift(found.value.clone()), value);
    }
    match elements.last() {
        Some(last) => {
            let end = shift(last.value.clone()).end;
            replaced(text, end..end, &format!(", {element} = {value}"))
        }
        None => replaced(text, place, &format!("[ {element} = {value} ]")),
    }
}

/// The top-level entries with the places of their values.
fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = line_end(text, at);
        let line = &text[at..end];
        match line.split_once('=').filter(|(key, _)| is_key(key.trim())) {
            None => at = end + 1,
            Some((key, rest)) => {
                let start = end - rest.trim_start().len();
                let stop = value_end(text, start, end);
                found.push(Entry { key: key.trim().to_owned(), value: start..stop });
                at = line_end(text, stop) + 1;
            }
        }
    }
    found
}

/// The elements of what stands between `[` and `]`, with the places of their values.
fn elements(inside: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        let end = part_end(inside, at);
        let part = &inside[at..end];
        if part.trim_start().starts_with('#') {
            // A comment ends with its line, whatever it holds.
            at = line_end(inside, at + (part.len() - part.trim_start().len())) + 1;
            continue;
        }
        if let Some((key, rest)) = part.split_once('=') {
            let start = end - rest.trim_start().len();
            let stop = without_comment(inside, start, end);
            found.push(Entry { key: key.trim().to_owned(), value: start..stop });
        }
        at = end + 1;
    }
    found
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |i| at + i)
}

/// Where a top-level value that begins at `start` ends.
fn value_end(text: &str, start: usize, line_end: usize) -> usize {
    if !text[start..].starts_with('[') {
        return without_comment(text, start, line_end);
    }
    let end = scan(text, start + 1, |byte| byte == b']');
    if end < text.len() { end + 1 } else { line_end }
}

/// Where an element ends: at a comma, or a comment that begins a line after its value.
fn part_end(inside: &str, at: usize) -> usize {
    scan(inside, at, |byte| byte == b',')
}

/// The first byte that is asked for, outside quotes and comments; the end if there is none.
fn scan(text: &str, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let (mut quoted, mut comment) = (false, false);
    for (index, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'\n' if comment => comment = false,
            _ if comment => {}
            b'"' => quoted = !quoted,
            b'#' if !quoted => comment = true,
            _ if !quoted && wanted(byte) => return index,
            _ => {}
        }
    }
    text.len()
}

/// Where the value between two places ends when a comment and blanks after it are left out.
fn without_comment(text: &str, start: usize, end: usize) -> usize {
    let mut quoted = false;
    let bytes = text[start..end].bytes();
    let comment = bytes.enumerate().find_map(|(index, byte)| {
        quoted ^= byte == b'"';
        (byte == b'#' && !quoted).then_some(index)
    });
    let value = &text[start..comment.map_or(end, |i| start + i)];
    start + value.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = r#"# DB = [ BACKEND = "mysql" ]
LOG = [
  SYSTEM      = "file",
  DEBUG_LEVEL = 3  # chatty, see [docs]
]
PORT = 2633 # XML-RPC
DB = [ BACKEND = "sqlite",
       # TIMEOUT, in ms
       TIMEOUT = 2500 ]
VM_MAD = [ NAME = "kvm", ARGUMENTS = "-t 15, -r 0" ]
"#;

    #[test]
    fn a_key_is_set_where_it_stands_and_comments_stay() {
        let text = set(FILE, "port", "2700");
        assert!(text.contains("\nPORT = 2700 # XML-RPC\n"), "{text}");
        assert!(text.starts_with("# DB = [ BACKEND = \"mysql\" ]\n"));
    }

    #[test]
    fn a_list_over_several_lines_is_replaced_whole() {
        let text = set(FILE, "DB", "[ BACKEND = \"mysql\" ]");
        assert!(text.contains("\nDB = [ BACKEND = \"mysql\" ]\nVM_MAD"), "{text}");
    }

    #[test]
    fn one_element_of_a_list_is_set_and_the_others_stay() {
        let text = set(FILE, "LOG/DEBUG_LEVEL", "5");
        assert!(text.contains("  DEBUG_LEVEL = 5  # chatty, see [docs]\n]"), "{text}");
        let text = set(FILE, "DB/TIMEOUT", "9");
        assert!(text.contains("       TIMEOUT = 9 ]"), "{text}");
        let text = set(FILE, "VM_MAD/TYPE", "\"kvm\"");
        assert!(text.contains("ARGUMENTS = \"-t 15, -r 0\", TYPE = \"kvm\" ]"), "{text}");
    }

    #[test]
    fn a_key_that_is_not_there_is_added_at_the_end() {
        assert_eq!(set("A = 1", "B", "2"), "A = 1\nB = 2\n");
        assert_eq!(set("", "L/E", "2"), "L = [ E = 2 ]\n");
    }

    proptest! {
        #[test]
        fn setting_twice_is_setting_once(text in "[A-C=\\[\\],#\" \n1-3é]{0,80}") {
            for key in ["A", "B/C"] {
                let once = set(&text, key, "7");
                // An unclosed quote or list swallows what is added after it; such a file is not one
                // that oned reads, and then only the absence of a panic is promised.
                if text.matches('"').count() % 2 == 0 && !text.contains(['[', ']']) {
                    prop_assert_eq!(set(&once, key, "7"), once);
                }
            }
        }
    }
}
