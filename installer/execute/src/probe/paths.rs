//! Files, directories and links: asked by number, so that no name can break the answer.

use super::parts::Sections;
use super::{BadAnswer, CONTENT};
use crate::scripts::quote;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use stratus_plan::facts::{PathFacts, PathKind, Questions};

/// The part of the program that asks. One process for all paths of each question: `stat` for what
/// they are, `sha256sum` for files, `head` for the beginning of those that may be told, `readlink`
/// for links.
pub(super) fn script(questions: &Questions) -> String {
    let mut list = String::new();
    for (index, (path, secret)) in asked(questions).enumerate() {
        let (path, secret) = (quote(path), i32::from(secret));
        let take = format!("if chosen; then set -- \"$@\" \"$p\"; n=\"$n {index}\"; fi");
        let _ = writeln!(list, "    p={path} s={secret}\n    {take}");
    }
    if list.is_empty() { list } else { include_str!("paths.sh").replace("#LIST#\n", &list) }
}

/// All paths in their order, and whether each is secret. A path asked for as both is secret.
fn asked(questions: &Questions) -> impl Iterator<Item = (&str, bool)> {
    let secret = questions.secret_paths.iter().map(|p| (p.as_str(), true));
    let open = questions.paths.difference(&questions.secret_paths).map(|p| (p.as_str(), false));
    open.chain(secret)
}

/// A list: the numbers of the chosen paths in its first line, then the rest.
struct List<'a> {
    section: &'static str,
    numbers: Vec<usize>,
    rest: &'a [u8],
}

impl<'a> List<'a> {
    fn of(sections: &Sections<'a>, section: &'static str, count: usize) -> Result<Self, BadAnswer> {
        let bytes = sections.bytes(section);
        let end = bytes.iter().position(|b| *b == b'\n');
        let end = end.ok_or_else(|| BadAnswer::new(section, "it is empty"))?;
        let bad = || BadAnswer::new(section, "its first line is no list of numbers");
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| bad())?;
        let number = |w: &str| w.parse().ok().filter(|n| *n < count).ok_or_else(bad);
        let numbers = line.split_whitespace().map(number).collect::<Result<_, _>>()?;
        Ok(Self { section, numbers, rest: &bytes[end + 1..] })
    }

    /// One line for each number.
    fn lines(&self) -> Result<Vec<(usize, &'a str)>, BadAnswer> {
        let text = std::str::from_utf8(self.rest)
            .map_err(|_| BadAnswer::new(self.section, "it is not text"))?;
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() != self.numbers.len() {
            let reason = "a path went or came while it was looked at; ask again";
            return Err(BadAnswer::new(self.section, reason));
        }
        Ok(self.numbers.iter().copied().zip(lines).collect())
    }

    fn decoded(&self) -> Result<Vec<u8>, BadAnswer> {
        use base64::Engine as _;
        let decoded = base64::engine::general_purpose::STANDARD.decode(self.rest.trim_ascii());
        decoded.map_err(|_| BadAnswer::new(self.section, "it is not base64"))
    }
}

pub(super) fn read(
    sections: &Sections<'_>,
    questions: &Questions,
) -> Result<BTreeMap<String, PathFacts>, BadAnswer> {
    let names: Vec<(&str, bool)> = asked(questions).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut paths = BTreeMap::new();
    let list = |section| List::of(sections, section, names.len());
    for (number, line) in list("paths")?.lines()? {
        paths.insert(number, facts(line)?);
    }
    for (number, digest) in list("digests")?.lines()? {
        if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadAnswer::new("digests", format!("`{digest:.80}` is no digest")));
        }
        if let Some(path) = paths.get_mut(&number) {
            path.sha256 = Some(digest.to_owned());
        }
    }
    contents(&list("contents")?, &list("sizes")?, &mut paths)?;
    let targets = list("targets")?;
    let decoded = targets.decoded()?;
    for (number, target) in targets.numbers.iter().zip(decoded.split(|b| *b == 0)) {
        if let Some(path) = paths.get_mut(number) {
            path.content = String::from_utf8(target.to_vec()).ok();
        }
    }
    let named =
        |(number, facts): (usize, PathFacts)| Some((names.get(number)?.0.to_owned(), facts));
    Ok(paths.into_iter().filter_map(named).collect())
}

/// Cuts the one stream of contents by the files' sizes. A file that changed meanwhile does not match
/// its digest: then nothing of it is believed, nor of those behind it.
fn contents(
    stream: &List<'_>,
    sizes: &List<'_>,
    paths: &mut BTreeMap<usize, PathFacts>,
) -> Result<(), BadAnswer> {
    let bytes = stream.decoded()?;
    let mut rest = bytes.as_slice();
    for (number, size) in sizes.lines()? {
        let size: usize = size
            .parse()
            .map_err(|_| BadAnswer::new("sizes", format!("`{size:.40}` is no size")))?;
        let Some((content, behind)) = rest.split_at_checked(size.min(CONTENT + 1)) else { break };
        rest = behind;
        let Some(path) = paths.get_mut(&number) else { continue };
        if size <= CONTENT && path.sha256.as_deref() == Some(&hex::encode(Sha256::digest(content)))
        {
            path.content = String::from_utf8(content.to_vec()).ok();
        }
    }
    Ok(())
}

/// `81a4 root root`: the mode as stat(2) has it, owner, group.
fn facts(line: &str) -> Result<PathFacts, BadAnswer> {
    let bad = || BadAnswer::new("paths", format!("`{line:.80}` is not mode, owner and group"));
    let mut words = line.split(' ');
    let (Some(mode), Some(owner), Some(group)) = (words.next(), words.next(), words.next()) else {
        return Err(bad());
    };
    let mode = u32::from_str_radix(mode, 16).map_err(|_| bad())?;
    let kind = match mode & 0o170_000 {
        0o100_000 => PathKind::File,
        0o040_000 => PathKind::Directory,
        0o120_000 => PathKind::Link,
        _ => PathKind::Other,
    };
    Ok(PathFacts {
        kind,
        mode: mode & 0o7777,
        owner: owner.to_owned(),
        group: group.to_owned(),
        sha256: None,
        content: None,
    })
}
