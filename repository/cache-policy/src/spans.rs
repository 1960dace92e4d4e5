//! Which bytes of something are there: a set of ranges.

use std::ops::Range;

/// Disjoint ranges in order, no two touching, none empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Range<u64>>);

impl Spans {
    /// Of one range.
    pub fn of(range: Range<u64>) -> Self {
        let mut spans = Self::default();
        spans.insert(range);
        spans
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().cloned()
    }

    /// Bytes in all ranges.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a range; what is there already stays.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|span| span.end < range.start);
        let last = self.0.partition_point(|span| span.start <= range.end);
        let joined = match self.0.get(first..last) {
            Some([only]) => range.start.min(only.start)..range.end.max(only.end),
            Some([from, .., to]) => range.start.min(from.start)..range.end.max(to.end),
            _ => range,
        };
        self.0.splice(first..last, [joined]);
    }

    /// Takes a range away.
    pub fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|span| span.end <= range.start);
        let last = self.0.partition_point(|span| span.start < range.end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let before = touched.first().map(|span| span.start..range.start);
        let after = touched.last().map(|span| range.end..span.end);
        let kept: Vec<Range<u64>> =
            before.into_iter().chain(after).filter(|part| !part.is_empty()).collect();
        self.0.splice(first..last, kept);
    }

    /// The range that this byte is in.
    pub fn around(&self, byte: u64) -> Option<Range<u64>> {
        let at = self.0.partition_point(|span| span.end <= byte);
        self.0.get(at).filter(|span| span.start <= byte).cloned()
    }

    /// How far it goes on without a gap from here; `byte` itself if it is not there.
    pub fn reach(&self, byte: u64) -> u64 {
        self.around(byte).map_or(byte, |span| span.end)
    }

    /// Whether every byte of the range is there.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.reach(range.start) >= range.end
    }

    /// The parts of a range that are not there, in order.
    pub fn gaps(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut from = range.start;
        let first = self.0.partition_point(|span| span.end <= range.start);
        for span in self.0.iter().skip(first).take_while(|span| span.start < range.end) {
            if from < span.start {
                gaps.push(from..span.start);
            }
            from = span.end;
        }
        if from < range.end {
            gaps.push(from..range.end);
        }
        gaps
    }

    /// The first range from here on that has at least so many bytes.
    pub fn next_of(&self, from: u64, bytes: u64) -> Option<Range<u64>> {
        let first = self.0.partition_point(|span| span.start < from);
        self.0.iter().skip(first).find(|span| span.end - span.start >= bytes).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPACE: usize = 40;

    fn byte(at: usize) -> u64 {
        at as u64
    }

    fn set(spans: &Spans) -> Vec<bool> {
        (0..SPACE).map(|at| spans.around(byte(at)).is_some()).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_bytes(
            steps in prop::collection::vec((any::<bool>(), 0..SPACE, 0..12_usize), 0..30),
            asked in (0..SPACE, 0..20_usize),
        ) {
            let (mut spans, mut model) = (Spans::default(), [false; SPACE]);
            for (add, start, length) in steps {
                let range = start..(start + length).min(SPACE);
                model[range.clone()].fill(add);
                let range = byte(range.start)..byte(range.end);
                if add { spans.insert(range) } else { spans.remove(&range) }
                prop_assert_eq!(set(&spans), model.to_vec());
                let apart = spans.0.windows(2).all(|pair| pair[0].end < pair[1].start);
                prop_assert!(apart && spans.0.iter().all(|span| !span.is_empty()));
            }
            prop_assert_eq!(spans.bytes(), byte(model.iter().filter(|there| **there).count()));
            let asked = asked.0..(asked.0 + asked.1).min(SPACE);
            let missing: Vec<u64> = asked.clone().filter(|at| !model[*at]).map(byte).collect();
            let asked = byte(asked.start)..byte(asked.end);
            let gaps: Vec<u64> = spans.gaps(&asked).into_iter().flatten().collect();
            prop_assert_eq!(spans.covers(&asked), missing.is_empty());
            prop_assert_eq!(gaps, missing);
        }
    }

    #[test]
    fn a_long_enough_one_is_found() {
        let mut spans = Spans::of(10..12);
        spans.insert(20..30);
        assert_eq!(spans.next_of(0, 1), Some(10..12));
        assert_eq!(spans.next_of(0, 5), Some(20..30));
        assert_eq!(spans.next_of(11, 1), Some(20..30));
        assert_eq!(spans.next_of(21, 1), None);
    }
}
