//! What to do with a request (RFC 9111 section 4).

use crate::freshness::{Freshness, Lifetime};
use crate::message::Request;
use crate::options::Options;
use crate::policy::Policy;
use crate::request_directives::{MaxStale, RequestDirectives};
use crate::stored::Stored;
use crate::validator::{self, Tag};
use crate::vary;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer from the store, and ask nobody.
    Serve(Serve),
    /// Answer from the store, and ask upstream in the background (RFC 5861 section 3), without
    /// conditions if the stored response has no validator.
    ServeWhileRevalidating(Serve, Conditions),
    /// Ask upstream whether the stored response is still valid (section 4.3).
    Revalidate {
        /// Which of the candidates.
        which: usize,
        /// Why.
        why: Forward,
        /// What makes the request upstream conditional.
        conditions: Conditions,
    },
    /// Pass the request on.
    Fetch(Forward),
    /// 504: the client takes a stored response or none (section 5.2.1.7).
    GatewayTimeout,
}

/// An answer from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Which of the candidates.
    pub which: usize,
    /// For `Age`.
    pub age: Duration,
    /// How long it stays fresh, less than zero if it is stale (`ttl` of RFC 9211).
    pub ttl_seconds: i64,
    /// Why it may be used.
    pub state: State,
    /// Whether the client has it already.
    pub answer: Answer,
}

/// Why a stored response may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is fresh.
    Fresh,
    /// The client takes stale ones (RFC 9111 section 5.2.1.2).
    MaxStale,
    /// It is being validated in the background (RFC 5861 section 3).
    WhileRevalidating,
    /// The origin fails (RFC 5861 section 4).
    IfError,
    /// It was validated just now, or came just now.
    Validated,
}

/// What the client gets of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The response.
    Full,
    /// 304: the client's condition says that it has it (section 4.3.2).
    NotModified,
}

/// Why a request goes upstream (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The cache does not deal with such requests.
    Bypass(Bypass),
    /// The method.
    Method,
    /// Nothing is stored under this URI.
    UriMiss,
    /// Something is, but for other selecting fields.
    VaryMiss,
    /// It is stale, or must be validated at each use.
    Stale,
    /// The client wants it so.
    Request,
    /// Not all bytes are there; for the caller, who knows them.
    Partial,
}

/// Why the cache stands aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bypass {
    /// The client identifies itself, and the stored response is not marked as good for everybody.
    Authorization,
    /// `If-Match` or `If-Unmodified-Since` does not hold for what is stored; the origin decides.
    Precondition,
    /// The request has content, which is no part of the key (RFC 9110 section 9.3.1).
    Content,
}

/// The fields that make a request upstream conditional (section 4.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The stored entity tag.
    pub if_none_match: Option<HeaderValue>,
    /// The stored `Last-Modified`.
    pub if_modified_since: Option<HeaderValue>,
}

/// Preconditions and ranges of a client, which do not go with ours.
const CONDITIONAL: [http::HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

impl Conditions {
    /// From the stored validators, exactly as they came; none if there are none.
    pub fn of(stored: &Stored) -> Option<Self> {
        let value = |name| stored.headers().get(name).cloned();
        let tag = Tag::of(stored.headers()).and_then(|_| value(header::ETAG));
        let date = validator::last_modified(stored.headers(), stored.received_at());
        let found = Self {
            if_none_match: tag,
            if_modified_since: date.and_then(|_| value(header::LAST_MODIFIED)),
        };
        (found != Self::default()).then_some(found)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts them in the place of the client's own conditions and range. Those are applied to the
    /// answer afterwards.
    pub fn apply(&self, headers: &mut HeaderMap) {
        without_conditions(headers);
        let ours = [
            (header::IF_NONE_MATCH, &self.if_none_match),
            (header::IF_MODIFIED_SINCE, &self.if_modified_since),
        ];
        for (name, value) in ours {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// Removes all preconditions and the range: for a request whose whole answer is to be stored.
pub fn without_conditions(headers: &mut HeaderMap) {
    for name in CONDITIONAL {
        headers.remove(name);
    }
}

/// Decides about a request, given everything that is stored under its URI.
pub fn decide(
    candidates: &[&Stored],
    request: &Request<'_>,
    now: Timestamp,
    options: &Options,
) -> Decision {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Decision::Fetch(Forward::Method);
    }
    let directives = RequestDirectives::of(request.headers);
    let decision = match select(candidates, request.headers, options) {
        Some(which) => {
            let stored = candidates[which];
            let policy = stored.policy(options);
            Case { which, stored, request, directives: &directives, policy, now, options }.decide()
        }
        None if candidates.is_empty() => Decision::Fetch(Forward::UriMiss),
        None => Decision::Fetch(Forward::VaryMiss),
    };
    match decision {
        Decision::Fetch(_) | Decision::Revalidate { .. } if directives.only_if_cached => {
            Decision::GatewayTimeout
        }
        other => other,
    }
}

/// The youngest of those that the request selects (section 4.1).
pub fn select(candidates: &[&Stored], request: &HeaderMap, options: &Options) -> Option<usize> {
    let youngest = |fits: &dyn Fn(&Stored) -> bool| {
        let fitting = candidates.iter().enumerate().filter(|(_, stored)| fits(stored));
        fitting.max_by_key(|(_, stored)| (stored.date(), stored.received_at())).map(|(at, _)| at)
    };
    youngest(&|stored| stored.matches(request)).or_else(|| {
        options.select_by_language.then(|| youngest(&|stored| fits_by_language(stored, request)))?
    })
}

/// All fields fit but `Accept-Language`, and the response is in the language preferred to all others.
fn fits_by_language(stored: &Stored, request: &HeaderMap) -> bool {
    let mut others = stored.selecting.iter().filter(|(name, _)| *name != header::ACCEPT_LANGUAGE);
    others.all(|(name, value)| vary::normalised(request, name) == *value)
        && vary::prefers_language(request, stored.headers())
}

/// One stored response and one request.
struct Case<'a> {
    which: usize,
    stored: &'a Stored,
    request: &'a Request<'a>,
    directives: &'a RequestDirectives,
    policy: Arc<Policy>,
    now: Timestamp,
    options: &'a Options,
}

impl Case<'_> {
    fn decide(&self) -> Decision {
        if let Some(bypass) = self.bypass() {
            return Decision::Fetch(Forward::Bypass(bypass));
        }
        let freshness = Freshness::of(self.stored, &self.policy, self.now, self.options);
        if self.policy.directives.no_cache.is_whole() {
            return self.ask(Forward::Stale);
        }
        if self.is_refused(&freshness) {
            return self.ask(Forward::Request);
        }
        if freshness.is_fresh() {
            return Decision::Serve(self.serve(&freshness, State::Fresh));
        }
        if self.policy.directives.forbids_stale() {
            return self.ask(Forward::Stale);
        }
        if self.client_accepts_stale(&freshness) {
            return Decision::Serve(self.serve(&freshness, State::MaxStale));
        }
        let window = self.policy.directives.stale_while_revalidate.unwrap_or_default();
        if freshness.staleness() < window {
            let conditions = Conditions::of(self.stored).unwrap_or_default();
            let serve = self.serve(&freshness, State::WhileRevalidating);
            return Decision::ServeWhileRevalidating(serve, conditions);
        }
        self.ask(Forward::Stale)
    }

    /// A response to nobody in particular may not be what somebody who identified himself would get.
    fn bypass(&self) -> Option<Bypass> {
        let headers = self.request.headers;
        if headers.contains_key(header::AUTHORIZATION)
            && !self.policy.directives.allows_authorized()
        {
            return Some(Bypass::Authorization);
        }
        (!validator::preconditions_hold(self.stored, headers)).then_some(Bypass::Precondition)
    }

    /// Whether the client wants the origin to be asked (section 5.2.1).
    fn is_refused(&self, freshness: &Freshness) -> bool {
        let asked = self.directives;
        // RFC 8246 section 2: reloading an immutable response takes an explicit no-cache.
        let max_age =
            asked.max_age.filter(|_| !(self.policy.directives.immutable && freshness.is_fresh()));
        self.options.honour_reload
            && (asked.no_cache
                || max_age.is_some_and(|limit| freshness.age > limit)
                || asked.min_fresh.is_some_and(|least| freshness.remaining() < least))
    }

    fn client_accepts_stale(&self, freshness: &Freshness) -> bool {
        match self.directives.max_stale {
            None => false,
            Some(MaxStale::Any) => true,
            Some(MaxStale::UpTo(limit)) => freshness.staleness() <= limit,
        }
    }

    fn ask(&self, why: Forward) -> Decision {
        Conditions::of(self.stored).map_or(Decision::Fetch(why), |conditions| {
            Decision::Revalidate { which: self.which, why, conditions }
        })
    }

    fn serve(&self, freshness: &Freshness, state: State) -> Serve {
        serve(self.which, self.stored, self.request, freshness, state)
    }
}

/// The answer to a request whose stored response was validated, or came, just now.
pub fn serve_validated(
    which: usize,
    stored: &Stored,
    request: &Request<'_>,
    now: Timestamp,
    options: &Options,
) -> Serve {
    let policy = stored.policy(options);
    let freshness = Freshness::of(stored, &policy, now, options);
    serve(which, stored, request, &freshness, State::Validated)
}

/// Whether a response that came for one request may answer another that waited for it (section 4:
/// it must be allowed to reuse it). Where nobody gave a lifetime, being made at the same time is
/// enough: otherwise a file that was published a moment ago would cross once for each reader.
pub fn may_be_shared(
    stored: &Stored,
    request: &Request<'_>,
    now: Timestamp,
    options: &Options,
) -> bool {
    match decide(&[stored], request, now, options) {
        Decision::Serve(_) | Decision::ServeWhileRevalidating(..) => true,
        Decision::Revalidate { why: Forward::Stale, .. } | Decision::Fetch(Forward::Stale) => {
            let policy = stored.policy(options);
            let lifetime = Freshness::of(stored, &policy, now, options).lifetime;
            lifetime == Lifetime::Unknown && !policy.directives.forbids_stale()
        }
        _ => false,
    }
}

pub(crate) fn serve(
    which: usize,
    stored: &Stored,
    request: &Request<'_>,
    freshness: &Freshness,
    state: State,
) -> Serve {
    let unchanged = validator::not_modified(stored, request.headers);
    let answer = if unchanged { Answer::NotModified } else { Answer::Full };
    Serve { which, age: freshness.age, ttl_seconds: freshness.ttl_seconds(), state, answer }
}
