//! RFC 9111 section 4: requests at the same time share one to the origin, where they may.

use crate::origin::reply;
use crate::row::{Case, Got, Row, try_rows};
use std::thread;

#[test]
fn collapsing() {
    try_rows(ROWS);
}

/// Requests at the same time: the first is at the origin when the others come, and the origin
/// answers when all wait.
fn together(case: &Case<'_>, requests: &[&[&str]]) -> Vec<Got> {
    thread::scope(|scope| {
        let before = case.asked().len();
        let mut running = Vec::new();
        for (at, fields) in requests.iter().enumerate() {
            running.push(scope.spawn(move || case.get(fields)));
            if at == 0 {
                case.wait_asked(before + 1);
            }
        }
        case.wait_waiting(requests.len() - 1);
        case.release();
        running.into_iter().map(|request| request.join().unwrap()).collect()
    })
}

const ROWS: &[Row] = &[
    ("RFC 9111 4: requests for the same at the same time cause one at the origin", |case| {
        case.replies(reply(200, &["cache-control: max-age=60"]).held());
        let got = together(case, &[&[], &[], &[], &["range: bytes=0-5"]]);
        assert_eq!(case.asked().len(), 1);
        let mut collapsed = 0;
        for got in got {
            let part = got.status == 206;
            let got = if part { got.with("answer") } else { got.answer(1) };
            collapsed += usize::from(got.field("cache-status").unwrap().contains("; collapsed"));
        }
        assert_eq!(collapsed, 3);
    }),
    ("RFC 9211 2.6: a request that joined says so, and brings no status of its own", |case| {
        case.replies(reply(200, &["cache-control: max-age=60"]).held());
        let got = together(case, &[&[], &[]]).pop().unwrap();
        let status = got.says("collapsed").does_not_say("stored").field("cache-status").unwrap();
        assert!(!status.contains("fwd-status"), "{status}");
    }),
    ("RFC 9111 4: an answer for one client alone is not shared", |case| {
        case.replies(reply(200, &["cache-control: private"]).held());
        case.origin(200, &["cache-control: private"]);
        case.origin(200, &["cache-control: private"]);
        let mut bodies: Vec<_> =
            together(case, &[&[], &[], &[]]).into_iter().map(|got| got.is(200).body).collect();
        bodies.sort();
        assert_eq!(bodies, [b"answer 1", b"answer 2", b"answer 3"]);
    }),
    (
        "RFC 9111 4: who waited for what is not shared asks at once, not one after the other",
        |case| {
            for _ in 0..4 {
                case.replies(reply(200, &["cache-control: private"]).held());
            }
            thread::scope(|scope| {
                let first = scope.spawn(|| case.get(&[]));
                case.wait_asked(1);
                let others = [(); 3].map(|()| scope.spawn(|| case.get(&[])));
                case.wait_waiting(3);
                case.release();
                first.join().unwrap().answer(1);
                // All of them are at the origin before one has an answer.
                case.wait_asked(4);
                case.release();
                for other in others {
                    other.join().unwrap().is(200);
                }
            });
        },
    ),
    ("RFC 9111 4: what was not shared a moment ago is not waited for", |case| {
        case.origin(200, &["cache-control: private"]);
        case.get(&[]).answer(1);
        thread::scope(|scope| {
            for number in 2..4 {
                case.replies(reply(200, &["cache-control: max-age=60"]).held());
                scope.spawn(|| case.get(&[]).is(200));
                case.wait_asked(number);
            }
            case.release();
        });
        case.get(&[]).hit();
    }),
    ("RFC 9111 4: an answer about one range says nothing about the others", |case| {
        case.replies(reply(416, &["content-range: bytes */8"]).held());
        case.replies(reply(200, &["cache-control: max-age=60"]));
        let got = together(case, &[&["range: bytes=90-"], &[], &[], &[]]);
        assert_eq!(got[0].status, 416);
        assert!(got[1..].iter().all(|got| got.body == b"answer 2"), "{got:#?}");
        assert_eq!(case.asked().len(), 2);
    }),
    ("RFC 9111 5.2.2.4: an answer that is validated at each use is validated for each", |case| {
        let fields = ["cache-control: no-cache", "etag: \"a\""];
        case.replies(reply(200, &fields).held());
        case.origin(304, &fields);
        case.origin(304, &fields);
        for got in together(case, &[&[], &[], &[]]) {
            got.answer(1).does_not_say("collapsed");
        }
        let asked = case.asked();
        assert_eq!(asked.len(), 3);
        for asked in &asked[1..] {
            assert_eq!(asked.field("if-none-match").unwrap(), "\"a\"");
        }
    }),
    ("RFC 9111 4.1: each variant is asked for once, however many wait", |case| {
        let vary = ["cache-control: max-age=60", "vary: x-kind"];
        case.replies(reply(200, &vary).body("1").held());
        case.replies(reply(200, &vary).body("2"));
        case.replies(reply(200, &vary).body("3"));
        let kinds: [&[&str]; 6] = [
            &["x-kind: a"],
            &["x-kind: b"],
            &["x-kind: c"],
            &["x-kind: a"],
            &["x-kind: b"],
            &["x-kind: c"],
        ];
        let got = together(case, &kinds);
        assert_eq!(case.asked().len(), 3);
        for at in 0..3 {
            assert_eq!(got[at].body, got[at + 3].body);
        }
    }),
    ("RFC 9111 3.5: who identifies himself neither waits nor is waited for", |case| {
        let login = &["authorization: Basic YTpi"];
        case.replies(reply(200, &["cache-control: max-age=60"]).held());
        case.origin(200, &["cache-control: max-age=60"]);
        let before = thread::scope(|scope| {
            let first = scope.spawn(|| case.get(login));
            case.wait_asked(1);
            // Answered while the other is not.
            let other = case.get(&[]).answer(2).says("stored");
            case.release();
            first.join().unwrap().answer(1).does_not_say("stored");
            other
        });
        before.does_not_say("collapsed");
    }),
    ("RFC 9111 5.2.1.5: nobody waits for the answer to a no-store request", |case| {
        case.replies(reply(200, &["cache-control: max-age=60"]).held());
        case.origin(200, &["cache-control: max-age=60"]);
        thread::scope(|scope| {
            let first = scope.spawn(|| case.get(&["cache-control: no-store"]));
            case.wait_asked(1);
            case.get(&[]).answer(2).says("stored");
            case.release();
            first.join().unwrap().answer(1).does_not_say("stored");
        });
    }),
    ("RFC 5861 4: all who wait get what is stale when the origin fails", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 100", "etag: \"a\""]);
        case.get(&[]).answer(1);
        case.replies(reply(503, &[]).held());
        for got in together(case, &[&[], &[], &[]]) {
            got.answer(1).hit().says("detail=stale-if-error");
        }
        assert_eq!(case.asked().len(), 2);
    }),
    ("RFC 9111 4.3: what is stale is validated once for all who wait", |case| {
        case.origin(200, &["cache-control: max-age=60", "age: 100", "etag: \"a\""]);
        case.get(&[]).answer(1);
        case.replies(reply(304, &["cache-control: max-age=60", "etag: \"a\""]).held());
        for got in together(case, &[&[], &[], &["if-none-match: \"a\""]]) {
            if got.status != 304 {
                got.answer(1);
            }
        }
        assert_eq!(case.asked().len(), 2);
    }),
];
