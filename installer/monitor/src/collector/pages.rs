//! Which pages of the machine pool to ask for.

use super::PAGE;

/// A page of the machine pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Identifiers from one to another, both included; no end for the last.
    Range(i32, Option<i32>),
    /// So many left out, of those that there are, newest first.
    Offset(i32),
}

impl Asked {
    /// The two parameters of `one.vmpool.info`: a range, or an offset and the size of a page as a
    /// negative number below -1.
    pub(super) fn parameters(self) -> (i32, i32) {
        match self {
            Self::Range(first, last) => (first, last.unwrap_or(-1)),
            Self::Offset(offset) => (offset, -(i32::try_from(PAGE).unwrap_or(i32::MAX))),
        }
    }
}

/// Most pages of one look, so that a server that tells the same page for ever is left.
const MOST: usize = 500;

/// The pages of a look.
#[derive(Debug)]
pub(super) enum Pages {
    Ranges(std::vec::IntoIter<Asked>),
    Offsets { next: Option<i32>, count: usize },
}

/// The pages for machines known so far, in the order of identifiers.
pub(super) fn page_list(known: impl ExactSizeIterator<Item = i32>) -> Pages {
    if known.len() == 0 {
        return Pages::Offsets { next: Some(0), count: 0 };
    }
    let ids: Vec<i32> = known.collect();
    let mut first = 0;
    let mut ranges = Vec::new();
    for page in ids.chunks(PAGE) {
        let last = page.last().copied().unwrap_or(first);
        ranges.push(Asked::Range(first, Some(last)));
        first = last.saturating_add(1);
    }
    // New machines have higher numbers than all that are known.
    if let Some(Asked::Range(_, last)) = ranges.last_mut() {
        *last = None;
    }
    Pages::Ranges(ranges.into_iter())
}

impl Pages {
    pub(super) fn next(&mut self) -> Option<Asked> {
        match self {
            Self::Ranges(ranges) => ranges.next(),
            Self::Offsets { next, .. } => next.take().map(Asked::Offset),
        }
    }

    /// How many machines came with the page at an offset: a full one has another behind it.
    pub(super) fn found(&mut self, machines: usize) {
        if let Self::Offsets { next, count } = self {
            *count += 1;
            let full = machines == PAGE && *count < MOST;
            *next = full.then(|| i32::try_from(*count * PAGE).ok()).flatten();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut pages: Pages) -> Vec<Asked> {
        std::iter::from_fn(|| pages.next()).collect()
    }

    #[test]
    fn ranges_leave_no_gap_and_have_no_end() {
        let ids: Vec<i32> = (0..5000).map(|n| n * 7 + 3).collect();
        let ranges = all(page_list(ids.into_iter()));
        assert_eq!(
            ranges,
            [
                Asked::Range(0, Some(1999 * 7 + 3)),
                Asked::Range(1999 * 7 + 4, Some(3999 * 7 + 3)),
                Asked::Range(3999 * 7 + 4, None),
            ]
        );
        assert_eq!(ranges[2].parameters(), (3999 * 7 + 4, -1));
    }

    #[test]
    fn the_first_time_pages_go_on_until_one_is_not_full() {
        let mut pages = page_list(std::iter::empty::<i32>());
        assert_eq!(pages.next(), Some(Asked::Offset(0)));
        assert_eq!(pages.next(), None);
        pages.found(PAGE);
        assert_eq!(pages.next().map(Asked::parameters), Some((2000, -2000)));
        pages.found(17);
        assert_eq!(pages.next(), None);
    }
}
