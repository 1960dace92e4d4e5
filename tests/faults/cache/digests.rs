//! Bytes that have digests: a wrong body never ends cleanly, and nobody waits for ever for a verdict.

use crate::{MIB, Stage, breaks_at, image, length, noise, page, repr_digest};
use std::sync::Arc;
use stratus_tests::{CacheSetup, Faults, Length};

const IMAGE: &str = "/images/base/a/1.0/a-1.0.img.gz";
const MANIFEST: &str = "/images/base/a/1.0/a-1.0.img.manifest.xml";

#[test]
fn a_wrong_digest_leaves_everybody_without_an_end() {
    let stage = Stage::new();
    for (size, path) in [(3 * MIB, "/large"), (1000, "/small")] {
        let bytes = noise(size, 20);
        let wrong = page(&bytes).header("Repr-Digest", &repr_digest(b"other"));
        stage.origin.put(path, wrong);
        let readings = [(); 3].map(|()| stage.begin(path, &[]));
        for reading in readings {
            stage.end(reading).is_broken(path);
        }
        let before = stage.origin.tally(path).requests.len();
        stage.get(path, &[]).is_broken("again");
        assert!(stage.origin.tally(path).requests.len() > before, "it is fetched again");
        let right = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
        stage.origin.put(path, right);
        stage.recovers(path, &bytes);
    }
}

#[test]
fn the_end_of_a_cold_object_does_not_wait_for_the_beginning() {
    let stage = Stage::new();
    // Far enough behind the transfer under way not to wait for that.
    let bytes = noise(20 * MIB, 21);
    let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    let stalls = Faults { stall_after: Some(MIB as u64), ..Faults::default() };
    stage.origin.put("/a", told.with(stalls));
    let whole = stage.begin("/a", &[]);
    stage.origin.wait("/a", |tally| tally.waiting > 0);
    let at = bytes.len() - 1000;
    let tail = format!("bytes={at}-");
    stage.get("/a", &[("range", &tail)]).is("the tail", 206, &bytes[at..]);
    assert_eq!(stage.origin.tally("/a").waiting, 1, "the beginning is still on its way");
    stage.origin.faults("/a", Faults::default());
    stage.origin.go_on();
    stage.end(whole).is("the whole", 200, &bytes);
    stage.recovers("/a", &bytes);
}

#[test]
fn ranges_that_make_up_something_wrong_do_not_all_end_well() {
    let setup =
        CacheSetup { upstream_lines: "complete_from = 100".into(), ..CacheSetup::default() };
    let stage = Stage::with(setup);
    let bytes = noise(3 * MIB, 24);
    let wrong = page(&bytes).header("Repr-Digest", &repr_digest(b"other"));
    let parts = [0..MIB, MIB..2 * MIB, 2 * MIB..3 * MIB];
    for (round, order) in [[0, 1, 2], [2, 1, 0], [2, 0, 1]].into_iter().enumerate() {
        let path = format!("/{round}");
        stage.origin.put(&path, wrong.clone());
        let get = |part: usize| {
            let range = parts[part].clone();
            let range = format!("bytes={}-{}", range.start, range.end - 1);
            stage.get(&path, &[("range", &range)])
        };
        for part in &order[..2] {
            get(*part).is("while others are missing", 206, &bytes[parts[*part].clone()]);
        }
        get(order[2]).is_broken("the last");
    }
}

#[test]
fn a_transfer_given_up_near_the_end_is_told_to_those_who_wait() {
    let setup =
        CacheSetup { upstream_lines: "stall_time = \"2s\"".into(), ..CacheSetup::default() };
    let stage = Stage::with(setup);
    let bytes = noise(2 * MIB, 22);
    let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    stage.origin.put("/a", told.with(breaks_at(bytes.len() - 1000)));
    let reading = stage.begin("/a", &[]);
    let stalls = Faults { stall_after: Some(0), ..Faults::default() };
    stage.meanwhile("/a", || stage.origin.faults("/a", stalls));
    assert!(stage.end(reading).is_broken("given up").begins(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn a_verdict_that_a_kill_prevented_is_given_afterwards() {
    let mut stage = Stage::new();
    let bytes = noise(2 * MIB, 23);
    let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    stage.origin.put("/a", told);
    stage.get("/a", &[]).is("first", 200, &bytes);
    stage.rests("/a");
    stage.cache.kill();
    // As if it had been killed before it noted the verdict: the last line of the journal.
    let journal = crate::spool::journal(&stage.cache);
    let text = std::fs::read_to_string(&journal).unwrap();
    let verdict = text.trim_end().rfind('\n').unwrap() + 1;
    assert!(text[verdict..].contains("verified"), "{text}");
    std::fs::write(&journal, &text[..verdict]).unwrap();
    stage.cache.restart();
    stage.recovers("/a", &bytes);
    assert_eq!(stage.origin.tally("/a").sent, length(&bytes), "nothing came twice");
    assert_eq!(stage.cache.told(&["list"])[0]["state"], "verified");
}

#[test]
fn a_manifest_with_wrong_pieces_lets_nothing_through() {
    let stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 24);
    let (_, other) = image(9 * MIB, 25);
    let begins = |text: &str| text.find("<chunks").unwrap()..text.find("</chunks>").unwrap();
    let mut wrong = manifest.clone();
    wrong.replace_range(begins(&manifest), &other[begins(&other)]);
    stage.origin.put(IMAGE, page(&bytes));
    stage.origin.put(MANIFEST, page(wrong.as_bytes()));
    let got = stage.get(IMAGE, &[]).is_broken("wrong pieces");
    assert!(got.body.is_empty(), "{} bytes came", got.body.len());
    stage.get(IMAGE, &[("range", "bytes=5000000-5000099")]).is_broken("a part");
    stage.origin.put(MANIFEST, page(manifest.as_bytes()));
    stage.recovers(IMAGE, &bytes);
}

#[test]
fn other_bytes_of_the_right_length_are_refused_where_a_manifest_tells() {
    let stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 26);
    let other = Some((5 << 20, Arc::new(noise(bytes.len(), 27))));
    let faults = Faults { other_bytes: other, ..Faults::default() };
    stage.origin.put(IMAGE, page(&bytes).with(faults.clone()));
    stage.origin.put(MANIFEST, page(manifest.as_bytes()));
    let got = stage.get(IMAGE, &[]).is_broken("other bytes");
    assert!(got.begins(&bytes), "only right ones come");
    let part = stage.get(IMAGE, &[("range", "bytes=1000-1999")]);
    part.is("a part of a right piece", 206, &bytes[1000..2000]);
    stage.recovers(IMAGE, &bytes);
}

#[test]
fn another_length_than_the_manifest_says_never_ends_well() {
    let stage = Stage::new();
    let (bytes, manifest) = image(MIB, 28);
    stage.origin.put(MANIFEST, page(manifest.as_bytes()));
    for length in [Length::Shorter(1000), Length::Chunked] {
        let short = bytes[..bytes.len() - 1000].to_vec();
        let served = if length == Length::Chunked { &short } else { &bytes };
        stage.origin.put(IMAGE, page(served).with(Faults { length, ..Faults::default() }));
        stage.get(IMAGE, &[]).is_broken("another length");
    }
    // An answer that is no image has no digest to keep.
    stage.origin.put(IMAGE, page(&bytes).with(Faults { status: Some(404), ..Faults::default() }));
    stage.get(IMAGE, &[("cache-control", "no-cache")]).is("gone", 404, b"");
    stage.cache.told(&["purge", IMAGE]);
    stage.recovers(IMAGE, &bytes);
}

#[test]
fn a_manifest_that_trickles_does_not_hold_the_image_back() {
    let setup = CacheSetup { upstream_lines: "head_time = \"1s\"".into(), ..CacheSetup::default() };
    let stage = Stage::with(setup);
    let (bytes, manifest) = image(MIB, 29);
    stage.origin.put(IMAGE, page(&bytes));
    let stalls = Faults { stall_after: Some(10), ..Faults::default() };
    stage.origin.put(MANIFEST, page(manifest.as_bytes()).with(stalls));
    stage.get(IMAGE, &[]).is("without it", 200, &bytes);
    stage.recovers(IMAGE, &bytes);
}

#[test]
fn pieces_that_break_off_in_the_middle_go_on_from_there() {
    let stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 30);
    let faults = Faults { cut_after: Some(700_000), ..Faults::default() };
    stage.origin.put(IMAGE, page(&bytes).with(faults));
    stage.origin.put(MANIFEST, page(manifest.as_bytes()));
    stage.get(IMAGE, &[]).is("cut every 700,000 bytes", 200, &bytes);
    let sent = stage.origin.tally(IMAGE).sent;
    assert!(sent <= length(&bytes) + MIB as u64, "{sent} bytes for {}", bytes.len());
    stage.recovers(IMAGE, &bytes);
}
