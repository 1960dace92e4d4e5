//! The files: read with a limit, replaced whole with mode and owner kept.

use super::fate_table;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use stratus_site::import::Import;
use stratus_terminal::{AtomicFile, Exit, Failure, note, print_line};

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
    if bytes.contains(&0) {
        let failure = Failure::usage(format!("`{}` is not text", file.display()));
        return Err(failure.hint("name the old `stratuslab.cfg`; nothing has been written"));
    }
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

/// Writes an imported site file, which may not be there yet, and its secrets: one that is there
/// with the same content, from an earlier import, stays.
pub fn write_import(import: &Import, output: &Path) -> Result<(), Failure> {
    if output.symlink_metadata().is_ok() {
        let failure = Failure::usage(format!("`{}` is there already", output.display()));
        return Err(failure.hint("choose another `-o`; nothing has been written"));
    }
    let mut secrets: Vec<(PathBuf, &str)> = Vec::new();
    for secret in &import.secrets {
        let path = output.with_file_name(&secret.file);
        match path.symlink_metadata() {
            Err(_) => secrets.push((path, &secret.content)),
            Ok(found) if found.is_file() && has(&path, &secret.content) => {}
            Ok(_) => {
                let message = format!("`{}` is there already, with something else", path.display());
                return Err(Failure::usage(message).hint(
                    "move it away, or choose an `-o` in another folder: secrets go beside the site file; nothing has been written",
                ));
            }
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

/// Prints an imported site file, and what became of each key beside it.
pub fn print_import(import: &Import, json: bool) -> anyhow::Result<()> {
    if json {
        let failure = Failure::usage("the site file and `--json` both want standard output");
        return Err(failure.hint("name a file with `-o`, or leave `--json` out").into());
    }
    if let Some(secret) = import.secrets.first() {
        let message = format!("the old file has secrets, such as that of `{}`", secret.file);
        return Err(Failure::usage(message)
            .hint("name a file with `-o`: secrets go to files of their own beside it")
            .into());
    }
    note(&fate_table(import));
    Ok(print_line(import.toml.trim_end())?)
}

fn has(path: &Path, content: &str) -> bool {
    text(path).is_ok_and(|found| found == content.as_bytes())
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
