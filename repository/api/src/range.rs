//! Which bytes a `Range` asks for, and how an upload with `Content-Range` goes on (RFC 9110
//! section 14).

use crate::conditional::{EntityTag, Validators};
use crate::date;
use std::ops::Range;

mod upload;

pub use upload::{ContentRange, ContentRangeError, Resume, ResumeError, continue_at};

/// Longest `Range` header that is looked at, in bytes.
const HEADER_LIMIT: usize = 4096;
/// Most ranges in a header before they are joined.
const WRITTEN_LIMIT: usize = 128;
/// Most ranges in an answer.
pub const RANGE_LIMIT: usize = 16;
/// Ranges closer than this are joined: a part's own header costs about as much (section 15.3.7.2).
const GAP: u64 = 80;
/// More ranges than this on top of each other are no honest request (section 14.2).
const OVERLAP_LIMIT: usize = 2;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSet {
    /// Everything, with 200: no range was asked for, or the header is one that may be ignored.
    Whole,
    /// One range, with 206 and `Content-Range`. Never empty, never past the end.
    Single(Range<u64>),
    /// 2 to [`RANGE_LIMIT`] disjoint ranges, with 206 and `multipart/byteranges`, in the order asked
    /// for.
    Multi(Vec<Range<u64>>),
    /// Nothing of it exists: 416 with [`unsatisfied`].
    Unsatisfiable,
}

/// Reads a `Range` header for a representation of `length` bytes.
///
/// Another unit than bytes, a syntax error, more than two ranges on top of each other, or more than
/// [`RANGE_LIMIT`] after joining are answered with the whole, as section 14.2 allows.
pub fn parse(header: &str, length: u64) -> RangeSet {
    let Some(written) = specifiers(header) else { return RangeSet::Whole };
    let wanted: Vec<Range<u64>> = written.iter().filter_map(|spec| spec.within(length)).collect();
    if wanted.is_empty() {
        // A suffix of an empty file is satisfiable, and is the file.
        let suffix = written.iter().any(|s| matches!(s, Spec::Suffix(n) if *n > 0));
        return if length == 0 && suffix { RangeSet::Whole } else { RangeSet::Unsatisfiable };
    }
    if deepest_overlap(&wanted) > OVERLAP_LIMIT {
        return RangeSet::Whole;
    }
    let mut joined = join(wanted);
    match joined.len() {
        1 => RangeSet::Single(joined.remove(0)),
        2..=RANGE_LIMIT => RangeSet::Multi(joined),
        _ => RangeSet::Whole,
    }
}

/// Whether a `Range` is to be honoured at all: there is no `If-Range`, or it names exactly what we
/// have (section 13.1.5, strong comparison).
///
/// A date counts when it equals `Last-Modified`; published bytes never change, so our dates are
/// strong validators.
pub fn if_range_holds(header: Option<&str>, current: &Validators) -> bool {
    let Some(text) = header.map(str::trim) else { return true };
    if text.starts_with('"') || text.starts_with("W/") {
        return EntityTag::parse(text).is_some_and(|tag| tag.strongly_equals(&current.etag));
    }
    match (date::parse(text), current.modified) {
        (Some(asked), Some(modified)) => asked.as_second() == modified.as_second(),
        _ => false,
    }
}

/// `Content-Range` of a part of `length` bytes; the range must not be empty.
pub fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1))
}

/// `Content-Range` of a 416.
pub fn unsatisfied(length: u64) -> String {
    format!("bytes */{length}")
}

#[derive(Clone, Copy, Debug)]
enum Spec {
    From(u64),
    Between(u64, u64),
    Suffix(u64),
}

impl Spec {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Suffix(saturating(last)?)),
            (first, "") => Some(Self::From(saturating(first)?)),
            (first, last) => {
                let (first, last) = (saturating(first)?, saturating(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..length,
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::Suffix(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// A number of any length; what does not fit into 64 bits lies behind the end of every file.
fn saturating(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u64::MAX))
}

fn specifiers(header: &str) -> Option<Vec<Spec>> {
    if header.len() > HEADER_LIMIT {
        return None;
    }
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A list may have empty elements (section 5.6.1.2).
    let written: Vec<&str> = set.split(',').map(trim).filter(|s| !s.is_empty()).collect();
    if written.is_empty() || written.len() > WRITTEN_LIMIT {
        return None;
    }
    written.into_iter().map(Spec::parse).collect()
}

/// Optional white space of RFC 9110 section 5.6.3.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// How many of the ranges share their busiest byte.
fn deepest_overlap(ranges: &[Range<u64>]) -> usize {
    ranges
        .iter()
        .map(|r| ranges.iter().filter(|other| other.contains(&r.start)).count())
        .max()
        .unwrap_or_default()
}

/// Joins what touches; a joined range stays at the place of its first member.
fn join(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for mut range in ranges {
        // A range that grows may touch others that stood apart before.
        let mut place = joined.len();
        while let Some(at) = joined.iter().position(|r| touch(r, &range)) {
            let other = joined.remove(at);
            range = range.start.min(other.start)..range.end.max(other.end);
            place = place.min(at);
        }
        joined.insert(place.min(joined.len()), range);
    }
    joined
}

fn touch(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start <= b.end.saturating_add(GAP) && b.start <= a.end.saturating_add(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn multi(ranges: &[Range<u64>]) -> RangeSet {
        RangeSet::Multi(ranges.to_vec())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (header, expected) in [
            ("bytes=0-499", RangeSet::Single(0..500)),
            ("bytes=500-999", RangeSet::Single(500..1000)),
            ("bytes=-500", RangeSet::Single(9500..10000)),
            ("bytes=9500-", RangeSet::Single(9500..10000)),
            ("bytes=0-0,-1", multi(&[0..1, 9999..10000])),
            ("bytes= 0-999, 4500-5499, -1000", multi(&[0..1000, 4500..5500, 9000..10000])),
            ("bytes=500-600,601-999", RangeSet::Single(500..1000)),
            ("bytes=500-700,601-999", RangeSet::Single(500..1000)),
        ] {
            assert_eq!(parse(header, 10_000), expected, "{header}");
        }
    }

    #[test]
    fn ends_are_cut_and_what_lies_behind_is_unsatisfiable() {
        for (header, length, expected) in [
            ("bytes=0-", 1, RangeSet::Single(0..1)),
            ("bytes=5-99", 10, RangeSet::Single(5..10)),
            ("bytes=-99", 10, RangeSet::Single(0..10)),
            ("bytes=10-", 10, RangeSet::Unsatisfiable),
            ("bytes=-0", 10, RangeSet::Unsatisfiable),
            ("bytes=99999999999999999999-", 10, RangeSet::Unsatisfiable),
            ("bytes=0-99999999999999999999", 10, RangeSet::Single(0..10)),
            ("bytes=0-", 0, RangeSet::Unsatisfiable),
            ("bytes=-5", 0, RangeSet::Whole),
            ("bytes=20-30,0-1", 10, RangeSet::Single(0..2)),
            ("bytes=0-18446744073709551615", u64::MAX, RangeSet::Single(0..u64::MAX)),
        ] {
            assert_eq!(parse(header, length), expected, "{header} of {length}");
        }
    }

    #[test]
    fn what_may_be_ignored_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=-",
            "bytes=1",
            "bytes=0--1",
            "bytes=+1-2",
            "bytes=0-1;x",
            "items=0-1",
            "bytes 0-1",
            "bytes=0x1-2",
            "bytes=1-2-3",
            "bytes=0-9,5-14,7-20",
        ] {
            assert_eq!(parse(header, 10_000), RangeSet::Whole, "{header:?}");
        }
    }

    #[test]
    fn silly_sets_are_answered_with_the_whole() {
        let spread = |n: u64| {
            let list: Vec<String> = (0..n).map(|i| format!("{0}-{0}", i * 1000)).collect();
            format!("bytes={}", list.join(","))
        };
        assert!(matches!(parse(&spread(16), 1 << 30), RangeSet::Multi(r) if r.len() == 16));
        assert_eq!(parse(&spread(17), 1 << 30), RangeSet::Whole);
        assert_eq!(parse(&spread(1000), 1 << 30), RangeSet::Whole);
        let same = format!("bytes={}", vec!["0-"; 100].join(","));
        assert_eq!(parse(&same, 1 << 30), RangeSet::Whole);
        assert_eq!(parse(&format!("bytes={}", "0-1,".repeat(2000)), 1 << 30), RangeSet::Whole);
    }

    #[test]
    fn parts_come_in_the_order_asked_for() {
        assert_eq!(parse("bytes=5000-5999,0-99,6000-6009", 10_000), multi(&[5000..6010, 0..100]));
    }

    #[test]
    fn if_range_wants_exactly_what_we_have() {
        let current = Validators {
            etag: EntityTag::strong("abc").unwrap(),
            modified: Some("2026-11-20T10:00:00Z".parse().unwrap()),
        };
        for (header, holds) in [
            (None, true),
            (Some("\"abc\""), true),
            (Some("\"abd\""), false),
            (Some("W/\"abc\""), false),
            (Some("Fri, 20 Nov 2026 10:00:00 GMT"), true),
            (Some("Fri, 20 Nov 2026 10:00:01 GMT"), false),
            (Some("nonsense"), false),
            (Some(""), false),
        ] {
            assert_eq!(if_range_holds(header, &current), holds, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn answers_are_inside_and_disjoint(
            header in "bytes=([0-9]{0,4}-[0-9]{0,4},?){1,30}",
            length in 0u64..5000,
        ) {
            let ranges = match parse(&header, length) {
                RangeSet::Single(range) => vec![range],
                RangeSet::Multi(ranges) => ranges,
                RangeSet::Whole | RangeSet::Unsatisfiable => vec![],
            };
            prop_assert!(ranges.len() <= RANGE_LIMIT);
            for (i, range) in ranges.iter().enumerate() {
                prop_assert!(range.start < range.end && range.end <= length);
                for other in &ranges[i + 1..] {
                    prop_assert!(!touch(range, other));
                }
            }
        }

        #[test]
        fn no_header_breaks_the_parsers(header in "\\PC{0,60}", length: u64) {
            let whole = parse(&header, length);
            prop_assert!(!matches!(whole, RangeSet::Multi(r) if r.len() < 2));
        }
    }
}
