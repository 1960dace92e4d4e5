//! Outputs appear whole or not at all: temporary file beside the target, synced, renamed, folder
//! synced.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{NamedTempFile, TempPath};

/// A file that gets its name only when it is complete. Dropped before [`AtomicFile::commit`], it
/// leaves nothing behind; so does a signal that [`run`](crate::run) catches.
#[derive(Debug)]
pub struct AtomicFile {
    // Before `_unfinished`: the file is removed first, then forgotten.
    temporary: NamedTempFile,
    _unfinished: Unfinished,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins a file with the permissions that the process's mask allows.
    ///
    /// An existing target is replaced at the end; a symbolic link is followed. Fails where the
    /// target is there and not a regular file, so that a device is never replaced.
    pub fn create(target: &Path) -> io::Result<Self> {
        Self::with_mode(target, 0o666)
    }

    /// Begins a file that only its owner may read, for keys.
    pub fn create_private(target: &Path) -> io::Result<Self> {
        Self::with_mode(target, 0o600)
    }

    /// Begins a file whose temporary name is given, beside the target: what a killed process left
    /// under that name is replaced, so that leftovers never pile up. The caller sees to it that no
    /// other process does the same.
    pub fn create_at(target: &Path, temporary: &Path) -> io::Result<Self> {
        let target = output_target(target)?;
        let path = TempPath::try_from_path(temporary)?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        let file = options.open(temporary)?;
        let unfinished = Unfinished::new(temporary);
        Ok(Self {
            temporary: NamedTempFile::from_parts(file, path),
            _unfinished: unfinished,
            target,
        })
    }

    /// Writes a whole file at once.
    pub fn write(target: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = Self::create(target)?;
        file.write_all(content)?;
        file.commit()
    }

    fn with_mode(target: &Path, mode: u32) -> io::Result<Self> {
        let target = output_target(target)?;
        let name = target.file_name().unwrap_or_default();
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .suffix(".tmp")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(&target))?;
        let unfinished = Unfinished::new(temporary.path());
        Ok(Self { temporary, _unfinished: unfinished, target })
    }

    /// The file as it is being written.
    pub fn as_file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Where it is until it gets its name.
    pub fn temporary_path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the complete file its name, replacing what was there, and makes both durable.
    pub fn commit(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist(&self.target).map_err(|e| e.error)?;
        sync_folder(&self.target)
    }

    /// As [`AtomicFile::commit`], but fails with [`io::ErrorKind::AlreadyExists`] where there is
    /// something under the name.
    pub fn commit_new(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist_noclobber(&self.target).map_err(|e| e.error)?;
        sync_folder(&self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.temporary.as_file_mut().seek(to)
    }
}

/// Where an output really goes: what a symbolic link leads to. Fails where something other than a
/// regular file is there.
pub fn output_target(target: &Path) -> io::Result<PathBuf> {
    let wrong = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
    let target = match fs::metadata(target) {
        Ok(found) if !found.is_file() => {
            return Err(wrong("it exists and is not a regular file"));
        }
        Ok(_) => fs::canonicalize(target)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => target.to_owned(),
        Err(error) => return Err(error),
    };
    match target.file_name() {
        Some(_) => Ok(target),
        None => Err(wrong("it names no file")),
    }
}

/// The folder of a path; a bare name is in the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn sync_folder(target: &Path) -> io::Result<()> {
    File::open(folder_of(target))?.sync_all()
}

/// Temporary files to remove when a signal ends the process: that runs no destructors.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list of paths is right whatever panicked while it was held.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is unfinished. For the signal watcher, right before the process ends.
pub(crate) fn remove_unfinished() {
    for path in unfinished().drain(..) {
        let _ = fs::remove_file(path);
    }
}

#[derive(Debug)]
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: &Path) -> Self {
        unfinished().push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().retain(|path| *path != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vm.img");
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!target.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["vm.img"]);
    }

    #[test]
    fn nothing_is_left_of_an_unfinished_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vm.img");
        fs::write(&target, "old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(file);
        assert_eq!(names(folder.path()), ["vm.img"]);
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn what_a_killed_process_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, temporary) = (folder.path().join("vm.img"), folder.path().join(".vm.part"));
        fs::write(&temporary, "a longer leftover").unwrap();
        drop(AtomicFile::create_at(&target, &temporary).unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
        let mut file = AtomicFile::create_at(&target, &temporary).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(names(folder.path()), ["vm.img"]);
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key.pem");
        let file = AtomicFile::create_private(&target).unwrap();
        fs::write(&target, "theirs").unwrap();
        assert_eq!(file.commit_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["key.pem"]);
    }

    #[test]
    fn private_files_are_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key.pem");
        AtomicFile::create_private(&target).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_device_or_a_folder_is_never_replaced() {
        for path in ["/dev/null", "/tmp", "/", ".."] {
            let error = AtomicFile::create(Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        AtomicFile::write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }
}
