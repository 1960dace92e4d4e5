//! Setting keys in files such as `oned.conf`, and leaving every other byte alone.
//!
//! A line is `KEY = value` or `KEY = [ NAME = value, NAME = value ]`, the second over several lines
//! where somebody likes it so; `#` starts a comment outside quotes. A list is set as a whole.

use std::ops::Range;

/// The text with one key set: in place where it stands first, else at the end.
pub fn set(text: &str, key: &str, value: &str) -> String {
    match entries(text).into_iter().find(|e| e.key == key) {
        Some(entry) => replaced(text, entry.value, value),
        None => appended(text, &format!("{key} = {value}")),
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

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |i| at + i)
}

/// Where a top-level value that begins at `start` ends.
fn value_end(text: &str, start: usize, line_end: usize) -> usize {
    if !text[start..].starts_with('[') {
        return without_comment(text, start, line_end);
    }
    let end = scan(text, start + 1, b']');
    if end < text.len() { end + 1 } else { line_end }
}

/// The first byte that is asked for, outside quotes and comments; the end if there is none.
fn scan(text: &str, from: usize, wanted: u8) -> usize {
    let (mut quoted, mut escaped, mut comment) = (false, false, false);
    for (index, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'\n' if comment => comment = false,
            _ if comment => {}
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            _ if byte == wanted => return index,
            b'#' => comment = true,
            _ => {}
        }
    }
    text.len()
}

/// Where the value between two places ends when a comment and blanks after it are left out.
fn without_comment(text: &str, start: usize, end: usize) -> usize {
    let value = &text[start..end];
    start + value[..scan(value, 0, b'#')].trim_end().len()
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
        let text = set(FILE, "PORT", "2700");
        assert!(text.contains("\nPORT = 2700 # XML-RPC\n"), "{text}");
        assert!(text.starts_with("# DB = [ BACKEND = \"mysql\" ]\n"));
    }

    #[test]
    fn a_list_over_several_lines_is_replaced_whole() {
        let text = set(FILE, "DB", "[ BACKEND = \"mysql\" ]");
        assert!(text.contains("\nDB = [ BACKEND = \"mysql\" ]\nVM_MAD"), "{text}");
    }

    #[test]
    fn a_key_that_is_not_there_is_added_at_the_end() {
        assert_eq!(set("A = 1", "B", "2"), "A = 1\nB = 2\n");
    }

    proptest! {
        #[test]
        fn setting_twice_is_setting_once(text in "[A-C=\\[\\],#\" \n1-3é]{0,80}") {
            for key in ["A", "B"] {
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
