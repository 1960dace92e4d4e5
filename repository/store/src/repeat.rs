//! Sending a published image again.

use crate::{Record, StoreError};
use sha2::{Digest as _, Sha256};
use stratus_model::{AppliancePath, Digest};

/// Compares bytes with a published image by length and SHA-256, keeping nothing.
#[derive(Debug)]
pub struct Repeat {
    path: AppliancePath,
    bytes: u64,
    sha256: Option<Digest>,
    seen: u64,
    hasher: Sha256,
}

impl Repeat {
    pub(crate) fn new(record: &Record) -> Self {
        Self {
            path: record.path.clone(),
            bytes: record.compressed.bytes,
            sha256: record.sha256().cloned(),
            seen: 0,
            hasher: Sha256::new(),
        }
    }

    /// Takes the next bytes; refuses at once what is longer than the published image.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.seen += piece.len() as u64;
        self.hasher.update(piece);
        if self.seen > self.bytes { Err(self.conflict()) } else { Ok(()) }
    }

    /// All bytes were sent: they are the published ones, or [`StoreError::Conflict`].
    pub fn finish(self) -> Result<(), StoreError> {
        let conflict = self.conflict();
        let found = Digest::sha256(self.hasher.finalize().into());
        let same = self.seen == self.bytes && self.sha256 == Some(found);
        if same { Ok(()) } else { Err(conflict) }
    }

    fn conflict(&self) -> StoreError {
        StoreError::Conflict { path: self.path.to_string() }
    }
}
