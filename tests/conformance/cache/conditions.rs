//! RFC 9110 section 13 and RFC 9111 section 4.3.2: the client's own conditions.

use crate::row::{Case, Row, try_rows};

#[test]
fn conditions() {
    try_rows(ROWS);
}

fn stored(case: &Case<'_>, fields: &[&str]) {
    case.origin(200, &[&["cache-control: max-age=60"], fields].concat());
    case.get(&[]).answer(1);
}

const ROWS: &[Row] = &[
    ("RFC 9110 13.1.2: If-None-Match with the stored tag gets 304", |case| {
        stored(case, &["etag: \"a\"", "expires: {60}", "vary: x", "x-more: 1"]);
        let got = case.get(&["if-none-match: \"x\", \"a\""]).is(304).with("").hit();
        got.has("etag", "\"a\"")
            .has("cache-control", "max-age=60")
            .has("vary", "x")
            .lacks("x-more");
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9110 13.1.2: If-None-Match compares weakly", |case| {
        stored(case, &["etag: W/\"a\""]);
        case.get(&["if-none-match: \"a\""]).is(304);
    }),
    ("RFC 9110 13.1.2: If-None-Match: * gets 304 where something is stored", |case| {
        stored(case, &[]);
        case.get(&["if-none-match: *"]).is(304);
    }),
    ("RFC 9110 13.1.2: If-None-Match with another tag gets all of it", |case| {
        stored(case, &["etag: \"a\""]);
        case.get(&["if-none-match: \"b\""]).answer(1).hit();
    }),
    ("RFC 9110 13.1.3: If-Modified-Since gets 304 from Last-Modified on", |case| {
        stored(case, &["last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        case.get(&["if-modified-since: Tue, 01 Sep 2026 00:00:00 GMT"]).is(304).hit();
        case.get(&["if-modified-since: Mon, 31 Aug 2026 00:00:00 GMT"]).answer(1);
    }),
    ("RFC 9110 13.1.3: If-Modified-Since does not count beside If-None-Match", |case| {
        stored(case, &["etag: \"a\"", "last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        let since = "if-modified-since: Tue, 01 Sep 2026 00:00:00 GMT";
        case.get(&[since, "if-none-match: \"b\""]).answer(1);
    }),
    ("RFC 9111 4.3.2: without Last-Modified the date of the response counts", |case| {
        stored(case, &["date: {-50}"]);
        case.get(&["if-modified-since: {-10}"]).is(304);
        case.get(&["if-modified-since: {-100}"]).answer(1);
    }),
    ("RFC 9110 13.2.1: conditions do not apply to a stored 404", |case| {
        case.origin(404, &["cache-control: max-age=60", "etag: \"a\""]);
        case.get(&[]).is(404);
        case.get(&["if-none-match: \"a\""]).is(404).hit();
    }),
    (
        "RFC 9110 13.1.2: a condition on what is not stored gets its answer, and all of it stays",
        |case| {
            case.origin(200, &["cache-control: max-age=60", "etag: \"a\""]);
            case.get(&["if-none-match: \"a\""]).is(304);
            assert_eq!(case.last_asked().field("if-none-match"), None);
            case.get(&[]).answer(1).hit();
        },
    ),
    ("RFC 9110 13.1.2: a client's condition is answered after validation", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 100", "etag: \"a\""]);
        case.origin(200, &["cache-control: max-age=60", "etag: \"b\""]);
        case.get(&[]).answer(1);
        case.get(&["if-none-match: \"b\""]).is(304).has("etag", "\"b\"");
        assert_eq!(case.last_asked().field("if-none-match").unwrap(), "\"a\"");
        case.get(&[]).answer(2).hit();
    }),
    ("RFC 9110 13.1.1: If-Match that holds is answered from the store", |case| {
        stored(case, &["etag: \"a\""]);
        case.get(&["if-match: \"a\""]).answer(1).hit();
    }),
    ("RFC 9110 13.1.1: If-Match that does not hold is for the origin to refuse", |case| {
        stored(case, &["etag: \"a\""]);
        case.origin(412, &[]);
        case.get(&["if-match: \"b\""]).is(412).says("fwd=bypass").says("detail=precondition");
        assert_eq!(case.last_asked().field("if-match").unwrap(), "\"b\"");
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9110 13.1.1: If-Match on what is not stored is kept, too", |case| {
        case.origin(200, &["cache-control: max-age=60", "etag: \"a\""]);
        case.origin(412, &[]);
        case.get(&["if-match: \"b\""]).is(412);
        assert_eq!(case.last_asked().field("if-match").unwrap(), "\"b\"");
        case.get(&["if-match: \"a\""]).answer(1).hit();
    }),
    ("RFC 9110 13.1.1: If-Match that held for what was stale is kept after validation", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 100", "etag: \"a\""]);
        case.origin(200, &["cache-control: max-age=60", "etag: \"b\""]);
        case.origin(412, &[]);
        case.get(&[]).answer(1);
        case.get(&["if-match: \"a\""]).is(412);
    }),
    ("RFC 9110 13.1.4: If-Unmodified-Since that does not hold goes to the origin", |case| {
        stored(case, &["last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        case.get(&["if-unmodified-since: Tue, 01 Sep 2026 00:00:00 GMT"]).answer(1).hit();
        case.origin(412, &[]);
        case.get(&["if-unmodified-since: Mon, 31 Aug 2026 00:00:00 GMT"]).is(412);
    }),
];
