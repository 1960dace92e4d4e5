//! One lock for each name.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Locks that exist while somebody holds or awaits them, each around a `T`.
#[derive(Debug)]
pub(crate) struct Keyed<K, T> {
    locks: Mutex<HashMap<K, Arc<AsyncMutex<T>>>>,
}

impl<K, T> Default for Keyed<K, T> {
    fn default() -> Self {
        Self { locks: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash + Clone, T: Default> Keyed<K, T> {
    /// The thing itself, to be locked.
    pub(crate) fn entry(&self, key: &K) -> Arc<AsyncMutex<T>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(key.clone()).or_default())
    }

    /// Waits until nobody else holds the lock.
    pub(crate) async fn lock(&self, key: &K) -> OwnedMutexGuard<T> {
        self.entry(key).lock_owned().await
    }

    /// Forgets the thing, unless somebody has it.
    pub(crate) fn forget(&self, key: &K) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // New holders need the map, which is locked: one is the map's own.
        if locks.get(key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(key);
        }
    }
}
