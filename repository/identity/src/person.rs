//! People, what they may do, and why somebody was refused.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use stratus_manifest::policy::{PathPattern, PathPatternError};
use stratus_model::{AppliancePath, Subject};

/// Somebody who proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their login.
    pub login: String,
    /// Names of their groups.
    pub groups: BTreeSet<String>,
    /// Certificate subjects that are bound to the login.
    pub subjects: Vec<Subject>,
    /// Whether they administer the site.
    pub administrator: bool,
    /// What this login, or this token, may do.
    pub scopes: Scopes,
    /// How they proved it.
    pub via: Via,
}

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A password that the directory accepted.
    Directory,
    /// A password of the password file.
    PasswordFile,
    /// A token.
    Token {
        /// Its name.
        id: String,
    },
    /// A certificate of a TLS client.
    ClientCertificate,
}

/// What a login or a token may do, at which places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes {
    /// Where it may publish and deprecate; none means reading only.
    paths: Vec<PathPattern>,
    /// Whether it may delete, where its login may.
    delete: bool,
}

impl Scopes {
    /// Everything that the login itself may do.
    ///
    /// # Panics
    /// Never: the pattern is fixed and valid.
    pub fn all() -> Self {
        let everywhere = PathPattern::new("**").expect("`**` is a pattern");
        Self { paths: vec![everywhere], delete: true }
    }

    /// Reading only.
    pub fn reading() -> Self {
        Self { paths: Vec::new(), delete: false }
    }

    /// Publishing and deprecating at places that fit one of the patterns.
    pub fn publishing(
        patterns: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, PathPatternError> {
        let paths =
            patterns.into_iter().map(|p| PathPattern::new(p.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { paths, delete: false })
    }

    /// Whether publishing at this place is in it.
    pub fn may_publish(&self, path: &AppliancePath) -> bool {
        self.paths.iter().any(|p| p.matches(path.as_str()))
    }

    /// Whether deprecating at this place is in it.
    pub fn may_deprecate(&self, path: &AppliancePath) -> bool {
        self.may_publish(path)
    }

    /// Whether deleting at this place is in it.
    pub fn may_delete(&self, path: &AppliancePath) -> bool {
        self.delete && self.may_publish(path)
    }

    /// The patterns, as written.
    pub(crate) fn patterns(&self) -> Vec<String> {
        self.paths.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.paths.is_empty() {
            f.write_str("read")
        } else {
            write!(f, "publish {}", self.patterns().join(", "))
        }
    }
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Unknown login or wrong proof; which of the two is not told.
    #[error("the login or its proof is wrong")]
    Wrong,
    /// Too many wrong proofs; try again later.
    #[error("too many wrong attempts")]
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// No directory server answers.
    #[error("no directory server answers")]
    Away {
        /// When to try again.
        retry_after: Duration,
        /// What each server said, for the log.
        detail: String,
    },
    /// The proof is right, and the site does not let this login in.
    #[error("{reason}")]
    NotAllowed {
        /// Why.
        reason: String,
    },
}

/// A login that wants to publish under somebody else's endorsement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{login}` may not publish what `{endorser}` endorsed; that certificate is not bound to the login"
)]
pub struct NotBound {
    login: String,
    endorser: Subject,
}

/// Whether a person may publish what this certificate subject endorsed: it must be bound to the login.
pub fn may_endorse_as(person: &Person, endorser: &Subject) -> Result<(), NotBound> {
    if person.subjects.contains(endorser) {
        Ok(())
    } else {
        Err(NotBound { login: person.login.clone(), endorser: endorser.clone() })
    }
}
