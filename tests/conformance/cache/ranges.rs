//! RFC 9110 sections 13.1.5, 14 and 15.3.7, RFC 9111 sections 3.3 and 3.4: parts.

use crate::origin::reply;
use crate::row::{Case, Row, try_rows};

#[test]
fn ranges() {
    try_rows(ROWS);
}

const DIGITS: &str = "0123456789";

fn stored(case: &Case<'_>, fields: &[&str]) {
    let fields = [&["cache-control: max-age=60"], fields].concat();
    case.replies(reply(200, &fields).body(DIGITS));
    case.get(&[]).is(200).with(DIGITS);
}

/// The origin's part of the digits.
fn part(case: &Case<'_>, first: usize, last: usize, fields: &[&str]) {
    let said = format!("content-range: bytes {first}-{last}/10");
    let fields = [&["cache-control: max-age=60", said.as_str()], fields].concat();
    case.replies(reply(206, &fields).body(&DIGITS[first..=last]));
}

const ROWS: &[Row] = &[
    ("RFC 9110 14.2: a range of what is stored is answered from the store", |case| {
        stored(case, &[]);
        for (asked, said, body) in [
            ("bytes=2-4", "bytes 2-4/10", "234"),
            ("bytes=7-", "bytes 7-9/10", "789"),
            ("bytes=-2", "bytes 8-9/10", "89"),
            ("bytes=5-99", "bytes 5-9/10", "56789"),
        ] {
            let got = case.get(&[&format!("range: {asked}")]).is(206).with(body).hit();
            got.has("content-range", said).has("content-length", &body.len().to_string());
        }
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9110 14.3: what is stored tells that it has ranges", |case| {
        stored(case, &[]);
        case.get(&[]).has("accept-ranges", "bytes");
    }),
    ("RFC 9110 15.3.7.2: several ranges come as parts", |case| {
        let body = DIGITS.repeat(100);
        case.replies(reply(200, &["cache-control: max-age=60", "content-type: a/b"]).body(body));
        case.get(&[]).is(200);
        let got = case.get(&["range: bytes=0-1,500-502"]).is(206).hit().lacks("content-range");
        let media = got.field("content-type").unwrap();
        let boundary = media.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let expected = format!(
            "\r\n--{boundary}\r\nContent-Type: a/b\r\nContent-Range: bytes 0-1/1000\r\n\r\n01\
             \r\n--{boundary}\r\nContent-Type: a/b\r\nContent-Range: bytes 500-502/1000\r\n\r\n012\
             \r\n--{boundary}--\r\n"
        );
        got.with(&expected);
    }),
    ("RFC 9110 15.5.17: a range behind the end gets 416, and nobody may keep that", |case| {
        stored(case, &["content-type: a/b"]);
        let got = case.get(&["range: bytes=10-"]).is(416).has("content-range", "bytes */10");
        got.has("cache-control", "no-store").has("content-length", "0").lacks("content-type");
    }),
    ("RFC 9110 14.2: another unit or a broken range gets all of it", |case| {
        stored(case, &[]);
        for asked in ["lines=1-2", "bytes=4-2", "bytes=x"] {
            case.get(&[&format!("range: {asked}")]).is(200).with(DIGITS).hit();
        }
    }),
    ("RFC 9110 14.2: a range counts for GET only", |case| {
        stored(case, &[]);
        case.head(&["range: bytes=0-1"]).is(200).has("content-length", "10").lacks("content-range");
    }),
    ("RFC 9110 13.1.5: If-Range with the tag gets the range, with another all of it", |case| {
        stored(case, &["etag: \"a\"", "last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        let range = "range: bytes=0-1";
        case.get(&[range, "if-range: \"a\""]).is(206).with("01");
        case.get(&[range, "if-range: \"b\""]).is(200).with(DIGITS);
        case.get(&[range, "if-range: W/\"a\""]).is(200).with(DIGITS);
    }),
    ("RFC 9110 13.1.5: If-Range with exactly the date of a strong Last-Modified gets it", |case| {
        stored(case, &["etag: \"a\"", "last-modified: Tue, 01 Sep 2026 00:00:00 GMT"]);
        let range = "range: bytes=0-1";
        case.get(&[range, "if-range: Tue, 01 Sep 2026 00:00:00 GMT"]).is(206).with("01");
        case.get(&[range, "if-range: Wed, 02 Sep 2026 00:00:00 GMT"]).is(200).with(DIGITS);
    }),
    ("RFC 9110 13.1.5: a weak tag never holds for If-Range", |case| {
        stored(case, &["etag: W/\"a\""]);
        case.get(&["range: bytes=0-1", "if-range: W/\"a\""]).is(200).with(DIGITS);
    }),
    ("RFC 9110 13.2.2: If-None-Match goes before Range", |case| {
        stored(case, &["etag: \"a\""]);
        case.get(&["range: bytes=0-1", "if-none-match: \"a\""]).is(304);
    }),
    ("RFC 9111 3.3: a part is stored, and answers ranges in it", |case| {
        part(case, 2, 6, &["etag: \"a\""]);
        case.get(&["range: bytes=2-6"]).is(206).with("23456").missed();
        assert_eq!(case.last_asked().field("range").unwrap(), "bytes=2-6");
        let got = case.get(&["range: bytes=3-5"]).is(206).with("345").hit();
        got.has("content-range", "bytes 3-5/10");
    }),
    ("RFC 9111 3.4: the rest is asked for with If-Range, and joined", |case| {
        part(case, 0, 4, &["etag: \"a\""]);
        part(case, 5, 9, &["etag: \"a\""]);
        case.get(&["range: bytes=0-4"]).is(206).with("01234");
        case.get(&[]).is(200).with(DIGITS);
        // That answer alone tells whether the upstream still has the rest.
        let asked = case.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[1].field("range").unwrap(), "bytes=5-9");
        assert_eq!(asked[1].field("if-range").unwrap(), "\"a\"");
        assert_eq!(asked[1].field("if-none-match"), None);
    }),
    ("RFC 9111 3.3: a part that no strong validator ties to the rest is not stored", |case| {
        for tag in ["x-none: 1", "etag: W/\"a\""] {
            let case = case.at(&format!("/{}", &tag[..2]));
            part(&case, 2, 6, &[tag]);
            part(&case, 2, 6, &[tag]);
            case.get(&["range: bytes=2-6"]).is(206).with("23456").missed();
            case.get(&["range: bytes=2-6"]).is(206).with("23456").missed();
        }
    }),
    ("RFC 9110 14.4: a part whose length is not that of its Content-Range is not stored", |case| {
        let fields = ["cache-control: max-age=60", "etag: \"a\"", "content-range: bytes 4-9/10"];
        case.replies(reply(206, &fields).body("01234"));
        case.replies(reply(206, &fields).body("01234"));
        case.get(&["range: bytes=-5"]).is(206).with("01234").missed();
        case.get(&["range: bytes=-5"]).is(206).with("01234").missed();
    }),
    ("RFC 9111 4.3.1: a range of what is stale is validated first, and cut out then", |case| {
        let stale = ["cache-control: max-age=60", "age: 100", "etag: \"a\""];
        case.replies(reply(200, &stale).body(DIGITS));
        case.origin(304, &["cache-control: max-age=60"]);
        case.get(&[]).is(200);
        case.get(&["range: bytes=2-4"]).is(206).with("234").says("fwd-status=304");
        let asked = case.last_asked();
        assert_eq!(asked.field("range"), None);
        assert_eq!(asked.field("if-none-match").unwrap(), "\"a\"");
    }),
    ("RFC 9110 14.2: an origin without ranges is asked once, and ranges are cut here", |case| {
        case.replies(reply(200, &["cache-control: max-age=60"]).body(DIGITS));
        case.get(&["range: bytes=2-4"]).is(206).with("234");
        case.get(&["range: bytes=5-"]).is(206).with("56789").hit();
        assert_eq!(case.asked().len(), 1);
    }),
];
