//! What a file is to hold, given what it holds: shared by the planner, which compares, and by
//! whoever writes it, so that both always mean the same bytes.

use crate::oned;
use crate::step::{Action, File, OurShare, Piece, Quoting, Step};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use stratus_site::HostName;

/// The text of the pieces; `read` gives the content of a file of a host, and nothing if it is not
/// known, and then the text is not known either.
pub fn text(pieces: &[Piece], read: impl Fn(&HostName, &str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::From { host, path } => text.push_str(read(host, path)?.trim_end()),
            Piece::Quoted { host, path, quoting } => {
                text.push_str(&quoted(read(host, path)?.trim_end(), *quoting));
            }
        }
    }
    Some(text)
}

/// The text as a person may see it: foreign parts are named, not shown.
pub fn shown(pieces: &[Piece]) -> String {
    let part = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::From { host, path } | Piece::Quoted { host, path, .. } => {
            format!("<content of {path} on {host}>")
        }
    };
    pieces.iter().map(part).collect()
}

/// A value in quotes, for a file that has rules for them.
pub fn quoted(value: &str, quoting: Quoting) -> String {
    match quoting {
        Quoting::Yaml => format!("'{}'", value.replace('\'', "''")),
        // oned.conf has a backslash before a quote only.
        Quoting::Oned => format!("\"{}\"", value.replace('"', "\\\"")),
    }
}

/// What a file that holds `current` is to hold: our share replaced, the rest as it is.
pub fn merged(current: Option<&str>, wanted: &str, share: &OurShare) -> String {
    let current = current.unwrap_or_default();
    match share {
        OurShare::Whole => wanted.to_owned(),
        OurShare::Block { name, comment } => with_block(current, wanted, name, comment),
        OurShare::OnedKeys => oned::set_all(current, wanted),
    }
}

/// What a file holds when our share is taken out; nothing if all of it was ours.
pub fn without(current: &str, share: &OurShare) -> Option<String> {
    let OurShare::Block { name, comment } = share else { return None };
    let (start, end) = block(current, name, comment)?;
    Some(format!("{}{}", &current[..start], &current[end..]))
}

fn with_block(current: &str, wanted: &str, name: &str, comment: &str) -> String {
    let newline = if wanted.is_empty() || wanted.ends_with('\n') { "" } else { "\n" };
    let ours =
        format!("{comment} BEGIN STRATUS {name}\n{wanted}{newline}{comment} END STRATUS {name}\n");
    match block(current, name, comment) {
        Some((start, end)) => format!("{}{ours}{}", &current[..start], &current[end..]),
        None if current.is_empty() || current.ends_with('\n') => format!("{current}{ours}"),
        None => format!("{current}\n{ours}"),
    }
}

/// The place of our block, its marks included. A beginning without an end is not one.
fn block(text: &str, name: &str, comment: &str) -> Option<(usize, usize)> {
    let (begin, end) =
        (format!("{comment} BEGIN STRATUS {name}"), format!("{comment} END STRATUS {name}"));
    let (mut at, mut start) = (0, None);
    for line in text.split_inclusive('\n') {
        if line.trim_end() == begin {
            start = Some(at);
        }
        at += line.len();
        if let (true, Some(start)) = (line.trim_end() == end, start) {
            return Some((start, at));
        }
    }
    None
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The digest of a set of files: what a unit or action has seen. `digest` gives that of one file.
pub fn inputs_digest(inputs: &BTreeSet<String>, digest: impl Fn(&str) -> Option<String>) -> String {
    let line = |path: &String| format!("{path}\0{}\n", digest(path).unwrap_or_default());
    sha256(inputs.iter().map(line).collect::<String>())
}

/// The note of a file whose content may not leave its host: what it was made of, and what came
/// out. It is kept below the name of [`seen_name`]; the file is as wanted while the note is the
/// same. `digest` gives the SHA-256 of a file of a host, `result` is that of the file itself.
pub fn note(
    file: &File,
    digest: impl Fn(&HostName, &str) -> Option<String>,
    result: &str,
) -> Option<String> {
    let mut recipe = String::new();
    for piece in &file.content {
        match piece {
            Piece::Text(text) => recipe.push_str(&format!("text {}\n", sha256(text))),
            Piece::From { host, path } => {
                recipe.push_str(&format!("from {host} {path} {}\n", digest(host, path)?));
            }
            Piece::Quoted { host, path, quoting } => recipe
                .push_str(&format!("quoted {quoting:?} {host} {path} {}\n", digest(host, path)?)),
        }
    }
    recipe.push_str(&format!("{:?}\n{result}\n", file.share));
    Some(sha256(recipe))
}

/// The name below which is kept what a step has seen (`HostFacts::seen`); `None` for steps that
/// keep nothing.
pub fn seen_name(step: &Step) -> Option<String> {
    match step {
        Step::Unit(unit) if !unit.inputs.is_empty() => Some(unit.name.clone()),
        Step::Action { action, inputs } => Some(action_name(*action, inputs)),
        Step::File(file) if file.secret => Some(format!("file:{}", file.path.replace('/', "-"))),
        _ => None,
    }
}

/// The name of an action: with that of its first input, for a host may have the same action after
/// different files.
pub fn action_name(action: Action, inputs: &BTreeSet<String>) -> String {
    match inputs.first().and_then(|path| path.rsplit('/').next()) {
        Some(file) => format!("{}-{file}", action.name()),
        None => action.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share() -> OurShare {
        OurShare::Block { name: "keys".into(), comment: "#".into() }
    }

    #[test]
    fn a_block_is_added_replaced_and_taken_out_again() {
        let first = merged(Some("mine"), "a", &share());
        assert_eq!(first, "mine\n# BEGIN STRATUS keys\na\n# END STRATUS keys\n");
        let second = merged(Some(&format!("{first}more\n")), "b\n", &share());
        assert_eq!(second, "mine\n# BEGIN STRATUS keys\nb\n# END STRATUS keys\nmore\n");
        assert_eq!(without(&second, &share()).unwrap(), "mine\nmore\n");
    }

    #[test]
    fn a_beginning_without_an_end_is_not_our_block() {
        let text = merged(Some("# BEGIN STRATUS keys\nhers\n"), "a\n", &share());
        assert!(text.starts_with("# BEGIN STRATUS keys\nhers\n# BEGIN STRATUS keys\na\n"));
        assert_eq!(merged(Some(&text), "a\n", &share()), text);
    }

    #[test]
    fn a_password_cannot_leave_its_quotes() {
        assert_eq!(quoted("a'b\\", Quoting::Yaml), "'a''b\\'");
        assert_eq!(quoted("a\"b", Quoting::Oned), "\"a\\\"b\"");
    }
}
