//! Everything that can go wrong around the cache: origins that lie, transfers that break, clients that
//! misbehave, disks that fail, and `kill -9`.
//!
//! One file a family, one test a case. After each case: no reader got a wrong byte with a clean end,
//! the next request is answered right, and nothing is left over.

#![expect(clippy::unwrap_used, reason = "a test helper")]

mod breaks;
mod chain;
mod clients;
mod digests;
mod elsewhere;
mod full;
mod killed;
mod lies;
mod nginx;
mod spool;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fs;
use stratus_tests::{
    Cache, CacheSetup, Faults, FaultyOrigin, Got, Page, Readers, Tally, program, run,
};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// Bytes that no program can make smaller; the same for the same seed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()
    });
    words.flatten().take(bytes).collect()
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

/// `Repr-Digest` of these bytes.
fn repr_digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

/// An address for those who must know theirs before they listen.
fn free_address() -> String {
    format!("127.0.0.1:{}", stratus_tests::free_port())
}

/// A compressed image of about so many bytes with the manifest of our own command.
fn image(bytes: usize, seed: u64) -> (Vec<u8>, String) {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.img"), noise(bytes, seed)).unwrap();
    let about = ["--type", "base", "--os", "a", "--os-version", "1", "--arch", "x86_64"];
    run(program("stratus-build-manifest")
        .current_dir(folder.path())
        .arg("a.img")
        .args(about)
        .args(["--version", "1.0", "--user", "me", "--title", "t", "-o", "a.xml"]))
    .good();
    (fs::read(at("a.img.gz")).unwrap(), fs::read_to_string(at("a.xml")).unwrap())
}

/// An origin, a cache before it, and people who read.
struct Stage {
    origin: FaultyOrigin,
    cache: Cache,
    readers: Readers,
}

impl Stage {
    fn new() -> Self {
        Self::with(CacheSetup::default())
    }

    fn with(setup: CacheSetup) -> Self {
        let origin = FaultyOrigin::start();
        let cache = Cache::with(CacheSetup { upstream: origin.url(), ..setup });
        Self { origin, cache, readers: Readers::new() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cache.url())
    }

    #[track_caller]
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.readers.get(&self.url(path), headers)
    }

    fn begin(&self, path: &str, headers: &[(&str, &str)]) -> Reading {
        self.readers.begin(&self.url(path), headers)
    }

    #[track_caller]
    fn end(&self, reading: Reading) -> Got {
        self.readers.end(reading)
    }

    /// Waits until the origin holds an answer back, then changes what it serves and lets it go on.
    fn meanwhile(&self, path: &str, change: impl FnOnce()) {
        self.origin.wait(path, |tally: &Tally| tally.waiting > 0);
        change();
        self.origin.go_on();
    }

    /// Takes the faults away: the next answer is right, the one after comes from the store, and
    /// nothing is left over.
    #[track_caller]
    fn recovers(&self, path: &str, bytes: &[u8]) {
        self.origin.faults(path, Faults::default());
        self.origin.go_on();
        self.get(path, &[]).is("afterwards", 200, bytes);
        self.rests(path);
        let asked = self.origin.tally(path).requests.len();
        self.get(path, &[]).is("from the store", 200, bytes);
        self.get(path, &[("range", "bytes=1-9")]).is("a part of it", 206, &bytes[1..10]);
        assert_eq!(self.origin.tally(path).requests.len(), asked, "it is stored");
    }

    /// Nothing goes on, here and at the origin.
    #[track_caller]
    fn rests(&self, path: &str) {
        self.origin.wait(path, |tally| tally.open == 0);
        self.cache.rests();
    }
}

type Reading = tokio::task::JoinHandle<Option<Got>>;

/// Stops after so many bytes and breaks off when told to go on.
fn breaks_at(bytes: usize) -> Faults {
    let at = Some(bytes as u64);
    Faults { stall_after: at, cut_after: at, ..Faults::default() }
}

fn page(bytes: &[u8]) -> Page {
    Page::new(bytes)
}
