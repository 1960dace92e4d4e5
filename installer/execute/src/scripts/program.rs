//! A script in the making: libraries, calls of their functions, and the payload that they take.

use super::Unfit;
use super::name::{absolute, quote};
use crate::host::{Deadlines, Work};
use sha2::{Digest, Sha256};

const PRELUDE: &str = include_str!("prelude.sh");

/// A script in the making.
pub(super) struct Program {
    root: String,
    parts: Vec<String>,
    calls: String,
    payload: Vec<u8>,
}

impl Program {
    pub(super) fn new(root: &str) -> Result<Self, Unfit> {
        if !root.is_empty() {
            absolute(root)?;
        }
        let root = root.trim_end_matches('/').to_owned();
        Ok(Self { root, parts: Vec::new(), calls: String::new(), payload: Vec::new() })
    }

    pub(super) fn at(&self, path: &str) -> Result<String, Unfit> {
        Ok(format!("{}{}", self.root, absolute(path)?))
    }

    /// Adds a library, once.
    pub(super) fn uses(&mut self, part: &str) -> &mut Self {
        if !self.parts.iter().any(|p| p == part) {
            self.parts.push(part.to_owned());
        }
        self
    }

    pub(super) fn call(&mut self, function: &str, words: &[&str]) {
        self.calls.push_str(function);
        for word in words {
            self.calls.push(' ');
            self.calls.push_str(&quote(word));
        }
        self.calls.push('\n');
    }

    /// Adds bytes to the payload; the script takes them in the same order.
    pub(super) fn carry(&mut self, bytes: &[u8]) -> (String, String) {
        self.payload.extend_from_slice(bytes);
        (bytes.len().to_string(), hex::encode(Sha256::digest(bytes)))
    }

    pub(super) fn work(self, what: String, deadlines: Deadlines) -> Work {
        let mut script = format!("R={}\n{PRELUDE}", quote(&self.root));
        for part in &self.parts {
            script.push_str(part);
        }
        script.push_str(&self.calls);
        Work { what, script, payload: self.payload, deadlines, stdout_limit: 1 << 20 }
    }
}
