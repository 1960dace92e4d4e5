//! What a file is to hold, given what it holds: shared by the planner, which compares, and by
//! whoever writes it, so that both always mean the same bytes.

use crate::offline::CARRY;
use crate::oned;
use crate::step::{File, Network, OurShare, Piece, Quoting, Step};
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
    let line = |path: &String| {
        let digest = digest(path).unwrap_or_else(|| "absent".to_owned());
        format!("{digest}  {path}\n")
    };
    sha256(inputs.iter().map(line).collect::<String>())
}

/// What a file whose content may not leave its host is made of, as one digest. Whoever writes it
/// notes this and the SHA-256 of the file as it is then, `recipe:result`, below the name of
/// [`seen_name`]; the file is as wanted while both are the same. `digest` gives the SHA-256 of a
/// file of a host.
pub fn recipe(file: &File, digest: impl Fn(&HostName, &str) -> Option<String>) -> Option<String> {
    let mut recipe = format!("{:?}\n", file.share);
    for piece in &file.content {
        let line = match piece {
            Piece::Text(text) => format!("text {}\n", sha256(text)),
            Piece::From { host, path } => format!("from {host} {path} {}\n", digest(host, path)?),
            Piece::Quoted { host, path, quoting } => {
                format!("quoted {quoting:?} {host} {path} {}\n", digest(host, path)?)
            }
        };
        recipe.push_str(&line);
    }
    Some(sha256(recipe))
}

/// Files in which others configure interfaces, and from which ours are taken out.
pub const SHORTENED: [&str; 2] =
    ["/etc/network/interfaces", "/etc/network/interfaces.d/50-cloud-init"];

/// The digest of a network's files, which is kept once it is confirmed; those that were only
/// shortened are not counted, for afterwards they are no longer among the files.
pub fn network_digest(network: &Network) -> String {
    let counted = network.files.iter().filter(|f| !SHORTENED.contains(&f.path.as_str()));
    let line = |file: &File| format!("{}  {}\n", sha256(shown(&file.content)), file.path);
    sha256(counted.map(line).collect::<String>())
}

/// The name below which is kept what a step has seen (`HostFacts::seen`); `None` for steps that
/// keep nothing.
pub fn seen_name(step: &Step) -> Option<String> {
    match step {
        Step::Unit(unit) if !unit.inputs.is_empty() => Some(unit.name.clone()),
        Step::Action { action, .. } => Some(action.name().to_owned()),
        Step::Network(network) => Some(format!("network:{}", network.bridge)),
        Step::Carry(_) => Some(CARRY.to_owned()),
        Step::File(file) if file.secret => Some(format!("file:{}", file.path.replace('/', "-"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share() -> OurShare {
        OurShare::Block { name: "keys".into(), comment: "#".into() }
    }

    #[test]
    fn a_block_is_added_and_replaced() {
        let first = merged(Some("mine"), "a", &share());
        assert_eq!(first, "mine\n# BEGIN STRATUS keys\na\n# END STRATUS keys\n");
        let second = merged(Some(&format!("{first}more\n")), "b\n", &share());
        assert_eq!(second, "mine\n# BEGIN STRATUS keys\nb\n# END STRATUS keys\nmore\n");
        assert_eq!(second, "mine\n# BEGIN STRATUS keys\nb\n# END STRATUS keys\nmore\n");
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
