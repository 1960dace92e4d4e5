//! Fields as nobody should send them: every function has an answer, and none panics.

use super::support::{at, exchange};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use stratus_cache_policy::{
    Answer, CacheStatus, Conditions, Decision, Exchange, Failure, Forward, Options, Pseudonym,
    Request, Response, Stored, Storing, after_head, decide, freshen, from_store, from_upstream,
    identified_by_304, invalidated, is_loop, not_modified, on_error, partial, serve_validated,
    store, to_upstream,
};

const NAMES: [&str; 30] = [
    "accept-language",
    "age",
    "authorization",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "cdn-loop",
    "connection",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "date",
    "etag",
    "expires",
    "foo",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "location",
    "pragma",
    "range",
    "set-cookie",
    "vary",
    "via",
    "x",
];

/// Pieces of which values are made, so that they come near to what is meant.
const PIECES: [&str; 40] = [
    "max-age",
    "s-maxage",
    "no-cache",
    "no-store",
    "private",
    "public",
    "must-understand",
    "stale-if-error",
    "stale-while-revalidate",
    "max-stale",
    "min-fresh",
    "only-if-cached",
    "immutable",
    "=",
    "\"",
    "\\",
    ",",
    ";",
    " ",
    "\t",
    "(",
    ")",
    "?1",
    "?0",
    ":",
    "0",
    "5",
    "99999999999999999999",
    "-1",
    "1.5",
    "W/",
    "\"a\"",
    "*",
    "foo",
    "q=0.5",
    "Sun, 06 Nov 2022 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "bytes 0-4/10",
    "/",
    "http://h/",
];

fn value() -> impl Strategy<Value = HeaderValue> {
    let pieces = vec(select(&PIECES[..]), 0..8).prop_map(|pieces| pieces.concat().into_bytes());
    let bytes = vec(any::<u8>(), 0..40);
    let value = prop_oneof![4 => pieces, 1 => bytes];
    value.prop_filter_map("no field value", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn fields() -> impl Strategy<Value = HeaderMap> {
    vec((select(&NAMES[..]), value()), 0..12).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    })
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (-100_000i64..100_000).prop_map(at),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    (any::<u32>(), any::<bool>(), any::<u64>()).prop_map(|(heuristic_percent, flag, seconds)| {
        let time = std::time::Duration::from_secs(seconds);
        Options {
            heuristic_percent,
            heuristic_cap: time,
            stale_if_error: time,
            negative_lifetime: flag.then_some(time),
            honour_reload: flag,
            store_set_cookie: !flag,
            select_by_language: flag,
            ..Options::default()
        }
    })
}

/// Everything that follows when a response is stored.
fn use_stored(
    found: &Stored,
    next: &HeaderMap,
    update: &HeaderMap,
    now: Timestamp,
    options: &Options,
) {
    let ours = Pseudonym::new("c").unwrap();
    let request = Request { method: &Method::GET, headers: next };
    if let Decision::Serve(serve) | Decision::ServeWhileRevalidating(serve, _) =
        decide(&[found, found], &request, now, options)
    {
        let status = CacheStatus::hit("c", serve.ttl_seconds);
        let (code, headers) = from_store(found, &serve, &status, &ours);
        assert_eq!(code == StatusCode::NOT_MODIFIED, serve.answer == Answer::NotModified);
        assert!(!headers.contains_key("connection") && headers.contains_key("age"));
    }
    let exchange = Exchange { requested_at: now, received_at: now };
    identified_by_304(&[found, found], 7, update, now);
    let new = freshen(found, update, next, exchange, options);
    assert!(!new.keep || read_again(&new.stored) == new.stored);
    let conditions = Conditions::of(found).unwrap_or_default();
    conditions.apply(&mut update.clone());
    after_head(found, StatusCode::OK, update, next, exchange, options);
    on_error(0, found, &request, Failure::Network, now, options);
    serve_validated(0, found, &request, now, options);
    not_modified(found, next);
    partial::if_range(found);
    partial::is_same_representation(found, update, now);
    assert_eq!(read_again(found), *found);
}

fn read_again(found: &Stored) -> Stored {
    serde_json::from_str(&serde_json::to_string(found).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_fields_have_an_answer(
        first in fields(), response in fields(), next in fields(), update in fields(),
        status in 100u16..1000, sent in moment(), received in moment(), now in moment(),
        options in options(),
    ) {
        let request = Request { method: &Method::GET, headers: &first };
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Response { status, headers: &response };
        let exchange = Exchange { requested_at: sent, received_at: received };
        if let Storing::Store(found) = store(&request, &answer, exchange, &options) {
            use_stored(&found, &next, &update, now, &options);
        }
        let ours = Pseudonym::new("c").unwrap();
        prop_assert!(is_loop(&to_upstream(&first, Version::HTTP_11, &ours), &ours));
        let forwarded = CacheStatus::forwarded("c", Forward::UriMiss);
        from_upstream(&response, Version::HTTP_2, received, &forwarded, &ours);
        let target: Uri = "http://h/a/b?c".parse().unwrap();
        let found = invalidated(&Method::POST, &target, &answer);
        prop_assert!(found.iter().all(|uri| uri.host() == Some("h")));
    }

    #[test]
    fn a_200_with_any_fields_can_be_used(
        response in fields(), next in fields(), update in fields(), now in moment(),
        options in options(),
    ) {
        let (none, mut response) = (HeaderMap::new(), response);
        response.insert("cache-control", HeaderValue::from_static("max-age=50"));
        let request = Request { method: &Method::GET, headers: &none };
        let answer = Response { status: StatusCode::OK, headers: &response };
        if let Storing::Store(found) = store(&request, &answer, exchange(0), &options) {
            use_stored(&found, &next, &update, now, &options);
        }
    }

    #[test]
    fn any_text_is_a_sidecar_or_an_error(text in ".{0,200}") {
        let _ = serde_json::from_str::<Stored>(&text);
    }
}
