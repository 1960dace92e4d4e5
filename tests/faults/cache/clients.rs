//! Clients that hang up, come back, ask for too much, or contradict themselves.

use crate::{MIB, Stage, length, noise, page};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use stratus_tests::{CacheSetup, Faults};

/// Sends bytes as they are; what comes back until the other end closes.
fn raw(stage: &Stage, request: &str) -> String {
    let mut socket = TcpStream::connect(stage.cache.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn one_that_hangs_up_in_the_middle_takes_nothing_from_the_others() {
    let stage = Stage::new();
    let bytes = noise(4 * MIB, 60);
    let faults = Faults { stall_after: Some(2 * MIB as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let whole = stage.begin("/a", &[]);
    stage.origin.wait("/a", |tally| tally.waiting == 1);
    let url = stage.url("/a");
    let part = stage.readers.leave_after(&url, &[("range", "bytes=1000000-3999999")], 10_000);
    assert!(bytes[1_000_000..].starts_with(&part));
    stage.readers.leave_after(&url, &[], 10_000);
    stage.origin.go_on();
    stage.end(whole).is("the others", 200, &bytes);
    stage.cache.is_left();
    assert!(stage.origin.tally("/a").sent <= length(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn the_first_reader_may_leave_and_come_back() {
    let stage = Stage::new();
    let bytes = noise(6 * MIB, 61);
    let at = 6 * MIB * 3 / 10;
    let faults = Faults { stall_after: Some(at as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let url = stage.url("/a");
    // It has all that came so far, and leaves.
    let first = stage.readers.leave_after(&url, &[], at);
    let range = format!("bytes={}-", first.len());
    let tag = page(&bytes).tag.unwrap();
    let rest = stage.begin("/a", &[("range", &range), ("if-range", &tag)]);
    stage.origin.go_on();
    stage.end(rest).is("the rest", 206, &bytes[first.len()..]);
    stage.rests("/a");
    assert_eq!(stage.origin.tally("/a").sent, length(&bytes), "only what was missing came");
    stage.recovers("/a", &bytes);
}

#[test]
fn ten_thousand_ranges_do_no_harm() {
    let stage = Stage::new();
    let bytes = noise(MIB, 62);
    stage.origin.put("/a", page(&bytes));
    for (count, statuses) in [(10_000, vec![431]), (4_000, vec![200]), (120, vec![200, 206])] {
        let ranges: Vec<String> = (0..count).map(|n| format!("{}-{0}", n % 10)).collect();
        let ranges = if count == 120 {
            (0..count).map(|n| format!("{}-{}", n * 1000, n * 1000 + 1)).collect()
        } else {
            ranges
        };
        let got = stage.get("/a", &[("range", &format!("bytes={}", ranges.join(",")))]);
        assert!(statuses.contains(&got.status), "{count}: {}", got.status);
        if got.status == 200 {
            got.is("everything", 200, &bytes);
        }
    }
    assert!(stage.origin.tally("/a").sent <= 2 * length(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn a_few_ranges_of_a_cold_object_come_together() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 63);
    stage.origin.put("/a", page(&bytes));
    let got = stage.get("/a", &[("range", "bytes=10-19, 1000000-1000009, -5")]);
    assert_eq!((got.status, got.is_whole), (206, true));
    for part in [&bytes[10..20], &bytes[1_000_000..1_000_010], &bytes[2 * MIB - 5..]] {
        assert!(got.body.windows(part.len()).any(|window| window == part));
    }
    stage.recovers("/a", &bytes);
}

#[test]
fn two_lengths_of_one_request_never_reach_the_origin() {
    let stage = Stage::new();
    let bytes = noise(1000, 64);
    stage.origin.put("/a", page(&bytes));
    stage.origin.put("/hidden", page(b"hidden"));
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let framings = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 50\r\n", "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "12345"),
        ("Content-Length: 5, 6\r\n", "12345"),
        ("Content-Length: +5\r\n", "12345"),
        ("Content-Length: -1\r\n", ""),
        ("Transfer-Encoding: gzip, chunked, identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ];
    for method in ["POST", "GET"] {
        for (lengths, body) in framings {
            let case = format!("{method} {lengths:?}");
            let head = format!("{method} /a HTTP/1.1\r\nHost: a\r\n{lengths}\r\n");
            let answer = raw(&stage, &format!("{head}{body}{hidden}"));
            assert!(answer.starts_with("HTTP/1.1 "), "{case}: {answer}");
            let refused = answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 501");
            let once = answer.matches("HTTP/1.1 ").count() == 1;
            assert!(refused || once, "{case}: {answer}");
            let hidden = stage.origin.tally("/hidden").requests;
            assert!(hidden.is_empty(), "{case}: {hidden:?}");
            for request in stage.origin.tally("/a").requests {
                let request = request.to_ascii_lowercase();
                let both = request.contains("content-length") && request.contains("transfer-enc");
                assert!(!both && !request.contains("identity"), "{case}: {request}");
            }
        }
    }
    stage.recovers("/a", &bytes);
}

#[test]
fn requests_that_are_none_are_refused() {
    let stage = Stage::new();
    let bytes = noise(1000, 65);
    stage.origin.put("/a", page(&bytes));
    let mut long = String::from("GET /a HTTP/1.1\r\nHost: a\r\n");
    for n in 0..2000 {
        let _ = write!(long, "X-{n}: {}\r\n", "y".repeat(40));
    }
    for request in ["nonsense\r\n\r\n", "GET\r\n\r\n", "GET /a HTTP/9.9\r\n\r\n", &(long + "\r\n")]
    {
        let answer = raw(&stage, request);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{request:.30}: {answer}");
    }
    assert!(stage.origin.tally("/a").requests.is_empty());
    stage.recovers("/a", &bytes);
}

#[test]
fn what_is_purged_is_not_brought_for_nobody() {
    let stage = Stage::new();
    let bytes = noise(48 * MIB, 67);
    let faults = Faults { stall_after: Some(MIB as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let reading = stage.begin("/a", &[]);
    stage.readers.leave_after(&stage.url("/a"), &[], MIB);
    stage.cache.told(&["purge", "/a"]);
    reading.abort();
    stage.cache.is_left();
    stage.origin.go_on();
    stage.rests("/a");
    let sent = stage.origin.tally("/a").sent;
    assert!(sent < length(&bytes) / 2, "{sent} bytes came for nobody");
    stage.recovers("/a", &bytes);
}

#[test]
fn many_rounds_of_leaving_leave_nothing_open() {
    let setup =
        CacheSetup { upstream_lines: "complete_from = 100".into(), ..CacheSetup::default() };
    let stage = Stage::with(setup);
    let bytes = noise(2 * MIB, 66);
    let mut before = 0;
    for round in 0..30 {
        let path = format!("/{}", round % 3);
        stage.origin.put(&path, page(&bytes));
        let url = stage.url(&path);
        stage.readers.leave_after(&url, &[], 1000);
        stage.readers.leave_after(&url, &[("range", "bytes=1500000-")], 1000);
        stage.rests(&path);
        stage.cache.told(&["purge", &path]);
        stage.cache.rests();
        if round == 5 {
            before = stage.cache.files().len();
        }
    }
    stage.cache.is_left();
    let after = stage.cache.files().len();
    assert!(after <= before + 4, "{before} files and connections became {after}");
    stage.recovers("/0", &bytes);
}
