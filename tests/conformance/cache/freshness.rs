//! RFC 9111 sections 4.2, 5.1, 5.2.1 and 5.3: how long, how old, and what a client takes.

use crate::origin::reply;
use crate::row::{Case, Row, try_rows};

#[test]
fn freshness() {
    try_rows(ROWS);
}

/// The first response is used again, or not.
fn is_used_again(case: &Case<'_>, used: bool, first: &[&str], second: &[&str]) {
    case.origin(200, first);
    case.origin(200, &["cache-control: no-store"]);
    case.get(&[]).answer(1);
    let again = case.get(second);
    if used {
        again.answer(1).hit()
    } else {
        again.answer(2).missed()
    };
}

fn fresh(case: &Case<'_>, fields: &[&str]) {
    is_used_again(case, true, fields, &[]);
}

/// Stale, and to be validated: the tag sees to it that it is stored.
fn stale(case: &Case<'_>, fields: &[&str]) {
    let fields = [fields, &["etag: \"a\""]].concat();
    is_used_again(case, false, &fields, &[]);
}

const ROWS: &[Row] = &[
    ("RFC 9111 4.2.1: s-maxage goes before max-age", |case| {
        fresh(case, &["cache-control: max-age=0, s-maxage=60"]);
        stale(&case.at("/less"), &["cache-control: max-age=60, s-maxage=0"]);
    }),
    ("RFC 9111 4.2.1: max-age goes before Expires", |case| {
        fresh(case, &["cache-control: max-age=60", "expires: {-60}"]);
        stale(&case.at("/less"), &["cache-control: max-age=0", "expires: {60}"]);
    }),
    ("RFC 9111 5.3: Expires counts from Date", |case| {
        fresh(case, &["expires: {60}"]);
        stale(&case.at("/past"), &["expires: {-60}"]);
        stale(&case.at("/same"), &["date: {-60}", "expires: {-60}"]);
        fresh(&case.at("/ahead"), &["date: {3600}", "expires: {7200}"]);
    }),
    ("RFC 9111 5.3: an Expires that is no date lies in the past", |case| {
        stale(case, &["expires: 0"]);
        stale(&case.at("/word"), &["expires: tomorrow"]);
    }),
    ("RFC 9111 4.2.2: a tenth of the time since Last-Modified is guessed", |case| {
        fresh(case, &["last-modified: {-36000}"]);
        stale(&case.at("/old"), &["last-modified: {-36000}", "age: 4000"]);
    }),
    ("RFC 9111 4.2.2: nothing is guessed for a status that does not allow it", |case| {
        case.origin(202, &["last-modified: {-36000}", "etag: \"a\""]);
        case.origin(202, &["cache-control: no-store"]);
        case.get(&[]).is(202).with("answer 1");
        case.get(&[]).is(202).with("answer 2");
    }),
    ("RFC 9111 4.2.3: Age counts towards the lifetime", |case| {
        fresh(case, &["cache-control: max-age=3600", "age: 3000"]);
        stale(&case.at("/old"), &["cache-control: max-age=3600", "age: 3600"]);
    }),
    ("RFC 9111 4.2.3: the time since Date counts towards the lifetime", |case| {
        fresh(case, &["cache-control: max-age=3600", "date: {-3000}"]);
        stale(&case.at("/old"), &["cache-control: max-age=3600", "date: {-3700}"]);
    }),
    ("RFC 9111 4.2.3: Age is the larger of what Age and Date say", |case| {
        case.origin(200, &["cache-control: max-age=3600", "age: 100", "date: {-1000}"]);
        case.get(&[]);
        let age = case.get(&[]).hit().number("age");
        assert!((1000..1010).contains(&age), "{age}");
    }),
    ("RFC 9111 5.1: an Age that is no number does not count", |case| {
        fresh(case, &["cache-control: max-age=60", "age: -7200"]);
        fresh(&case.at("/word"), &["cache-control: max-age=60", "age: old"]);
    }),
    ("RFC 9111 5.1: what is passed on without the store keeps its Age", |case| {
        case.origin(200, &["cache-control: no-store", "age: 7"]);
        case.get(&[]).answer(1).has("age", "7");
    }),
    ("RFC 9110 6.6.1: a response without Date gets one when it is stored", |case| {
        case.replies(reply(200, &["cache-control: max-age=60"]).undated());
        let first = case.get(&[]).answer(1).field("date").unwrap();
        case.get(&[]).answer(1).hit().has("date", &first);
    }),
    ("RFC 9111 4.2.1: a lifetime given twice in two ways is none", |case| {
        stale(case, &["cache-control: max-age=60", "cache-control: max-age=90"]);
    }),
    ("RFC 9111 5.2.1.4: no-cache in a request asks the origin", |case| {
        let first = &["cache-control: max-age=60"];
        is_used_again(case, false, first, &["cache-control: no-cache"]);
        is_used_again(&case.at("/pragma"), false, first, &["pragma: no-cache"]);
        let both = &["cache-control: max-age=60", "pragma: no-cache"];
        is_used_again(&case.at("/both"), true, first, both);
    }),
    ("RFC 9111 5.2.1.1: max-age in a request limits the age", |case| {
        let first = &["cache-control: max-age=3600", "age: 100"];
        is_used_again(case, false, first, &["cache-control: max-age=50"]);
        is_used_again(&case.at("/more"), true, first, &["cache-control: max-age=200"]);
    }),
    ("RFC 9111 5.2.1.3: min-fresh in a request wants it to stay fresh", |case| {
        let first = &["cache-control: max-age=3600", "age: 3000"];
        is_used_again(case, false, first, &["cache-control: min-fresh=1000"]);
        is_used_again(&case.at("/less"), true, first, &["cache-control: min-fresh=300"]);
    }),
    ("RFC 9111 5.2.1.2: max-stale in a request takes it stale, up to so long", |case| {
        let first = &["cache-control: max-age=3600", "age: 4000", "etag: \"a\""];
        is_used_again(case, true, first, &["cache-control: max-stale"]);
        is_used_again(&case.at("/more"), true, first, &["cache-control: max-stale=500"]);
        is_used_again(&case.at("/less"), false, first, &["cache-control: max-stale=300"]);
    }),
    ("RFC 9111 4.2.4: max-stale does not go before must-revalidate", |case| {
        for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=3600", "no-cache"] {
            let cache_control = format!("cache-control: max-age=3600, {forbids}");
            let first = &[cache_control.as_str(), "age: 4000", "etag: \"a\""];
            is_used_again(&case.at(forbids), false, first, &["cache-control: max-stale"]);
        }
    }),
    ("RFC 9111 5.2.1.7: only-if-cached gets what is stored, or 504", |case| {
        let only = &["cache-control: only-if-cached"];
        case.get(only).is(504).has("content-type", "application/problem+json");
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(1);
        case.get(only).answer(1).hit();
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 8246 2: an immutable response is not validated because a client reloads", |case| {
        let first = &["cache-control: max-age=3600, immutable", "age: 100"];
        is_used_again(case, true, first, &["cache-control: max-age=0"]);
        is_used_again(&case.at("/now"), false, first, &["cache-control: no-cache"]);
    }),
];
