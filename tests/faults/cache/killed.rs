//! `kill -9` at random moments under 32 readers.

use crate::{MIB, Stage, image, noise, page, repr_digest};
use std::collections::HashMap;
use std::time::Duration;
use stratus_tests::{Faults, Length};

const LIVES: u64 = 20;
const READERS: usize = 32;

/// Pages of all kinds for one life, by path.
fn pages(stage: &Stage, life: u64, image: &(Vec<u8>, String)) -> HashMap<String, Vec<u8>> {
    let path = |name: &str| format!("/{life}/{name}");
    let bytes = |n: u64, size: usize| noise(size, 1000 + life * 10 + n);
    let (plain, digest, chunked) = (bytes(1, 3 * MIB), bytes(2, 2 * MIB), bytes(3, MIB));
    stage.origin.put(&path("plain"), page(&plain));
    let told = page(&digest).header("Repr-Digest", &repr_digest(&digest));
    stage.origin.put(&path("digest"), told);
    let faults = Faults { length: Length::Chunked, ..Faults::default() };
    stage.origin.put(&path("chunked"), page(&chunked).with(faults));
    stage.origin.put(&path("a.img.gz"), page(&image.0));
    stage.origin.put(&path("a.img.manifest.xml"), page(image.1.as_bytes()));
    let all = [("plain", plain), ("digest", digest), ("chunked", chunked)];
    let all = all.into_iter().chain([("a.img.gz", image.0.clone())]);
    all.map(|(name, bytes)| (path(name), bytes)).collect()
}

#[test]
fn whatever_the_moment_every_answer_is_right() {
    let mut stage = Stage::new();
    let image = image(5 * MIB, 130);
    let mut random: u64 = 0x5eed;
    let mut known: HashMap<String, Vec<u8>> = HashMap::new();
    let (mut whole, mut broken) = (0, 0);
    for life in 0..LIVES {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let new = pages(&stage, life, &image);
        let old =
            known.iter().filter(|(path, _)| path.starts_with(&format!("/{}/", life.max(1) - 1)));
        let old: Vec<(String, Vec<u8>)> = old.map(|(p, b)| (p.clone(), b.clone())).collect();
        let mut wanted: Vec<(String, Vec<u8>)> = new.clone().into_iter().chain(old).collect();
        wanted.sort();
        let readings: Vec<_> = (0..READERS)
            .map(|n| {
                let (path, bytes) = wanted[n % wanted.len()].clone();
                let from = if n % 3 == 2 { bytes.len() / 2 } else { 0 };
                let range = format!("bytes={from}-");
                let headers: &[(&str, &str)] = if from > 0 { &[("range", &range)] } else { &[] };
                (stage.begin(&path, headers), path, bytes, from)
            })
            .collect();
        // Begun, and then anywhere within the next few.
        let first = wanted.iter().find(|(path, _)| new.contains_key(path)).unwrap().0.clone();
        stage.origin.wait(&first, |tally| !tally.requests.is_empty());
        std::thread::sleep(Duration::from_micros((random >> 33) % 150_000));
        stage.cache.kill();
        for (reading, path, bytes, from) in readings {
            let got = stage.end(reading);
            let from = if got.status == 206 { from } else { 0 };
            let case = format!("life {life}, {path} from {from}");
            if got.status >= 400 {
                panic!("{case}: {} {}", got.status, String::from_utf8_lossy(&got.body));
            } else if got.is_whole {
                whole += 1;
                assert!(got.body == bytes[from..], "{case}: a wrong byte and a clean end");
            } else {
                broken += 1;
                assert!(got.begins(&bytes[from..]), "{case}: a wrong byte");
            }
        }
        known.extend(new);
        stage.cache.restart();
    }
    println!("{whole} readers got everything, {broken} were broken off");
    for (path, bytes) in &known {
        stage.get(path, &[]).is(path, 200, bytes);
    }
    stage.cache.rests();
    assert_eq!(stage.cache.told(&["scrub"])["wrong"], 0);
}
