//! SHA-512 of files whose manifest does not give it: computed on request, once.

use futures_util::TryStreamExt;
use sha2::{Digest as _, Sha512};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use stratus_model::{Algorithm, AppliancePath, Digest};
use stratus_store::{Record, Store, StoreError};
use tokio::sync::Semaphore;

/// What was computed since the start. Published bytes never change, so it stays right.
pub(crate) struct Sums {
    known: Mutex<HashMap<AppliancePath, Digest>>,
    /// One at a time: a file is read whole for it.
    turn: Semaphore,
}

impl Sums {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// SHA-512 of the file as served.
    pub(crate) async fn of(
        &self,
        store: &Store,
        record: &Arc<Record>,
    ) -> Result<Digest, StoreError> {
        let known =
            || self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&record.path).cloned();
        if let Some(digest) = known() {
            return Ok(digest);
        }
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(digest) = known() {
            return Ok(digest);
        }
        let source = store.open_image(record).await?;
        let length = source.len();
        let mut stream = source.stream(0..length);
        let mut hash = Sha512::new();
        while let Some(piece) = stream.try_next().await? {
            hash.update(&piece);
            // Hashing a piece takes a millisecond; others have their turn in between.
            tokio::task::yield_now().await;
        }
        let digest = Digest::new(Algorithm::Sha512, &hash.finalize())
            .map_err(|e| StoreError::Settings(e.to_string()))?;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(record.path.clone(), digest.clone());
        Ok(digest)
    }
}
