//! The files: read with a limit, replaced whole with mode and owner kept.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use stratus_site::import::Import;
use stratus_terminal::{AtomicFile, Exit, Failure};

/// Largest site file, in bytes.
const LARGEST: u64 = 16 << 20;

/// The text of the site file.
pub fn read(file: &Path) -> Result<String, Failure> {
    text(file).and_then(utf8).map_err(|error| unreadable(file, error))
}

/// The text of the site file, where there is one.
pub fn read_if_there(file: &Path) -> Result<Option<String>, Failure> {
    match text(file).and_then(utf8) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(file, error)),
    }
}

/// The text of a historical file, which may be of any encoding: keys and values are ASCII, what
/// else there is stands in comments and passwords. Latin-1 is what editors wrote then.
pub fn read_old(file: &Path) -> Result<String, Failure> {
    let bytes = text(file).map_err(|error| unreadable(file, error))?;
    let latin = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect();
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| latin(error.as_bytes())))
}

/// Replaces a file whole; mode and owner stay.
pub fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let old = fs::metadata(file)?;
        let mut new = AtomicFile::create_private(file)?;
        new.write_all(text.as_bytes())?;
        let handle = new.as_file();
        let made = handle.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(handle, Some(old.uid()), Some(old.gid()))?;
        }
        // After the owner: changing that takes the set-id bits away.
        handle.set_permissions(old.permissions())?;
        new.commit()
    };
    write().map_err(|error: io::Error| unwritable(file, error))
}

/// Writes an imported site file and its secrets, none of which may be there yet.
pub fn write_import(import: &Import, output: &Path) -> Result<(), Failure> {
    let secrets: Vec<(PathBuf, &str)> = import
        .secrets
        .iter()
        .map(|secret| (output.with_file_name(&secret.file), secret.content.as_str()))
        .collect();
    for path in secrets.iter().map(|(path, _)| path.as_path()).chain([output]) {
        if path.symlink_metadata().is_ok() {
            let failure = Failure::usage(format!("`{}` is there already", path.display()));
            return Err(failure.hint("choose another `-o`; nothing has been written"));
        }
    }
    let mut written: Vec<&Path> = Vec::new();
    let all = secrets.iter().map(|(path, content)| (path.as_path(), *content));
    for (path, content) in all.chain([(output, import.toml.as_str())]) {
        if let Err(error) = write_new(path, content) {
            for path in written {
                // Half an import is worse than none; what cannot be removed is told by its name.
                let _ = fs::remove_file(path);
            }
            return Err(unwritable(path, error));
        }
        written.push(path);
    }
    Ok(())
}

/// All of it is for its owner alone; a site file may name what an attacker would like to know.
fn write_new(path: &Path, content: &str) -> io::Result<()> {
    let mut file = AtomicFile::create_private(path)?;
    file.write_all(content.as_bytes())?;
    file.commit_new()
}

fn text(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 16 MiB"));
    }
    Ok(bytes)
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

fn unreadable(file: &Path, error: io::Error) -> Failure {
    Failure::usage(format!("cannot read the file `{}`", file.display())).because(error)
}

fn unwritable(file: &Path, error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write `{}`", file.display())).because(error)
}
