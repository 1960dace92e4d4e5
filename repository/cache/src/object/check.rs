//! Bytes that were stored before, compared with the checksums that were noted then.

use super::{Object, State, Verdict, wake};
use crate::spool::journal::{Line, Record};
use std::ops::Range;
use std::sync::Arc;

/// Bytes that are compared before readers are woken.
const STRIDE: u64 = 8 << 20;

/// Compares what a reader needs next, on another thread.
pub(super) fn start(object: &Arc<Object>, state: &mut State, at: u64) {
    if state.checking {
        return;
    }
    state.checking = true;
    let object = Arc::clone(object);
    tokio::task::spawn_blocking(move || {
        object.check(at..at.saturating_add(STRIDE));
        let mut state = object.state();
        state.checking = false;
        wake(&mut state);
    });
}

impl Object {
    /// Once after a start, before anybody gets it: what others have cut off its file is not there,
    /// so that an answer does not begin with what the upstream may not have any more. At the start
    /// itself that would be one more look at the disk for each of very many objects.
    pub(crate) fn look_at_file(&self) {
        self.seen.call_once(|| match std::fs::metadata(&self.data_path) {
            Ok(metadata) => {
                // One that cannot be read is found out here.
                let _ = self.head();
                self.forget_from(metadata.len());
            }
            Err(error) => {
                tracing::warn!(key = %self.key, %error, "a stored object cannot be read");
                self.retire();
            }
        });
    }

    /// Nothing from here on is in the file.
    fn forget_from(&self, end: u64) {
        let mut state = self.state();
        let beyond = |record: &&Record| record.bytes.end > end;
        let lost: Vec<Record> = state.records.iter().filter(beyond).cloned().collect();
        for record in lost {
            state.unchecked.remove(&record.bytes);
            self.forget(&mut state, &record.bytes);
        }
    }

    /// The bytes from here on may not be in the file any more: they are compared before anybody else
    /// gets them.
    pub(crate) fn doubt(&self, at: u64) {
        let mut state = self.state();
        if let Some(span) = state.flight.present().around(at) {
            state.unchecked.insert(at..span.end);
        }
    }

    /// Compares the records that touch a range; what is wrong is forgotten, and fetched again by
    /// whoever needs it. Answers how many bytes were wrong.
    fn check(&self, range: Range<u64>) -> u64 {
        let touching =
            |record: &&Record| record.bytes.start < range.end && record.bytes.end > range.start;
        let records: Vec<_> = self.state().records.iter().filter(touching).cloned().collect();
        let mut wrong = 0;
        for record in records {
            let is_right = self.crc_of(&record.bytes).is_ok_and(|crc| crc == record.crc);
            let mut state = self.state();
            state.unchecked.remove(&record.bytes);
            if !is_right {
                wrong += record.bytes.end - record.bytes.start;
                self.forget(&mut state, &record.bytes);
            }
        }
        // What no record vouches for is not there.
        let mut state = self.state();
        let strays: Vec<Range<u64>> = state
            .unchecked
            .iter()
            .map(|span| span.start.max(range.start)..span.end.min(range.end))
            .filter(|part| !part.is_empty())
            .collect();
        for stray in strays {
            state.unchecked.remove(&stray);
            self.forget(&mut state, &stray);
        }
        wrong
    }

    fn forget(&self, state: &mut State, bytes: &Range<u64>) {
        let (from, to) = (bytes.start, bytes.end);
        tracing::warn!(key = %self.key, from, to, "stored bytes have changed; they are fetched again");
        let before = state.flight.present().bytes();
        state.flight.lost(bytes);
        self.shared.shrank(before - state.flight.present().bytes());
        state.records.retain(|r| r.bytes.end <= from || r.bytes.start >= to);
        state.verdict = Verdict::None;
        state.prefix = super::writer::Prefix::default();
        self.note(&Line::Lost(from, to));
    }

    /// Compares everything that was stored before the start and not compared since.
    pub(super) fn check_all(&self) {
        if !self.state().unchecked.is_empty() {
            self.check(0..u64::MAX);
        }
    }

    /// Compares everything that is stored. Answers how many bytes were read, and how many wrong.
    pub(crate) fn scrub(&self) -> (u64, u64) {
        let bytes = self.bytes();
        (bytes, self.check(0..u64::MAX))
    }
}
