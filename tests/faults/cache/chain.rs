//! Two caches, one behind the other.

use crate::{MIB, Stage, breaks_at, image, length, noise, page, repr_digest};
use std::sync::Arc;
use stratus_tests::{Cache, CacheSetup, Faults, Readers};

#[test]
fn one_transfer_feeds_both_and_survives_the_middle() {
    let mut stage = Stage::new();
    let outer = Cache::before(stage.cache.url());
    let readers = Readers::new();
    let bytes = noise(4 * MIB, 120);
    stage.origin.put("/a", page(&bytes).with(breaks_at(MIB)));
    let url = format!("{}/a", outer.url());
    let readings: Vec<_> = (0..8).map(|_| readers.begin(&url, &[])).collect();
    stage.meanwhile("/a", || stage.origin.faults("/a", Faults::default()));
    for reading in readings {
        readers.end(reading).is("through both", 200, &bytes);
    }
    assert!(stage.origin.tally("/a").sent <= length(&bytes));
    outer.rests();
    stage.recovers("/a", &bytes);
    stage.cache.kill();
    readers.get(&url, &[]).is("the middle is away", 200, &bytes);
    stage.cache.restart();
    stage.recovers("/a", &bytes);
}

#[test]
fn a_wrong_body_ends_well_in_neither() {
    let stage = Stage::new();
    let outer = Cache::before(stage.cache.url());
    let readers = Readers::new();
    let bytes = noise(2 * MIB, 121);
    let wrong = page(&bytes).header("Repr-Digest", &repr_digest(b"other"));
    stage.origin.put("/a", wrong);
    let (image, manifest) = image(5 * MIB, 122);
    let other = Some((4_300_000, Arc::new(noise(image.len(), 123))));
    let lies = Faults { other_bytes: other, ..Faults::default() };
    stage.origin.put("/b.img.gz", page(&image).with(lies));
    stage.origin.put("/b.img.manifest.xml", page(manifest.as_bytes()));
    for path in ["/a", "/b.img.gz"] {
        readers.get(&format!("{}{path}", outer.url()), &[]).is_broken(path);
    }
    let bytes = noise(2 * MIB, 124);
    stage.origin.put("/a", page(&bytes));
    stage.origin.faults("/b.img.gz", Faults::default());
    for (path, bytes) in [("/a", &bytes), ("/b.img.gz", &image)] {
        readers.get(&format!("{}{path}", outer.url()), &[]).is("right now", 200, bytes);
        stage.recovers(path, bytes);
    }
    outer.rests();
}

#[test]
fn a_circle_of_two_is_noticed() {
    let address = crate::free_address();
    let setup = CacheSetup { upstream: format!("http://{address}"), ..CacheSetup::default() };
    let first = Cache::with(setup);
    let back = CacheSetup {
        upstream: first.url().to_owned(),
        listen: Some(address),
        ..CacheSetup::default()
    };
    let second = Cache::with(back);
    let readers = Readers::new();
    for cache in [&first, &second] {
        assert_eq!(readers.get(&format!("{}/a", cache.url()), &[]).status, 508);
        cache.rests();
    }
}
