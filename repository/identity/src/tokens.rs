//! Tokens for robots: scoped, expiring, hashed at rest.
//!
//! One JSON file, replaced whole with each change and readable by us alone. A token is
//! `stratus_<32 random bytes>_<checksum>`: the checksum tells a slip of the hand from a wrong token
//! before anything is looked up. What is stored is the SHA-256 of it; there is nothing to guess in
//! 256 random bits, so a slow hash would add nothing.
//!
//! Several programs use the file at once: the service, and the command beside it. So each use looks
//! whether the file is another one now, and each change is made to what the file says at that
//! moment, under a lock of the file's folder.

use crate::Scopes;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

const PREFIX: &str = "stratus_";
/// Most tokens that are kept.
const LIMIT: usize = 100_000;

/// The tokens of a site.
#[derive(Debug)]
pub struct Tokens {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the file was when it was read.
    seen: Option<Stamp>,
    kept: Vec<Kept>,
}

/// What tells one version of the file from the next without reading it: inode, size, and the time
/// of change in seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

/// A token, as its owner sees it later.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its name.
    pub id: String,
    /// Login that it acts for.
    pub owner: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// What its owner calls it.
    pub note: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, since this server started.
    pub last_used: Option<Timestamp>,
}

/// A token just made: the only moment its secret is known.
#[derive(Debug)]
pub struct NewToken {
    /// Its name.
    pub id: String,
    /// The token itself.
    pub secret: SecretString,
}

/// Why tokens could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot use the token file `{path}`")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("the token file `{path}` cannot be understood")]
    Format {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// There are too many.
    #[error("there are {LIMIT} tokens already; revoke some")]
    TooMany,
    /// No token has this name.
    #[error("there is no token `{0}`")]
    Unknown(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    owner: String,
    paths: Vec<String>,
    expires: Option<Timestamp>,
    note: String,
    created: Timestamp,
    sha256: String,
    #[serde(skip)]
    last_used: Option<Timestamp>,
}

/// Whether a secret looks like one of our tokens, and not like a password.
pub fn is_token(secret: &SecretString) -> bool {
    body(secret.expose_secret()).is_some()
}

/// The random part, if prefix and checksum are right.
fn body(text: &str) -> Option<&str> {
    let (random, sum) = text.strip_prefix(PREFIX)?.rsplit_once('.')?;
    (checksum(random) == sum).then_some(random)
}

fn checksum(random: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(random.as_bytes())[..3])
}

/// A token's name. It begins with a letter: on a command line a dash would begin an option.
fn name(mut random: [u8; 9]) -> String {
    random[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(random)
}

impl Tokens {
    /// Reads the file; none yet is fine.
    pub fn open(file: &Path) -> Result<Self, TokenError> {
        let (seen, kept) = read(file)?;
        Ok(Self { file: file.to_owned(), state: Mutex::new(State { seen, kept }) })
    }

    /// Makes a token. Those that have ended are forgotten with each change.
    pub fn create(
        &self,
        owner: &str,
        scopes: Scopes,
        expires: Option<Timestamp>,
        note: &str,
        now: Timestamp,
    ) -> Result<NewToken, TokenError> {
        let random = |bytes: &mut [u8]| {
            rand::rngs::OsRng.try_fill_bytes(bytes).map_err(|e| TokenError::Io {
                path: "the system's randomness".into(),
                source: io::Error::other(e),
            })
        };
        let (mut secret, mut id) = ([0u8; 32], [0u8; 9]);
        random(&mut secret)?;
        random(&mut id)?;
        let (secret, id) = (URL_SAFE_NO_PAD.encode(secret), name(id));
        let text = format!("{PREFIX}{secret}.{}", checksum(&secret));
        let token = Kept {
            id: id.clone(),
            owner: owner.to_owned(),
            paths: scopes.patterns(),
            expires,
            note: note.to_owned(),
            created: now,
            sha256: hash(&text),
            last_used: None,
        };
        self.change(|kept| {
            kept.retain(|k| k.expires.is_none_or(|e| e > now));
            if kept.len() >= LIMIT {
                return Err(TokenError::TooMany);
            }
            kept.push(token);
            Ok(())
        })?;
        Ok(NewToken { id, secret: SecretString::from(text) })
    }

    /// Ends a token, for every program that uses the file.
    ///
    /// # Errors
    /// There is none of this name, or the file cannot be used.
    pub fn revoke(&self, id: &str) -> Result<(), TokenError> {
        self.change(|kept| {
            let before = kept.len();
            kept.retain(|k| k.id != id);
            if kept.len() == before { Err(TokenError::Unknown(id.to_owned())) } else { Ok(()) }
        })
    }

    /// All that are kept.
    pub fn list(&self) -> Vec<Token> {
        self.current().kept.iter().map(show).collect()
    }

    /// The token with this secret, if it has not ended. All are compared, in constant time.
    pub fn verify(&self, secret: &SecretString, now: Timestamp) -> Option<Token> {
        body(secret.expose_secret())?;
        let given = hash(secret.expose_secret());
        let mut state = self.current();
        let mut found = None;
        for token in &mut state.kept {
            if bool::from(token.sha256.as_bytes().ct_eq(given.as_bytes())) {
                found = Some(token);
            }
        }
        let token = found.filter(|t| t.expires.is_none_or(|e| e > now))?;
        token.last_used = Some(now);
        Some(show(token))
    }

    /// What the file says now. One that cannot be understood is told in the log, and what it said
    /// before stays.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match stamp(&self.file) {
            Ok(seen) if seen != state.seen => {
                // A broken file is told once, not with each request.
                state.seen = seen;
                match read(&self.file) {
                    Ok((seen, kept)) => state.replace(seen, kept),
                    Err(error) => tracing::error!(%error, "the tokens stay as they were"),
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
        }
        state
    }

    /// Changes what the file says now, and nothing where `edit` refuses.
    fn change(
        &self,
        edit: impl FnOnce(&mut Vec<Kept>) -> Result<(), TokenError>,
    ) -> Result<(), TokenError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock goes with the handle. It is that of the folder, because the file is replaced.
        let folder = fs::File::open(self.folder()).map_err(failed(&self.file))?;
        folder.lock().map_err(failed(&self.file))?;
        let (_, mut kept) = read(&self.file)?;
        edit(&mut kept)?;
        self.save(&kept)?;
        state.replace(stamp(&self.file)?, kept);
        Ok(())
    }

    fn folder(&self) -> &Path {
        self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn save(&self, tokens: &[Kept]) -> Result<(), TokenError> {
        let beside = self.file.with_extension("new");
        let write = || -> io::Result<()> {
            // Made by root beside a service, the file is the service's all the same.
            let owner = fs::metadata(&self.file).or_else(|_| fs::metadata(self.folder()))?;
            // Of a run that was cut off. What another user of the folder puts there, a link even, is
            // taken away and never written to.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
            let ours = file.metadata()?;
            if (ours.uid(), ours.gid()) != (owner.uid(), owner.gid()) {
                // Only root may; for anybody else the file stays their own, as before.
                let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
            }
            file.write_all(&serde_json::to_vec_pretty(tokens)?)?;
            file.sync_all()?;
            fs::rename(&beside, &self.file)?;
            fs::File::open(self.folder())?.sync_all()
        };
        write().map_err(failed(&self.file))
    }
}

impl State {
    /// Takes over what the file says; when a token was used is known here alone.
    fn replace(&mut self, seen: Option<Stamp>, mut kept: Vec<Kept>) {
        for token in &mut kept {
            let before = self.kept.iter().find(|k| k.id == token.id);
            token.last_used = before.and_then(|k| k.last_used);
        }
        (self.seen, self.kept) = (seen, kept);
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Io { path: path.clone(), source }
}

/// The stamp is taken first, so that a change in between is seen afterwards.
fn read(file: &Path) -> Result<(Option<Stamp>, Vec<Kept>), TokenError> {
    let seen = stamp(file)?;
    let kept = match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|source| TokenError::Format { path: file.to_owned(), source })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(TokenError::Io { path: file.to_owned(), source }),
    };
    Ok((seen, kept))
}

fn stamp(file: &Path) -> Result<Option<Stamp>, TokenError> {
    match fs::metadata(file) {
        Ok(is) => Ok(Some((is.ino(), is.size(), is.mtime(), is.mtime_nsec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenError::Io { path: file.to_owned(), source }),
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

fn show(kept: &Kept) -> Token {
    Token {
        id: kept.id.clone(),
        owner: kept.owner.clone(),
        // A pattern that was valid when it was kept; if a later version thinks otherwise, it opens
        // nothing.
        scopes: Scopes::publishing(&kept.paths).unwrap_or_else(|_| Scopes::reading()),
        expires: kept.expires,
        note: kept.note.clone(),
        created: kept.created,
        last_used: kept.last_used,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use stratus_model::AppliancePath;

    #[test]
    fn a_token_opens_its_places_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        let now = Timestamp::UNIX_EPOCH;
        let ends = now + SignedDuration::from_hours(1);
        let scopes = Scopes::publishing(["base/**"]).unwrap();
        let made =
            Tokens::open(&file).unwrap().create("ann", scopes, Some(ends), "nightly", now).unwrap();
        // Another server start.
        let tokens = Tokens::open(&file).unwrap();
        let token = tokens.verify(&made.secret, now).unwrap();
        assert_eq!((token.owner.as_str(), token.note.as_str()), ("ann", "nightly"));
        assert!(token.scopes.may_publish(&AppliancePath::parse("base/a/1/a-1").unwrap()));
        assert!(!token.scopes.may_publish(&AppliancePath::parse("grid/a/1/a-1").unwrap()));
        assert!(tokens.verify(&made.secret, ends).is_none());
        tokens.revoke(&made.id).unwrap();
        assert!(Tokens::open(&file).unwrap().verify(&made.secret, now).is_none());
    }

    #[test]
    fn a_service_and_a_command_change_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        let now = Timestamp::UNIX_EPOCH;
        let (service, command) = (Tokens::open(&file).unwrap(), Tokens::open(&file).unwrap());
        let make =
            |by: &Tokens, note| by.create("ann", Scopes::reading(), None, note, now).unwrap();
        let first = make(&command, "first");
        let used = now + SignedDuration::from_hours(1);
        assert!(service.verify(&first.secret, used).is_some(), "made by the command");
        let second = make(&service, "second");
        let notes = |by: &Tokens| by.list().into_iter().map(|t| t.note).collect::<Vec<_>>();
        assert_eq!(notes(&command), ["first", "second"]);
        assert_eq!(service.list()[0].last_used, Some(used), "its use is still known");
        command.revoke(&first.id).unwrap();
        assert!(service.verify(&first.secret, now).is_none(), "ended by the command");
        make(&service, "third");
        assert_eq!(notes(&command), ["second", "third"], "what was ended does not come back");
        assert!(service.verify(&second.secret, now).is_some());
        assert!(
            matches!(command.revoke(&first.id), Err(TokenError::Unknown(id)) if id == first.id)
        );
        // A broken file takes nobody's token away, and no change overwrites it.
        fs::write(&file, "[").unwrap();
        assert!(service.verify(&second.secret, now).is_some());
        assert!(matches!(service.revoke(&second.id), Err(TokenError::Format { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"[");
    }

    #[test]
    fn a_link_in_the_place_of_the_new_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("tokens.json"), folder.path().join("other"));
        fs::write(&other, "of somebody").unwrap();
        std::os::unix::fs::symlink(&other, file.with_extension("new")).unwrap();
        let tokens = Tokens::open(&file).unwrap();
        tokens.create("ann", Scopes::reading(), None, "", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "of somebody");
        assert!(file.symlink_metadata().unwrap().is_file());
        assert_eq!(Tokens::open(&file).unwrap().list().len(), 1);
    }

    #[test]
    fn the_file_holds_no_token_and_only_we_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        let tokens = Tokens::open(&file).unwrap();
        let made =
            tokens.create("ann", Scopes::reading(), None, "x", Timestamp::UNIX_EPOCH).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains(body(made.secret.expose_secret()).unwrap()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(body(made.secret.expose_secret()).unwrap()));
    }

    #[test]
    fn the_name_of_a_token_begins_with_a_letter() {
        for first in 0..=u8::MAX {
            let name = name([first, 0xff, 0, 1, 2, 3, 4, 5, 6]);
            assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name}");
        }
    }

    #[test]
    fn a_slip_of_the_hand_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(&folder.path().join("t")).unwrap();
        let made =
            tokens.create("ann", Scopes::reading(), None, "x", Timestamp::UNIX_EPOCH).unwrap();
        let text = made.secret.expose_secret();
        assert!(is_token(&made.secret));
        let slip = format!("{}x{}", &text[..20], &text[21..]);
        for wrong in ["password", "stratus_", "stratus_x.y", &slip, &text[..text.len() - 1]] {
            assert!(!is_token(&SecretString::from(wrong)), "{wrong}");
        }
    }
}
