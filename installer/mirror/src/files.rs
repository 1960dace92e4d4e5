//! Files of the directory: digests, and writing so that a power cut leaves the old or the new.

use crate::error::Error;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use stratus_plan::offline::Stored;

/// SHA-256 and length of a file.
pub(crate) fn measured(path: &Path) -> Result<(String, u64), Error> {
    let measure = || {
        let mut file = File::open(path)?;
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok((hex::encode(digest.finalize()), bytes));
            }
            digest.update(&buffer[..n]);
            bytes += n as u64;
        }
    };
    measure().map_err(Error::file(path))
}

/// A file of a part.
pub(crate) fn stored(part: &Path, file: &str) -> Result<Stored, Error> {
    let (sha256, bytes) = measured(&part.join(file))?;
    Ok(Stored { file: file.to_owned(), bytes, sha256 })
}

/// Writes a file beside its place, syncs and renames it; for everybody to read.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        new.write_all(content)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        new.as_file().set_permissions(mode)?;
        new.as_file().sync_all()?;
        new.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(Error::file(path))
}

/// The text of a file; nothing where there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path)(error)),
    }
}

/// The same file at another place: a second name, or a copy where that cannot be.
pub(crate) fn link(from: &Path, to: &Path) -> Result<(), Error> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(drop).map_err(Error::file(to))
}

/// Takes a file away that may not be there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(path)(error)),
        _ => Ok(()),
    }
}

/// The names of the files in a folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let read = || {
        let entries = fs::read_dir(folder)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<String>>>()
    };
    read().map_err(Error::file(folder))
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))
}

/// Waits until nobody else works in a directory; nobody does until what this returns is dropped, and
/// every program that was started meanwhile has ended: a package manager outlives a run that is
/// killed.
pub(crate) fn alone(folder: &Path, say: &dyn Fn(&str)) -> Result<File, Error> {
    let work = folder.join(".work");
    make_folder(&work)?;
    let path = work.join("lock");
    let take = || {
        let lock = File::create(&path)?;
        fcntl_setfd(&lock, FdFlags::empty())?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                say(&format!("another run works in {}: waiting for its end", folder.display()));
                flock(&lock, FlockOperation::LockExclusive)?;
            }
            done => done?,
        }
        Ok(lock)
    };
    take().map_err(Error::file(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn the_next_run_waits_for_programs_that_a_killed_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let lock = alone(folder.path(), &|_| {}).unwrap();
        let mut left = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(lock);
        std::thread::scope(|scope| {
            let (say, said) = mpsc::channel();
            let path = folder.path();
            let next = scope.spawn(move || alone(path, &|text| say.send(text.to_owned()).unwrap()));
            let said = said.recv_timeout(Duration::from_mins(1));
            left.kill().unwrap();
            left.wait().unwrap();
            next.join().unwrap().unwrap();
            assert!(said.unwrap().starts_with("another run works in "));
        });
    }
}
