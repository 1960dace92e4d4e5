//! The folder of an export: new files are put in place, files of an earlier export that are no
//! longer made go, and files of others are never touched.

use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};
use stratus_quattor::TextFile;
use stratus_terminal::{AtomicFile, Exit, Failure};

/// The list of what the last export wrote, one path in each line.
const LIST: &str = ".stratus-export";

/// Longest list that is read, bytes: a hundred thousand hosts.
const LONGEST_LIST: u64 = 32 << 20;

/// What became of the files, by path below the folder.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// New, or with another content than before.
    pub written: Vec<String>,
    /// As they were.
    pub unchanged: Vec<String>,
    /// Of an earlier export, and gone now.
    pub removed: Vec<String>,
}

/// Writes an export. The list is written first with the old and the new names, so that a write
/// that was cut off leaves nothing that the next one does not know of.
pub fn write(folder: &Path, files: &[TextFile]) -> Result<Written> {
    let before = listed(folder)?;
    let now: BTreeSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
    for file in files.iter().filter(|f| !before.contains(&f.path)) {
        if fs::symlink_metadata(folder.join(&file.path)).is_ok() {
            return Err(foreign(&folder.join(&file.path)).into());
        }
    }
    let both: BTreeSet<&str> = before.iter().map(String::as_str).chain(now.clone()).collect();
    list(folder, &both)?;
    let mut written = Written::default();
    for file in files {
        let path = folder.join(&file.path);
        if fs::read(&path).is_ok_and(|is| is == file.content.as_bytes()) {
            written.unchanged.push(file.path.clone());
            continue;
        }
        put(&path, &file.content)?;
        written.written.push(file.path.clone());
    }
    for path in before.iter().filter(|path| !now.contains(path.as_str())) {
        remove(folder, path)?;
        written.removed.push(path.clone());
    }
    list(folder, &now)?;
    Ok(written)
}

fn foreign(path: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("`{}` was not made by an export", path.display()))
        .hint("export into a folder of its own, or move the file away")
}

fn listed(folder: &Path) -> Result<BTreeSet<String>> {
    let path = folder.join(LIST);
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(cannot),
    };
    let mut text = String::new();
    file.take(LONGEST_LIST).read_to_string(&mut text).with_context(cannot)?;
    for line in text.lines() {
        if !is_ours(line) {
            return Err(Failure::usage(format!(
                "`{}` names `{line}`, which no export writes",
                path.display()
            ))
            .hint("somebody changed the list; remove the folder and export again")
            .into());
        }
    }
    Ok(text.lines().map(str::to_owned).collect())
}

/// Whether a path is one that an export could have written: below the folder, a template.
fn is_ours(path: &str) -> bool {
    let plain = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    plain
        && Path::new(path).extension().is_some_and(|end| end == "pan")
        && (path.starts_with("stratus/") || path.starts_with("profiles/"))
}

fn list(folder: &Path, paths: &BTreeSet<&str>) -> Result<()> {
    let text: String = paths.iter().map(|path| format!("{path}\n")).collect();
    put(&folder.join(LIST), &text)
}

fn put(path: &Path, content: &str) -> Result<()> {
    let parent = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    fs::create_dir_all(&parent)
        .with_context(|| format!("cannot make the folder `{}`", parent.display()))?;
    AtomicFile::write(path, content.as_bytes())
        .with_context(|| format!("cannot write `{}`", path.display()))
}

fn remove(folder: &Path, path: &str) -> Result<()> {
    let file = folder.join(path);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> TextFile {
        TextFile { path: path.into(), content: content.into() }
    }

    #[test]
    fn only_its_own_stale_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (file("profiles/a.pan", "a"), file("profiles/b.pan", "b"));
        let first = write(folder.path(), &[a.clone(), b.clone()]).unwrap();
        assert_eq!(first.written, ["profiles/a.pan", "profiles/b.pan"]);
        fs::write(folder.path().join("profiles/mine.pan"), "mine").unwrap();
        let second = write(folder.path(), &[file("profiles/a.pan", "new")]).unwrap();
        assert_eq!(second.written, ["profiles/a.pan"]);
        assert_eq!(second.removed, ["profiles/b.pan"]);
        assert!(folder.path().join("profiles/mine.pan").is_file());
        let third = write(folder.path(), &[file("profiles/a.pan", "new")]).unwrap();
        assert_eq!(third.unchanged, ["profiles/a.pan"]);
        assert!(third.written.is_empty() && third.removed.is_empty());
    }

    #[test]
    fn what_others_made_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("profiles")).unwrap();
        fs::write(folder.path().join("profiles/a.pan"), "mine").unwrap();
        let error = write(folder.path(), &[file("profiles/a.pan", "a")]).unwrap_err();
        assert!(error.to_string().contains("was not made by an export"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("profiles/a.pan")).unwrap(), "mine");
    }

    #[test]
    fn a_list_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for line in ["stratus/../../x.pan", "/etc/passwd", "profiles/x"] {
            fs::write(folder.path().join(LIST), format!("{line}\n")).unwrap();
            let error = write(folder.path(), &[]).unwrap_err();
            assert!(error.to_string().contains("which no export writes"), "{error}");
        }
    }
}
