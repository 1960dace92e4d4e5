//! RFC 9110 sections 7.6, 9.3, 10.1.1 and RFC 8586: a proxy among others.

use crate::origin::reply;
use crate::row::{Row, try_rows, try_rows_with};

#[test]
fn forwarding() {
    try_rows(ROWS);
}

#[test]
fn forwarding_to_a_folder() {
    try_rows_with("", "/public", IN_A_FOLDER);
}

const IN_A_FOLDER: &[Row] =
    &[("RFC 3986 5.2.4: dots do not lead out of the folder that is set up", |case| {
        for dots in ["/../private", "/row/../../private", "/%2e%2e/private", "/../publicity"] {
            case.ask_for("GET", dots, &[], b"").is(404).says("detail=no-upstream");
        }
        case.origin(200, &[]);
        case.get(&[]).answer(1);
    })];

const ROWS: &[Row] = &[
    ("RFC 9110 7.6.1: fields of the connection do not go on", |case| {
        case.origin(200, &[]);
        case.get(&[
            "connection: close, x-hop",
            "x-hop: 1",
            "keep-alive: 5",
            "te: trailers",
            "proxy-authorization: x",
            "proxy-connection: close",
            "upgrade: h2c",
            "x-end: 1",
        ]);
        let asked = case.last_asked();
        for gone in ["x-hop", "keep-alive", "te", "proxy-authorization", "proxy-connection"] {
            assert_eq!(asked.field(gone), None, "{gone}");
        }
        assert_eq!(asked.field("upgrade"), None);
        assert_eq!(asked.field("x-end").unwrap(), "1");
    }),
    ("RFC 9110 7.6.1: Connection cannot take away what everybody must see", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&["connection: close, authorization, x", "authorization: Basic YTpi"]);
        assert_eq!(case.last_asked().field("authorization").unwrap(), "Basic YTpi");
    }),
    ("RFC 9110 7.6.3: the cache is in Via, both ways, behind those before it", |case| {
        case.origin(200, &["cache-control: max-age=60", "via: 1.0 near"]);
        let via = case.get(&["via: 1.1 far"]).field("via").unwrap();
        assert!(via.starts_with("1.0 near, 1.1 stratus-cache-"), "{via}");
        let asked = case.last_asked().field("via").unwrap();
        assert!(asked.starts_with("1.1 far, 1.1 stratus-cache-"), "{asked}");
        let hit = case.get(&[]).hit().field("via").unwrap();
        assert!(hit.starts_with("1.0 near, 1.1 stratus-cache-"), "{hit}");
    }),
    ("RFC 8586 2: a request that was here before goes no further", |case| {
        case.origin(200, &[]);
        case.get(&[]);
        let asked = case.last_asked();
        let ours = asked.field("cdn-loop").unwrap();
        case.get(&[&format!("cdn-loop: other, {ours}")]).is(508);
        case.get(&[&format!("via: {}", asked.field("via").unwrap())]).is(508);
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9110 7.2: Host is that of the origin", |case| {
        case.origin(200, &[]);
        case.get(&["host: elsewhere.example"]);
        let host = case.last_asked().field("host").unwrap();
        assert!(case.origin_url().ends_with(&host), "{host}");
    }),
    ("RFC 9110 6.6.1: what is passed on without Date gets one", |case| {
        case.replies(reply(200, &["cache-control: no-store"]).undated());
        assert!(case.get(&[]).field("date").is_some());
    }),
    ("RFC 9110 5.1: fields that nobody knows pass both ways", |case| {
        case.origin(200, &["cache-control: max-age=60", "x-unknown: \u{e9}", "x-unknown: b"]);
        case.get(&["x-asked: 1"]).has("x-unknown", "\u{e9}, b");
        case.get(&["x-asked: 1"]).hit().has("x-unknown", "\u{e9}, b");
        assert_eq!(case.last_asked().field("x-asked").unwrap(), "1");
    }),
    ("RFC 9110 9.3.3: POST goes on with its content, and so does its answer", |case| {
        case.origin(200, &[]);
        case.ask("POST", &["content-type: a/b"], b"question").answer(1);
        let asked = case.last_asked();
        assert_eq!((asked.method.as_str(), asked.body.as_slice()), ("POST", &b"question"[..]));
        assert_eq!(asked.field("content-type").unwrap(), "a/b");
        assert_eq!(asked.field("content-length").unwrap(), "8");
    }),
    ("RFC 9112 7.1: content in chunks goes on", |case| {
        case.origin(200, &[]);
        let chunks = b"3\r\nabc\r\n0\r\n\r\n";
        case.ask("PUT", &["transfer-encoding: chunked"], chunks).answer(1);
        assert_eq!(case.last_asked().body, b"abc");
    }),
    ("RFC 9110 10.1.1: Expect: 100-continue is answered, and the content goes on", |case| {
        case.origin(200, &[]);
        case.ask("PUT", &["expect: 100-continue"], b"question").answer(1);
        assert_eq!(case.last_asked().body, b"question");
    }),
    ("RFC 9110 9.3.6, 9.3.8: CONNECT and TRACE end here", |case| {
        case.ask("TRACE", &[], b"").is(501);
        case.ask_for("CONNECT", "elsewhere.example:443", &[], b"").is(501);
        assert_eq!(case.asked().len(), 0);
    }),
    ("RFC 9110 7.6.2: Max-Forwards counts down, and ends", |case| {
        case.origin(204, &["allow: GET"]);
        case.ask("OPTIONS", &["max-forwards: 3"], b"").is(204).has("allow", "GET");
        assert_eq!(case.last_asked().field("max-forwards").unwrap(), "2");
        case.ask("OPTIONS", &["max-forwards: 0"], b"").is(204).lacks("allow");
        case.ask_for("OPTIONS", "*", &[], b"").is(204);
        assert_eq!(case.asked().len(), 1);
    }),
    ("RFC 9110 9.3.1: a GET without content sends none, whatever it says of it", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        case.get(&["content-length: 0", "expect: 100-continue"]).answer(1);
        let asked = case.last_asked();
        assert_eq!((asked.field("content-length"), asked.field("expect")), (None, None));
    }),
    ("RFC 3986 6.2.2.3: a path with dots is the path without them", |case| {
        case.origin(200, &["cache-control: max-age=60"]);
        let target = format!("/x/..{}", case.path());
        case.ask_for("GET", &target, &[], b"").answer(1);
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9110 15.2: interim responses go on to the client, before the final one", |case| {
        let hints = ["link: </a>; rel=preload", "x-hint: 1", "connection: x-hop", "x-hop: 1"];
        let answer = reply(200, &["cache-control: max-age=60"]).after(102, &[]).after(103, &hints);
        case.replies(answer);
        let got = case.get(&[]).answer(1).lacks("x-hint");
        let [(102, _), (103, hints)] = got.interim.as_slice() else { panic!("{got:?}") };
        assert_eq!(hints.get("link").unwrap(), "</a>; rel=preload");
        assert_eq!((hints.get("x-hint").as_deref(), hints.get("x-hop")), (Some("1"), None));
        assert!(case.get(&[]).answer(1).hit().interim.is_empty());
    }),
    ("RFC 9110 15.2: an interim response comes while the final one is not there", |case| {
        case.replies(reply(200, &["cache-control: no-store"]).after(103, &["x: 1"]).late());
        case.get_released_by_interim().answer(1);
    }),
    (
        "RFC 9110 15.2: interim responses on a connection with several requests stay in order",
        |case| {
            for _ in 0..20 {
                case.replies(reply(200, &["cache-control: no-store"]).after(103, &["x: 1"]));
            }
            let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", case.path());
            for (at, got) in case.pipelined(&request, 20).into_iter().enumerate() {
                assert_eq!(got.interim.len(), 1);
                got.answer(at + 1);
            }
        },
    ),
    ("RFC 9110 15.2: an HTTP/1.0 client gets no interim response", |case| {
        case.replies(reply(200, &["cache-control: no-store"]).after(103, &["x: 1"]));
        let request = format!("GET {} HTTP/1.0\r\n\r\n", case.path());
        let got = case.raw("GET", request.as_bytes()).answer(1);
        assert!(got.interim.is_empty());
    }),
];
