//! Comparing files.

use super::Earlier;
use crate::content::{self, merged, seen_name, sha256};
use crate::facts::{PathFacts, PathKind};
use crate::plan::State;
use crate::step::{Access, File, OurShare, Piece, Step};
use crate::view::View;
use similar::TextDiff;
use std::path::Path;

/// How a file stands.
pub(super) fn file(view: &View, earlier: &Earlier, file: &File) -> State {
    if let Some(missing) = missing_source(view, earlier, file) {
        return State::Later(missing);
    }
    if file.secret {
        return secret_content(view, earlier, file);
    }
    let Some(text) = content::text(&file.content, |host, path| view.read(host, path)) else {
        return State::Later("made of what another host has not told".to_owned());
    };
    let is = view.told.paths.get(&file.path);
    if let Some(is) = is.filter(|is| is.content.is_none()) {
        return unseen(file, is, &text);
    }
    let current = is.and_then(|is| is.content.as_deref());
    let wanted = merged(current, &text, &file.share);
    let mut lines = Vec::new();
    if current != Some(wanted.as_str()) {
        lines.extend(diff(&file.path, current, &wanted));
    }
    lines.extend(is.map(|is| file_access(is, file)).unwrap_or_default());
    super::done_or(lines, || done_text(file))
}

fn done_text(file: &File) -> String {
    match &file.share {
        OurShare::Whole => "has this content".to_owned(),
        OurShare::Block { .. } => "has our lines".to_owned(),
        OurShare::OnedKeys => "has these values".to_owned(),
    }
}

/// The first part that an earlier step, here or on another host, has yet to make.
fn missing_source(view: &View, earlier: &Earlier, file: &File) -> Option<String> {
    file.content.iter().find_map(|piece| {
        let (Piece::From { host, path } | Piece::Quoted { host, path, .. }) = piece else {
            return None;
        };
        let there = if file.secret { view.digest(host, path) } else { view.read(host, path) };
        let changing = host == view.host && earlier.changing.contains(path);
        (there.is_none() || changing)
            .then(|| format!("made of {path} of {host}, which comes first"))
    })
}

/// A file of which the facts have a digest only: it is too long, or no text.
fn unseen(file: &File, is: &PathFacts, text: &str) -> State {
    if is.kind == PathKind::Directory {
        return State::Change(vec![format!("{} is a directory", file.path)]);
    }
    match (&file.share, &is.sha256) {
        (OurShare::Whole, Some(digest)) if *digest == sha256(text) => {
            super::done_or(file_access(is, file), || done_text(file))
        }
        (OurShare::Whole, _) => State::Change(vec![format!("{} is replaced", file.path)]),
        _ => State::Change(vec![format!("our lines are put into {}", file.path)]),
    }
}

/// A file that may not be shown is as wanted while the note of its making holds.
fn secret_content(view: &View, earlier: &Earlier, file: &File) -> State {
    let is = view.told.paths.get(&file.path);
    let result = is.and_then(|is| is.sha256.as_deref());
    let recipe = content::recipe(file, |host, path| view.digest(host, path));
    let current = recipe.zip(result).map(|(recipe, result)| format!("{recipe}:{result}"));
    let name = seen_name(&Step::File(file.clone())).unwrap_or_default();
    let changing = earlier.changing.contains(&file.path);
    if current.is_some() && current.as_ref() == view.told.seen.get(&name) && !changing {
        let lines = is.map(|is| file_access(is, file)).unwrap_or_default();
        return super::done_or(lines, || "is as it was written".to_owned());
    }
    let verb = if file.share == OurShare::Whole { "+" } else { "set" };
    let shown = content::shown(&file.content);
    State::Change(shown.lines().map(|line| format!("{verb} {line}")).collect())
}

/// How a random secret stands: it is made once.
pub(super) fn secret(view: &View, path: &str, access: &Access) -> State {
    let lines = match view.told.paths.get(path) {
        None => vec![format!("make a random secret in {path}, {}", access_text(access))],
        Some(is) => access_lines(is, access),
    };
    super::done_or(lines, || "is there; a secret is made once".to_owned())
}

/// How a copied secret stands.
pub(super) fn secret_file(view: &View, path: &str, access: &Access, source: &Path) -> State {
    let wanted = view.inputs.and_then(|i| i.secrets.get(source));
    let lines = match view.told.paths.get(path) {
        None => vec![format!("copy {} to {path}, {}", source.display(), access_text(access))],
        Some(is) if is.sha256.as_ref() != wanted => {
            vec![format!("copy {} to {path} again: it is another one", source.display())]
        }
        Some(is) => access_lines(is, access),
    };
    super::done_or(lines, || format!("is the same as {}", source.display()))
}

fn file_access(is: &PathFacts, file: &File) -> Vec<String> {
    match file.share {
        OurShare::Whole => access_lines(is, &file.access),
        OurShare::Block { .. } | OurShare::OnedKeys => Vec::new(),
    }
}

/// What differs in owner, group and permissions.
pub(super) fn access_lines(is: &PathFacts, wanted: &Access) -> Vec<String> {
    let owner = (is.owner != wanted.owner || is.group != wanted.group).then(|| {
        format!("owner {}:{} becomes {}:{}", is.owner, is.group, wanted.owner, wanted.group)
    });
    let mode = (is.mode != wanted.mode)
        .then(|| format!("permissions {:04o} become {:04o}", is.mode, wanted.mode));
    owner.into_iter().chain(mode).collect()
}

pub(super) fn access_text(access: &Access) -> String {
    format!("{}:{} {:04o}", access.owner, access.group, access.mode)
}

/// A unified diff, values of passwords masked: what was there before may hold one.
fn diff(path: &str, old: Option<&str>, new: &str) -> Vec<String> {
    let from = if old.is_some() { path } else { "/dev/null" };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new);
    let text = diff.unified_diff().context_radius(2).header(from, path).to_string();
    text.lines().map(masked).collect()
}

fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let secret = ["passw", "secret", "token"].iter().find_map(|word| {
        let rest = lower.get(lower.find(word)?..)?;
        let sign = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let value = sign.trim_start_matches([' ', '=', ':', '"']);
        Some(lower.len() - value.len())
    });
    match secret {
        // A comment that talks of passwords is cut as well: better that than the other way round.
        Some(end) => format!("{}<not shown>", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_was_there_before_is_not_in_a_diff() {
        let lines = diff("/f", Some("DB = [ USER = \"a\", PASSWD = \"canary\" ]\n"), "DB = [ ]\n");
        assert!(!lines.join("\n").contains("canary"), "{lines:?}");
        assert!(lines.contains(&"-DB = [ USER = \"a\", PASSWD = \"<not shown>".to_owned()));
    }
}
