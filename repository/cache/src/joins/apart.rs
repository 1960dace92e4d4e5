//! What may not be shared: for a short time nobody waits there for another's answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long it is remembered. Then one request leads again, and finds out what holds now.
const KEPT: Duration = Duration::from_secs(10);
/// Keys that are remembered at most; what comes then is found out each time.
const MOST: usize = 4096;

/// Keys, each with the end of its time.
#[derive(Default)]
pub(super) struct Apart(HashMap<Arc<str>, Instant>);

impl Apart {
    /// An answer was for one client alone.
    pub(super) fn note(&mut self, key: &str, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, end| *end > now);
        }
        if self.0.len() < MOST {
            self.0.insert(key.into(), now + KEPT);
        }
    }

    /// An answer may be shared after all.
    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Whether each request goes its own way.
    pub(super) fn has(&self, key: &str, now: Instant) -> bool {
        self.0.get(key).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_for_a_short_time() {
        let (mut apart, now) = (Apart::default(), Instant::now());
        apart.note("a", now);
        assert!(apart.has("a", now) && !apart.has("b", now));
        assert!(!apart.has("a", now + KEPT));
        apart.forget("a");
        assert!(!apart.has("a", now));
    }

    #[test]
    fn not_more_than_so_many_are_remembered() {
        let (mut apart, now) = (Apart::default(), Instant::now());
        for n in 0..=MOST {
            apart.note(&n.to_string(), now);
        }
        assert!(apart.0.len() == MOST && !apart.has(&MOST.to_string(), now));
        apart.note("later", now + KEPT);
        assert!(apart.0.len() == 1 && apart.has("later", now + KEPT));
    }
}
