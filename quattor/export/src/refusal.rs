//! What cannot be exported at all.

use std::fmt;

/// Something of the site that has no place in a profile; nothing is written then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The key of the site file, such as `nodes.hosts`.
    pub key: String,
    /// What is wrong with it and what to do.
    pub reason: String,
}

impl Refusal {
    /// A refusal.
    pub(crate) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}
