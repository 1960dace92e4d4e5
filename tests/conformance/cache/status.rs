//! RFC 9211: what the cache tells of itself.

use crate::row::{Row, try_rows};

#[test]
fn status() {
    try_rows(ROWS);
}

const ROWS: &[Row] = &[
    (
        "RFC 9211 2.2, 2.3, 2.5: a miss tells why it went on, what came and that it is kept",
        |case| {
            case.origin(200, &["cache-control: max-age=60"]);
            let got = case.get(&[]).says("fwd=uri-miss").says("fwd-status=200").says("stored");
            got.does_not_say("hit").does_not_say("collapsed");
        },
    ),
    ("RFC 9211 2.1, 2.4: a hit tells how long it stays fresh", |case| {
        case.origin(200, &["cache-control: max-age=3600", "age: 600"]);
        case.get(&[]);
        let status = case.get(&[]).hit().does_not_say("stored").field("cache-status").unwrap();
        let ttl = status.split("ttl=").nth(1).unwrap();
        let ttl: i64 = ttl.split(';').next().unwrap().parse().unwrap();
        assert!((2980..=3000).contains(&ttl), "{status}");
    }),
    ("RFC 9211 2.4: what is stale has a ttl below zero", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 100", "etag: \"a\""]);
        case.get(&[]);
        let status = case.get(&["cache-control: max-stale"]).hit().field("cache-status").unwrap();
        assert!(status.contains("ttl=-4"), "{status}");
    }),
    ("RFC 9211 2.8: what is not stored tells why", |case| {
        case.origin(200, &["cache-control: no-store"]);
        case.get(&[]).does_not_say("stored").says("detail=no-store");
    }),
    ("RFC 9211 2: each cache adds itself behind those nearer to the origin", |case| {
        case.origin(200, &["cache-control: max-age=60", "cache-status: near; hit; ttl=9"]);
        let status = case.get(&[]).field("cache-status").unwrap();
        assert!(status.starts_with("near; hit; ttl=9, stratus-cache-"), "{status}");
    }),
    ("RFC 9211 2: an answer of the cache itself is neither hit nor forwarded", |case| {
        let got = case.get(&["cache-control: only-if-cached"]).is(504);
        got.says("detail=only-if-cached").does_not_say("hit");
    }),
];
