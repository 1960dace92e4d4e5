//! One object on its way in, many readers: which transfers to start, and how far each may go.
//!
//! A *run* is one upstream transfer of consecutive bytes. Readers say where they stand; the flight
//! answers whether to wait for a run that comes by soon, or to start another. It is a value: the
//! caller does the transfers and tells what arrived.

use crate::spans::Spans;
use std::ops::Range;

/// A reader waits for a run that has at most so many bytes to go until it is there.
const NEAR: u64 = 16 << 20;
/// What is there in pieces smaller than this is received once more rather than asked around.
const SKIP: u64 = 1 << 20;
/// A run for a part of the object goes on to a multiple of this.
const AHEAD: u64 = 1 << 20;
/// Most runs at once.
const RUNS: usize = 8;

/// Names a run of one flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId(u32);

/// One transfer under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// Where the next byte goes.
    pub at: u64,
    /// Where it stops, exclusive; `None`: at the end, wherever that is.
    pub end: Option<u64>,
}

/// What a reader should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes are there, up to here.
    Ready(u64),
    /// They are coming.
    Wait,
    /// Start this transfer, then wait.
    Start(Run),
}

/// What is there of an object, and what is coming.
#[derive(Clone, Debug)]
pub struct Flight {
    total: Option<u64>,
    /// Bytes are served in whole units, because each is checked first; 1 where nothing is.
    unit: u64,
    present: Spans,
    runs: Vec<Run>,
    started: u32,
}

impl Flight {
    /// Of an object of `total` bytes, if that is known, served in units of `unit` bytes.
    pub fn new(total: Option<u64>, unit: u64, present: Spans) -> Self {
        Self { total, unit: unit.max(1), present, runs: Vec::new(), started: 0 }
    }

    /// The size, if it is known.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// What is there.
    pub fn present(&self) -> &Spans {
        &self.present
    }

    /// Transfers under way.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether every byte is there.
    pub fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| self.present.covers(&(0..total)))
    }

    /// A reader is at `at` and wants all up to `until` (`None`: the end).
    pub fn want(&mut self, at: u64, until: Option<u64>) -> Step {
        let reach = self.present.reach(at);
        if reach > at || self.total.is_some_and(|total| at >= total) {
            return Step::Ready(reach);
        }
        let comes_by = |run: &Run| run.end.is_none_or(|end| at < end) && run.at <= at;
        if self.runs.iter().any(|run| comes_by(run) && at - run.at <= NEAR)
            || self.runs.len() >= RUNS
            || (self.total.is_none() && !self.runs.is_empty())
        {
            return Step::Wait;
        }
        Step::Start(self.start(at, until))
    }

    /// A run for everything that is still missing after the first gap; `None` if nothing is missing
    /// or all of it is coming.
    pub fn fill(&mut self) -> Option<Run> {
        let total = self.total?;
        let gaps = self.present.gaps(&(0..total));
        let is_coming = |gap: &Range<u64>| {
            let by = |run: &Run| run.at <= gap.start && run.end.is_none_or(|end| gap.start < end);
            self.runs.iter().any(by)
        };
        let gap = gaps.into_iter().find(|gap| !is_coming(gap))?;
        (self.runs.len() < RUNS).then(|| self.start(gap.start, None))
    }

    /// A transfer that began before the flight did: of these bytes, or of all to the end.
    pub fn began(&mut self, at: u64, end: Option<u64>) -> Run {
        self.add(at, end.or(self.total))
    }

    /// A new run that brings `at`, and ends where others, or enough bytes, begin.
    fn start(&mut self, at: u64, until: Option<u64>) -> Run {
        let at = at - at % self.unit;
        let ahead = AHEAD.max(self.unit);
        let asked = until.map(|until| until.saturating_add(ahead - 1) / ahead * ahead);
        let there = self.present.next_of(at, SKIP).map(|span| span.start);
        // Up to what another run has brought already, not only to where it is by now.
        let brought = |other: u64| self.present.around(other - 1).map_or(other, |span| span.start);
        let other = self.runs.iter().map(|run| run.at).filter(|other| *other > at).min();
        let other = other.map(brought);
        let end = [asked, there, other, self.total].into_iter().flatten().min();
        for run in self.runs.iter_mut().filter(|run| run.at <= at) {
            // Whoever comes from behind need not bring it again.
            if run.end.is_none_or(|its| its > at) {
                run.end = Some(at);
            }
        }
        self.add(at, end)
    }

    fn add(&mut self, at: u64, end: Option<u64>) -> Run {
        self.started += 1;
        let run = Run { id: RunId(self.started), at, end };
        self.runs.push(run.clone());
        run
    }

    /// A run as it is now; `None` when it is over.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// Bytes of a run arrived and may be served from now on. Answers whether the run has all it is
    /// for; it is over then.
    pub fn arrived(&mut self, id: RunId, bytes: Range<u64>) -> bool {
        self.present.insert(bytes.clone());
        let Some(run) = self.runs.iter_mut().find(|run| run.id == id) else { return true };
        run.at = run.at.max(bytes.end);
        let is_over = run.end.is_some_and(|end| run.at >= end);
        if is_over {
            self.over(id);
        }
        is_over
    }

    /// A run ended, well or not.
    pub fn over(&mut self, id: RunId) {
        self.runs.retain(|run| run.id != id);
    }

    /// The size is known now: where the upstream ended, or what it said.
    pub fn ends_at(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// Bytes turned out to be wrong.
    pub fn lost(&mut self, bytes: &Range<u64>) {
        self.present.remove(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn started(step: Step) -> Run {
        match step {
            Step::Start(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn readers_of_a_cold_object_share_one_run() {
        let mut flight = Flight::new(Some(4096 * MIB), 1, Spans::default());
        let run = started(flight.want(0, None));
        assert_eq!((run.at, run.end), (0, Some(4096 * MIB)));
        assert_eq!(flight.want(0, None), Step::Wait);
        assert_eq!(flight.want(10 * MIB, Some(11 * MIB)), Step::Wait);
        assert!(!flight.arrived(run.id, 0..2 * MIB));
        assert_eq!(flight.want(MIB, None), Step::Ready(2 * MIB));
    }

    #[test]
    fn a_reader_far_ahead_gets_a_run_of_its_own_and_nothing_comes_twice() {
        let mut flight = Flight::new(Some(4096 * MIB), 1, Spans::default());
        let first = started(flight.want(0, None));
        let far = started(flight.want(2000 * MIB + 5, Some(2000 * MIB + 70)));
        assert_eq!((far.at, far.end), (2000 * MIB + 5, Some(2001 * MIB)));
        assert_eq!(flight.run(first.id).unwrap().end, Some(2000 * MIB + 5));
        assert!(flight.arrived(far.id, far.at..2001 * MIB));
        assert!(flight.arrived(first.id, 0..2000 * MIB + 5));
        let rest = started(flight.want(2001 * MIB, None));
        assert_eq!((rest.at, rest.end), (2001 * MIB, Some(4096 * MIB)));
    }

    #[test]
    fn what_another_run_has_just_brought_is_not_asked_for_again() {
        let mut flight = Flight::new(Some(8 * MIB), 1, Spans::default());
        let first = started(flight.want(1000, None));
        assert!(!flight.arrived(first.id, 1000..500_000));
        let before = started(flight.want(0, None));
        assert_eq!((before.at, before.end), (0, Some(1000)));
    }

    #[test]
    fn units_are_brought_whole() {
        let mut flight = Flight::new(Some(10 * MIB), 4 * MIB, Spans::default());
        let run = started(flight.want(5 * MIB, Some(5 * MIB + 1)));
        assert_eq!((run.at, run.end), (4 * MIB, Some(8 * MIB)));
        let tail = started(flight.want(9 * MIB, Some(9 * MIB + 1)));
        assert_eq!((tail.at, tail.end), (8 * MIB, Some(10 * MIB)));
    }

    #[test]
    fn what_is_there_in_large_pieces_is_not_asked_for_again() {
        let mut present = Spans::of(2 * MIB..4 * MIB);
        present.insert(6 * MIB..6 * MIB + 10);
        let mut flight = Flight::new(Some(8 * MIB), 1, present);
        let run = started(flight.want(0, None));
        assert_eq!(run.end, Some(2 * MIB));
        assert!(flight.arrived(run.id, 0..2 * MIB));
        let run = flight.fill().unwrap();
        assert_eq!((run.at, run.end), (4 * MIB, Some(8 * MIB)), "over the small piece");
        assert_eq!(flight.fill(), None);
        assert!(flight.arrived(run.id, 4 * MIB..8 * MIB));
        assert!(flight.is_complete());
    }

    #[test]
    fn an_unknown_length_is_one_run() {
        let mut flight = Flight::new(None, 1, Spans::default());
        let run = started(flight.want(0, None));
        assert_eq!(run.end, None);
        assert_eq!(flight.want(500 * MIB, None), Step::Wait);
        assert!(!flight.arrived(run.id, 0..10));
        flight.ends_at(10);
        flight.over(run.id);
        assert!(flight.is_complete());
        assert_eq!(flight.want(10, None), Step::Ready(10));
    }

    proptest! {
        /// Whatever readers do and however transfers break, each reader gets to its end, and no run
        /// brings a byte that another run brings.
        #[test]
        fn every_reader_arrives(
            total in 1..60_u64,
            unit in prop::sample::select(vec![1, 4]),
            readers in prop::collection::vec((0..60_u64, prop::option::of(1..60_u64)), 1..6),
            pieces in prop::collection::vec((1..9_u64, 0..4_usize, any::<bool>()), 1..40),
        ) {
            let scale = MIB;
            let total = total * scale;
            let unit = unit * MIB;
            let mut flight = Flight::new(Some(total), unit, Spans::default());
            let mut readers: Vec<(u64, u64)> = readers
                .into_iter()
                .map(|(at, len)| {
                    let at = (at * scale).min(total);
                    (at, len.map_or(total, |len| (at + len * scale).min(total)))
                })
                .collect();
            // Not everything breaks for ever.
            let mut pieces = pieces.into_iter().chain([(4, 0, false)]).cycle();
            for _round in 0..2000 {
                for (at, until) in &mut readers {
                    if at < until {
                        match flight.want(*at, Some(*until)) {
                            Step::Ready(reach) => *at = reach.min(*until),
                            Step::Wait => prop_assert!(!flight.runs().is_empty()),
                            Step::Start(run) => prop_assert!(run.at <= *at),
                        }
                    }
                }
                let mut runs: Vec<Range<u64>> =
                    flight.runs().iter().map(|r| r.at..r.end.unwrap_or(total)).collect();
                runs.sort_by_key(|run| run.start);
                prop_assert!(runs.windows(2).all(|pair| pair[0].end <= pair[1].start));
                if readers.iter().all(|(at, until)| at >= until) {
                    return Ok(());
                }
                let (count, which, breaks) = pieces.next().unwrap();
                if let Some(run) = flight.runs().get(which % flight.runs().len().max(1)).cloned() {
                    if breaks {
                        flight.over(run.id);
                    } else {
                        let to = (run.at + count * unit).min(run.end.unwrap_or(total));
                        flight.arrived(run.id, run.at..to);
                    }
                }
            }
            prop_assert!(readers.iter().all(|(at, until)| at >= until), "{readers:?} {flight:?}");
        }
    }
}
