//! RFC 9111 sections 4.2.4 and 5.2.2, RFC 5861: what is served while the origin fails, or is asked.

use crate::origin::reply;
use crate::row::{Case, Row, try_rows, try_rows_with};

#[test]
fn failing() {
    try_rows(ROWS);
}

#[test]
fn failing_without_a_site_wide_stale_if_error() {
    try_rows_with("stale_if_error = \"0s\"", "", BY_THE_RESPONSE);
}

fn stale(case: &Case<'_>, fields: &[&str]) {
    case.origin(200, &[&["age: 100"], fields].concat());
    case.get(&[]).answer(1);
}

const ROWS: &[Row] = &[
    ("RFC 9111 4.2.4: what is stale is served when the origin is away", |case| {
        stale(case, &["cache-control: max-age=60", "etag: \"a\""]);
        case.away(true);
        case.get(&[]).answer(1).hit().says("detail=stale-if-error");
    }),
    ("RFC 9111 4.2.4: what has no validator is served when the origin is away, too", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 30"]);
        case.get(&[]).answer(1);
        case.away(true);
        case.get(&["cache-control: max-age=10"]).answer(1).hit().says("detail=stale-if-error");
    }),
    ("RFC 5861 4: what is stale is served instead of 500, 502, 503 and 504, and stays", |case| {
        for status in [500, 502, 503, 504] {
            let case = case.at(&format!("/{status}"));
            stale(&case, &["cache-control: max-age=60", "etag: \"a\""]);
            case.origin(status, &["cache-control: max-age=60"]);
            case.get(&[]).answer(1).hit().says("detail=stale-if-error");
            case.origin(304, &["cache-control: max-age=60"]);
            case.get(&[]).answer(1).says("fwd-status=304");
        }
    }),
    ("RFC 5861 4: an answer of the origin that is no failure is not replaced", |case| {
        stale(case, &["cache-control: max-age=60", "etag: \"a\""]);
        case.origin(404, &["cache-control: no-store"]);
        case.get(&[]).is(404);
    }),
    (
        "RFC 9111 4.2.4: must-revalidate and its kind forbid it: 504, or the origin's own error",
        |case| {
            for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"] {
                let case = case.at(&format!("/{forbids}"));
                let cache_control = format!("cache-control: max-age=60, {forbids}");
                stale(&case, &[&cache_control, "etag: \"a\""]);
                case.away(true);
                case.get(&[]).is(504).has("cache-control", "no-store");
                case.away(false);
                let away = case.asked().len();
                case.origin(503, &[]);
                case.get(&[]).is(503).with(&format!("answer {}", away + 1));
            }
        },
    ),
    ("RFC 9111 5.2.1.4: a reload of what is fresh gets it when the origin fails", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(503, &[]);
        case.get(&[]).answer(1);
        case.get(&["cache-control: no-cache"]).answer(1).hit();
    }),
    ("RFC 9110 9.3.2: HEAD gets what is stale when the origin fails", |case| {
        stale(case, &["cache-control: max-age=60", "etag: \"a\""]);
        case.origin(503, &[]);
        case.head(&[]).is(200).hit().has("etag", "\"a\"");
    }),
    ("RFC 9110 15.6.3: nothing stored and no answer is 502, with a problem", |case| {
        case.away(true);
        let got = case.get(&[]).is(502).has("content-type", "application/problem+json");
        got.says("detail=upstream-failed").does_not_say("hit");
    }),
    ("RFC 5861 3: what is stale is served at once, and validated behind it", |case| {
        let window = "cache-control: max-age=60, stale-while-revalidate=600";
        stale(case, &[window, "etag: \"a\""]);
        case.origin(304, &["cache-control: max-age=60"]);
        case.get(&[]).answer(1).hit();
        let asked = &case.wait_asked(2)[1];
        assert_eq!(asked.field("if-none-match").unwrap(), "\"a\"");
    }),
    ("RFC 5861 3: without a validator it is fetched again behind it", |case| {
        stale(case, &["cache-control: max-age=99, stale-while-revalidate=600", "date: {-99}"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(1).hit();
        case.wait_asked(2);
    }),
    ("RFC 5861 3: after the window it is validated first", |case| {
        let window = "cache-control: max-age=60, stale-while-revalidate=10";
        stale(case, &[window, "etag: \"a\""]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 4.2.4: must-revalidate goes before stale-while-revalidate", |case| {
        let window = "cache-control: max-age=60, must-revalidate, stale-while-revalidate=600";
        stale(case, &[window, "etag: \"a\""]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 5861 3: a failure behind it leaves what is stored", |case| {
        let window = "cache-control: max-age=60, stale-while-revalidate=600";
        stale(case, &[window, "etag: \"a\""]);
        case.replies(reply(503, &["cache-control: max-age=60"]));
        case.get(&[]).answer(1).hit();
        case.wait_asked(2);
        case.replies(reply(304, &["cache-control: max-age=60"]));
        case.get(&[]).answer(1);
    }),
];

const BY_THE_RESPONSE: &[Row] = &[
    ("RFC 5861 4: stale-if-error of the response permits it", |case| {
        stale(case, &["cache-control: max-age=60, stale-if-error=600", "etag: \"a\""]);
        case.origin(503, &[]);
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 5861 4: for as long as it says", |case| {
        stale(case, &["cache-control: max-age=60, stale-if-error=10", "etag: \"a\""]);
        case.origin(503, &[]);
        case.get(&[]).is(503);
    }),
    ("RFC 5861 4: stale-if-error of the request permits it", |case| {
        stale(case, &["cache-control: max-age=60", "etag: \"a\""]);
        case.origin(503, &[]);
        case.origin(503, &[]);
        case.get(&["cache-control: stale-if-error=600"]).answer(1).hit();
        case.get(&[]).is(503);
    }),
    ("RFC 9111 4.2.4: without permission the failure is the answer", |case| {
        stale(case, &["cache-control: max-age=60", "etag: \"a\""]);
        case.away(true);
        case.get(&[]).is(504);
    }),
];
