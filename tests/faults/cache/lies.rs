//! Upstreams that say what is not so: lengths, ranges, entity tags, bytes.

use crate::{MIB, Stage, breaks_at, length, noise, page, repr_digest};
use std::sync::Arc;
use stratus_tests::{Faults, Length, Page};

#[test]
fn a_length_that_is_too_long_never_ends_well() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 1);
    let faults = Faults { length: Length::Longer(1000), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let got = stage.get("/a", &[]).is_broken("too long");
    assert!(got.begins(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn a_length_that_is_too_short_is_noticed_where_a_digest_is_known() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 2);
    let faults = Faults { length: Length::Shorter(1000), ..Faults::default() };
    let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    stage.origin.put("/a", told.with(faults));
    let got = stage.get("/a", &[]).is_broken("too short");
    assert!(got.begins(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn a_file_that_changes_in_the_middle_is_never_mixed() {
    let stage = Stage::new();
    let (old, new) = (noise(3 * MIB, 3), noise(3 * MIB, 4));
    stage.origin.put("/a", page(&old).with(breaks_at(MIB)));
    let reading = [stage.begin("/a", &[]), stage.begin("/a", &[("range", "bytes=500000-")])];
    stage.cache.until_first(|object| object["readers"] == 2);
    stage.meanwhile("/a", || stage.origin.put("/a", page(&new)));
    let [whole, part] = reading.map(|reading| stage.end(reading).is_broken("the old one"));
    assert!(whole.begins(&old) && part.begins(&old[500_000..]));
    stage.recovers("/a", &new);
}

#[test]
fn half_of_a_file_that_changed_later_is_replaced() {
    let mut stage = Stage::new();
    let (old, new) = (noise(3 * MIB, 12), noise(3 * MIB, 13));
    for bytes in [&old, &new] {
        let path = if bytes == &old { "/same" } else { "/other" };
        stage.origin.put(path, page(&old).with(breaks_at(MIB)));
        assert!(old.starts_with(&stage.readers.leave_after(&stage.url(path), &[], MIB)));
        stage.cache.kill();
        stage.cache.restart();
        // While the origin cannot say whether it has the rest, it is no answer.
        stage.origin.faults(path, Faults { status: Some(503), ..Faults::default() });
        assert_eq!(stage.get(path, &[]).status, 502);
        stage.origin.put(path, page(bytes));
        stage.get(path, &[("range", "bytes=2000000-2000009")]).is(
            "a part",
            206,
            &bytes[2_000_000..2_000_010],
        );
        stage.recovers(path, bytes);
    }
    let sent = stage.origin.tally("/same").sent;
    assert!(sent <= length(&old) + 2 * MIB as u64, "{sent} bytes came for what is the same");
}

#[test]
fn half_of_a_file_without_a_validator_is_fetched_anew() {
    let bytes = noise(3 * MIB, 14);
    let mut weak = page(&bytes).without_tag();
    weak.tag = Some("W/\"1\"".into());
    for page in [page(&bytes).without_tag(), weak] {
        let mut stage = Stage::new();
        stage.origin.put("/a", page.with(breaks_at(MIB)));
        stage.readers.leave_after(&stage.url("/a"), &[], MIB);
        stage.cache.kill();
        stage.cache.restart();
        stage.recovers("/a", &bytes);
    }
}

#[test]
fn another_entity_tag_on_resume_is_another_file() {
    let stage = Stage::new();
    let bytes = noise(3 * MIB, 5);
    let faults = Faults { range_tag: Some("\"other\"".into()), ..breaks_at(MIB) };
    stage.origin.put("/a", page(&bytes).with(faults));
    let reading = stage.begin("/a", &[]);
    stage.meanwhile("/a", || {});
    let got = stage.end(reading).is_broken("another tag");
    assert!(got.begins(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn everything_in_answer_to_a_range_is_used_when_it_is_the_same() {
    let stage = Stage::new();
    let bytes = noise(3 * MIB, 6);
    stage.origin.put("/a", page(&bytes).with(breaks_at(MIB)));
    let reading = stage.begin("/a", &[]);
    let ignores = Faults { ignores_ranges: true, ..Faults::default() };
    stage.meanwhile("/a", || stage.origin.faults("/a", ignores.clone()));
    stage.end(reading).is("resumed", 200, &bytes);
    assert!(stage.origin.tally("/a").sent <= length(&bytes) + MIB as u64);
    stage.rests("/a");
    stage.origin.put("/b", page(&bytes).with(ignores));
    let part = [("range", "bytes=1000000-1999999")];
    stage.get("/b", &part).is("a part", 206, &bytes[1_000_000..2_000_000]);
    stage.recovers("/b", &bytes);
}

#[test]
fn a_wrong_content_range_is_not_stored() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 7);
    let faults = Faults { shifts_ranges: Some(100), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults.clone()));
    let got = stage.get("/a", &[("range", "bytes=0-99")]);
    // Whoever gets it sees that it is not what was asked for.
    assert!(got.status != 206 || got.header("content-range").starts_with("bytes 100-199/"));
    stage.origin.faults("/a", Faults::default());
    stage.get("/a", &[("range", "bytes=100-199")]).is("next", 206, &bytes[100..200]);
    stage.recovers("/a", &bytes);
    stage.origin.put("/b", page(&bytes).with(breaks_at(MIB)));
    let reading = stage.begin("/b", &[]);
    stage.meanwhile("/b", || stage.origin.faults("/b", faults));
    assert!(stage.end(reading).is_broken("on resume").begins(&bytes));
    stage.recovers("/b", &bytes);
}

#[test]
fn without_a_validator_nothing_is_put_together() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 8);
    stage.origin.put("/a", page(&bytes).without_tag().with(breaks_at(MIB)));
    let reading = stage.begin("/a", &[]);
    stage.meanwhile("/a", || {});
    assert!(stage.end(reading).is_broken("no validator").begins(&bytes));
    stage.recovers("/a", &bytes);
}

#[test]
fn a_body_without_length_that_breaks_off_does_not_end_well() {
    let stage = Stage::new();
    let bytes = noise(2 * MIB, 9);
    let chunked = Faults { length: Length::Chunked, ..breaks_at(MIB) };
    stage.origin.put("/a", page(&bytes).with(chunked));
    let reading = stage.begin("/a", &[]);
    stage.meanwhile("/a", || {});
    assert!(stage.end(reading).is_broken("chunked").begins(&bytes));
    let whole = Faults { length: Length::Chunked, ..Faults::default() };
    stage.origin.faults("/a", whole);
    stage.get("/a", &[]).is("chunked and whole", 200, &bytes);
    stage.recovers("/a", &bytes);
}

#[test]
fn other_bytes_of_the_right_length_pass_where_nothing_can_tell() {
    let stage = Stage::new();
    let (bytes, other) = (noise(2 * MIB, 10), noise(2 * MIB, 11));
    let from = Some((length(&bytes) / 2, Arc::new(other.clone())));
    let faults = Faults { other_bytes: from, ..Faults::default() };
    let served = [&bytes[..MIB], &other[MIB..]].concat();
    stage.origin.put("/a", Page::new(bytes.clone()).with(faults.clone()));
    stage.get("/a", &[]).is("nothing tells", 200, &served);
    let told = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    stage.origin.put("/b", told.with(faults));
    let got = stage.get("/b", &[]).is_broken("the digest tells");
    assert!(got.begins(&served));
    stage.recovers("/b", &bytes);
}
