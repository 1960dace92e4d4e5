//! One stored response: its bytes in a file, which of them are there, and who waits for more.
//!
//! Bytes are written once, where they belong, and never again; an object that turns out to be wrong
//! is taken away whole, and its successor is another file. Readers thus share the page cache and
//! need no copies.

mod check;
mod writer;

pub(crate) use writer::{WriteFault, Writer};

use crate::fill;
use crate::source::Origin;
use crate::spool::journal::{self, Line, Promise, Record, encode};
use crate::spool::open_files::{Lazy, Shared};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use stratus_cache_policy::Stored;
use stratus_cache_policy::flight::{Flight, Run, Step};
use stratus_cache_policy::spans::Spans;
use stratus_serve::file_body::MappedFile;

/// Of an answer that has to wait for the verdict, so many last bytes are held back.
pub(crate) const HELD_BACK: u64 = 64 << 10;

/// What a reader is about to read: from `at`, of a part of the object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where the part begins.
    pub(crate) from: u64,
    pub(crate) at: u64,
    /// Where the part ends; `None`: where the object does.
    pub(crate) until: Option<u64>,
}

/// Why a reader gets no more bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// What was stored or is coming is not what it should be.
    #[error("{0}")]
    Condemned(String),
    /// The upstream did not bring the rest.
    #[error("the upstream did not bring the rest: {0}")]
    Upstream(String),
    /// The disk does not take it.
    #[error("the cache cannot store the rest: {0}")]
    Unstorable(String),
}

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
    /// Where it is in the journal, if it is to be read when somebody wants it.
    head_at: Range<usize>,
    head: OnceLock<ArcSwap<Stored>>,
    state: Mutex<State>,
    used: AtomicI64,
    /// The time of use that the journal tells.
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

/// Transfers that were given up.
#[derive(Default)]
struct GivenUp {
    /// How often that happened.
    times: u64,
    /// The last time: what it did not bring, and why.
    last: Option<(Range<u64>, Broken)>,
}

impl GivenUp {
    /// Why a byte did not come, if that was given up after `seen` times.
    fn why(&self, seen: u64, is_it: impl Fn(&Range<u64>) -> bool) -> Option<Broken> {
        let (bytes, why) = self.last.as_ref().filter(|_| self.times > seen)?;
        is_it(bytes).then(|| why.clone())
    }
}

/// The head of a response.
pub(crate) enum Head {
    Known(Box<Stored>),
    /// In a line of the journal, at these bytes.
    At(Range<usize>),
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
        let head = OnceLock::new();
        let head_at = match parts.head {
            Head::At(place) => place,
            Head::Known(known) => {
                let _ = head.set(ArcSwap::from_pointee(*known));
                0..0
            }
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
            head_at,
            head,
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

    /// The response's head as it is now.
    pub(crate) fn head(&self) -> Arc<Stored> {
        self.newest_head().load_full()
    }

    fn newest_head(&self) -> &ArcSwap<Stored> {
        self.head.get_or_init(|| {
            let head = self.read_head().unwrap_or_else(|error| {
                tracing::warn!(key = %self.key, %error, "a stored head cannot be read");
                self.retire();
                Stored::lost()
            });
            ArcSwap::from_pointee(head)
        })
    }

    /// From the journal, which only grows while somebody uses it.
    fn read_head(&self) -> std::io::Result<Stored> {
        let mut line = vec![0; self.head_at.len()];
        File::open(&self.journal_path)?.read_exact_at(&mut line, self.head_at.start as u64)?;
        journal::head(&line).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }

    /// The head changed: a 304 said so.
    pub(crate) fn set_head(&self, head: Stored) {
        self.note(&Line::Head(Box::new(head.clone())));
        self.newest_head().store(Arc::new(head));
    }

    /// The file with the bytes; only those that [`Object::poll_readable`] names may be read.
    pub(crate) fn data(&self) -> std::io::Result<Arc<MappedFile>> {
        self.shared.open(&self.data, &self.data_path, self.total())
    }

    /// Lets answers go on from the file, whatever happens to its name.
    pub(crate) fn hold(&self) {
        if let Ok(data) = self.data() {
            let _ = self.held.set(data);
        }
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

    /// Up to where the bytes from `at` may be read now; waits until there are any, and sees to it
    /// that they come. At the end of the object it answers `at`. `seen` is what [`Object::enter`]
    /// answered, and kept here: how often transfers were given up before this reader's last byte.
    pub(crate) fn poll_readable(
        self: &Arc<Self>,
        origin: &Origin,
        place: Place,
        seen: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Broken>> {
        let mut state = self.state();
        if let Some(reason) = &state.condemned {
            return Poll::Ready(Err(Broken::Condemned(reason.clone())));
        }
        let Place { at, until, .. } = place;
        let present = state.flight.present().reach(at);
        let reach = self.allowed(&state, place, present);
        let ends = state.flight.total().is_some_and(|total| at >= total);
        if reach > at || (ends && self.may_end(&state)) {
            *seen = state.given_up.times;
            return Poll::Ready(Ok(reach));
        }
        let step = if state.unchecked.around(at).is_some() {
            check::start(self, &mut state, at);
            Ok(Step::Wait)
        } else if present > at || ends {
            self.verdict(&mut state, *seen)
        } else {
            missing(&mut state, (at, until), *seen)
        };
        match step {
            Err(why) => return Poll::Ready(Err(why)),
            Ok(Step::Ready(_) | Step::Wait) => {}
            Ok(Step::Start(run)) => {
                state.waiting.push(cx.waker().clone());
                drop(state);
                fill::start(Arc::clone(self), run, origin.source(), None);
                return Poll::Pending;
            }
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// The byte is there, but nobody may have it before the whole was compared: sees to it that all
    /// of it comes, and that it is compared then.
    fn verdict(self: &Arc<Self>, state: &mut State, seen: u64) -> Result<Step, Broken> {
        if state.flight.is_complete() {
            if state.verdict != Verdict::Coming {
                let object = Arc::clone(self);
                tokio::task::spawn_blocking(move || object.conclude());
            }
            return Ok(Step::Wait);
        }
        if !state.flight.runs().is_empty() {
            return Ok(Step::Wait);
        }
        if let Some(why) = state.given_up.why(seen, |_| true) {
            return Err(why);
        }
        Ok(state.flight.fill().map_or(Step::Wait, Step::Start))
    }

    /// How far readers may go of what is there.
    ///
    /// Whatever answers make up the whole, one of them must not end before the verdict. Those with
    /// all of it wait; so does a part when everything is there, for the verdict is then about to
    /// come. While other bytes are missing a part is not all that somebody has, and does not wait:
    /// the one that needs the last of them will.
    fn allowed(&self, state: &State, place: Place, reach: u64) -> u64 {
        let Place { from, at, until } = place;
        let unchecked = state.unchecked.iter().find(|span| span.end > at);
        let reach = unchecked.map_or(reach, |span| reach.min(span.start.max(at)));
        let total = state.flight.total();
        let is_all = from == 0 && (until.is_none() || until == total);
        let waits = !self.may_end(state) && (is_all || state.flight.is_complete());
        match until.or(total) {
            Some(end) if waits => reach.min(end.saturating_sub(HELD_BACK)).max(at),
            _ => reach,
        }
    }

    /// Whether the last bytes may be given out.
    fn may_end(&self, state: &State) -> bool {
        state.verdict == Verdict::Right
            || self.promise.sha256.is_none()
            || self.promise.pieces.is_some()
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

    /// Takes the names away; whoever reads goes on reading.
    pub(crate) fn unlink(&self) {
        // Without its journal an object does not exist.
        for path in [&self.journal_path, &self.data_path] {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot be removed");
            }
        }
        self.shared.forget(&self.data);
    }

    /// Notes the time of the last use, so that a restart knows it.
    pub(crate) fn keep_time(&self) {
        let last = self.used.load(Ordering::Relaxed);
        if self.noted.swap(last, Ordering::Relaxed) == last {
            return;
        }
        let used = std::time::SystemTime::from(self.used());
        let journal = OpenOptions::new().append(true).open(&self.journal_path);
        let _ = journal.and_then(|journal| journal.set_modified(used));
    }

    /// Writes a line. A journal that cannot be written costs what it did not note, nothing more.
    fn note(&self, line: &Line) {
        let journal = OpenOptions::new().append(true).open(&self.journal_path);
        match journal.and_then(|journal| append(&journal, &encode(line))) {
            // It was taken away meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(key = %self.key, %error, "the journal was not written");
            }
            Ok(()) => {}
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.shared.shrank(self.bytes());
    }
}

/// Writes all of a line or nothing: lines behind a torn one would count for nothing.
fn append(mut journal: &File, line: &[u8]) -> std::io::Result<()> {
    let before = journal.metadata()?.len();
    journal.write_all(line).inspect_err(|_| {
        let _ = journal.set_len(before);
    })
}

/// The byte is not there: has it brought, unless that was just given up.
fn missing(state: &mut State, (at, until): (u64, Option<u64>), seen: u64) -> Result<Step, Broken> {
    let comes = |run: &Run| run.at <= at && run.end.is_none_or(|end| at < end);
    if !state.flight.runs().iter().any(comes)
        && let Some(why) = state.given_up.why(seen, |bytes| bytes.contains(&at))
    {
        return Err(why);
    }
    Ok(state.flight.want(at, until))
}

pub(super) fn wake(state: &mut State) {
    state.waiting.drain(..).for_each(Waker::wake);
}
