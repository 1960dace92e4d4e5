//! How an upload with `Content-Range` goes on (RFC 9110 sections 14.4 and 14.5).

use crate::text::{number, printable};
use std::fmt;

/// What the `Content-Range` of a PUT says (section 14.4, 14.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total`, or `/*` while the total is not known.
    Part {
        /// First byte.
        first: u64,
        /// Last byte, included.
        last: u64,
        /// Size of the whole file.
        total: Option<u64>,
    },
    /// `bytes */total`: no bytes, only the question how far the upload is.
    Question {
        /// Size of the whole file.
        total: u64,
    },
}

/// A `Content-Range` that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{header}` is not a Content-Range for an upload: {reason}")]
pub struct ContentRangeError {
    /// What was sent, shortened.
    pub header: String,
    /// Why it is refused.
    pub reason: &'static str,
}

impl ContentRange {
    /// Reads the header strictly: a mistake here would put bytes in the wrong place.
    pub fn parse(header: &str) -> Result<Self, ContentRangeError> {
        let wrong = |reason| ContentRangeError { header: printable(header), reason };
        let (unit, rest) =
            header.split_once(' ').ok_or_else(|| wrong("write `bytes first-last/total`"))?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return Err(wrong("the unit is not bytes"));
        }
        let (range, total) =
            rest.split_once('/').ok_or_else(|| wrong("it has no `/total` or `/*`"))?;
        let total = match total {
            "*" => None,
            digits => Some(number(digits).ok_or_else(|| wrong("the total is not a number"))?),
        };
        if range == "*" {
            let total = total.ok_or_else(|| wrong("it says nothing"))?;
            return Ok(Self::Question { total });
        }
        let (first, last) = range.split_once('-').ok_or_else(|| wrong("it has no `first-last`"))?;
        let first = number(first).ok_or_else(|| wrong("the first byte is not a number"))?;
        let last = number(last).ok_or_else(|| wrong("the last byte is not a number"))?;
        if last < first {
            return Err(wrong("it ends before it begins"));
        }
        // `last + 1` must exist as an offset.
        if last == u64::MAX || total.is_some_and(|total| last >= total) {
            return Err(wrong("it goes past the total"));
        }
        Ok(Self::Part { first, last, total })
    }

    /// How many bytes the body has.
    pub fn length(&self) -> u64 {
        match self {
            Self::Part { first, last, .. } => last - first + 1,
            Self::Question { .. } => 0,
        }
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { first, last, total: Some(total) } => {
                write!(f, "bytes {first}-{last}/{total}")
            }
            Self::Part { first, last, total: None } => write!(f, "bytes {first}-{last}/*"),
            Self::Question { total } => write!(f, "bytes */{total}"),
        }
    }
}

/// What to do with the body of a PUT that has a [`ContentRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It begins where the staged bytes end: append it.
    Append,
    /// It is the whole file from the first byte: forget what is staged. `curl -C - -T` does this,
    /// as it cannot ask how far the server is.
    Restart,
}

/// A PUT that does not fit to what is staged. Each says where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// The part begins within what is here already.
    #[error("the part overlaps what has arrived; go on from byte {offset}")]
    Overlap {
        /// Where to go on.
        offset: u64,
    },
    /// The part begins behind what is here.
    #[error("the part leaves a gap after what has arrived; go on from byte {offset}")]
    Gap {
        /// Where to go on.
        offset: u64,
    },
    /// The file has another size than was said before.
    #[error(
        "this upload was begun for a file of {known} bytes, not {said}; go on from byte {offset} of that file"
    )]
    TotalChanged {
        /// Where to go on.
        offset: u64,
        /// The size said first.
        known: u64,
        /// The size said now, or the end of the part when that lies behind the known end.
        said: u64,
    },
    /// There was only the question how far the upload is; this is the answer.
    #[error("{offset} bytes have arrived; go on from there")]
    Asked {
        /// Where to go on.
        offset: u64,
    },
}

impl ResumeError {
    /// Where to go on, in bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        match *self {
            Self::Overlap { offset }
            | Self::Gap { offset }
            | Self::TotalChanged { offset, .. }
            | Self::Asked { offset } => offset,
        }
    }
}

/// Decides whether a part may follow `offset_have` staged bytes of a file of `total_have` bytes
/// (if its size has been said).
pub fn continue_at(
    offset_have: u64,
    total_have: Option<u64>,
    content_range: &ContentRange,
) -> Result<Resume, ResumeError> {
    let offset = offset_have;
    let changed = |said| match total_have {
        Some(known) if known != said => Err(ResumeError::TotalChanged { offset, known, said }),
        _ => Ok(()),
    };
    let (first, last, total) = match *content_range {
        ContentRange::Part { first, last, total } => (first, last, total),
        ContentRange::Question { total } => {
            changed(total)?;
            return Err(ResumeError::Asked { offset });
        }
    };
    if first == 0 && offset > 0 && total == Some(last + 1) {
        return Ok(Resume::Restart);
    }
    if let Some(total) = total {
        changed(total)?;
    }
    if total_have.is_some_and(|known| last >= known) {
        changed(last + 1)?;
    }
    match first.cmp(&offset) {
        std::cmp::Ordering::Less => Err(ResumeError::Overlap { offset }),
        std::cmp::Ordering::Equal => Ok(Resume::Append),
        std::cmp::Ordering::Greater => Err(ResumeError::Gap { offset }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_ranges_are_read_strictly() {
        for (header, expected) in [
            ("bytes 0-499/1234", ContentRange::Part { first: 0, last: 499, total: Some(1234) }),
            ("bytes 42-1233/1234", ContentRange::Part { first: 42, last: 1233, total: Some(1234) }),
            ("bytes 42-1233/*", ContentRange::Part { first: 42, last: 1233, total: None }),
            ("bytes */1234", ContentRange::Question { total: 1234 }),
        ] {
            assert_eq!(ContentRange::parse(header).as_ref(), Ok(&expected));
            assert_eq!(expected.to_string(), header);
        }
        for header in [
            "",
            "bytes",
            "bytes ",
            "bytes 0-1",
            "bytes */*",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes -1/10",
            "bytes 0-/10",
            "items 0-1/2",
            "bytes=0-1/2",
            "bytes 0-1/2/3",
            "bytes 0-1/-2",
            "bytes  0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes 0-99999999999999999999/*",
            "bytes +1-2/3",
        ] {
            assert!(ContentRange::parse(header).is_err(), "{header:?}");
        }
    }

    #[test]
    fn an_upload_goes_on_only_where_it_stopped() {
        let part = |first, last, total| ContentRange::Part { first, last, total };
        for (have, known, range, expected) in [
            (0, None, part(0, 9, Some(10)), Ok(Resume::Append)),
            (4, Some(10), part(4, 9, Some(10)), Ok(Resume::Append)),
            (4, Some(10), part(4, 6, None), Ok(Resume::Append)),
            (4, None, part(4, 9, Some(10)), Ok(Resume::Append)),
            (4, Some(10), part(0, 9, Some(10)), Ok(Resume::Restart)),
            (4, Some(10), part(0, 10, Some(11)), Ok(Resume::Restart)),
            (4, Some(10), part(3, 9, Some(10)), Err(ResumeError::Overlap { offset: 4 })),
            (4, Some(10), part(0, 3, Some(10)), Err(ResumeError::Overlap { offset: 4 })),
            (4, Some(10), part(5, 9, Some(10)), Err(ResumeError::Gap { offset: 4 })),
            (
                4,
                Some(10),
                part(4, 9, Some(11)),
                Err(ResumeError::TotalChanged { offset: 4, known: 10, said: 11 }),
            ),
            (
                4,
                Some(10),
                part(4, 11, None),
                Err(ResumeError::TotalChanged { offset: 4, known: 10, said: 12 }),
            ),
            (
                4,
                Some(10),
                ContentRange::Question { total: 10 },
                Err(ResumeError::Asked { offset: 4 }),
            ),
            (
                4,
                Some(10),
                ContentRange::Question { total: 11 },
                Err(ResumeError::TotalChanged { offset: 4, known: 10, said: 11 }),
            ),
        ] {
            assert_eq!(continue_at(have, known, &range), expected, "{have} {known:?} {range}");
        }
    }

    proptest! {
        #[test]
        fn a_refusal_names_the_staged_offset(have: u64, known: Option<u64>, first: u64, length in 1u64..1000, total: Option<u64>) {
            let last = first.saturating_add(length - 1).min(u64::MAX - 1);
            let first = first.min(last);
            if let Err(error) = continue_at(have, known, &ContentRange::Part { first, last, total }) {
                prop_assert_eq!(error.offset(), have);
            }
        }

        #[test]
        fn what_is_read_is_written_the_same(header in "bytes [0-9*]{1,3}-?[0-9]{0,3}/[0-9*]{1,4}") {
            if let Ok(range) = ContentRange::parse(&header) {
                prop_assert_eq!(ContentRange::parse(&range.to_string()), Ok(range));
            }
        }
    }
}
