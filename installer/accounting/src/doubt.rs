//! What is doubtful about the records of a machine.

use std::fmt;

use crate::record::Record;

/// Something about a record that a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It ends before it starts: a clock was set. It counts nothing.
    EndsBeforeItStarts,
    /// It has times after the feed that brought it: a clock was set. It counts as written.
    InTheFuture,
    /// It has no end, and a later record exists. It counts until that one began.
    NoEnd,
    /// It runs into a later record. Each second counts once, for the later one.
    Overlaps,
    /// oned wrote it as running while the machine was off: after a change of a machine that is off.
    RunningWhileOff,
    /// Records with lower numbers are missing: this many.
    MissingBefore(i64),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsBeforeItStarts => f.write_str("ends before it starts; counts nothing"),
            Self::InTheFuture => f.write_str("has times in the future; counts as written"),
            Self::NoEnd => f.write_str("has no end; counts until the next record began"),
            Self::Overlaps => f.write_str("runs into a later record; each second counts once"),
            Self::RunningWhileOff => f.write_str("counts as running, but the machine was off"),
            Self::MissingBefore(1) => f.write_str("one record before it is missing"),
            Self::MissingBefore(n) => write!(f, "{n} records before it are missing"),
        }
    }
}

/// The doubts about one machine: the place of the record in the list, and what. The records are in
/// order of sequence, each with the time of the feed that brought it.
pub fn doubts(records: &[(Record, i64)]) -> Vec<(usize, Doubt)> {
    let mut found = Vec::new();
    let mut expected = 0;
    for (place, (record, fed)) in records.iter().enumerate() {
        let t = &record.times;
        let mut doubt = |what| found.push((place, what));
        if record.sequence > expected {
            doubt(Doubt::MissingBefore(record.sequence - expected));
        }
        expected = record.sequence + 1;
        let end = if t.running_end > 0 { t.running_end } else { t.end };
        if t.running_start > 0 && end > 0 && end < t.running_start {
            doubt(Doubt::EndsBeforeItStarts);
        }
        if t.running_start.max(t.running_end).max(t.end) > *fed {
            doubt(Doubt::InTheFuture);
        }
        let next = records.get(place + 1).map(|(next, _)| next.times);
        if record.is_open() && next.is_some() {
            doubt(Doubt::NoEnd);
        }
        if let Some(next) = next
            && t.running_start > 0
            && next.running_start > 0
            && end > next.running_start
        {
            doubt(Doubt::Overlaps);
        }
        if record.off && t.running_end > t.running_start && t.prolog_start == 0 {
            doubt(Doubt::RunningWhileOff);
        }
    }
    found
}
