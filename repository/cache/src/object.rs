//! One stored response: its bytes in a file, which of them are there, and who waits for more.
//!
//! Bytes are written once, where they belong, and never again; an object that turns out to be wrong
//! is taken away whole, and its successor is another file. Readers thus share the page cache and
//! need no copies.

mod check;
mod files;
mod head;
mod reading;
mod writer;

pub(crate) use head::Head;
pub(crate) use reading::{Broken, HELD_BACK, Place};
pub(crate) use writer::{WriteFault, Writer};

use crate::spool::journal::{Line, Promise, Record};
use crate::spool::open_files::{Lazy, Shared};
use head::Newest;
use jiff::Timestamp;
use reading::GivenUp;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::task::Waker;
use stratus_cache_policy::flight::{Flight, Run, Step};
use stratus_cache_policy::spans::Spans;
use stratus_serve::file_body::MappedFile;

/// How an object is doing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// Parts of it are there.
    Partial,
    /// A transfer is under way.
    Filling,
    /// All of it is there; no digest is known to compare it with.
    Complete,
    /// All of it is there and has the right digest.
    Verified,
}

/// A stored response.
pub(crate) struct Object {
    pub(crate) key: Arc<str>,
    pub(crate) promise: Promise,
    data: Lazy,
    /// Keeps the file open once its name is gone.
    held: OnceLock<Arc<MappedFile>>,
    data_path: PathBuf,
    journal_path: PathBuf,
    /// Whether the file was looked at since the start.
    seen: Once,
    head: Newest,
    state: Mutex<State>,
    used: AtomicI64,
    /// The time of use that the journal's own time tells.
    noted: AtomicI64,
    uses: AtomicU32,
    pinned: AtomicBool,
    readers: AtomicUsize,
    shared: Arc<Shared>,
}

pub(super) struct State {
    flight: Flight,
    /// What the journal says of the bytes that are there.
    records: Vec<Record>,
    /// Bytes from before the start, not compared with their checksums yet.
    unchecked: Spans,
    /// Whether somebody is comparing them.
    checking: bool,
    prefix: writer::Prefix,
    verdict: Verdict,
    condemned: Option<String>,
    /// Nobody new gets it; who reads goes on.
    retired: bool,
    given_up: GivenUp,
    waiting: Vec<Waker>,
}

/// What is known of the whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    None,
    /// It is being compared with its digest.
    Coming,
    /// It has the right digest.
    Right,
}

/// What an object is made of.
pub(crate) struct Parts {
    pub(crate) key: Arc<str>,
    pub(crate) promise: Promise,
    pub(crate) head: Head,
    pub(crate) total: Option<u64>,
    pub(crate) records: Vec<Record>,
    pub(crate) verified: bool,
    pub(crate) pinned: bool,
    pub(crate) used: Timestamp,
    pub(crate) data_path: PathBuf,
    pub(crate) journal_path: PathBuf,
    /// Whether the file is as long as it must be; otherwise it is looked at before it is used.
    pub(crate) seen: bool,
    pub(crate) shared: Arc<Shared>,
}

impl Object {
    /// Of what is known. Bytes that the records name are believed after a look at their checksums.
    pub(crate) fn new(mut parts: Parts) -> Arc<Self> {
        parts.records.sort_by_key(|record| record.bytes.start);
        let mut present = Spans::default();
        for record in &parts.records {
            present.insert(record.bytes.clone());
        }
        parts.shared.grew(present.bytes());
        let unit = parts.promise.pieces.as_ref().map_or(1, |pieces| pieces.size);
        let state = State {
            unchecked: present.clone(),
            flight: Flight::new(parts.total, unit, present),
            records: parts.records,
            checking: false,
            prefix: writer::Prefix::default(),
            verdict: if parts.verified { Verdict::Right } else { Verdict::None },
            condemned: None,
            retired: false,
            given_up: GivenUp::default(),
            waiting: Vec::new(),
        };
        let seen = Once::new();
        if parts.seen {
            seen.call_once(|| ());
        }
        Arc::new(Self {
            key: parts.key,
            promise: parts.promise,
            data: Lazy::default(),
            held: OnceLock::new(),
            data_path: parts.data_path,
            journal_path: parts.journal_path,
            seen,
            head: Newest::new(parts.head),
            state: Mutex::new(state),
            used: AtomicI64::new(parts.used.as_millisecond()),
            noted: AtomicI64::new(parts.used.as_millisecond()),
            uses: AtomicU32::new(0),
            pinned: AtomicBool::new(parts.pinned),
            readers: AtomicUsize::new(0),
            shared: parts.shared,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size, as far as it is known.
    pub(crate) fn total(&self) -> Option<u64> {
        self.state().flight.total()
    }

    /// Bytes that are there.
    pub(crate) fn bytes(&self) -> u64 {
        self.state().flight.present().bytes()
    }

    /// Whether all of it is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.state().flight.is_complete()
    }

    /// Whether a transfer was given up since the start.
    pub(crate) fn was_given_up(&self) -> bool {
        self.state().given_up.times > 0
    }

    /// Whether all of it is there and, where a digest is known, right.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.state();
        state.flight.is_complete()
            && (state.verdict == Verdict::Right || self.promise.sha256.is_none())
    }

    /// Whether it may still be given to new readers.
    pub(crate) fn is_sound(&self) -> bool {
        let state = self.state();
        state.condemned.is_none() && !state.retired
    }

    /// Whether all objects together may take so many bytes more.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        self.shared.has_room_for(bytes)
    }

    /// The disk is full: makes room for the rest, where others can go.
    pub(super) fn make_room(&self) -> bool {
        let missing = self.total().map(|total| total.saturating_sub(self.bytes()));
        // What nobody new will get is not worth it.
        self.is_sound() && self.shared.make_room(missing)
    }

    /// From the first of these bytes that is not there to their end.
    pub(crate) fn gap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let at = self.state().flight.present().gaps(range).first()?.start;
        Some(at..range.end)
    }

    /// A run for these bytes, unless they are there or on their way.
    pub(crate) fn want(&self, bytes: &Range<u64>) -> Option<Run> {
        match self.state().flight.want(bytes.start, Some(bytes.end)) {
            Step::Start(run) => Some(run),
            Step::Ready(_) | Step::Wait => None,
        }
    }

    /// Whether these bytes are there.
    pub(crate) fn covers(&self, range: &std::ops::Range<u64>) -> bool {
        self.state().flight.present().covers(range)
    }

    /// How it is doing.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state();
        let is_right = state.verdict == Verdict::Right;
        match (state.flight.is_complete(), is_right, state.flight.runs().is_empty()) {
            (true, true, _) => Standing::Verified,
            (true, false, _) => Standing::Complete,
            (false, _, false) => Standing::Filling,
            (false, _, true) => Standing::Partial,
        }
    }

    /// Somebody asked for it.
    pub(crate) fn touch(&self, now: Timestamp) {
        self.used.store(now.as_millisecond(), Ordering::Relaxed);
        self.uses.fetch_add(1, Ordering::Relaxed);
    }

    /// When it was last asked for.
    pub(crate) fn used(&self) -> Timestamp {
        Timestamp::from_millisecond(self.used.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// How often it was asked for since the start.
    pub(crate) fn uses(&self) -> u32 {
        self.uses.load(Ordering::Relaxed)
    }

    /// Whether an administrator wants it to stay.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Ordering::Relaxed)
    }

    /// Pins it, or lets it go.
    pub(crate) fn pin(&self, pinned: bool) {
        self.pinned.store(pinned, Ordering::Relaxed);
        self.note(&Line::Pinned(pinned));
    }

    /// Whether somebody reads or fills it right now.
    pub(crate) fn is_busy(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0 || !self.state().flight.runs().is_empty()
    }

    /// Readers of it right now.
    pub(crate) fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }

    /// A reader begins; answers what it must know to notice that a transfer was given up.
    pub(crate) fn enter(&self) -> u64 {
        self.readers.fetch_add(1, Ordering::Relaxed);
        self.state().given_up.times
    }

    /// A reader ends.
    pub(crate) fn leave(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }

    /// A run for what is missing, when enough is there to want the rest.
    pub(crate) fn fill(&self) -> Option<Run> {
        let mut state = self.state();
        if state.condemned.is_some() || state.retired { None } else { state.flight.fill() }
    }

    /// The run as it is now; `None` when it is over, the object is condemned, or nobody will ever
    /// read what it brings.
    pub(crate) fn run(&self, run: &Run) -> Option<Run> {
        let state = self.state();
        let is_for_nobody = state.retired && self.readers() == 0;
        let is_wanted = state.condemned.is_none() && !is_for_nobody;
        state.flight.run(run.id).filter(|_| is_wanted).cloned()
    }

    /// The first run of a new object, whose bytes are coming already.
    pub(crate) fn first_run(&self, at: u64, end: Option<u64>) -> Run {
        self.state().flight.began(at, end)
    }

    /// The end of a response of unknown length.
    pub(crate) fn ends_at(&self, total: u64) {
        let mut state = self.state();
        state.flight.ends_at(total);
        self.note(&Line::Ends(total));
        wake(&mut state);
    }

    /// A run ended well.
    pub(crate) fn run_over(&self, run: &Run) {
        let mut state = self.state();
        state.flight.over(run.id);
        wake(&mut state);
    }

    /// A run was given up: whoever waits for its bytes hears why.
    pub(crate) fn give_up(&self, run: &Run, why: Broken) {
        let mut state = self.state();
        let run = state.flight.run(run.id).unwrap_or(run).clone();
        state.flight.over(run.id);
        state.given_up.times += 1;
        state.given_up.last = Some((run.at..run.end.unwrap_or(u64::MAX), why));
        wake(&mut state);
    }

    /// It is not what it should be: no reader gets another byte, and the files go.
    pub(crate) fn condemn(&self, reason: &str) {
        let mut state = self.state();
        if state.condemned.is_none() {
            tracing::error!(key = %self.key, reason, "thrown away");
            state.condemned = Some(reason.to_owned());
        }
        wake(&mut state);
        drop(state);
        self.unlink();
    }

    /// Nobody new gets it, and the files go.
    pub(crate) fn retire(&self) {
        self.state().retired = true;
        self.unlink();
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.shared.shrank(self.bytes());
    }
}

pub(super) fn wake(state: &mut State) {
    state.waiting.drain(..).for_each(Waker::wake);
}
