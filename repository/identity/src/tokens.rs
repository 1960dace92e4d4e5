//! Tokens for robots: scoped, expiring, hashed at rest.
//!
//! One JSON file, replaced whole with each change and readable by us alone. A token is
//! `stratus_<32 random bytes>_<checksum>`: the checksum tells a slip of the hand from a wrong token
//! before anything is looked up. What is stored is the SHA-256 of it; there is nothing to guess in
//! 256 random bits, so a slow hash would add nothing.

use crate::Scopes;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

const PREFIX: &str = "stratus_";
/// Most tokens that are kept.
const LIMIT: usize = 100_000;

/// The tokens of a site.
#[derive(Debug)]
pub struct Tokens {
    file: PathBuf,
    kept: Mutex<Vec<Kept>>,
}

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
        let kept = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| TokenError::Format { path: file.to_owned(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(TokenError::Io { path: file.to_owned(), source }),
        };
        Ok(Self { file: file.to_owned(), kept: Mutex::new(kept) })
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
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: Vec<Kept> =
            kept.iter().filter(|k| k.expires.is_none_or(|e| e > now)).cloned().collect();
        if new.len() >= LIMIT {
            return Err(TokenError::TooMany);
        }
        new.push(Kept {
            id: id.clone(),
            owner: owner.to_owned(),
            paths: scopes.patterns(),
            expires,
            note: note.to_owned(),
            created: now,
            sha256: hash(&text),
            last_used: None,
        });
        self.save(&new)?;
        *kept = new;
        Ok(NewToken { id, secret: SecretString::from(text) })
    }

    /// Ends a token; ending one that is not there is fine.
    pub fn revoke(&self, id: &str) -> Result<(), TokenError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<Kept> = kept.iter().filter(|k| k.id != id).cloned().collect();
        self.save(&new)?;
        *kept = new;
        Ok(())
    }

    /// All that are kept.
    pub fn list(&self) -> Vec<Token> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(show).collect()
    }

    /// The token with this secret, if it has not ended. All are compared, in constant time.
    pub fn verify(&self, secret: &SecretString, now: Timestamp) -> Option<Token> {
        body(secret.expose_secret())?;
        let given = hash(secret.expose_secret());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for token in kept.iter_mut() {
            if bool::from(token.sha256.as_bytes().ct_eq(given.as_bytes())) {
                found = Some(token);
            }
        }
        let token = found.filter(|t| t.expires.is_none_or(|e| e > now))?;
        token.last_used = Some(now);
        Some(show(token))
    }

    fn save(&self, tokens: &[Kept]) -> Result<(), TokenError> {
        let beside = self.file.with_extension("new");
        let write = || -> io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(tokens)?)?;
            file.sync_all()?;
            fs::rename(&beside, &self.file)?;
            fs::File::open(self.file.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|source| TokenError::Io { path: self.file.clone(), source })
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
