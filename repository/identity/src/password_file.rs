//! A password file: lines `login:hash`, argon2id (PHC string) or bcrypt, as `htpasswd -B` writes.
//!
//! Read again when it changes. An unknown login costs as much time as a wrong password.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Largest file, in bytes.
const SIZE_LIMIT: u64 = 16 << 20;

/// A password file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// It cannot be read or written.
    #[error("cannot use the password file `{path}`")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not `login:hash` with a hash that is accepted.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl PasswordFileError {
    /// What is wrong with a password file, if anything is.
    pub fn of(path: &Path) -> Option<Self> {
        read(path).err()
    }
}

#[derive(Debug)]
pub(crate) struct PasswordFile {
    path: PathBuf,
    state: Mutex<State>,
    /// Verified instead of the hash of a login that does not exist.
    nobody: String,
}

#[derive(Debug)]
struct State {
    seen: Option<(SystemTime, u64)>,
    hashes: HashMap<String, String>,
}

impl PasswordFile {
    pub(crate) fn load(path: &Path) -> Result<Self, PasswordFileError> {
        let state = State { seen: look(path)?, hashes: read(path)? };
        let nobody = hash_password(&SecretString::from("nobody has this password"));
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), nobody })
    }

    /// The hash of a login; the file is read again if it changed. A broken new one is told in the log
    /// and the old one stays.
    pub(crate) fn hash_of(&self, login: &str) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match look(&self.path) {
            Ok(seen) if seen != state.seen => {
                state.seen = seen;
                match read(&self.path) {
                    Ok(hashes) => state.hashes = hashes,
                    Err(error) => {
                        tracing::error!(%error, "the password file is not used as it is now");
                    }
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the password file cannot be read"),
        }
        state.hashes.get(login).cloned()
    }

    /// Compares; takes a noticeable time, so call it where that harms nobody.
    pub(crate) fn verify(&self, hash: Option<&str>, password: &SecretString) -> bool {
        let right = verify(hash.unwrap_or(&self.nobody), password);
        right && hash.is_some()
    }
}

fn verify(hash: &str, password: &SecretString) -> bool {
    let password = password.expose_secret().as_bytes();
    if hash.starts_with("$argon2id$") {
        return Argon2::default().verify_password(password, hash).is_ok();
    }
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// A new hash for a password file: argon2id with a random salt, as a PHC string.
///
/// # Panics
/// The system has no randomness.
pub fn hash_password(password: &SecretString) -> String {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hash.expect("the system gives randomness").to_string()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PasswordFileError {
    let path = path.to_owned();
    move |source| PasswordFileError::Io { path: path.clone(), source }
}

fn look(path: &Path) -> Result<Option<(SystemTime, u64)>, PasswordFileError> {
    let state = fs::metadata(path).map_err(failed(path))?;
    Ok(state.modified().ok().map(|at| (at, state.len())))
}

fn read(path: &Path) -> Result<HashMap<String, String>, PasswordFileError> {
    if fs::metadata(path).map_err(failed(path))?.len() > SIZE_LIMIT {
        return Err(failed(path)(io::Error::other("it is larger than 16 MiB")));
    }
    let text = fs::read_to_string(path).map_err(failed(path))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<HashMap<String, String>, PasswordFileError> {
    let mut hashes = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong =
            |reason| PasswordFileError::Line { path: path.to_owned(), line: index + 1, reason };
        let (login, hash) = line.split_once(':').ok_or_else(|| wrong("write `login:hash`"))?;
        let accepted = ["$argon2id$", "$2y$", "$2b$", "$2a$"].iter().any(|p| hash.starts_with(p));
        if login.is_empty() || !accepted {
            return Err(wrong(
                "only argon2id and bcrypt hashes are accepted; make one with `stratus-repository hash-password` or `htpasswd -B`",
            ));
        }
        if hashes.insert(login.to_owned(), hash.to_owned()).is_some() {
            return Err(wrong("this login is in the file twice"));
        }
    }
    Ok(hashes)
}

/// Adds a login or replaces its hash: a new file is written beside and renamed, mode 0600.
pub fn set_password(
    path: &Path,
    login: &str,
    password: &SecretString,
) -> Result<(), PasswordFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(path)(error)),
    };
    let prefix = format!("{login}:");
    let kept: String =
        text.lines().filter(|l| !l.starts_with(&prefix)).map(|l| format!("{l}\n")).collect();
    let new = format!("{kept}{prefix}{}\n", hash_password(password));
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(new.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(failed(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn both_kinds_of_hash_are_understood() {
        let bcrypt = bcrypt::hash("open", 4).unwrap();
        for hash in [hash_password(&secret("open")), bcrypt] {
            assert!(verify(&hash, &secret("open")), "{hash}");
            assert!(!verify(&hash, &secret("Open")), "{hash}");
        }
    }

    #[test]
    fn weak_hashes_are_refused_with_their_line() {
        for line in [
            "ann:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=",
            "ann:$apr1$x$y",
            "ann:plain",
            "ann",
            ":$2y$04$x",
        ] {
            let error = parse(Path::new("users"), &format!("# people\n{line}\n")).unwrap_err();
            assert!(error.to_string().starts_with("users:2:"), "{error}");
        }
    }

    #[test]
    fn a_changed_file_counts_at_once_and_a_broken_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        set_password(&path, "ann", &secret("one")).unwrap();
        let file = PasswordFile::load(&path).unwrap();
        let right = |login: &str, password: &str| {
            file.verify(file.hash_of(login).as_deref(), &secret(password))
        };
        assert!(right("ann", "one") && !right("ann", "two") && !right("bob", "one"));
        set_password(&path, "ann", &secret("two")).unwrap();
        set_password(&path, "bob", &secret("three")).unwrap();
        assert!(right("ann", "two") && right("bob", "three") && !right("ann", "one"));
        fs::write(&path, "nonsense\n").unwrap();
        assert!(right("ann", "two"));
    }

    #[test]
    fn the_password_of_nobody_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        set_password(&path, "ann", &secret("one")).unwrap();
        let file = PasswordFile::load(&path).unwrap();
        assert!(!file.verify(None, &secret("nobody has this password")));
    }
}
