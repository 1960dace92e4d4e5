//! Upstreams that stall, break off, trickle, or lead in circles.

use crate::{MIB, Stage, breaks_at, free_address, length, noise, page, repr_digest};
use std::time::Duration;
use stratus_tests::{Cache, CacheSetup, Faults, Readers};

fn impatient(lines: &str) -> Stage {
    Stage::with(CacheSetup { upstream_lines: lines.into(), ..CacheSetup::default() })
}

#[test]
fn an_answer_that_stalls_is_gone_on_with() {
    let stage = impatient("stall_time = \"300ms\"");
    let bytes = noise(3 * MIB, 40);
    let faults = Faults { stall_after: Some(MIB as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    stage.get("/a", &[]).is("stalls", 200, &bytes);
    let tally = stage.origin.tally("/a");
    assert!(tally.sent <= length(&bytes) + MIB as u64, "{} bytes", tally.sent);
    assert!(tally.requests.len() >= 3, "{} requests", tally.requests.len());
    stage.recovers("/a", &bytes);
}

#[test]
fn an_answer_that_stalls_for_ever_ends_for_everybody() {
    let stage = impatient("stall_time = \"200ms\"");
    let bytes = noise(2 * MIB, 41);
    let faults = Faults { stall_after: Some(0), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let readings = [stage.begin("/a", &[]), stage.begin("/a", &[("range", "bytes=9-")])];
    for reading in readings {
        stage.end(reading).is_broken("for ever");
    }
    stage.recovers("/a", &bytes);
}

#[test]
fn resets_after_every_so_many_bytes_go_unnoticed() {
    for (size, each) in [(2 * MIB, 300_000), (600_000, 65_537), (9000, 1000)] {
        let stage = Stage::new();
        let bytes = noise(size, 42);
        let faults = Faults { cut_after: Some(each), ..Faults::default() };
        let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
        stage.origin.put("/a", told.with(faults));
        stage.get("/a", &[]).is("cut again and again", 200, &bytes);
        let sent = stage.origin.tally("/a").sent;
        assert!(sent <= length(&bytes) + MIB as u64, "{sent} bytes for {size}");
        stage.recovers("/a", &bytes);
    }
}

#[test]
fn a_part_that_fails_does_not_end_what_goes_well() {
    let stage = impatient("stall_time = \"5 s\"\ncomplete_from = 100");
    let bytes = noise(24 * MIB, 43);
    let stalls = Faults { stall_after: Some(MIB as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(stalls));
    let whole = stage.begin("/a", &[]);
    stage.origin.wait("/a", |tally| tally.waiting == 1);
    // The first goes well, and slowly; a part far ahead of it cannot be had.
    stage.origin.faults("/a", Faults { status: Some(503), ..Faults::default() });
    let part = stage.get("/a", &[("range", "bytes=23000000-23000099")]);
    part.is_broken("cannot be had");
    stage.origin.faults("/a", Faults::default());
    stage.origin.go_on();
    stage.end(whole).is("goes well", 200, &bytes);
    stage.recovers("/a", &bytes);
}

#[test]
fn a_redirect_to_itself_is_passed_on() {
    let stage = Stage::new();
    let bytes = noise(1000, 44);
    let faults = Faults { redirect: Some("/a".into()), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let got = stage.get("/a", &[]).is("the redirect", 302, b"");
    assert_eq!(got.header("location"), "/a");
    assert_eq!(stage.origin.tally("/a").requests.len(), 1, "nobody follows it");
    stage.recovers("/a", &bytes);
}

#[test]
fn a_cache_before_itself_says_so() {
    let address = free_address();
    let (upstream, listen) = (format!("http://{address}"), Some(address));
    let cache = Cache::with(CacheSetup { upstream, listen, ..CacheSetup::default() });
    let readers = Readers::new();
    for path in ["/a", "/images/a.img.gz"] {
        let url = format!("{}{path}", cache.url());
        let got = readers.get(&url, &[]);
        assert_eq!(got.status, 508, "{}", String::from_utf8_lossy(&got.body));
        readers.get(&url, &[("range", "bytes=1-2")]).is_broken("a part");
    }
    cache.rests();
}

#[test]
fn a_head_that_trickles_is_not_waited_for() {
    let stage = impatient("head_time = \"2s\"");
    let bytes = noise(1000, 45);
    let faults = Faults { trickle: Some(Duration::from_millis(50)), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults.clone()));
    let readings: Vec<_> = (0..8).map(|_| stage.begin("/a", &[])).collect();
    for reading in readings {
        assert_eq!(stage.end(reading).status, 504);
    }
    stage.recovers("/a", &bytes);
    // The head of the rest may trickle as well.
    let bytes = noise(2 * MIB, 46);
    stage.origin.put("/b", page(&bytes).with(breaks_at(MIB)));
    let reading = stage.begin("/b", &[]);
    stage.meanwhile("/b", || stage.origin.faults("/b", faults));
    assert!(stage.end(reading).is_broken("the rest").begins(&bytes));
    stage.recovers("/b", &bytes);
}
