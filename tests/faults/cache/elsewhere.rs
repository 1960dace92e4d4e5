//! An upstream that does not bring the rest, and other places that the manifest names.

use super::{MIB, Stage, breaks_at, image, page};
use stratus_tests::{Faults, FaultyOrigin, Got};

const IMAGE: &str = "/images/a.img.gz";

/// The manifest, naming one more place of the image.
fn naming(manifest: &str, location: &str) -> String {
    manifest.replace("<identifier>", &format!("<location>{location}</location><identifier>"))
}

/// A reader whose upstream breaks off in the first piece, and is of no use from then on.
fn read_while_it_fails(stage: &Stage, bytes: &[u8]) -> Got {
    stage.origin.put(IMAGE, page(bytes).with(breaks_at(MIB)));
    let reading = stage.begin(IMAGE, &[]);
    let useless = Faults { status: Some(503), ..Faults::default() };
    stage.meanwhile(IMAGE, || stage.origin.faults(IMAGE, useless));
    stage.end(reading)
}

#[test]
fn the_rest_comes_from_where_the_manifest_says() {
    let stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 120);
    let other = FaultyOrigin::start();
    other.put("/copy.img.gz", page(&bytes));
    let manifest = naming(&manifest, &format!("{}/copy.img.gz", other.url()));
    stage.origin.put("/images/a.img.manifest.xml", page(manifest.as_bytes()));
    read_while_it_fails(&stage, &bytes).is("a reader", 200, &bytes);
    assert!(other.tally("/copy.img.gz").sent > 0, "nobody asked elsewhere");
    stage.cache.until_first(|object| object["state"] == "verified");
    stage.rests(IMAGE);
}

#[test]
fn other_bytes_elsewhere_reach_nobody() {
    let stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 121);
    let other = FaultyOrigin::start();
    let mut wrong = bytes.clone();
    wrong[5 * MIB] ^= 1;
    other.put("/copy.img.gz", page(&wrong));
    let manifest = naming(&manifest, &format!("{}/copy.img.gz", other.url()));
    stage.origin.put("/images/a.img.manifest.xml", page(manifest.as_bytes()));
    let got = read_while_it_fails(&stage, &bytes).is_broken("a reader");
    assert!(got.begins(&bytes), "a wrong byte");
    stage.origin.put(IMAGE, page(&bytes));
    stage.recovers(IMAGE, &bytes);
}
