//! The way of an image through a site: it crosses the wide-area network once, whoever wants it.

use std::fs;
use stratus_tests::{Appliance, Cache, CacheSetup, Readers, Repository, run};

const MIB: usize = 1 << 20;

/// A repository with one appliance, and a cache before it.
fn site() -> (Repository, Cache, Appliance) {
    let repository = Repository::start();
    let bytes: Vec<u8> = (0..12 * MIB / 8)
        .flat_map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    let appliance = Appliance::build(repository.folder(), "site", "1.0", &bytes);
    let files = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
    let cache = before(&repository);
    (repository, cache, appliance)
}

fn before(repository: &Repository) -> Cache {
    Cache::with(CacheSetup {
        upstream: repository.url().to_owned(),
        upstream_lines: format!("ca = \"{}\"\n", repository.path("server.crt").display()),
        ..CacheSetup::default()
    })
}

#[test]
fn many_nodes_cause_one_transfer() {
    let (mut repository, cache, appliance) = site();
    let image = fs::read(&appliance.image).unwrap();
    let url = format!("{}{}", cache.url(), appliance.image_path());
    let readers = Readers::new();
    let nodes: Vec<_> = (0..32).map(|_| readers.begin(&url, &[])).collect();
    for node in nodes {
        readers.end(node).is("a node", 200, &image);
    }
    let (received, served) = cache.traffic();
    assert!(received <= image.len() as u64 * 101 / 100, "{received} bytes came");
    assert!(served >= 32 * image.len() as u64, "{served} bytes went");
    cache.until_first(|object| object["state"] == "verified");

    // The repository may be away now.
    repository.stop();
    readers.get(&url, &[]).is("a late node", 200, &image);
    let range = [("range", "bytes=5000000-5000099")];
    readers.get(&url, &range).is("a part", 206, &image[5_000_000..5_000_100]);
    assert_eq!(cache.traffic().0, received);
}

#[test]
fn the_client_asks_the_cache_and_does_without_it() {
    let (repository, mut cache, appliance) = site();
    let image = fs::read(&appliance.image).unwrap();
    let address = cache.url().to_owned();
    let pull = |file: &str| {
        let mut command = repository.client("stratus-download-image");
        command.arg(&appliance.path).args(["--trust", "signer.crt", "--compressed"]);
        run(command.args(["--cache", &address, "--output", file])).good()
    };
    let out = pull("near.img.gz");
    assert!(!out.stderr.contains("does not answer"), "{}", out.stderr);
    assert_eq!(fs::read(repository.path("near.img.gz")).unwrap(), image);
    let (received, served) = cache.traffic();
    assert!(served >= image.len() as u64 && received >= image.len() as u64);
    cache.kill();
    let out = pull("far.img.gz");
    assert!(out.stderr.contains("the cache at"), "{}", out.stderr);
    assert!(out.stderr.contains("does not answer"), "{}", out.stderr);
    assert_eq!(fs::read(repository.path("far.img.gz")).unwrap(), image);
}

#[test]
fn an_administrator_looks_after_it() {
    let (_repository, cache, appliance) = site();
    let path = appliance.image_path();
    let image = fs::metadata(&appliance.image).unwrap().len();
    let missing = cache.ask(&["pin", &path]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("prefetch it first"), "{}", missing.stderr);
    let brought = cache.told(&["prefetch", &path]);
    assert_eq!(brought[0]["bytes"], image, "{brought}");
    assert_eq!(cache.told(&["pin", &path])[0]["pinned"], true);
    assert_eq!(cache.told(&["unpin", &path])[0]["pinned"], false);
    let scrubbed = cache.told(&["scrub"]);
    assert_eq!((&scrubbed["objects"], &scrubbed["wrong"]), (&1.into(), &0.into()));
    assert_eq!(cache.told(&["status"])["objects"], 1);
    assert_eq!(cache.told(&["purge", &path])["purged"], 1);
    assert_eq!(cache.told(&["list"]), serde_json::json!([]));
    let unknown = cache.ask(&["prefetch", "/images/none.img.gz"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("404"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("/images/none.img.gz"), "{}", unknown.stderr);
    // By the name that people use.
    let name = appliance.name.as_str();
    assert_eq!(cache.told(&["prefetch", name])[0]["bytes"], image);
    assert_eq!(cache.told(&["pin", name])[0]["pinned"], true);
    assert_eq!(cache.told(&["purge", name])["purged"], 1);
    let unknown = cache.ask(&["prefetch", "nothing-1.0"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("there is no appliance `nothing-1.0`"), "{}", unknown.stderr);
}

#[test]
fn whoever_is_not_there_is_told_so() {
    let (_repository, mut cache, _) = site();
    cache.kill();
    let away = cache.ask(&["status"]);
    assert_eq!(away.code, 5, "{}", away.stderr);
    assert!(away.stderr.contains("is stratus-cache running"), "{}", away.stderr);
}
