//! When a machine ran: from times as oned wrote them to spans that do not overlap.

use std::collections::BTreeSet;

use crate::record::Times;

/// A half-open stretch of time, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first second in it.
    pub from: i64,
    /// The first second after it.
    pub to: i64,
}

/// A window that ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window ends before it starts")]
pub struct WindowError;

impl Window {
    /// The window of these bounds; an empty one is fine.
    pub fn new(from: i64, to: i64) -> Result<Self, WindowError> {
        if to < from { Err(WindowError) } else { Ok(Self { from, to }) }
    }

    /// How many seconds of a span are in it.
    pub fn seconds_of(self, span: &Span) -> i64 {
        (span.to.min(self.to) - span.from.max(self.from)).max(0)
    }
}

/// A stretch of time in which one record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Place of the record in the list that was given.
    pub record: usize,
    /// Its first second.
    pub from: i64,
    /// The first second after it.
    pub to: i64,
}

/// From when to when a record says that its machine ran; empty stretches are none.
///
/// `next_start` is the STIME of the machine's next record, `seen_until` the time up to which the
/// record was seen without an end.
pub fn interval(times: &Times, next_start: Option<i64>, seen_until: i64) -> Option<(i64, i64)> {
    let from = Some(times.running_start).filter(|t| *t > 0)?;
    let known = |t: i64| Some(t).filter(|t| *t > 0);
    let to = known(times.running_end).or(known(times.end)).or(next_start).unwrap_or(seen_until);
    (from < to).then_some((from, to))
}

/// The spans of one machine from the intervals of its records, in order of sequence. Each second
/// belongs to the last record that has it.
pub fn spans(intervals: &[Option<(i64, i64)>]) -> Vec<Span> {
    let mut edges: Vec<(i64, usize, bool)> = Vec::with_capacity(2 * intervals.len());
    for (record, interval) in intervals.iter().enumerate() {
        if let Some((from, to)) = *interval
            && from < to
        {
            edges.push((from, record, true));
            edges.push((to, record, false));
        }
    }
    edges.sort_unstable();
    let mut active = BTreeSet::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut since = 0;
    for (at, record, begins) in edges {
        if let Some(winner) = active.last()
            && since < at
        {
            extend(&mut spans, Span { record: *winner, from: since, to: at });
        }
        since = at;
        if begins {
            active.insert(record)
        } else {
            active.remove(&record)
        };
    }
    spans
}

fn extend(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.record == span.record && last.to == span.from => last.to = span.to,
        _ => spans.push(span),
    }
}
