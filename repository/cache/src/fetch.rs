//! One request upstream, and what becomes of its answer.
//!
//! It runs in a task of its own: whoever asked may leave, the others still get what they wait for.

use crate::fill;
use crate::joins::{Lead, Outcome};
use crate::object::Object;
use crate::promise;
use crate::proxy::Cache;
use crate::source::{Incoming, Source};
use crate::spool::NotStored;
use crate::upstream::{Upstream, UpstreamError};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use jiff::Timestamp;
use std::sync::Arc;
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
    /// The stored response to validate, or without conditions one to fall back on.
    pub(crate) candidate: Option<(Arc<Object>, Conditions)>,
}

impl Ask {
    /// The stored response to validate.
    fn validated(&self) -> Option<&(Arc<Object>, Conditions)> {
        self.candidate.as_ref().filter(|(_, conditions)| !conditions.is_empty())
    }

    /// Whether what is stored may be served instead of an answer with this status.
    fn may_stand_in(&self, cache: &Cache, status: StatusCode) -> bool {
        let Some((object, _)) = &self.candidate else { return false };
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
    Private(Box<reqwest::Response>, &'static str, Timestamp),
    /// The upstream fails, and what is stored is the better answer.
    Worse(Box<reqwest::Response>, Timestamp),
    /// No answer came.
    Failed(Arc<str>, StatusCode),
}

/// Asks; those who wait hear of it through `lead`.
pub(crate) async fn fetch(cache: &Cache, ask: Ask, lead: Option<Lead>) -> Fetched {
    let (tell, told) = oneshot::channel();
    let own = cache.clone();
    tokio::spawn(async move {
        let fetched = run(&own, ask).await;
        if let Some(lead) = lead {
            lead.tell(match &fetched {
                Fetched::Object(object, status, _) => Outcome::Object(Arc::clone(object), *status),
                Fetched::Private(..) => Outcome::Private,
                Fetched::Worse(response, _) => {
                    let status = response.status();
                    Outcome::Failed(format!("the upstream answered {status}").into(), status)
                }
                Fetched::Failed(why, status) => Outcome::Failed(Arc::clone(why), *status),
            });
        }
        // Whoever asked may have left.
        let _ = tell.send(fetched);
    });
    told.await.unwrap_or_else(|_| {
        Fetched::Failed("the request upstream ended".into(), StatusCode::BAD_GATEWAY)
    })
}

async fn run(cache: &Cache, mut ask: Ask) -> Fetched {
    if ask.validated().is_some() {
        let fetched = once(cache, &ask).await;
        if let Some(fetched) = fetched {
            return fetched;
        }
        // The 304 is about something that is not stored: again without conditions.
        ask.candidate = ask.candidate.map(|(object, _)| (object, Conditions::default()));
    }
    once(cache, &ask).await.unwrap_or_else(|| {
        let why = "the upstream answered 304 to a request without conditions";
        Fetched::Failed(why.into(), StatusCode::BAD_GATEWAY)
    })
}

/// `None`: a 304 that fits nothing.
async fn once(cache: &Cache, ask: &Ask) -> Option<Fetched> {
    let plain = for_transfers(cache, &ask.headers, ask.version);
    let mut headers = plain.clone();
    match ask.validated() {
        Some((_, conditions)) => conditions.apply(&mut headers),
        None => {
            if let Some(range) = first_range(&ask.headers) {
                headers.insert(header::RANGE, range);
            }
        }
    }
    let requested_at = Timestamp::now();
    let client = ask.interim.as_ref();
    let send = ask.upstream.send_for(client, Method::GET, &ask.url, headers, None);
    let (sent, told) = match ask.validated() {
        Some(_) => (send.await, None),
        None => tokio::join!(send, promise::ask(&ask.upstream, &ask.url, &plain)),
    };
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Some(failed(ask, &error)),
    };
    let exchange = Exchange { requested_at, received_at: Timestamp::now() };
    if response.status() == StatusCode::NOT_MODIFIED {
        let (object, _) = ask.validated()?;
        let object = validated(cache, ask, object, response.headers(), exchange)?;
        let own = for_one_client(response.headers(), &cache.settings.options);
        return Some(Fetched::Object(object, StatusCode::NOT_MODIFIED, own));
    }
    if ask.may_stand_in(cache, response.status()) {
        return Some(Fetched::Worse(Box::new(response), exchange.received_at));
    }
    let told = match ask.validated() {
        // It has changed, and so has its manifest.
        Some(_) if response.status() == StatusCode::OK => {
            promise::ask(&ask.upstream, &ask.url, &plain).await
        }
        _ => told,
    };
    let source =
        Source { upstream: Arc::clone(&ask.upstream), url: ask.url.clone(), headers: plain };
    Some(take(cache, ask, response, exchange, source, told))
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
        _ if ask.candidate.is_some() => StatusCode::GATEWAY_TIMEOUT,
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
    let private = |response, why| Fetched::Private(Box::new(response), why, received);
    let seen = ask.upstream.with_login(&ask.headers);
    let request = Request { method: &Method::GET, headers: &seen };
    let head = Response { status, headers: response.headers() };
    let stored = match store(&request, &head, exchange, &cache.settings.options) {
        Storing::Store(stored) => *stored,
        Storing::Dont(refusal) => {
            // What is stored is no longer what the upstream has.
            if let Some((object, _)) = &ask.candidate
                && status == StatusCode::OK
            {
                cache.spool.remove(object);
            }
            return private(response, refusal.token());
        }
    };
    let (at, total) = if status == StatusCode::PARTIAL_CONTENT {
        let joinable = partial::if_range(&stored).is_some();
        match partial::part(response.headers()) {
            Ok(part) if joinable && fits(&response, &part) && is_asked_for(ask, &part) => {
                (part.range.start, part.total)
            }
            _ => return private(response, "part"),
        }
    } else {
        (0, length(&response, status))
    };
    let own = for_one_client(response.headers(), &cache.settings.options);
    let end = partial_end(&response, status);
    let promise = promise::of(told, status, response.headers(), total);
    let object = match cache.spool.create(&ask.key, stored, total, promise) {
        Ok(object) => object,
        Err(NotStored::NoRoom) => return private(response, "no-room"),
        Err(NotStored::Io(error)) => {
            tracing::error!(key = %ask.key, %error, "an object cannot be stored");
            return private(response, "disk");
        }
    };
    // A part that begins inside a piece cannot be compared: the first reader asks for whole pieces.
    let whole = object.promise.pieces.as_ref().is_none_or(|pieces| at % pieces.size == 0);
    if total != Some(0) && whole {
        let run = object.first_run(at, end);
        fill::start(
            Arc::clone(&object),
            run,
            Arc::new(source),
            Some(Incoming { at, end, response }),
        );
    }
    Fetched::Object(object, status, own)
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
