//! RFC 9111 section 4.1: which of several answers a request selects.

use crate::row::{Row, try_rows};

#[test]
fn variants() {
    try_rows(ROWS);
}

const ROWS: &[Row] = &[
    ("RFC 9111 4.1: another value of a field in Vary gets another answer, and both stay", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
        case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
        case.get(&["x-kind: a"]).answer(1).says("fwd=uri-miss");
        case.get(&["x-kind: b"]).answer(2).says("fwd=vary-miss");
        case.get(&["x-kind: a"]).answer(1).hit();
        case.get(&["x-kind: b"]).answer(2).hit();
    }),
    ("RFC 9111 4.1: a field that is missing fits only where it was missing", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
        case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
        case.get(&[]).answer(1);
        case.get(&["x-kind: a"]).answer(2);
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9111 4.1: all fields in Vary have to fit", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: x-a", "vary: x-b"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&["x-a: 1", "x-b: 1"]).answer(1);
        case.get(&["x-a: 1", "x-b: 2"]).answer(2);
    }),
    ("RFC 9111 4.1: Vary: * fits nothing", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: *"]);
        case.origin(200, &["cache-control: max-age=60", "vary: *"]);
        case.get(&[]).answer(1);
        case.get(&[]).answer(2).missed();
    }),
    ("RFC 9111 4.1: the order of languages and blanks between them do not matter", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: accept-language"]);
        case.get(&["accept-language: en, de"]).answer(1);
        case.get(&["accept-language: DE,en"]).answer(1).hit();
    }),
    ("RFC 9111 4.1: fields that Vary does not name do not matter", |case| {
        case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
        case.get(&["x-kind: a", "x-other: 1"]).answer(1);
        case.get(&["x-kind: a", "x-other: 2"]).answer(1).hit();
    }),
    ("RFC 9111 4.1: the query is part of the key", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.origin(200, &["cache-control: max-age=60"]);
        let query = format!("{}?a=1", case.path());
        case.get(&[]).answer(1);
        case.ask_for("GET", &query, &[], b"").answer(2);
        case.ask_for("GET", &query, &[], b"").answer(2).hit();
    }),
    ("RFC 9111 4.3.4: a 304 with a strong tag validates the variant that has it", |case| {
        let stale = ["cache-control: max-age=60", "age: 100", "vary: x-kind"];
        case.origin(200, &[&stale[..], &["etag: \"a\""]].concat());
        case.origin(200, &[&stale[..], &["etag: \"b\""]].concat());
        case.origin(304, &["cache-control: max-age=60", "vary: x-kind", "etag: \"a\""]);
        case.get(&["x-kind: a"]).answer(1);
        case.get(&["x-kind: b"]).answer(2);
        case.get(&["x-kind: a"]).answer(1).says("fwd-status=304");
        case.get(&["x-kind: a"]).answer(1).hit();
        case.origin(200, &["cache-control: no-store"]);
        case.get(&["x-kind: b"]).answer(4).missed();
    }),
];
