//! Disks that take nothing: the client gets its bytes all the same.

use crate::{MIB, Stage, image, noise, page, repr_digest};
use std::fs;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stratus_tests::{Cache, CacheSetup, Faults, Length, Page, run, tool};

/// A disk for one of two objects of 8 MiB.
fn small() -> Stage {
    Stage::with(CacheSetup { small_disk: Some("12m"), ..CacheSetup::default() })
}

/// Stops early in each answer.
fn early() -> Faults {
    Faults { stall_after: Some(MIB as u64), ..Faults::default() }
}

/// Begins to read `path`, fills the disk with something that stays, and goes on; what the readers
/// got.
fn overtaken(stage: &Stage, path: &str, first: Page) -> [stratus_tests::Got; 3] {
    overtaken_by(stage, path, first, &["pin", "/other"])
}

/// The same; `then` is told the cache when the disk is full.
fn overtaken_by(stage: &Stage, path: &str, first: Page, then: &[&str]) -> [stratus_tests::Got; 3] {
    let faults = first.faults.clone();
    stage.origin.put(path, first.with(early()));
    let asked: [&[(&str, &str)]; 3] = [&[], &[], &[("range", "bytes=100-6000000")]];
    let readings = asked.map(|headers| stage.begin(path, headers));
    stage.origin.wait(path, |tally| tally.waiting > 0);
    let other = noise(9 * MIB, 99);
    stage.origin.put("/other", page(&other));
    stage.get("/other", &[]).is("fills the disk", 200, &other);
    idle(stage, "/other");
    stage.cache.told(then);
    stage.origin.faults(path, faults);
    stage.origin.go_on();
    readings.map(|reading| stage.end(reading))
}

/// Waits until nobody reads or fills it: what is in use stays.
fn idle(stage: &Stage, path: &str) {
    let begun = Instant::now();
    loop {
        let list = stage.cache.told(&["list"]);
        let is_busy = |object: &serde_json::Value| {
            object["url"].as_str().is_some_and(|url| url.ends_with(path))
                && (object["state"] == "filling" || object["readers"] != 0)
        };
        if !list.as_array().unwrap().iter().any(is_busy) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{list}");
    }
}

/// The other object goes; then there is room again.
fn room_again(stage: &Stage, path: &str, bytes: &[u8]) {
    stage.get(path, &[]).is("while it is full", 200, bytes);
    stage.rests(path);
    stage.cache.told(&["purge", "/other"]);
    stage.recovers(path, bytes);
}

#[test]
fn what_does_not_fit_is_served_and_not_stored() {
    let setup = CacheSetup { cache: "size = \"1 MiB\"".into(), ..CacheSetup::default() };
    let stage = Stage::with(setup);
    let bytes = noise(3 * MIB, 80);
    stage.origin.put("/a", page(&bytes));
    for _ in 0..2 {
        stage.get("/a", &[]).is("too large", 200, &bytes);
        let part = stage.get("/a", &[("range", "bytes=5-9")]);
        part.is("a part of it", 206, &bytes[5..10]);
    }
    // It breaks off, and it is not what it should be, as if it were stored.
    let cuts = Faults { cut_after: Some(500_000), ..Faults::default() };
    let told = |of: &[u8]| page(&bytes).with(cuts.clone()).header("Repr-Digest", &repr_digest(of));
    stage.origin.put("/a", told(&bytes));
    stage.get("/a", &[]).is("cut again and again", 200, &bytes);
    stage.get("/a", &[("range", "bytes=9-")]).is("a part", 206, &bytes[9..]);
    stage.origin.put("/a", told(b"other"));
    stage.get("/a", &[]).is_broken("a wrong digest");
    stage.rests("/a");
    // Nothing tells how large this is before it has come.
    let chunked = Faults { length: Length::Chunked, ..Faults::default() };
    stage.origin.put("/b", page(&bytes).with(chunked));
    for _ in 0..2 {
        stage.get("/b", &[]).is("without a length", 200, &bytes);
    }
    stage.rests("/b");
    let occupied = stage.cache.told(&["status"])["occupied"].as_u64().unwrap();
    assert!(occupied <= MIB as u64, "{occupied} bytes are stored");
    let small = noise(1000, 81);
    stage.origin.put("/c", page(&small));
    stage.recovers("/c", &small);
}

#[test]
fn what_has_to_go_gives_its_room_back() {
    let setup = CacheSetup { cache: "size = \"5 MiB\"".into(), ..CacheSetup::default() };
    let stage = Stage::with(CacheSetup { small_disk: Some("7m"), ..setup });
    for round in 0..8 {
        let (path, bytes) = (format!("/{round}"), noise(2 * MIB, 200 + round));
        stage.origin.put(&path, page(&bytes));
        stage.get(&path, &[]).is("new", 200, &bytes);
        stage.recovers(&path, &bytes);
    }
    let status = stage.cache.told(&["status"]);
    assert!(status["evicted"].as_u64().unwrap() >= 5, "{status}");
    assert!(status["occupied"].as_u64().unwrap() <= 5 << 20, "{status}");
}

#[test]
fn a_disk_that_becomes_full_on_the_way_is_gone_around() {
    let stage = small();
    let bytes = noise(8 * MIB, 82);
    let [first, second, part] = overtaken(&stage, "/a", page(&bytes));
    first.is("first", 200, &bytes);
    second.is("second", 200, &bytes);
    part.is("part", 206, &bytes[100..6_000_001]);
    // One that leaves there leaves nothing behind.
    stage.readers.leave_after(&stage.url("/a"), &[], 5 * MIB);
    stage.rests("/a");
    room_again(&stage, "/a", &bytes);
}

#[test]
fn a_disk_that_becomes_full_on_the_way_is_made_room_on() {
    let stage = small();
    let (bytes, image_path) = (noise(8 * MIB, 94), "/images/b.img.gz");
    let (image, manifest) = image(8 * MIB, 95);
    stage.origin.put("/images/b.img.manifest.xml", page(manifest.as_bytes()));
    for (path, bytes) in [("/a", &bytes), (image_path, &image)] {
        let [first, second, part] = overtaken_by(&stage, path, page(bytes), &["status"]);
        first.is("first", 200, bytes);
        second.is("second", 200, bytes);
        part.is("part", 206, &bytes[100..6_000_001]);
        stage.rests(path);
        let sent = stage.origin.tally(path).sent;
        stage.recovers(path, bytes);
        assert_eq!(stage.origin.tally(path).sent, sent, "{path} is stored");
        let list = stage.cache.told(&["list"]).to_string();
        assert!(!list.contains("/other"), "{list}");
        stage.cache.told(&["purge", path]);
    }
}

#[test]
fn around_a_full_disk_broken_transfers_go_on_too() {
    let stage = small();
    let bytes = noise(8 * MIB, 83);
    let faults = Faults { cut_after: Some(1_500_000), ..Faults::default() };
    let [first, second, part] = overtaken(&stage, "/a", page(&bytes).with(faults));
    first.is("first", 200, &bytes);
    second.is("second", 200, &bytes);
    part.is("part", 206, &bytes[100..6_000_001]);
    room_again(&stage, "/a", &bytes);
}

#[test]
fn around_a_full_disk_digests_are_compared_too() {
    let stage = small();
    let bytes = noise(8 * MIB, 84);
    let right = page(&bytes).header("Repr-Digest", &repr_digest(&bytes));
    let [first, second, part] = overtaken(&stage, "/a", right);
    first.is("first", 200, &bytes);
    second.is("second", 200, &bytes);
    part.is("part", 206, &bytes[100..6_000_001]);
    stage.rests("/a");
    stage.cache.told(&["purge", "/other"]);
    stage.cache.told(&["purge", "/a"]);
    let wrong = page(&bytes).header("Repr-Digest", &repr_digest(b"other"));
    let [first, second, _] = overtaken(&stage, "/a", wrong);
    first.is_broken("first");
    second.is_broken("second");
    stage.origin.put("/a", page(&bytes).header("Repr-Digest", &repr_digest(&bytes)));
    stage.cache.told(&["purge", "/a"]);
    room_again(&stage, "/a", &bytes);
}

#[test]
fn around_a_full_disk_pieces_are_compared_too() {
    let path = "/images/a.img.gz";
    let stage = small();
    let (bytes, manifest) = image(8 * MIB, 85);
    stage.origin.put("/images/a.img.manifest.xml", page(manifest.as_bytes()));
    let [first, second, part] = overtaken(&stage, path, page(&bytes));
    first.is("first", 200, &bytes);
    second.is("second", 200, &bytes);
    part.is("part", 206, &bytes[100..6_000_001]);
    stage.rests(path);
    stage.cache.told(&["purge", "/other"]);
    stage.cache.told(&["purge", path]);
    let other = Some((5 << 20, Arc::new(noise(bytes.len(), 86))));
    let lies = Faults { other_bytes: other, ..Faults::default() };
    for got in overtaken(&stage, path, page(&bytes).with(lies)) {
        got.is_broken("other bytes");
    }
    stage.origin.faults(path, Faults::default());
    room_again(&stage, path, &bytes);
}

#[test]
fn around_a_full_disk_another_version_is_not_mixed_in() {
    let stage = small();
    let (old, new) = (noise(8 * MIB, 87), noise(8 * MIB, 88));
    stage.origin.put("/a", page(&old).with(early()));
    let readings = [stage.begin("/a", &[]), stage.begin("/a", &[("range", "bytes=9-")])];
    stage.origin.wait("/a", |tally| tally.waiting > 0);
    let other = noise(9 * MIB, 99);
    stage.origin.put("/other", page(&other));
    stage.get("/other", &[]).is("fills the disk", 200, &other);
    stage.cache.told(&["pin", "/other"]);
    stage.origin.put("/a", page(&new));
    stage.origin.go_on();
    for reading in readings {
        stage.end(reading).is_broken("the old one");
    }
    room_again(&stage, "/a", &new);
}

#[test]
fn an_object_without_length_goes_around_a_full_disk() {
    let stage = small();
    let bytes = noise(16 * MIB, 89);
    let chunked = Faults { length: Length::Chunked, ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(chunked.clone()));
    for _ in 0..2 {
        stage.get("/a", &[]).is("larger than the disk", 200, &bytes);
    }
    stage.rests("/a");
    let small = noise(1000, 90);
    stage.origin.put("/b", page(&small));
    stage.recovers("/b", &small);
}

#[test]
fn a_spool_that_cannot_be_written_at_the_start_is_told() {
    let setup = CacheSetup {
        upstream: "http://127.0.0.1:9".into(),
        small_disk: Some("12m,ro"),
        ..CacheSetup::default()
    };
    let cache = Cache::prepared(setup);
    let mut child = cache.spawn();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let code = child.wait().unwrap().code();
    assert!(code.is_some_and(|code| code > 0), "{code:?}");
    assert!(!out.contains("listening"), "{out}");
    assert!(cache.log().contains("Read-only file system"), "{}", cache.log());
    assert!(cache.log().contains("spool"), "{}", cache.log());
}

#[test]
fn a_spool_that_becomes_read_only_is_read() {
    let stage = small();
    let (bytes, new) = (noise(2 * MIB, 91), noise(2 * MIB, 92));
    let half = noise(3 * MIB, 93);
    stage.origin.put("/a", page(&bytes));
    stage.get("/a", &[]).is("stored", 200, &bytes);
    stage.origin.put("/half", page(&half).with(early()));
    let reading = stage.begin("/half", &[]);
    stage.origin.wait("/half", |tally| tally.waiting > 0);
    let objects = stage.cache.path("spool/objects");
    let process = stage.cache.process().to_string();
    // In one step: what is opened for writing by a way that can still be written keeps it so.
    let script = "mkdir \"$1\" && mount --bind \"$0\" \"$1\" && mount -o remount,bind,ro \"$1\" && \
                  mount --move \"$1\" \"$0\"";
    run(tool("nsenter", "util-linux")
        .args(["-t", &process, "--user", "--preserve-credentials", "--mount"])
        .args(["sh", "-c", script])
        .args([&objects, &stage.cache.path("read-only")]))
    .good();
    assert!(fs::write(stage.cache.spool().join("objects/probe"), "").is_err(), "it is read-only");
    stage.origin.go_on();
    stage.end(reading).is("under way", 200, &half);
    stage.get("/a", &[]).is("stored before", 200, &bytes);
    assert_eq!(stage.origin.tally("/a").sent, 2 * MIB as u64, "from the store");
    stage.origin.put("/new", page(&new));
    for _ in 0..2 {
        stage.get("/new", &[]).is("not stored", 200, &new);
    }
    stage.origin.wait("/new", |tally| tally.open == 0);
}

#[test]
fn with_too_little_room_for_all_every_answer_is_right() {
    let setup = CacheSetup { cache: "size = \"5 MiB\"".into(), ..CacheSetup::default() };
    let stage = Stage::with(CacheSetup { small_disk: Some("6m"), ..setup });
    let (image, manifest) = image(2 * MIB, 300);
    stage.origin.put("/6.img.manifest.xml", page(manifest.as_bytes()));
    let bytes = |n: usize| if n == 6 { image.clone() } else { noise(2 * MIB, 300 + n as u64) };
    let path = |n: usize| if n == 6 { "/6.img.gz".to_owned() } else { format!("/{n}") };
    for n in 0..8 {
        let cuts = Faults { cut_after: Some(400_000 + 30_000 * n as u64), ..Faults::default() };
        let bytes = bytes(n);
        let digest = repr_digest(&bytes);
        let page = page(&bytes).with(cuts);
        stage
            .origin
            .put(&path(n), if n % 2 == 0 { page } else { page.header("Repr-Digest", &digest) });
    }
    for round in 0..3 {
        let readings: Vec<_> = (0..32)
            .map(|reader| {
                let n = (reader * 5 + round) % 8;
                let from = if reader % 3 == 1 { MIB + reader * 1000 } else { 0 };
                let range = format!("bytes={from}-");
                let headers: &[(&str, &str)] = if from > 0 { &[("range", &range)] } else { &[] };
                (n, from, stage.begin(&path(n), headers))
            })
            .collect();
        for (n, from, reading) in readings {
            let got = stage.end(reading);
            let status = if from > 0 { 206 } else { 200 };
            got.is(&path(n), status, &bytes(n)[from..]);
        }
    }
    stage.recovers("/0", &bytes(0));
    stage.rests("/1");
    let status = stage.cache.told(&["status"]);
    assert!(status["occupied"].as_u64().unwrap() <= 6 << 20, "{status}");
}
