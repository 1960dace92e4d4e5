//! How far readers may go, and why they get no further.

use super::{Object, State, Verdict, check};
use crate::fill;
use crate::source::Origin;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use stratus_cache_policy::flight::{Run, Step};

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

/// Transfers that were given up.
#[derive(Default)]
pub(super) struct GivenUp {
    /// How often that happened.
    pub(super) times: u64,
    /// The last time: what it did not bring, and why.
    pub(super) last: Option<(Range<u64>, Broken)>,
}

impl GivenUp {
    /// Why a byte did not come, if that was given up after `seen` times.
    fn why(&self, seen: u64, is_it: impl Fn(&Range<u64>) -> bool) -> Option<Broken> {
        let (bytes, why) = self.last.as_ref().filter(|_| self.times > seen)?;
        is_it(bytes).then(|| why.clone())
    }
}

impl Object {
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
