//! A cache of one URI as text: responses go in, what happens to the next request comes out.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use stratus_cache_policy::{
    Answer, Decision, Exchange, Options, Refusal, Request, Response, Serve, State, Stored, Storing,
    decide, store,
};
use stratus_repository_api::date;

/// The moment at which the first response arrives, and so many seconds later.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

/// Fields as `name: value`, one a line or separated by ` | `. `{-30}` is the date 30 seconds before
/// the start.
pub(crate) fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let lines = text.split('\n').flat_map(|line| line.split(" | "));
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = HeaderValue::from_bytes(with_dates(value.trim()).as_bytes()).unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    headers
}

fn with_dates(value: &str) -> String {
    let Some((before, rest)) = value.split_once('{') else { return value.to_owned() };
    let (seconds, after) = rest.split_once('}').unwrap();
    format!("{before}{}{after}", date::format(at(seconds.parse().unwrap())))
}

pub(crate) fn exchange(seconds: i64) -> Exchange {
    Exchange { requested_at: at(seconds), received_at: at(seconds) }
}

pub(crate) fn storing(request: &str, status: u16, response: &str, options: &Options) -> Storing {
    let (request, response) = (headers(request), headers(response));
    store(
        &Request { method: &Method::GET, headers: &request },
        &Response { status: StatusCode::from_u16(status).unwrap(), headers: &response },
        exchange(0),
        options,
    )
}

/// The answer to a plain GET, which must be one that is stored.
pub(crate) fn stored(response: &str) -> Stored {
    stored_for("", response)
}

pub(crate) fn stored_for(request: &str, response: &str) -> Stored {
    match storing(request, 200, response, &Options::default()) {
        Storing::Store(stored) => *stored,
        Storing::Dont(refusal) => panic!("{refusal}: {response}"),
    }
}

pub(crate) fn refusal(request: &str, status: u16, response: &str) -> Option<Refusal> {
    match storing(request, status, response, &Options::default()) {
        Storing::Store(_) => None,
        Storing::Dont(refusal) => Some(refusal),
    }
}

pub(crate) fn decided(stored: &[&Stored], request: &str, seconds: i64) -> Decision {
    let request = headers(request);
    let request = Request { method: &Method::GET, headers: &request };
    decide(stored, &request, at(seconds), &Options::default())
}

/// What happens to a second GET, in a few words.
pub(crate) fn second(first: &str, response: &str, request: &str, seconds: i64) -> String {
    match storing(first, 200, response, &Options::default()) {
        Storing::Store(stored) => words(&decided(&[&stored], request, seconds)),
        Storing::Dont(refusal) => format!("not stored: {refusal}"),
    }
}

pub(crate) fn words(decision: &Decision) -> String {
    let token = stratus_cache_policy::Forward::token;
    match decision {
        Decision::Serve(serve) => served(serve),
        Decision::ServeWhileRevalidating(serve, _) => format!("{}, revalidated", served(serve)),
        Decision::Revalidate { why, .. } => format!("revalidated: {}", token(*why)),
        Decision::Fetch(why) => format!("fetched: {}", token(*why)),
        Decision::GatewayTimeout => "504".to_owned(),
    }
}

pub(crate) fn served(serve: &Serve) -> String {
    let state = if serve.state == State::Fresh { "fresh" } else { "stale" };
    let answer = if serve.answer == Answer::Full { "" } else { " 304" };
    format!("{state}{answer}")
}

/// Whether a second plain GET is answered from the store without asking anybody.
pub(crate) fn reused(response: &str, seconds: i64) -> bool {
    second("", response, "", seconds) == "fresh"
}
