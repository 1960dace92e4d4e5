//! Whether a response may be stored (RFC 9111 section 3).

use crate::freshness::Freshness;
use crate::hop;
use crate::message::{Request, Response};
use crate::options::Options;
use crate::partial;
use crate::policy::Policy;
use crate::request_directives::RequestDirectives;
use crate::status;
use crate::stored::{Exchange, Memo, Stored};
use crate::validator::{self, Tag};
use crate::vary::{self, Vary};
use http::{HeaderMap, Method, StatusCode, header};
use std::fmt;
use stratus_repository_api::date;

/// What becomes of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storing {
    /// It is stored with these values.
    Store(Box<Stored>),
    /// It is passed on and forgotten.
    Dont(Refusal),
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Only answers to GET are stored.
    Method,
    /// An interim response, or one about the request's conditions or range.
    Status,
    /// A 206 that is no single, known part (RFC 9111 section 3.3).
    Part,
    /// `no-store` in the request (section 5.2.1.5).
    RequestNoStore,
    /// `no-store` in the response (section 5.2.2.5).
    NoStore,
    /// `must-understand` with a status that we do not (section 5.2.2.3).
    NotUnderstood,
    /// `private` (section 5.2.2.7).
    Private,
    /// `Authorization` in the request, and no permission in the response (section 3.5).
    Authorization,
    /// `Set-Cookie`, and the site does not store those.
    SetCookie,
    /// `Vary: *` (section 4.1).
    VaryStar,
    /// Nothing in the response allows it (section 3, last item of the list).
    NotCacheable,
    /// It is stale from the start, and there is nothing to validate it with.
    NoUse,
    /// Its head is larger than what we keep.
    TooLarge,
}

impl Refusal {
    /// A token for `detail` in `Cache-Status` and for a metric's label.
    pub fn token(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::Part => "part",
            Self::RequestNoStore => "request-no-store",
            Self::NoStore => "no-store",
            Self::NotUnderstood => "must-understand",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::NotCacheable => "not-cacheable",
            Self::NoUse => "no-use",
            Self::TooLarge => "too-large",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// Decides about a response to a request.
///
/// A 206 with one known part is stored as the 200 whose part it is, without `Content-Range` and
/// `Content-Length`: which bytes are there is for the caller to know ([`partial::part`]).
pub fn store(
    request: &Request<'_>,
    response: &Response<'_>,
    exchange: Exchange,
    options: &Options,
) -> Storing {
    match checked(request, response, exchange, options) {
        Ok(stored) => Storing::Store(Box::new(stored)),
        Err(refusal) => Storing::Dont(refusal),
    }
}

fn checked(
    request: &Request<'_>,
    response: &Response<'_>,
    exchange: Exchange,
    options: &Options,
) -> Result<Stored, Refusal> {
    if request.method != Method::GET {
        return Err(Refusal::Method);
    }
    check_status(response)?;
    if RequestDirectives::of(request.headers).no_store {
        return Err(Refusal::RequestNoStore);
    }
    let policy = Policy::of(response.headers, options);
    check_policy(response.status, &policy)?;
    if request.headers.contains_key(header::AUTHORIZATION) && !policy.directives.allows_authorized()
    {
        return Err(Refusal::Authorization);
    }
    if response.headers.contains_key(header::SET_COOKIE) && !options.store_set_cookie {
        return Err(Refusal::SetCookie);
    }
    let Vary::Fields(names) = Vary::of(response.headers) else { return Err(Refusal::VaryStar) };
    check_cacheable(response, &policy)?;
    let selecting = vary::selecting(names, request.headers);
    let (status, headers) = (response.status, response.headers.clone());
    let (date, memo) = (exchange.received_at, Memo::default());
    let mut stored = Stored { status, headers, selecting, exchange, date, memo };
    prepare(&mut stored, &policy);
    check_use(&stored, &policy, options)?;
    if stored.fits() { Ok(stored) } else { Err(Refusal::TooLarge) }
}

/// "the response status code is final", and 206 and 304 as far as we understand them.
fn check_status(response: &Response<'_>) -> Result<(), Refusal> {
    let status = response.status;
    if status.is_informational() || status::is_about_the_request(status) {
        return Err(Refusal::Status);
    }
    if status == StatusCode::PARTIAL_CONTENT && partial::part(response.headers).is_err() {
        return Err(Refusal::Part);
    }
    Ok(())
}

/// The directives that forbid storing; the same for a new response and for one that a 304 changed.
pub(crate) fn check_policy(status: StatusCode, policy: &Policy) -> Result<(), Refusal> {
    let directives = &policy.directives;
    if directives.must_understand && !status::is_understood(status) {
        return Err(Refusal::NotUnderstood);
    }
    // Beside must-understand it is only meant for caches that do not know that directive.
    if directives.no_store && !directives.must_understand {
        return Err(Refusal::NoStore);
    }
    if directives.private.is_whole() { Err(Refusal::Private) } else { Ok(()) }
}

/// The last item of the list: somebody says that it may be stored.
fn check_cacheable(response: &Response<'_>, policy: &Policy) -> Result<(), Refusal> {
    let directives = &policy.directives;
    let allowed = directives.public
        || directives.max_age.is_present()
        || directives.s_maxage.is_present()
        || (!policy.targeted && response.headers.contains_key(header::EXPIRES))
        || status::is_heuristic(response.status);
    if allowed { Ok(()) } else { Err(Refusal::NotCacheable) }
}

/// Storing what can never be used again would cost a disk for nothing.
fn check_use(stored: &Stored, policy: &Policy, options: &Options) -> Result<(), Refusal> {
    let directives = &policy.directives;
    let validator = Tag::of(&stored.headers).is_some()
        || validator::last_modified(&stored.headers, stored.received_at()).is_some();
    let now = stored.received_at();
    let fresh =
        !directives.no_cache.is_whole() && Freshness::of(stored, policy, now, options).is_fresh();
    let stale = !directives.forbids_stale()
        && (directives.stale_if_error.is_some() || directives.stale_while_revalidate.is_some());
    if validator || fresh || stale { Ok(()) } else { Err(Refusal::NoUse) }
}

/// Brings the fields into the form in which they are kept (section 3.1): without those of the hop,
/// without those that qualified directives name, with a `Date`.
pub(crate) fn prepare(stored: &mut Stored, policy: &Policy) {
    hop::strip(&mut stored.headers);
    let directives = &policy.directives;
    for name in directives.private.fields().iter().chain(directives.no_cache.fields()) {
        stored.headers.remove(name);
    }
    if stored.status == StatusCode::PARTIAL_CONTENT {
        stored.status = StatusCode::OK;
        stored.headers.remove(header::CONTENT_RANGE);
        stored.headers.remove(header::CONTENT_LENGTH);
    }
    correct_date(stored);
}

/// RFC 9110 section 6.6.1: a missing or invalid date is the time of arrival.
fn correct_date(stored: &mut Stored) {
    let received = stored.exchange.received_at;
    stored.date = dated(&mut stored.headers, received);
}

/// The response's date; puts the time of arrival there if there is none.
pub(crate) fn dated(headers: &mut HeaderMap, received: jiff::Timestamp) -> jiff::Timestamp {
    if let Some(date) = validator::only_date(headers, &header::DATE, received) {
        return date;
    }
    if let Ok(value) = date::format(received).parse() {
        headers.insert(header::DATE, value);
    }
    received
}
