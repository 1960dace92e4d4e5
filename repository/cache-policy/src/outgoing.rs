//! Fields of what the cache sends: requests upstream, responses to clients (RFC 9110 section 7.6,
//! RFC 8586, RFC 9111 section 4).

use crate::cache_status::CacheStatus;
use crate::decide::{Answer, Serve};
use crate::field::{self, Quoting};
use crate::hop;
use crate::stored::Stored;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");
const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Fields of a 304 (RFC 9110 section 15.4.5); the client has the others.
const OF_NOT_MODIFIED: [HeaderName; 8] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
    HeaderName::from_static("cdn-cache-control"),
];

/// The name under which this cache stands in `Via` and `CDN-Loop`, and by which it knows itself
/// again. Two caches on one way need two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym(String);

/// A name that `Via` cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name for a cache: use letters, digits and `-._`, as in `cache1.site`")]
pub struct PseudonymError(String);

impl Pseudonym {
    /// A token (RFC 9110 section 7.6.3).
    pub fn new(name: &str) -> Result<Self, PseudonymError> {
        if name.len() <= 255 && field::is_token(name.as_bytes()) {
            Ok(Self(name.to_owned()))
        } else {
            Err(PseudonymError(name.chars().take(80).collect()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a request has been here before: our name is in `Via` or `CDN-Loop` (RFC 9110 section
/// 7.6.3, RFC 8586 section 2). To be answered with 508.
pub fn is_loop(request: &HeaderMap, ours: &Pseudonym) -> bool {
    let is_ours = |name: &[u8]| name.eq_ignore_ascii_case(ours.0.as_bytes());
    let via = field::combined(request, &header::VIA).unwrap_or_default();
    let mut by = field::members(&via, Quoting::Escapes).list.into_iter().filter_map(received_by);
    let cdn = field::combined(request, &CDN_LOOP).unwrap_or_default();
    let mut ids = field::members(&cdn, Quoting::Escapes).list.into_iter();
    by.any(is_ours) || ids.any(|id| is_ours(first(id, b";")))
}

/// Whether an OPTIONS request ends here: it is about no resource, or it may go no further (RFC 9110
/// sections 7.6.2 and 9.3.7).
pub fn is_for_us(method: &Method, target: &Uri, request: &HeaderMap) -> bool {
    *method == Method::OPTIONS && (target.path() == "*" || max_forwards(request) == Some(0))
}

/// Counts an OPTIONS request's hops down (RFC 9110 section 7.6.2).
pub fn one_hop_less(method: &Method, request: &mut HeaderMap) {
    if *method == Method::OPTIONS
        && let Some(hops) = max_forwards(request)
    {
        request.insert(MAX_FORWARDS, HeaderValue::from(hops.saturating_sub(1)));
    }
}

fn max_forwards(request: &HeaderMap) -> Option<u64> {
    field::delta_seconds(field::trim(request.get(MAX_FORWARDS)?.as_bytes()))
}

/// The second word of a member of `Via`.
fn received_by(member: &[u8]) -> Option<&[u8]> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let end = member.iter().position(blank)?;
    Some(first(field::trim(&member[end..]), b" \t,("))
}

fn first<'a>(value: &'a [u8], end: &[u8]) -> &'a [u8] {
    let at = value.iter().position(|b| end.contains(b)).unwrap_or(value.len());
    field::trim(&value[..at])
}

/// The fields of a client's request as they go upstream. `Host` stays as it came; `received` is the
/// version of the client's request.
pub fn to_upstream(request: &HeaderMap, received: Version, ours: &Pseudonym) -> HeaderMap {
    let mut headers = request.clone();
    hop::strip(&mut headers);
    add_via(&mut headers, received, ours);
    append(&mut headers, CDN_LOOP, &ours.0);
    headers
}

/// Status and fields of an answer from the store. Content and range, with `Content-Length`, are for
/// the caller to set.
pub fn from_store(
    stored: &Stored,
    serve: &Serve,
    status: &CacheStatus,
    ours: &Pseudonym,
) -> (StatusCode, HeaderMap) {
    let (code, mut headers) = match serve.answer {
        Answer::Full => (stored.status(), stored.headers().clone()),
        Answer::NotModified => (StatusCode::NOT_MODIFIED, of_not_modified(stored.headers())),
    };
    headers.insert(header::AGE, HeaderValue::from(serve.age.as_secs()));
    add_via(&mut headers, Version::HTTP_11, ours);
    status.append_to(&mut headers);
    (code, headers)
}

/// The fields of an answer from upstream that is passed on. `Age` stays as it came.
pub fn from_upstream(
    response: &HeaderMap,
    received: Version,
    received_at: jiff::Timestamp,
    status: &CacheStatus,
    ours: &Pseudonym,
) -> HeaderMap {
    let mut headers = response.clone();
    hop::strip(&mut headers);
    crate::store::dated(&mut headers, received_at);
    add_via(&mut headers, received, ours);
    status.append_to(&mut headers);
    headers
}

fn of_not_modified(stored: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in OF_NOT_MODIFIED {
        for value in stored.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// RFC 9110 section 7.6.3.
fn add_via(headers: &mut HeaderMap, received: Version, ours: &Pseudonym) {
    let version = match received {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    append(headers, header::VIA, &format!("{version} {}", ours.0));
}

fn append(headers: &mut HeaderMap, name: HeaderName, member: &str) {
    // A pseudonym is a token, so this is a field value.
    if let Ok(value) = HeaderValue::from_str(member) {
        let _ = headers.try_append(name, value);
    }
}
