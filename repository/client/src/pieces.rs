//! Which bytes to ask for, decided from what is there: pure, so that each plan is a table in a test.

use std::ops::Range;

/// Smallest rest of an image that several connections are worth for: 64 MiB.
pub const PARALLEL_FROM: u64 = 64 << 20;
/// Least and most pieces of one request when several connections share the work.
const SHARE: Range<u64> = 2..16;

/// The consecutive pieces of a file, and which of them are here and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Bytes in the file.
    bytes: u64,
    /// Bytes in each piece but the last.
    size: u64,
    here: Vec<bool>,
}

impl Pieces {
    /// None of a file's pieces; `size` is at least 1.
    pub fn none(bytes: u64, size: u64) -> Self {
        let size = size.max(1);
        let count = usize::try_from(bytes.div_ceil(size)).unwrap_or(usize::MAX);
        Self { bytes, size, here: vec![false; count] }
    }

    /// Number of pieces.
    pub fn count(&self) -> usize {
        self.here.len()
    }

    /// The bytes of a piece.
    pub fn range(&self, index: usize) -> Range<u64> {
        let start = (index as u64).saturating_mul(self.size).min(self.bytes);
        start..start.saturating_add(self.size).min(self.bytes)
    }

    /// Notes that a piece is here.
    pub fn add(&mut self, index: usize) {
        if let Some(here) = self.here.get_mut(index) {
            *here = true;
        }
    }

    /// Whether a piece is here.
    pub fn has(&self, index: usize) -> bool {
        self.here.get(index).copied().unwrap_or(false)
    }

    /// How many bytes are here.
    pub fn bytes_here(&self) -> u64 {
        (0..self.count()).filter(|i| self.has(*i)).map(|i| length(&self.range(i))).sum()
    }

    /// Whether all are.
    pub fn complete(&self) -> bool {
        self.here.iter().all(|here| *here)
    }

    /// The end of the run of pieces that are here, beginning with the one that holds `offset`; the
    /// offset itself where that one is missing.
    pub fn here_until(&self, offset: u64) -> u64 {
        let mut end = offset;
        let first = usize::try_from(offset / self.size).unwrap_or(usize::MAX);
        for index in (first..self.count()).take_while(|index| self.has(*index)) {
            end = self.range(index).end;
        }
        end.max(offset)
    }

    /// The missing pieces as requests: runs of piece numbers, none longer than `share` bytes (but at
    /// least one piece), in the order of the file.
    pub fn missing(&self, share: u64) -> Vec<Range<usize>> {
        let most = usize::try_from((share / self.size).max(1)).unwrap_or(usize::MAX);
        let mut runs: Vec<Range<usize>> = Vec::new();
        for index in (0..self.count()).filter(|index| !self.has(*index)) {
            match runs.last_mut() {
                Some(run) if run.end == index && run.len() < most => run.end += 1,
                _ => runs.push(index..index + 1),
            }
        }
        runs
    }
}

/// How many connections to use, and how many bytes to ask for at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Connections.
    pub connections: usize,
    /// Most bytes in one request.
    pub bytes: u64,
}

/// Divides `missing` bytes among at most `connections`.
///
/// Several are used only where the file can be taken in pieces of `piece` bytes (the manifest lists
/// them, the server serves ranges) and at least `worth` bytes are missing.
pub fn shares(missing: u64, connections: usize, piece: Option<u64>, worth: u64) -> Shares {
    let Some(piece) = piece.filter(|_| connections > 1 && missing >= worth) else {
        return Shares { connections: 1, bytes: u64::MAX };
    };
    // Several requests for each connection: the slowest connection holds up only its last share.
    let least = piece.saturating_mul(SHARE.start);
    let most = piece.saturating_mul(SHARE.end);
    let bytes = (missing / (connections as u64).saturating_mul(4)).clamp(least, most);
    let useful = usize::try_from(missing.div_ceil(bytes.max(1))).unwrap_or(connections);
    Shares { connections: connections.min(useful), bytes }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "tables of ranges")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn missing_pieces_are_asked_for_in_runs() {
        let mut pieces = Pieces::none(95, 10);
        assert_eq!(pieces.count(), 10);
        assert_eq!(pieces.range(9), 90..95);
        assert_eq!(pieces.missing(u64::MAX), [0..10]);
        for i in [0, 1, 4] {
            pieces.add(i);
        }
        assert_eq!(pieces.missing(u64::MAX), [2..4, 5..10]);
        assert_eq!(pieces.missing(25), [2..4, 5..7, 7..9, 9..10]);
        assert_eq!(pieces.missing(1).len(), 7);
        assert_eq!(pieces.bytes_here(), 30);
        pieces.add(9);
        pieces.add(99);
        assert_eq!(pieces.bytes_here(), 35);
    }

    #[test]
    fn what_can_be_read_in_order_ends_at_the_first_gap() {
        let mut pieces = Pieces::none(35, 10);
        assert_eq!(pieces.here_until(0), 0);
        pieces.add(0);
        pieces.add(1);
        pieces.add(3);
        for (offset, end) in [(0, 20), (5, 20), (20, 20), (25, 25), (30, 35), (34, 35), (35, 35)] {
            assert_eq!(pieces.here_until(offset), end, "{offset}");
        }
    }

    #[test]
    fn several_connections_only_where_they_help() {
        let one = Shares { connections: 1, bytes: u64::MAX };
        let shares =
            |missing, connections, piece| shares(missing, connections, piece, PARALLEL_FROM);
        let piece = Some(4 << 20);
        assert_eq!(shares(1 << 30, 1, piece), one);
        assert_eq!(shares(1 << 30, 4, None), one);
        assert_eq!(shares(PARALLEL_FROM - 1, 4, piece), one);
        assert_eq!(shares(PARALLEL_FROM, 4, piece), Shares { connections: 4, bytes: 8 << 20 });
        assert_eq!(shares(PARALLEL_FROM, 100, piece), Shares { connections: 8, bytes: 8 << 20 });
        assert_eq!(shares(1 << 40, 4, piece), Shares { connections: 4, bytes: 64 << 20 });
    }

    proptest! {
        #[test]
        fn missing_runs_cover_exactly_what_is_missing(
            bytes in 0u64..300, size in 1u64..40, here in proptest::collection::vec(0usize..40, 0..20), share in 1u64..100,
        ) {
            let mut pieces = Pieces::none(bytes, size);
            for i in here {
                pieces.add(i);
            }
            let runs = pieces.missing(share);
            let asked: Vec<usize> = runs.iter().flat_map(Clone::clone).collect();
            let missing: Vec<usize> = (0..pieces.count()).filter(|i| !pieces.has(*i)).collect();
            prop_assert_eq!(&asked, &missing);
            for run in runs {
                prop_assert!(run.len() == 1 || run.len() as u64 * size <= share);
            }
            for i in asked {
                pieces.add(i);
            }
            prop_assert!(pieces.complete());
            prop_assert_eq!(pieces.bytes_here(), bytes);
        }
    }
}
