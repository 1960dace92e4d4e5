//! RFC 9111 sections 3, 3.5 and 5.2.2: what is stored, and for whom.

use crate::origin::reply;
use crate::row::{Case, Row, try_rows};

#[test]
fn storing() {
    try_rows(ROWS);
}

/// The second request must reach the origin, too.
fn never_stored(case: &Case<'_>, fields: &[&str]) {
    case.origin(200, fields);
    case.origin(200, fields);
    case.get(&[]).answer(1).missed();
    case.get(&[]).answer(2).missed();
}

const ROWS: &[Row] = &[
    ("RFC 9111 3: a response with a lifetime is stored and used again", |case| {
        case.origin(200, &["cache-control: max-age=60", "x-mark: 1"]);
        case.get(&[]).answer(1).missed().says("stored");
        case.get(&[]).answer(1).hit().has("x-mark", "1");
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9111 3: a response that neither allows it nor can be validated is not stored", |case| {
        never_stored(case, &[]);
    }),
    ("RFC 9111 5.2.2.5: no-store is not stored", |case| {
        never_stored(case, &["cache-control: max-age=60, no-store"]);
    }),
    ("RFC 9111 5.2.2.7: private is not stored by a shared cache", |case| {
        never_stored(case, &["cache-control: max-age=60, private"]);
    }),
    (
        "RFC 9111 5.2.2.7: a field that is private is for the one who asked, the rest is stored",
        |case| {
            case.origin(200, &["cache-control: max-age=60, private=\"x-mine\"", "x-mine: 1"]);
            case.get(&[]).answer(1).has("x-mine", "1");
            case.get(&[]).answer(1).hit().lacks("x-mine");
        },
    ),
    ("RFC 9111 5.2.2.3: must-understand forbids a status that nobody knows", |case| {
        let fields = &["cache-control: max-age=60, must-understand"];
        case.origin(299, fields);
        case.origin(299, fields);
        case.get(&[]).is(299).with("answer 1");
        case.get(&[]).is(299).with("answer 2");
    }),
    ("RFC 9111 5.2.1.5: an answer to a no-store request is not stored", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&["cache-control: no-store"]).answer(1).missed();
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 3: 404 with a lifetime is stored", |case| {
        case.origin(404, &["cache-control: max-age=60"]);
        case.get(&[]).is(404).with("answer 1");
        case.get(&[]).is(404).with("answer 1").hit();
    }),
    ("RFC 9111 3: 412 and 416 say something of one request and are not stored", |case| {
        for status in [412, 416] {
            let case = case.at(&format!("/{status}"));
            case.origin(status, &["cache-control: max-age=60"]);
            case.origin(200, &["cache-control: max-age=60"]);
            case.get(&[]).is(status);
            case.get(&[]).answer(2);
        }
    }),
    ("RFC 9111 3: an answer to a request with content is not used for others", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.ask("GET", &[], b"question").answer(1).says("fwd=bypass").says("detail=content");
        assert_eq!(case.last_asked().body, b"question");
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 3: an answer to POST is not used for GET", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.ask("POST", &[], b"x").answer(1).says("fwd=method");
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 3.1: fields of the connection are not stored", |case| {
        let fields =
            ["cache-control: max-age=60", "connection: x-hop", "x-hop: 1", "keep-alive: 5"];
        case.origin(200, &fields);
        case.get(&[]).answer(1).lacks("x-hop").lacks("keep-alive");
        case.get(&[]).answer(1).hit().lacks("x-hop").lacks("keep-alive");
    }),
    ("RFC 9111 3.5: an answer to Authorization is not stored", |case| {
        let login = &["authorization: Basic YTpi"];
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(login).answer(1).missed();
        assert_eq!(case.last_asked().field("authorization").unwrap(), "Basic YTpi");
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 3.5: public, s-maxage and must-revalidate permit it", |case| {
        for allowed in ["public", "s-maxage=60", "must-revalidate"] {
            let case = case.at(&format!("/{allowed}"));
            case.origin(200, &[&format!("cache-control: max-age=60, {allowed}")]);
            case.get(&["authorization: Basic YTpi"]).answer(1).says("stored");
            case.get(&[]).answer(1).hit();
            case.get(&["authorization: Basic eDp5"]).answer(1).hit();
        }
    }),
    ("RFC 9111 3.5: somebody who identifies himself gets nobody else's answer", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: private"]);
        case.get(&[]).answer(1);
        case.get(&["authorization: Basic YTpi"])
            .answer(2)
            .says("fwd=bypass")
            .says("detail=authorization");
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9213 2.2: CDN-Cache-Control counts instead of Cache-Control", |case| {
        case.origin(200, &["cdn-cache-control: max-age=60", "cache-control: no-store"]);
        case.get(&[]).answer(1);
        case.get(&[]).answer(1).hit().has("cdn-cache-control", "max-age=60");
    }),
    ("RFC 9213 2.2: CDN-Cache-Control may forbid what Cache-Control allows", |case| {
        never_stored(case, &["cdn-cache-control: no-store", "cache-control: max-age=60"]);
    }),
    ("RFC 9213 2.2: a CDN-Cache-Control that cannot be read does not count", |case| {
        case.origin(200, &["cdn-cache-control: max-age=60, &", "cache-control: max-age=30"]);
        case.get(&[]).answer(1);
        case.get(&[]).answer(1).hit();
        never_stored(
            &case.at("/not"),
            &["cdn-cache-control: max-age=\"60\"", "cache-control: no-store"],
        );
    }),
    ("RFC 9213 2.2: Expires does not count beside CDN-Cache-Control", |case| {
        case.origin(200, &["cdn-cache-control: max-age=60", "expires: {-60}"]);
        case.get(&[]).answer(1);
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9110 15.4: a redirect is stored and not followed", |case| {
        case.origin(301, &["cache-control: max-age=60", "location: /elsewhere"]);
        case.get(&[]).is(301).has("location", "/elsewhere");
        case.get(&[]).is(301).has("location", "/elsewhere").hit();
    }),
    ("RFC 9110 15.3.5: 204 is stored without content", |case| {
        case.origin(204, &["cache-control: max-age=60"]);
        case.get(&[]).is(204).with("");
        case.get(&[]).is(204).with("").hit().lacks("content-length");
    }),
    ("RFC 9110 15.2: an interim response is not stored as the answer", |case| {
        case.replies(
            reply(200, &["cache-control: max-age=60"]).after(103, &["link: </a>", "x: 1"]),
        );
        case.get(&[]).answer(1).lacks("x");
        case.get(&[]).answer(1).hit().lacks("x").lacks("link");
    }),
];
