//! Small files that were read lately, kept in memory within a budget.
//!
//! They are known by the SHA-256 of their bytes, so that what is found is always right, whatever
//! happened to the file since. Two generations: what is asked for moves to the young one, and when that
//! is full, the old one is forgotten whole.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use stratus_model::Digest;

/// Bytes of one generation; there are two.
const BUDGET: usize = 8 << 20;

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Bytes>,
    old: HashMap<Digest, Bytes>,
    young_bytes: usize,
}

impl Recent {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = generations.young.get(digest) {
            return Some(bytes.clone());
        }
        let bytes = generations.old.remove(digest)?;
        generations.keep(digest.clone(), bytes.clone());
        Some(bytes)
    }

    pub(crate) fn keep(&self, digest: Digest, bytes: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keep(digest, bytes);
    }
}

impl Generations {
    fn keep(&mut self, digest: Digest, bytes: Bytes) {
        if self.young_bytes + bytes.len() > BUDGET {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes.len();
        if let Some(before) = self.young.insert(digest, bytes) {
            self.young_bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256([number; 32])
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let recent = Recent::default();
        let large = || Bytes::from(vec![0; BUDGET / 4]);
        recent.keep(digest(0), Bytes::from_static(b"wanted"));
        for number in 1..100 {
            recent.keep(digest(number), large());
            assert_eq!(recent.get(&digest(0)).as_deref(), Some(&b"wanted"[..]), "{number}");
        }
        assert!(recent.get(&digest(1)).is_none());
        let kept: usize = (1..100).filter_map(|n| recent.get(&digest(n))).map(|b| b.len()).sum();
        assert!(kept <= 2 * BUDGET, "{kept}");
    }
}
