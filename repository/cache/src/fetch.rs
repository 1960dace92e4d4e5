//! One request upstream, and what becomes of its answer.
//!
//! It runs in a task of its own: whoever asked may leave, the others still get what they wait for.

use crate::around;
use crate::fill;
use crate::joins::{Lead, Outcome};
use crate::object::Object;
use crate::promise;
use crate::proxy::Cache;
use crate::source::{Incoming, Source, SourceFault};
use crate::spool::NotStored;
use crate::spool::journal::Promise;
use crate::upstream::{Upstream, UpstreamError};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use jiff::Timestamp;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use stratus_cache_policy::decide::without_conditions;
use stratus_cache_policy::policy::for_one_client;
use stratus_cache_policy::{
    Conditions, Exchange, Failure, Request, Response, Storing, Updated, freshen, identified_by_304,
    on_error, partial, store, to_upstream,
};
use stratus_repository_api::range::{self, RangeSet};
use stratus_serve::Interim;
use tokio::sync::oneshot;
use url::Url;

/// What to ask for.
pub(crate) struct Ask {
    pub(crate) key: String,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) url: Url,
    /// The client's, as they came.
    pub(crate) headers: HeaderMap,
    pub(crate) version: Version,
    /// The client that hears of interim responses.
    pub(crate) interim: Option<Interim>,
    pub(crate) known: Known,
}

/// What is stored already.
pub(crate) enum Known {
    Nothing,
    /// This, which has to be validated.
    Stale(Arc<Object>, Conditions),
    /// This, which nothing can validate: it is left if the upstream fails.
    Reserve(Arc<Object>),
    /// This, of which these bytes are missing.
    Part(Arc<Object>, Range<u64>),
}

impl Known {
    /// What has to be validated; without conditions it is only kept in reserve.
    pub(crate) fn stale(object: Arc<Object>, conditions: Conditions) -> Self {
        if conditions.is_empty() { Self::Reserve(object) } else { Self::Stale(object, conditions) }
    }

    /// What may be served if the upstream fails: half of something is no answer.
    pub(crate) fn reserve(&self) -> Option<&Arc<Object>> {
        match self {
            Self::Stale(object, _) | Self::Reserve(object) => Some(object),
            Self::Nothing | Self::Part(..) => None,
        }
    }
}

impl Ask {
    /// Where the bytes are, however often they are asked for.
    fn source(&self, cache: &Cache) -> Source {
        Source {
            upstream: Arc::clone(&self.upstream),
            url: self.url.clone(),
            headers: for_transfers(cache, &self.headers, self.version),
        }
    }

    /// Whether what is stored may be served instead of an answer with this status.
    fn may_stand_in(&self, cache: &Cache, status: StatusCode) -> bool {
        let Some(object) = self.known.reserve() else { return false };
        let request = Request { method: &Method::GET, headers: &self.headers };
        let (failure, now) = (Failure::Status(status), Timestamp::now());
        on_error(0, &object.head(), &request, failure, now, &cache.settings.options).is_some()
    }
}

/// What came of it, for the one who asked.
pub(crate) enum Fetched {
    /// There is an object now, or it was found to be valid; the upstream answered this, with these
    /// fields for the one who asked alone.
    Object(Arc<Object>, StatusCode, HeaderMap),
    /// The answer is for this request alone; why it is not stored.
    Private(Box<http::Response<Body>>, Unstored, Timestamp),
    /// The upstream fails, and what is stored is the better answer.
    Worse(Box<http::Response<Body>>, Timestamp),
    /// What was to be completed is not what the upstream has.
    Gone,
    /// No answer came.
    Failed(Arc<str>, StatusCode),
}

/// Why an answer is not stored; for `detail` in `Cache-Status`.
#[derive(Clone, Copy)]
pub(crate) enum Unstored {
    /// The rules do not allow it.
    Forbidden(&'static str),
    /// The answer is about a part that does not help anybody else.
    Part,
    /// The disk does not take it.
    NoRoom(&'static str),
}

impl Unstored {
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Forbidden(token) | Self::NoRoom(token) => token,
            Self::Part => "part",
        }
    }
}

impl Fetched {
    /// What it means for those who wait.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Object(object, status, _) => Outcome::Object(Arc::clone(object), *status),
            // It was about the range that this one asked for, or the next try may go better.
            Self::Private(response, ..) if is_open(response.status()) => Outcome::Open,
            Self::Private(_, Unstored::Part, _) | Self::Gone => Outcome::Open,
            Self::Private(..) => Outcome::Private,
            Self::Worse(response, _) => {
                let status = response.status();
                Outcome::Failed(format!("the upstream answered {status}").into(), status)
            }
            Self::Failed(why, status) => Outcome::Failed(Arc::clone(why), *status),
        }
    }
}

/// Whether an answer with this status says nothing about the next.
fn is_open(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE)
}

/// Asks; those who wait hear of it through `lead`.
pub(crate) async fn fetch(cache: &Cache, ask: Ask, lead: Option<Lead>) -> Fetched {
    let (tell, told) = oneshot::channel();
    let (own, key) = (cache.clone(), ask.key.clone());
    tokio::spawn(async move {
        let fetched = run(&own, ask).await;
        let outcome = fetched.outcome();
        match (&outcome, &fetched) {
            (Outcome::Object(..), _) => own.joins.bring_together(&key),
            (Outcome::Private, Fetched::Private(_, Unstored::Forbidden(_), _))
                if lead.is_some() =>
            {
                own.joins.keep_apart(&key, Instant::now());
            }
            _ => {}
        }
        if let Some(lead) = lead {
            lead.tell(outcome);
        }
        // Whoever asked may have left.
        let _ = tell.send(fetched);
    });
    told.await.unwrap_or_else(|_| {
        Fetched::Failed("the request upstream ended".into(), StatusCode::BAD_GATEWAY)
    })
}

async fn run(cache: &Cache, mut ask: Ask) -> Fetched {
    match &ask.known {
        Known::Part(object, bytes) => return complete(cache, &ask, object, bytes).await,
        Known::Stale(object, _) => {
            if let Some(fetched) = once(cache, &ask).await {
                return fetched;
            }
            // The 304 is about something that is not stored: again without conditions.
            ask.known = Known::Reserve(Arc::clone(object));
        }
        Known::Nothing | Known::Reserve(_) => {}
    }
    once(cache, &ask).await.unwrap_or_else(|| {
        let why = "the upstream answered 304 to a request without conditions";
        Fetched::Failed(why.into(), StatusCode::BAD_GATEWAY)
    })
}

/// `None`: a 304 that fits nothing.
async fn once(cache: &Cache, ask: &Ask) -> Option<Fetched> {
    let source = ask.source(cache);
    let mut headers = source.headers.clone();
    match &ask.known {
        Known::Stale(_, conditions) => conditions.apply(&mut headers),
        _ => {
            if let Some(range) = first_range(&ask.headers) {
                headers.insert(header::RANGE, range);
            }
        }
    }
    let requested_at = Timestamp::now();
    let client = ask.interim.as_ref();
    let send = ask.upstream.send_for(client, Method::GET, &ask.url, headers, None);
    let (sent, told) = match &ask.known {
        Known::Stale(..) => (send.await, None),
        _ => tokio::join!(send, promise::ask(&ask.upstream, &ask.url, &source.headers)),
    };
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Some(failed(ask, &error)),
    };
    let exchange = Exchange { requested_at, received_at: Timestamp::now() };
    if response.status() == StatusCode::NOT_MODIFIED {
        let Known::Stale(object, _) = &ask.known else { return None };
        let object = validated(cache, ask, object, response.headers(), exchange)?;
        let own = for_one_client(response.headers(), &cache.settings.options);
        return Some(Fetched::Object(object, StatusCode::NOT_MODIFIED, own));
    }
    if ask.may_stand_in(cache, response.status()) {
        return Some(Fetched::Worse(Box::new(as_it_comes(response)), exchange.received_at));
    }
    let told = match &ask.known {
        // It has changed, and so has its manifest.
        Known::Stale(..) if response.status() == StatusCode::OK => {
            promise::ask(&ask.upstream, &ask.url, &source.headers).await
        }
        _ => told,
    };
    Some(take(cache, ask, response, exchange, source, told))
}

/// Asks for bytes that are missing. If the upstream has others now, what is there is of no use.
async fn complete(cache: &Cache, ask: &Ask, object: &Arc<Object>, bytes: &Range<u64>) -> Fetched {
    let Some(run) = object.want(bytes) else {
        return Fetched::Object(Arc::clone(object), StatusCode::PARTIAL_CONTENT, HeaderMap::new());
    };
    let source = ask.source(cache);
    let (place, client) = ((run.at, run.end), ask.interim.as_ref());
    let incoming = match source.ask_for(client, place, object.total(), Some(&object.head())).await {
        Ok(incoming) => incoming,
        Err(fault) => {
            object.run_over(&run);
            return match fault {
                SourceFault::Changed(_) => {
                    cache.spool.remove(object);
                    Fetched::Gone
                }
                SourceFault::Passing(error) => failed(ask, &error),
                SourceFault::Nonsense(_) => {
                    Fetched::Failed(fault.to_string().into(), StatusCode::BAD_GATEWAY)
                }
            };
        }
    };
    let status = incoming.response.status();
    let own = for_one_client(incoming.response.headers(), &cache.settings.options);
    fill::start(Arc::clone(object), run, Arc::new(source), Some(incoming));
    Fetched::Object(Arc::clone(object), status, own)
}

/// The fields of a client's request with which its bytes are asked for, however often that takes.
pub(crate) fn for_transfers(cache: &Cache, request: &HeaderMap, version: Version) -> HeaderMap {
    let mut headers = to_upstream(request, version, &cache.name);
    for name in [header::HOST, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(name);
    }
    without_conditions(&mut headers);
    headers
}

fn failed(ask: &Ask, error: &UpstreamError) -> Fetched {
    let status = match error {
        UpstreamError::Silent { .. } => StatusCode::GATEWAY_TIMEOUT,
        // RFC 9111 section 5.2.2.2: what is stored could not be validated.
        _ if ask.known.reserve().is_some() => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    Fetched::Failed(error.to_string().into(), status)
}

/// The first range of a request: the rest of it is asked for when it is needed.
fn first_range(headers: &HeaderMap) -> Option<HeaderValue> {
    if headers.contains_key(header::IF_RANGE) {
        return None;
    }
    let text = headers.get(header::RANGE)?.to_str().ok()?;
    let first = text.strip_prefix("bytes=")?.split(',').next()?.trim();
    let (from, to) = first.split_once('-')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let asks = number(from) && number(to) && !(from.is_empty() && to.is_empty());
    asks.then(|| HeaderValue::try_from(format!("bytes={first}")).ok()).flatten()
}

/// What is stored is still valid.
fn validated(
    cache: &Cache,
    ask: &Ask,
    object: &Arc<Object>,
    head: &HeaderMap,
    exchange: Exchange,
) -> Option<Arc<Object>> {
    let objects = cache.spool.variants(&ask.key);
    let heads: Vec<_> = objects.iter().map(|object| object.head()).collect();
    let stored: Vec<_> = heads.iter().map(AsRef::as_ref).collect();
    let asked = objects.iter().position(|other| Arc::ptr_eq(other, object))?;
    let meant = identified_by_304(&stored, asked, head, exchange.received_at);
    let mut answer = None;
    for which in meant {
        let Updated { stored, keep } =
            freshen(stored[which], head, &ask.headers, exchange, &cache.settings.options);
        objects[which].set_head(stored);
        if !keep {
            // It answers this request, and nobody after.
            objects[which].hold();
            cache.spool.remove(&objects[which]);
        }
        if answer.is_none() || which == asked {
            answer = Some(Arc::clone(&objects[which]));
        }
    }
    answer
}

/// A new answer: stores it, if it may be.
fn take(
    cache: &Cache,
    ask: &Ask,
    response: reqwest::Response,
    exchange: Exchange,
    source: Source,
    told: Option<promise::Told>,
) -> Fetched {
    let status = response.status();
    let received = exchange.received_at;
    let private = |response, why| Fetched::Private(Box::new(as_it_comes(response)), why, received);
    let seen = ask.upstream.with_login(&ask.headers);
    let request = Request { method: &Method::GET, headers: &seen };
    let head = Response { status, headers: response.headers() };
    let stored = match store(&request, &head, exchange, &cache.settings.options) {
        Storing::Store(stored) => *stored,
        Storing::Dont(refusal) => {
            // What is stored is no longer what the upstream has.
            if let Some(object) = ask.known.reserve()
                && status == StatusCode::OK
            {
                cache.spool.remove(object);
            }
            return private(response, Unstored::Forbidden(refusal.token()));
        }
    };
    let (at, total) = if status == StatusCode::PARTIAL_CONTENT {
        let joinable = partial::if_range(&stored).is_some();
        match partial::part(response.headers()) {
            Ok(part) if joinable && fits(&response, &part) && is_asked_for(ask, &part) => {
                (part.range.start, part.total)
            }
            _ => return private(response, Unstored::Part),
        }
    } else {
        (0, length(&response, status))
    };
    let own = for_one_client(response.headers(), &cache.settings.options);
    let end = partial_end(&response, status);
    let promise = promise::of(told, status, response.headers(), total);
    let incoming = Incoming { at, end, response };
    let created = cache.spool.create(&ask.key, stored.clone(), total, promise.clone());
    let object = match created {
        Ok(object) => object,
        Err(why) => {
            if let NotStored::Io(error) = &why {
                tracing::error!(key = %ask.key, %error, "an object cannot be stored");
            }
            // For a part alone, nobody fetches all the rest to compare it.
            let sha256 = promise.sha256.filter(|_| end.is_none());
            let promise = Promise { sha256, ..promise };
            let object = cache.spool.unstored(&ask.key, stored, total, promise);
            let response = past_the_store(object, source, incoming);
            return Fetched::Private(Box::new(response), Unstored::NoRoom(why.token()), received);
        }
    };
    // A part that begins inside a piece cannot be compared: the first reader asks for whole pieces.
    let whole = object.promise.pieces.as_ref().is_none_or(|pieces| at % pieces.size == 0);
    if total != Some(0) && whole {
        let run = object.first_run(at, end);
        fill::start(Arc::clone(&object), run, Arc::new(source), Some(incoming));
    }
    Fetched::Object(object, status, own)
}

/// An answer as the upstream gives it.
pub(crate) fn as_it_comes(response: reqwest::Response) -> http::Response<Body> {
    let response: http::Response<reqwest::Body> = response.into();
    response.map(Body::new)
}

/// An answer that is not stored for want of room, and otherwise treated as if it were: gone on with
/// where it breaks off, and compared with what is known of it.
fn past_the_store(object: Arc<Object>, source: Source, incoming: Incoming) -> http::Response<Body> {
    let response = &incoming.response;
    let (mut head, ()) = http::Response::new(()).into_parts();
    (head.status, head.version) = (response.status(), response.version());
    head.headers = response.headers().clone();
    let place = (incoming.at, incoming.end.or(object.total()));
    let passing = around::start(object, Arc::new(source), place, Some(incoming));
    http::Response::from_parts(head, around::body(passing))
}

/// The body's length, where it is known before it comes.
fn length(response: &reqwest::Response, status: StatusCode) -> Option<u64> {
    if status == StatusCode::NO_CONTENT {
        return Some(0);
    }
    let text = response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?;
    text.parse().ok()
}

/// Where a part ends.
fn partial_end(response: &reqwest::Response, status: StatusCode) -> Option<u64> {
    let part = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| partial::part(response.headers()).ok())
        .flatten();
    part.map(|part| part.range.end)
}

/// A part that is not what was asked for has who knows what bytes.
fn is_asked_for(ask: &Ask, part: &partial::Part) -> bool {
    let range = first_range(&ask.headers);
    let text = range.as_ref().and_then(|range| range.to_str().ok()).unwrap_or_default();
    match range::parse(text, part.total.unwrap_or(part.range.end)) {
        RangeSet::Single(asked) => asked.start == part.range.start && asked.end >= part.range.end,
        RangeSet::Whole | RangeSet::Multi(_) | RangeSet::Unsatisfiable => part.range.start == 0,
    }
}

/// A part whose body has another length than its `Content-Range` says is not stored.
fn fits(response: &reqwest::Response, part: &partial::Part) -> bool {
    let said = response.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    part.total.is_some() && said.is_none_or(|said| said == part.range.end - part.range.start)
}
