//! Compares with `http-cache-semantics`, which is another reading of RFC 7234, the older edition.
//!
//! Where it is known to read otherwise, the generators below do not go. Left out, and why:
//!
//! - 206, stale-if-error, stale-while-revalidate, CDN-Cache-Control, must-understand, immutable: it
//!   does not know them, or means something else by them.
//! - Status codes outside its list: it refuses unknown codes, as RFC 7234 did; RFC 9111 section 3
//!   stores them if they have a lifetime.
//! - HEAD and POST: it stores answers to them; we store answers to GET only.
//! - `Vary: *` and responses of no use: it calls them storable and never fresh; we do not store them.
//! - Set-Cookie without `public`: it never takes it for fresh, by its author's choice.
//! - proxy-revalidate: it takes it for a lifetime of zero; it only forbids to serve stale.
//! - Directives that come twice with two values: it takes the first and adds must-revalidate; we take
//!   them as stale. Lists in `Age`: it takes them as absent; RFC 9111 section 5.1 takes the first.
//! - Numbers beyond 64 bits: it takes them as zero; they saturate (section 1.2.2).
//! - A `Date` in the past of the arrival: it leaves out the apparent age (section 4.2.3).
//! - `Pragma` in a response: it takes it as no-cache; section 5.4 gives it no meaning. `Pragma` beside
//!   `Cache-Control` in a request: it counts there, and does not in section 5.4.
//! - max-stale with s-maxage or no-cache in the response: it serves stale; section 4.2.4 forbids it.
//!   max-stale exactly as large as the staleness: it excludes it, section 5.2.1.2 includes it; the
//!   generator makes one odd and the other even.
//! - Authorization in the second request: it serves anonymous answers; ours pass by design.
//! - A strong tag in a 304 for a stored weak one, a weak one for none, and a 304 without validators:
//!   it accepts the first, looks at dates for the second and refuses the third.

use super::support::{at, exchange};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::time::{Duration, SystemTime};
use stratus_cache_policy::{
    Decision, Options, Refusal, Response, Stored, Storing, decide, freshness, identified_by_304,
    store,
};
use stratus_repository_api::date;

const STATUS: [u16; 13] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 501];

/// Even, see above.
const SECONDS: [&str; 8] = ["0", "2", "10", "60", "60", "3600", "2147483646", "x"];

fn no_cap() -> Options {
    Options { heuristic_cap: Duration::MAX, ..Options::default() }
}

fn system(seconds: i64) -> SystemTime {
    SystemTime::from(at(seconds))
}

type Fields = Vec<(&'static str, String)>;

fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    map
}

fn field(name: &'static str, value: Option<String>) -> Fields {
    value.map(|value| (name, value)).into_iter().collect()
}

fn http_date(seconds: i64) -> String {
    date::format(at(seconds))
}

/// Directives of a response; `(name, seconds)` and flags, each at most once.
fn response_directives() -> impl Strategy<Value = Option<String>> {
    let numbers = subsequence(vec!["max-age", "s-maxage"], 0..=2);
    let flags = subsequence(
        vec!["public", "private", "no-store", "no-cache", "must-revalidate", "x"],
        0..=1,
    );
    (numbers, proptest::collection::vec(select(&SECONDS[..]), 2), flags).prop_map(
        |(numbers, seconds, flags)| {
            let numbers = numbers.into_iter().zip(seconds).map(|(n, s)| format!("{n}={s}"));
            let all: Vec<String> = numbers.chain(flags.into_iter().map(str::to_owned)).collect();
            (!all.is_empty()).then(|| all.join(", "))
        },
    )
}

fn response_fields() -> impl Strategy<Value = Fields> {
    let expires =
        option::of(prop_oneof![(-100i64..100).prop_map(|s| http_date(s * 2)), Just("0".into())]);
    let date =
        option::of(prop_oneof![(0i64..50).prop_map(|s| http_date(s * 2)), Just("foo".into())]);
    let age = option::of(select(vec!["0", "2", "58", "4000", "-1", "abc", "2.0"]));
    let modified = option::of((-5000i64..10).prop_map(|s| http_date(s * 20)));
    let tag = option::of(select(vec!["\"a\"", "W/\"a\"", "\"b\""]));
    let vary = option::of(select(vec!["foo", "Foo, Bar", ""]));
    (response_directives(), expires, date, age, modified, tag, vary).prop_map(
        |(directives, expires, date, age, modified, tag, vary)| {
            let own = |value: Option<&str>| value.map(str::to_owned);
            [
                field("cache-control", directives),
                field("expires", expires),
                field("date", date),
                field("age", own(age)),
                field("last-modified", modified),
                field("etag", own(tag)),
                field("vary", own(vary)),
            ]
            .concat()
        },
    )
}

/// Fields that the responses vary by.
fn selecting_fields() -> impl Strategy<Value = Fields> {
    let value = || option::of(select(vec!["1", "2"]).prop_map(str::to_owned));
    (value(), value()).prop_map(|(one, two)| [field("foo", one), field("bar", two)].concat())
}

fn first_request() -> impl Strategy<Value = Fields> {
    let directives = option::of(select(vec!["no-store", "no-cache", "max-age=0"]));
    let authorization = option::weighted(0.3, Just("Basic x".to_owned()));
    (selecting_fields(), directives, authorization).prop_map(|(selecting, directives, auth)| {
        let directives = directives.map(str::to_owned);
        [selecting, field("cache-control", directives), field("authorization", auth)].concat()
    })
}

fn second_request() -> impl Strategy<Value = Fields> {
    let directives = prop_oneof![
        Just(None),
        select(vec!["max-age=10", "max-age=x", "min-fresh=8", "no-cache", "x"]).prop_map(Some),
        select(vec!["max-stale", "max-stale=31", "max-stale=3, max-age=60"]).prop_map(Some),
    ];
    let pragma = option::weighted(0.2, select(vec!["no-cache", "x"]));
    (selecting_fields(), directives, pragma).prop_map(|(selecting, directives, pragma)| {
        let pragma = pragma.filter(|_| directives.is_none()).map(str::to_owned);
        let directives = directives.map(str::to_owned);
        [selecting, field("cache-control", directives), field("pragma", pragma)].concat()
    })
}

fn oracle(request: &Fields, status: u16, response: &Fields) -> CachePolicy {
    let mut answer = http::Response::new(());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    *answer.headers_mut() = map(response);
    let options = CacheOptions::default();
    CachePolicy::new_options(&asked(request), &answer, system(0), options)
}

fn asked(fields: &Fields) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = "http://repo.example/a".parse().unwrap();
    *request.headers_mut() = map(fields);
    request
}

fn ours(request: &Fields, status: u16, response: &Fields) -> Storing {
    let (request, response) = (map(request), map(response));
    let request = stratus_cache_policy::Request { method: &Method::GET, headers: &request };
    let status = StatusCode::from_u16(status).unwrap();
    store(&request, &Response { status, headers: &response }, exchange(0), &no_cap())
}

fn decision(found: &Stored, request: &Fields, seconds: i64) -> Decision {
    let headers = map(request);
    let request = stratus_cache_policy::Request { method: &Method::GET, headers: &headers };
    decide(&[found], &request, at(seconds), &no_cap())
}

/// What section 4.2.4 forbids and the oracle does.
fn is_max_stale_against_the_rules(request: &Fields, response: &Fields) -> bool {
    let has = |fields: &Fields, words: &[&str]| {
        fields.iter().any(|(_, value)| words.iter().any(|word| value.contains(word)))
    };
    has(request, &["max-stale"]) && has(response, &["s-maxage", "no-cache"])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_same_responses_are_storable(
        request in first_request(),
        status in select(&STATUS[..]),
        response in response_fields(),
    ) {
        match ours(&request, status, &response) {
            Storing::Dont(Refusal::NoUse) => {}
            Storing::Store(_) => prop_assert!(oracle(&request, status, &response).is_storable()),
            Storing::Dont(_) => prop_assert!(!oracle(&request, status, &response).is_storable()),
        }
    }

    #[test]
    fn the_same_stored_responses_are_used_without_asking(
        first in selecting_fields(),
        status in select(&STATUS[..]),
        response in response_fields(),
        second in second_request(),
        seconds in (0i64..100).prop_map(|s| s * 2),
    ) {
        let Storing::Store(found) = ours(&first, status, &response) else { return Ok(()) };
        prop_assume!(!is_max_stale_against_the_rules(&second, &response));
        let policy = oracle(&first, status, &response);
        let served = matches!(decision(&found, &second, seconds), Decision::Serve(_));
        let fresh = matches!(
            policy.before_request(&asked(&second), system(seconds)),
            BeforeRequest::Fresh(_)
        );
        prop_assert_eq!(served, fresh);
        prop_assert_eq!(freshness::age(&found, at(seconds)), policy.age(system(seconds)));
    }

    #[test]
    fn the_same_conditions_are_sent(
        first in selecting_fields(),
        response in response_fields(),
        seconds in 0i64..10_000,
    ) {
        let Storing::Store(found) = ours(&first, 200, &response) else { return Ok(()) };
        let policy = oracle(&first, 200, &response);
        match (decision(&found, &first, seconds), policy.before_request(&asked(&first), system(seconds))) {
            (Decision::Serve(_), BeforeRequest::Fresh(_)) => {}
            (Decision::Revalidate { conditions, .. }, BeforeRequest::Stale { request, matches }) => {
                prop_assert!(matches);
                let mut sent = map(&first);
                conditions.apply(&mut sent);
                prop_assert_eq!(sent, request.headers);
            }
            (Decision::Fetch(_), BeforeRequest::Stale { request, .. }) => {
                prop_assert_eq!(map(&first), request.headers);
            }
            (decision, _) => prop_assert!(false, "{:?}", decision),
        }
    }
}

/// A tag and how many seconds ago the last change was.
type Validators = (Option<&'static str>, Option<i64>);

const VALIDATORS: [Validators; 11] = [
    (Some("\"a\""), None),
    (Some("\"a\""), Some(20)),
    (Some("\"a\""), Some(40)),
    (Some("W/\"a\""), None),
    (Some("W/\"a\""), Some(20)),
    (Some("W/\"a\""), Some(40)),
    (Some("\"b\""), None),
    (Some("\"b\""), Some(20)),
    (Some("\"b\""), Some(40)),
    (None, Some(20)),
    (None, Some(40)),
];

fn validators((tag, ago): Validators) -> Fields {
    let modified = ago.map(|seconds| http_date(-seconds));
    [field("etag", tag.map(str::to_owned)), field("last-modified", modified)].concat()
}

/// The pairs that the two read differently, see above.
fn is_read_otherwise(old: Validators, new: Validators) -> bool {
    let weak = |tag: &str| tag.starts_with('W');
    match (old.0, new.0) {
        (Some(old), Some(new)) => weak(old) && !weak(new),
        (None, Some(new)) => weak(new),
        _ => false,
    }
}

#[test]
fn the_same_304_is_accepted() {
    let pairs = VALIDATORS.iter().flat_map(|old| VALIDATORS.iter().map(move |new| (*old, *new)));
    for (old, new) in pairs.filter(|(old, new)| !is_read_otherwise(*old, *new)) {
        let (old, new) = (validators(old), validators(new));
        let Storing::Store(found) = ours(&vec![], 200, &old) else { unreachable!() };
        let accepted = !identified_by_304(&[&found], 0, &map(&new), at(10)).is_empty();
        let mut answer = http::Response::new(());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.headers_mut() = map(&new);
        let after = oracle(&vec![], 200, &old).after_response(&asked(&vec![]), &answer, system(10));
        assert_eq!(accepted, matches!(after, AfterResponse::NotModified(..)), "{old:?} {new:?}");
    }
}
