//! Runs: one upstream transfer each, begun again where it broke off.

use crate::gather::{Batch, Gather};
use crate::object::{Broken, Object, WriteFault, Writer};
use crate::source::{Incoming, Source, SourceFault};
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stratus_cache_policy::flight::Run;
use stratus_cache_policy::partial;

/// Attempts without a new byte before a run is given up.
pub(crate) const ATTEMPTS: u32 = 6;
/// Before the second attempt; doubled each time, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(4);
/// Attempts at the upstream before another place is asked, and places that are known at most.
const PATIENT_WITH_UPSTREAM: u32 = 2;
const PLACES: usize = 8;
/// How often a piece that is not what it should be is fetched again.
const WRONG_PIECES: u32 = 3;

/// How one transfer ended.
enum End {
    /// The run has all it is for.
    Over,
    /// The upstream's answer ended.
    Eof,
    /// It broke off.
    Broken(String),
    /// A piece was not what it should be.
    Wrong(String),
    /// Nothing can be written.
    Disk(WriteFault),
}

/// One transfer that ended, with what goes on where it broke off.
type Ended = (End, Option<Writer>);

/// Runs on its own, whoever asked for it; `first` is an answer that is coming already.
pub(crate) fn start(object: Arc<Object>, run: Run, source: Arc<Source>, first: Option<Incoming>) {
    tokio::spawn(async move {
        match fill(&object, &run, &source, first).await {
            Ok(()) => object.run_over(&run),
            Err(why) => {
                tracing::warn!(key = %object.key, at = run.at, %why, "a transfer was given up");
                object.give_up(&run, why);
            }
        }
        conclude(object, source).await;
    });
}

/// After a run: compares the whole, or goes on with what is missing where most is there.
async fn conclude(object: Arc<Object>, source: Arc<Source>) {
    if object.is_complete() {
        let compared = tokio::task::spawn_blocking(move || object.conclude()).await;
        if let Err(error) = compared {
            tracing::error!(%error, "a digest was not compared");
        }
    } else if source.upstream.completes(object.bytes(), object.total())
        && !object.was_given_up()
        && let Some(run) = object.fill()
    {
        start(object, run, source, None);
    }
}

async fn fill(
    object: &Arc<Object>,
    run: &Run,
    source: &Source,
    mut first: Option<Incoming>,
) -> Result<(), Broken> {
    let head = object.head();
    let can_be_joined = partial::if_range(&head).is_some();
    let (mut failures, mut wrong) = (0, 0);
    let mut writer: Option<Writer> = None;
    let elsewhere = elsewhere(object, source);
    loop {
        let Some(now) = object.run(run) else { return Ok(()) };
        let at = writer.as_ref().map_or(now.at, Writer::at);
        let incoming = match first.take() {
            Some(incoming) => Ok(incoming),
            None => match other_place(&elsewhere, failures) {
                Some(place) => place.ask((at, now.end), object.total(), None).await,
                None => source.ask((at, now.end), object.total(), Some(&head)).await,
            },
        };
        let outcome = match incoming {
            Ok(incoming) => {
                let ended = receive(object, &now, source, incoming, writer.take()).await;
                writer = ended.1;
                ended.0
            }
            Err(SourceFault::Changed(what)) if other_place(&elsewhere, failures).is_none() => {
                let reason = format!("the upstream has other bytes now ({what})");
                object.condemn(&reason);
                return Err(Broken::Condemned(reason));
            }
            Err(fault) => End::Broken(fault.to_string()),
        };
        let Some(after) = object.run(run) else { return Ok(()) };
        let reached = writer.as_ref().map_or(after.at, Writer::at);
        let reason = match outcome {
            End::Over => return Ok(()),
            End::Eof if object.total().is_none() => {
                object.ends_at(after.at);
                return Ok(());
            }
            End::Eof => "the answer ended too early".to_owned(),
            End::Broken(reason) => reason,
            End::Wrong(reason) => {
                wrong += 1;
                if wrong >= WRONG_PIECES {
                    object.condemn(&reason);
                    return Err(Broken::Condemned(reason));
                }
                reason
            }
            End::Disk(fault) => {
                if object.total().is_none() {
                    object.retire();
                }
                return Err(Broken::Unstorable(fault.to_string()));
            }
        };
        if object.total().is_none() || (!can_be_joined && reached > 0) {
            // Nothing tells whether another answer has the same bytes.
            object.condemn(&reason);
            return Err(Broken::Condemned(reason));
        }
        failures = if reached > at { 1 } else { failures + 1 };
        if failures >= ATTEMPTS {
            return Err(Broken::Upstream(reason));
        }
        tracing::info!(key = %object.key, at = reached, %reason, "a transfer begins again");
        tokio::time::sleep(pause(failures)).await;
    }
}

/// Where else the bytes are: only where each piece is compared, whoever sends it.
fn elsewhere(object: &Object, source: &Source) -> Vec<Source> {
    let locations = object.promise.pieces.as_ref().map(|_| &object.promise.locations);
    let places = locations.into_iter().flatten().take(PLACES);
    places.filter_map(|location| source.elsewhere(location)).collect()
}

/// The place to ask after so many failures; `None`: the upstream.
fn other_place(elsewhere: &[Source], failures: u32) -> Option<&Source> {
    let others = usize::try_from(failures.checked_sub(PATIENT_WITH_UPSTREAM)?).ok()?;
    elsewhere.get(others % elsewhere.len().max(1))
}

/// Exponential, with jitter so that many do not come at once.
pub(crate) fn pause(failures: u32) -> Duration {
    let full = PAUSE.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// Writes what comes, one batch while the next is received; with the writer of the transfer that
/// broke off before, if it was in the middle of something.
async fn receive(
    object: &Arc<Object>,
    run: &Run,
    source: &Source,
    incoming: Incoming,
    before: Option<Writer>,
) -> Ended {
    let at = incoming.at;
    let received = Arc::clone(&source.upstream.received);
    let stream = incoming.pieces().inspect(move |piece| {
        if let Ok(piece) = piece {
            received.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    });
    let writer = before.map_or_else(|| Writer::new(Arc::clone(object), run.clone()), Ok);
    let mut writer = match writer {
        Ok(writer) => Some(writer),
        Err(fault) => return (disk(fault), None),
    };
    let next = writer.as_ref().map_or(run.at, Writer::at);
    let mut gather = Gather::new(stream, at, next);
    let mut writing: Option<tokio::task::JoinHandle<(Writer, Result<bool, WriteFault>)>> = None;
    loop {
        let Batch { parts, end } = gather.next().await;
        if let Some(task) = writing.take() {
            match task.await {
                Ok((back, Ok(false))) => writer = Some(back),
                Ok((back, written)) => return (ended(written, End::Over), Some(back)),
                Err(error) => return (End::Broken(error.to_string()), None),
            }
        }
        let end = end.map(|end| end.map_or_else(|e| End::Broken(e.to_string()), |()| End::Eof));
        let Some(mut own) = writer.take() else { return (End::Over, None) };
        let ends = end.is_some();
        let task = tokio::task::spawn_blocking(move || {
            let written = own.write(&parts);
            if ends || written.is_err() {
                own.finish();
            }
            (own, written)
        });
        match end {
            None => writing = Some(task),
            Some(end) => {
                return match task.await {
                    Ok((back, written)) => (ended(written, end), Some(back)),
                    Err(error) => (End::Broken(error.to_string()), None),
                };
            }
        }
    }
}

/// How a transfer ended whose last bytes were written so.
fn ended(written: Result<bool, WriteFault>, end: End) -> End {
    match written {
        Ok(true) => End::Over,
        Ok(false) => end,
        Err(fault) => disk(fault),
    }
}

fn disk(fault: WriteFault) -> End {
    match fault {
        WriteFault::WrongPiece(_) => End::Wrong(fault.to_string()),
        fault => End::Disk(fault),
    }
}
