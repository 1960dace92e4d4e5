//! Parts of a representation (RFC 9111 sections 3.3 and 3.4, RFC 9110 section 15.3.7).

use crate::stored::Stored;
use crate::validator::{self, Tag};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;
use stratus_repository_api::range::ContentRange;

/// Which bytes a 206 brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The bytes. Never empty, never past the end.
    pub range: Range<u64>,
    /// The length of the whole, if the origin knows it.
    pub total: Option<u64>,
}

/// Why the content of a 206 cannot be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// There is no `Content-Range`, as in a multipart 206.
    #[error("the 206 response has no Content-Range")]
    Absent,
    /// It is there twice, in another unit than bytes, or makes no sense.
    #[error("the Content-Range of the 206 response is no range of bytes")]
    Invalid,
}

/// Reads `Content-Range` of a 206 (RFC 9110 section 14.4).
pub fn part(headers: &HeaderMap) -> Result<Part, PartError> {
    let mut lines = headers.get_all(header::CONTENT_RANGE).iter();
    let only = lines.next().ok_or(PartError::Absent)?;
    let text = only.to_str().ok().filter(|_| lines.next().is_none()).ok_or(PartError::Invalid)?;
    parse(text).ok_or(PartError::Invalid)
}

fn parse(text: &str) -> Option<Part> {
    match ContentRange::parse(text).ok()? {
        ContentRange::Part { first, last, total } => Some(Part { range: first..last + 1, total }),
        ContentRange::Question { .. } => None,
    }
}

/// Whether a new response, whole or part, has the same bytes as the stored one: both have the same
/// strong validator (RFC 9110 section 15.3.7.3). Only then may they be combined.
pub fn is_same_representation(stored: &Stored, response: &HeaderMap, received: Timestamp) -> bool {
    match (Tag::of(&stored.headers), Tag::of(response)) {
        (Some(ours), Some(theirs)) => ours.strongly_equals(&theirs),
        (None, None) => {
            let ours = strong_date(&stored.headers, stored.received_at());
            ours.is_some() && ours == strong_date(response, received)
        }
        _ => false,
    }
}

/// The validator to put into `If-Range` for the rest of the stored response; none if it has no
/// strong one (RFC 9110 section 13.1.5).
pub fn if_range(stored: &Stored) -> Option<http::HeaderValue> {
    match Tag::of(&stored.headers) {
        Some(tag) => (!tag.is_weak()).then(|| stored.headers.get(header::ETAG).cloned()).flatten(),
        None => strong_date(&stored.headers, stored.received_at())
            .and_then(|_| stored.headers.get(header::LAST_MODIFIED).cloned()),
    }
}

/// Whether an `If-Range` names the stored response: exactly its strong tag, or exactly its
/// `Last-Modified` if that is strong (RFC 9110 section 13.1.5).
pub fn if_range_holds(stored: &Stored, if_range: &http::HeaderValue) -> bool {
    if let Some(theirs) = Tag::parse(if_range.as_bytes()) {
        return Tag::of(&stored.headers).is_some_and(|ours| ours.strongly_equals(&theirs));
    }
    let date = strong_date(&stored.headers, stored.received_at());
    date.is_some() && stored.headers.get(header::LAST_MODIFIED) == Some(if_range)
}

/// `Last-Modified` is strong when it is at least a second older than `Date` (RFC 9110 section
/// 8.8.2.2).
fn strong_date(headers: &HeaderMap, received: Timestamp) -> Option<Timestamp> {
    let modified = validator::last_modified(headers, received)?;
    let date = validator::only_date(headers, &header::DATE, received)?;
    (date.duration_since(modified) >= SignedDuration::from_secs(1)).then_some(modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_14_4_content_range() {
        let whole = |total| Some(Part { range: 2..5, total });
        for (text, expected) in [
            ("bytes 2-4/10", whole(Some(10))),
            ("Bytes 2-4/5", whole(Some(5))),
            ("bytes 2-4/*", whole(None)),
            ("bytes */10", None),
            ("bytes 4-2/10", None),
            ("bytes 2-4/4", None),
            ("bytes 2-18446744073709551615/*", None),
            ("bytes 2-/10", None),
            ("bytes=2-4/10", None),
            ("items 2-4/10", None),
            ("bytes 2-4", None),
            ("bytes +2-4/10", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
