//! RFC 9111 sections 3.2, 4.3 and 5.2.2.4: asking whether it is still the same.

use crate::row::{Case, Row, try_rows};

#[test]
fn validation() {
    try_rows(ROWS);
}

const STALE: [&str; 2] = ["cache-control: max-age=60", "age: 100"];

fn stale(case: &Case<'_>, fields: &[&str]) {
    case.origin(200, &[&STALE, fields].concat());
    case.get(&[]).answer(1);
}

const ROWS: &[Row] = &[
    ("RFC 9111 4.3.1: what is stale is asked for with its tag and its date", |case| {
        stale(case, &["etag: \"a\"", "last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        case.origin(304, &["cache-control: max-age=60", "etag: \"a\""]);
        case.get(&[]).answer(1).says("fwd=stale").says("fwd-status=304");
        let asked = case.last_asked();
        assert_eq!(asked.field("if-none-match").unwrap(), "\"a\"");
        assert_eq!(asked.field("if-modified-since").unwrap(), "Tue, 01 Sep 2026 00:00:00 GMT");
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9111 4.3.1: a weak tag is sent as it came", |case| {
        stale(case, &["etag: W/\"a\""]);
        case.origin(304, &["etag: W/\"a\""]);
        case.get(&[]).answer(1);
        assert_eq!(case.last_asked().field("if-none-match").unwrap(), "W/\"a\"");
    }),
    ("RFC 9111 4.3.3: a 200 takes the place of what is stored", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(200, &["cache-control: max-age=60", "etag: \"b\""]);
        case.get(&[]).answer(2).has("etag", "\"b\"").says("fwd=stale").says("stored");
        case.get(&[]).answer(2).hit();
    }),
    ("RFC 9111 4.3.3: a 200 that may not be stored ends what was", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(200, &["cache-control: private"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(2);
        case.get(&[]).answer(3).missed();
        assert_eq!(case.last_asked().field("if-none-match"), None);
    }),
    ("RFC 9111 3.2: a 304 brings new fields, and keeps those it does not name", |case| {
        stale(case, &["etag: \"a\"", "x-old: 1", "x-both: 1", "content-type: text/a"]);
        case.origin(304, &["cache-control: max-age=99", "etag: \"a\"", "x-both: 2", "x-new: 2"]);
        let check = |got: crate::row::Got| {
            got.answer(1)
                .has("x-old", "1")
                .has("x-both", "2")
                .has("x-new", "2")
                .has("cache-control", "max-age=99")
                .has("content-type", "text/a");
        };
        check(case.get(&[]));
        check(case.get(&[]).hit());
    }),
    ("RFC 9111 3.2: a 304 does not change what describes the bytes", |case| {
        stale(case, &["etag: \"a\"", "content-encoding: x"]);
        let fields = ["cache-control: max-age=60", "content-encoding: y", "content-length: 3"];
        case.origin(304, &fields);
        case.get(&[]).answer(1).has("content-encoding", "x").has("content-length", "8");
        case.get(&[]).answer(1).hit().has("content-encoding", "x").has("content-length", "8");
    }),
    ("RFC 9111 4.3.4: a 304 makes it fresh from now on", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(304, &["cache-control: max-age=60"]);
        case.get(&[]).answer(1);
        let age = case.get(&[]).answer(1).hit().number("age");
        assert!(age < 10, "{age}");
    }),
    ("RFC 9111 4.3.4: a 304 that says no-store ends what is stored", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(304, &["cache-control: no-store"]);
        case.origin(200, &["cache-control: no-store"]);
        case.get(&[]).answer(1);
        case.get(&[]).answer(3).missed();
    }),
    ("RFC 9111 4.3.4: after a 304 about something else it is asked for again", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(304, &["etag: \"other\""]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&[]).answer(3);
        assert_eq!(case.last_asked().field("if-none-match"), None);
    }),
    ("RFC 9111 5.2.2.4: no-cache is validated at each use", |case| {
        case.origin(200, &["cache-control: max-age=60, no-cache", "etag: \"a\""]);
        case.origin(304, &["etag: \"a\""]);
        case.origin(304, &["etag: \"a\""]);
        case.get(&[]).answer(1).says("stored");
        case.get(&[]).answer(1).missed().says("fwd-status=304");
        case.get(&[]).answer(1).missed().says("fwd-status=304");
        assert_eq!(case.asked().len(), 3);
    }),
    ("RFC 9111 5.2.2.4: fields that no-cache names are for the one who asked", |case| {
        case.origin(200, &["cache-control: max-age=60, no-cache=\"x-mine\"", "x-mine: 1"]);
        case.get(&[]).answer(1).has("x-mine", "1");
        case.get(&[]).answer(1).hit().lacks("x-mine");
    }),
    (
        "RFC 9111 5.2.1.4: what a client wants validated is validated, and stays if it is good",
        |case| {
            case.origin(200, &["cache-control: max-age=60", "etag: \"a\""]);
            case.origin(304, &["etag: \"a\""]);
            case.get(&[]).answer(1);
            case.get(&["cache-control: no-cache"])
                .answer(1)
                .says("fwd=request")
                .says("fwd-status=304");
            case.get(&[]).answer(1).hit();
        },
    ),
    ("RFC 9111 4.3.5: a HEAD with the same fields makes it fresh", |case| {
        stale(case, &["etag: \"a\""]);
        case.origin(
            200,
            &["cache-control: max-age=60", "etag: \"a\"", "content-length: 8", "x: 2"],
        );
        case.head(&[]).is(200).missed();
        case.get(&[]).answer(1).hit().has("x", "2");
    }),
    ("RFC 9111 4.3.5: a HEAD with another tag or length ends what is stored", |case| {
        for other in ["etag: \"b\"", "content-length: 9"] {
            let case = case.at(&format!("/{}", &other[..4]));
            stale(&case, &["etag: \"a\""]);
            case.origin(200, &["cache-control: max-age=60", other]);
            case.origin(200, &["cache-control: no-store"]);
            case.head(&[]).is(200);
            case.get(&[]).answer(3);
            assert_eq!(case.last_asked().field("if-none-match"), None);
        }
    }),
    ("RFC 9110 9.3.2: HEAD is answered from what is stored for GET", |case| {
        case.origin(200, &["cache-control: max-age=60", "x: 1"]);
        case.get(&[]).answer(1);
        case.head(&[]).is(200).hit().has("x", "1").has("content-length", "8");
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9110 9.3.2: HEAD for what is not stored goes to the origin as HEAD", |case| {
        case.origin(200, &["cache-control: max-age=60", "content-length: 8"]);
        case.origin(200, &["cache-control: max-age=60"]);
        case.head(&[]).is(200).missed().has("content-length", "8");
        assert_eq!(case.last_asked().method, "HEAD");
        case.get(&[]).answer(2).missed();
    }),
];
