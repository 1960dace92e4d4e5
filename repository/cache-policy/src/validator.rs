//! Validators of a stored response (RFC 9110 section 8.8) and what a client's preconditions say
//! about it (RFC 9111 section 4.3.2).

use crate::field::{self, Quoting};
use crate::http_date;
use crate::stored::Stored;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

/// An entity tag as bytes: a cache passes on tags that it did not make, and they may hold any byte
/// above 0x7f.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    weak: bool,
    opaque: Vec<u8>,
}

impl Tag {
    /// RFC 9110 section 8.8.3.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let value = field::trim(value);
        let (weak, quoted) = value.strip_prefix(b"W/").map_or((false, value), |rest| (true, rest));
        let opaque = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let allowed = |b: &u8| *b == 0x21 || (0x23..=0x7e).contains(b) || *b >= 0x80;
        opaque.iter().all(allowed).then(|| Self { weak, opaque: opaque.to_vec() })
    }

    /// The tag of a response; none unless there is exactly one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(header::ETAG).iter();
        let only = lines.next().filter(|_| lines.next().is_none())?;
        Self::parse(only.as_bytes())
    }

    pub(crate) fn is_weak(&self) -> bool {
        self.weak
    }

    /// RFC 9110 section 8.8.3.2.
    pub(crate) fn strongly_equals(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// RFC 9110 section 8.8.3.2.
    pub(crate) fn weakly_equals(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

/// `Last-Modified`, if it is one date.
pub(crate) fn last_modified(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    only_date(headers, &header::LAST_MODIFIED, now)
}

/// The date in a field that must not come twice.
pub(crate) fn only_date(
    headers: &HeaderMap,
    name: &http::HeaderName,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut lines = headers.get_all(name).iter();
    let only = lines.next().filter(|_| lines.next().is_none())?;
    http_date::parse(only.as_bytes(), now)
}

/// Whether the client's `If-None-Match` or `If-Modified-Since` means that 304 is the answer
/// (RFC 9111 section 4.3.2). Only asked for GET and HEAD.
pub fn not_modified(stored: &Stored, request: &HeaderMap) -> bool {
    // Preconditions do not apply to a response that is no success (RFC 9110 section 13.2.1).
    if !matches!(stored.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return false;
    }
    if let Some(list) = field::combined(request, &header::IF_NONE_MATCH) {
        return names(&list, stored.headers(), Tag::weakly_equals);
    }
    if !request.contains_key(header::IF_MODIFIED_SINCE) {
        return false;
    }
    // Without Last-Modified the time of the response itself stands in (section 4.3.2).
    let received = stored.received_at();
    let changed = last_modified(stored.headers(), received).unwrap_or(stored.date());
    only_date(request, &header::IF_MODIFIED_SINCE, received).is_some_and(|since| changed <= since)
}

/// Whether `If-Match` and `If-Unmodified-Since` hold for the stored response. They are meant for the
/// origin (RFC 9110 section 13.1.1); a cache answers where they hold and asks the origin where not.
pub fn preconditions_hold(stored: &Stored, request: &HeaderMap) -> bool {
    if let Some(list) = field::combined(request, &header::IF_MATCH) {
        return names(&list, stored.headers(), Tag::strongly_equals);
    }
    if !request.contains_key(header::IF_UNMODIFIED_SINCE) {
        return true;
    }
    let received = stored.received_at();
    let since = only_date(request, &header::IF_UNMODIFIED_SINCE, received);
    let modified = last_modified(stored.headers(), received);
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

/// Whether `*` or a list of tags names the response. A member that is no tag names nothing.
fn names(list: &[u8], response: &HeaderMap, same: impl Fn(&Tag, &Tag) -> bool) -> bool {
    if field::trim(list) == b"*" {
        return true;
    }
    let Some(ours) = Tag::of(response) else { return false };
    let members = field::members(list, Quoting::Plain).list;
    members.into_iter().filter_map(Tag::parse).any(|theirs| same(&theirs, &ours))
}
