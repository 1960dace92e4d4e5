//! Bytes that go from the upstream to one reader, past a disk that does not take them.
//!
//! The same rules as through the store: only bytes of the same representation are joined, pieces are
//! compared before they go out, and where only the digest of the whole is known the end of it waits
//! for the verdict, if everything before is here. A transfer that breaks off goes on where it broke.

use crate::fill;
use crate::object::{Broken, HELD_BACK, Object};
use crate::source::{Incoming, Source, SourceFault};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stratus_cache_policy::partial;
use tokio::sync::mpsc;

/// What waits for a reader; of a manifest's pieces each has some MiB.
const AHEAD: usize = 1;

/// What comes.
pub(crate) enum Coming {
    Bytes(Bytes),
    /// That was all.
    End,
}

/// What comes, in order; it ends with [`Coming::End`] or an error.
pub(crate) type Passing = mpsc::Receiver<Result<Coming, Broken>>;

/// Begins to bring the bytes from `at` to `until` (`None`: the end), for one reader; `first` is an
/// answer that is coming already.
pub(crate) fn start(
    object: Arc<Object>,
    source: Arc<Source>,
    (at, until): (u64, Option<u64>),
    first: Option<Incoming>,
) -> Passing {
    let (tell, passing) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let brought = tokio::select! {
            () = tell.closed() => return,
            brought = bring(&object, &source, (at, until), first, &tell) => brought,
        };
        // Who left need not know.
        let _ = tell.send(brought.map(|()| Coming::End)).await;
    });
    passing
}

/// The same as a body.
pub(crate) fn body(passing: Passing) -> Body {
    Body::from_stream(stream::unfold(passing, async |mut passing| {
        let next = match passing.recv().await {
            Some(Ok(Coming::Bytes(bytes))) => Ok(bytes),
            Some(Ok(Coming::End)) => return None,
            Some(Err(broken)) => Err(broken),
            None => Err(Broken::Upstream("the transfer ended".to_owned())),
        };
        Some((next, passing))
    }))
}

async fn bring(
    object: &Arc<Object>,
    source: &Source,
    (at, until): (u64, Option<u64>),
    first: Option<Incoming>,
    tell: &mpsc::Sender<Result<Coming, Broken>>,
) -> Result<(), Broken> {
    let head = object.head();
    let can_be_joined = partial::if_range(&head).is_some();
    let mut sieve = Sieve::new(object, at, until).await?;
    // What must be compared may have to begin earlier.
    let mut first = first.filter(|incoming| incoming.at <= sieve.next);
    let mut failures = 0;
    loop {
        let from = sieve.next;
        let incoming = match first.take() {
            Some(incoming) => Ok(incoming),
            None => source.ask((from, sieve.end), object.total(), Some(&head)).await,
        };
        let reason = match incoming {
            Ok(incoming) => match pass(source, incoming, &mut sieve, tell).await {
                Passed::All => return Ok(()),
                Passed::Wrong(reason) => return Err(condemned(object, reason)),
                Passed::Broken(reason) => reason,
            },
            Err(SourceFault::Changed(what)) => {
                let reason = format!("the upstream has other bytes now ({what})");
                return Err(condemned(object, reason));
            }
            Err(fault) => fault.to_string(),
        };
        failures = if sieve.next > from { 1 } else { failures + 1 };
        if failures >= fill::ATTEMPTS || (!can_be_joined && sieve.next > 0) {
            return Err(Broken::Upstream(reason));
        }
        tracing::info!(key = %object.key, at = sieve.next, %reason, "a transfer begins again");
        tokio::time::sleep(fill::pause(failures)).await;
    }
}

fn condemned(object: &Object, reason: String) -> Broken {
    object.condemn(&reason);
    Broken::Condemned(reason)
}

/// How one transfer ended.
enum Passed {
    All,
    Broken(String),
    /// The bytes are not what they should be.
    Wrong(String),
}

async fn pass(
    source: &Source,
    incoming: Incoming,
    sieve: &mut Sieve,
    tell: &mpsc::Sender<Result<Coming, Broken>>,
) -> Passed {
    let mut skip = sieve.next.saturating_sub(incoming.at);
    let mut stream = incoming.pieces();
    while !sieve.has_all() {
        let mut piece = match stream.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Passed::Broken(error.without_url().to_string()),
            None if sieve.end.is_none() => break,
            None => return Passed::Broken("the answer ended too early".to_owned()),
        };
        source.upstream.received.fetch_add(piece.len() as u64, Ordering::Relaxed);
        let unwanted = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        skip -= unwanted as u64;
        match sieve.take(piece.split_off(unwanted)) {
            Ok(out) => send(out, tell).await,
            Err(reason) => return Passed::Wrong(reason),
        }
    }
    match sieve.finish() {
        Ok(out) => {
            send(out, tell).await;
            Passed::All
        }
        Err(reason) => Passed::Wrong(reason),
    }
}

async fn send(out: Vec<Bytes>, tell: &mpsc::Sender<Result<Coming, Broken>>) {
    for bytes in out.into_iter().filter(|bytes| !bytes.is_empty()) {
        // Who left closes the channel, which ends all of this.
        let _ = tell.send(Ok(Coming::Bytes(bytes))).await;
    }
}

/// Lets through what the reader wants and may have.
struct Sieve {
    /// The next byte to fetch, and where fetching ends.
    next: u64,
    end: Option<u64>,
    /// The next byte that the reader wants, and where its wishes end.
    at: u64,
    until: Option<u64>,
    rule: Rule,
}

enum Rule {
    /// Nothing is known of the bytes.
    Any,
    /// Each piece is compared. With what came of this one.
    Pieces { object: Arc<Object>, size: u64, total: u64, piece: Vec<u8> },
    /// The whole is compared. With what is held back.
    Whole { expected: String, sha256: Sha256, free_to: u64, held: Vec<Bytes> },
}

impl Sieve {
    async fn new(object: &Arc<Object>, at: u64, until: Option<u64>) -> Result<Self, Broken> {
        let total = object.total();
        let until = until.or(total);
        let mut sieve = Self { next: at, end: until, at, until, rule: Rule::Any };
        if let (Some(pieces), Some(total)) = (&object.promise.pieces, total) {
            let size = pieces.size;
            sieve.next = at - at % size;
            sieve.end = until.map(|until| until.div_ceil(size).saturating_mul(size).min(total));
            sieve.rule =
                Rule::Pieces { object: Arc::clone(object), size, total, piece: Vec::new() };
        } else if let Some(expected) = &object.promise.sha256
            && until.is_none_or(|until| until > total.unwrap_or(u64::MAX).saturating_sub(HELD_BACK))
            // What lies before is not fetched only for the verdict.
            && object.covers(&(0..at))
        {
            let own = Arc::clone(object);
            let summed = tokio::task::spawn_blocking(move || own.sum_beginning(at)).await;
            let summed = summed.map_err(|error| Broken::Unstorable(error.to_string()))?;
            let (sha256, there) = summed.map_err(|e| Broken::Unstorable(e.to_string()))?;
            sieve.next = there;
            sieve.end = total;
            let free_to = total.map_or(u64::MAX, |total| total.saturating_sub(HELD_BACK));
            let expected = expected.clone();
            sieve.rule = Rule::Whole { expected, sha256, free_to, held: Vec::new() };
        }
        Ok(sieve)
    }

    fn has_all(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Takes consecutive bytes; what may go out, or what is wrong with them.
    fn take(&mut self, mut bytes: Bytes) -> Result<Vec<Bytes>, String> {
        let left = self.end.map_or(u64::MAX, |end| end - self.next);
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let from = self.next;
        self.next += bytes.len() as u64;
        match &mut self.rule {
            Rule::Any => Ok(vec![self.wanted(from, bytes)]),
            Rule::Pieces { .. } => self.take_pieces(from, bytes),
            Rule::Whole { sha256, free_to, held, .. } => {
                sha256.update(&bytes);
                let free = usize::try_from(free_to.saturating_sub(from)).unwrap_or(usize::MAX);
                let back = bytes.split_off(free.min(bytes.len()));
                let start = from + bytes.len() as u64;
                held.push(cut(back, start, self.at, self.until));
                Ok(vec![self.wanted(from, bytes)])
            }
        }
    }

    fn take_pieces(&mut self, mut from: u64, mut bytes: Bytes) -> Result<Vec<Bytes>, String> {
        let mut out = Vec::new();
        let Rule::Pieces { object, size, total, piece } = &mut self.rule else { return Ok(out) };
        while !bytes.is_empty() {
            let number = from / *size;
            let bounds = number * *size..((number + 1) * *size).min(*total);
            let left = usize::try_from(bounds.end - from).unwrap_or(usize::MAX);
            let part = bytes.split_to(left.min(bytes.len()));
            from += part.len() as u64;
            piece.extend_from_slice(&part);
            if from == bounds.end {
                let whole = Bytes::from(std::mem::take(piece));
                if !object.is_piece(number, &whole) {
                    let (from, to) = (bounds.start, bounds.end);
                    return Err(format!("the bytes {from} to {to} are not what the manifest says"));
                }
                out.push(cut(whole, bounds.start, self.at, self.until));
            }
        }
        Ok(out)
    }

    /// All came: what was held back, if the whole is what it should be.
    fn finish(&mut self) -> Result<Vec<Bytes>, String> {
        let Rule::Whole { expected, sha256, held, .. } = &mut self.rule else {
            return Ok(Vec::new());
        };
        let found = hex::encode(std::mem::take(sha256).finalize());
        if found == *expected {
            Ok(std::mem::take(held))
        } else {
            Err(format!("its SHA-256 is {found}, not {expected}"))
        }
    }

    fn wanted(&self, start: u64, bytes: Bytes) -> Bytes {
        cut(bytes, start, self.at, self.until)
    }
}

/// The part of bytes that begin at `start` that lies between `at` and `until`.
fn cut(mut bytes: Bytes, start: u64, at: u64, until: Option<u64>) -> Bytes {
    let within = |place: u64| usize::try_from(place.saturating_sub(start)).unwrap_or(usize::MAX);
    bytes.truncate(until.map_or(usize::MAX, within));
    bytes.split_off(within(at).min(bytes.len()))
}
