//! The one door: every proof of identity goes through here.

use crate::comparer::Comparer;
use crate::directory::{Directory, DirectoryError};
use crate::limiter::Limiter;
use crate::password_file::{PasswordFile, PasswordFileError};
use crate::person::{Person, Refusal, Scopes, Via};
use crate::settings::Settings;
use crate::tokens::Tokens;
use jiff::Timestamp;
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use stratus_model::Subject;

/// Longest login, in bytes.
const LOGIN_LIMIT: usize = 256;
/// Longest password, in bytes.
const PASSWORD_LIMIT: usize = 1024;
/// Most right passwords that are remembered.
const CACHE_LIMIT: usize = 10_000;

/// Identities that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The password file cannot be used.
    #[error(transparent)]
    PasswordFile(#[from] PasswordFileError),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The system has no randomness.
    #[error("the system gives no randomness")]
    Random,
    /// The system starts no thread.
    #[error("the threads that compare passwords cannot be started")]
    Threads(#[source] std::io::Error),
}

/// Who people are; cheap to clone.
#[derive(Clone, Debug)]
pub struct Identities(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    source: Source,
    tokens: Arc<Tokens>,
    limiter: Limiter,
    comparer: Comparer,
    cache: Mutex<HashMap<[u8; 32], (Timestamp, Person)>>,
    cache_key: [u8; 32],
}

#[derive(Debug)]
enum Source {
    Directory(Box<Directory>),
    PasswordFile(Arc<PasswordFile>),
    Nobody,
}

impl Identities {
    /// Reads what the settings name. No server is asked yet.
    pub fn new(settings: Settings, tokens: Arc<Tokens>) -> Result<Self, SetupError> {
        let source = match (&settings.ldap, &settings.password_file) {
            (Some(ldap), _) => Source::Directory(Box::new(Directory::new(ldap.clone())?)),
            (None, Some(file)) => Source::PasswordFile(Arc::new(PasswordFile::load(file)?)),
            (None, None) => Source::Nobody,
        };
        let mut cache_key = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut cache_key).map_err(|_| SetupError::Random)?;
        Ok(Self(Arc::new(Inner {
            settings,
            source,
            tokens,
            limiter: Limiter::default(),
            comparer: Comparer::start().map_err(SetupError::Threads)?,
            cache: Mutex::default(),
            cache_key,
        })))
    }

    /// Whether a login without any bound subject may publish nothing.
    pub fn binds_subjects(&self) -> bool {
        let directory = matches!(self.0.source, Source::Directory(_));
        self.0.settings.bind_subjects.unwrap_or(directory)
    }

    /// Compares a password.
    pub async fn by_password(
        &self,
        login: &str,
        password: &SecretString,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Person, Refusal> {
        if !is_login(login) || !(1..=PASSWORD_LIMIT).contains(&password.expose_secret().len()) {
            return Err(Refusal::Wrong);
        }
        let key = self.cache_entry(login, password);
        if let Some(person) = self.cached(&key, now) {
            return Ok(person);
        }
        self.0
            .limiter
            .take(from, login, now)
            .map_err(|retry_after| Refusal::Limited { retry_after })?;
        let answer = match &self.0.source {
            Source::Directory(directory) => directory.authenticate(login, password).await,
            Source::PasswordFile(file) => self.by_file(file, login, password).await,
            Source::Nobody => Err(Refusal::Wrong),
        };
        if !matches!(answer, Err(Refusal::Wrong)) {
            self.0.limiter.give_back(from, login);
        }
        if let (Ok(person), Source::Directory(_)) = (&answer, &self.0.source) {
            self.remember(key, person, now);
        }
        answer
    }

    /// Looks a token up. What it may do is what it says and its owner still may.
    pub async fn by_token(
        &self,
        token: &SecretString,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Person, Refusal> {
        const BUCKET: &str = "a token";
        let Some(found) = self.0.tokens.verify(token, now) else {
            self.0
                .limiter
                .take(from, BUCKET, now)
                .map_err(|retry_after| Refusal::Limited { retry_after })?;
            return Err(Refusal::Wrong);
        };
        let owner = self.person(&found.owner, now).await?;
        // A token administers nothing: it is made for one job.
        Ok(Person {
            scopes: found.scopes,
            via: Via::Token { id: found.id },
            administrator: false,
            ..owner
        })
    }

    /// The login that a client certificate's subject is bound to. The certificate itself was checked
    /// by TLS.
    pub async fn by_certificate(
        &self,
        subject: &Subject,
        _now: Timestamp,
    ) -> Result<Person, Refusal> {
        match &self.0.source {
            Source::Directory(directory) => directory.login_of(subject).await,
            Source::PasswordFile(_) => {
                let bound = |(_, p): &(&String, &crate::PersonSettings)| {
                    p.subjects.iter().any(|s| s == subject.as_str())
                };
                let (login, _) = self.0.settings.people.iter().find(bound).ok_or(Refusal::Wrong)?;
                Ok(self.of_file(login, Via::ClientCertificate))
            }
            Source::Nobody => Err(Refusal::Wrong),
        }
    }

    /// Somebody who proved it before: of a session, the owner of a token. The answer of a directory is
    /// remembered for the cache time, so that a page does not cost a search each.
    pub async fn person(&self, login: &str, now: Timestamp) -> Result<Person, Refusal> {
        if !is_login(login) {
            return Err(Refusal::Wrong);
        }
        match &self.0.source {
            Source::Directory(directory) => {
                let key = self.cache_entry(login, &SecretString::from(""));
                if let Some(person) = self.cached(&key, now) {
                    return Ok(person);
                }
                let person = Person { via: Via::Directory, ..directory.person(login).await? };
                self.remember(key, &person, now);
                Ok(person)
            }
            Source::PasswordFile(file) => match file.hash_of(login) {
                Some(_) => Ok(self.of_file(login, Via::PasswordFile)),
                None => Err(Refusal::Wrong),
            },
            Source::Nobody => Err(Refusal::Wrong),
        }
    }

    async fn by_file(
        &self,
        file: &Arc<PasswordFile>,
        login: &str,
        password: &SecretString,
    ) -> Result<Person, Refusal> {
        let busy = || Refusal::Away {
            retry_after: std::time::Duration::from_secs(1),
            detail: "too many passwords wait to be compared".to_owned(),
        };
        let (file, name, password) = (Arc::clone(file), login.to_owned(), password.clone());
        let compare = move || file.verify(file.hash_of(&name).as_deref(), &password);
        let right = self.0.comparer.compare(compare).await.ok_or_else(busy)?;
        if right { Ok(self.of_file(login, Via::PasswordFile)) } else { Err(Refusal::Wrong) }
    }

    fn of_file(&self, login: &str, via: Via) -> Person {
        let known = self.0.settings.people.get(login).cloned().unwrap_or_default();
        Person {
            login: login.to_owned(),
            groups: known.groups.into_iter().collect(),
            subjects: known.subjects.into_iter().map(Subject::new).collect(),
            administrator: known.administrator,
            scopes: Scopes::all(),
            via,
        }
    }

    /// What a right password is remembered by: keyed, so that memory holds nothing to guess against.
    fn cache_entry(&self, login: &str, password: &SecretString) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.cache_key);
        hash.update((login.len() as u64).to_be_bytes());
        hash.update(login.as_bytes());
        hash.update(password.expose_secret().as_bytes());
        hash.finalize().into()
    }

    fn cached(&self, key: &[u8; 32], now: Timestamp) -> Option<Person> {
        let cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(key).filter(|(until, _)| *until > now).map(|(_, person)| person.clone())
    }

    fn remember(&self, key: [u8; 32], person: &Person, now: Timestamp) {
        let Some(ldap) = &self.0.settings.ldap else { return };
        let Ok(until) = now.checked_add(ldap.cache) else { return };
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_LIMIT {
            cache.retain(|_, (until, _)| *until > now);
        }
        if cache.len() < CACHE_LIMIT {
            cache.insert(key, (until, person.clone()));
        }
    }
}

/// 1 to 256 bytes without control characters.
fn is_login(login: &str) -> bool {
    (1..=LOGIN_LIMIT).contains(&login.len()) && !login.chars().any(char::is_control)
}
