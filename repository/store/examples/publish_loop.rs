//! Publishes small appliances, one after the other, until somebody kills it.
//!
//! `publish_loop <data folder> <first number>`. Each line on standard output was acknowledged by the
//! store, but for those that begin with `deleting`, which come before. The tests of this crate kill
//! it at every fault point and at random moments; it also serves to look at a full disk.
#![expect(clippy::unwrap_used, reason = "an example that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the lines are what it is for")]

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/support/mod.rs"]
mod support;

use bytes::Bytes;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use stratus_store::{Limits, Outcome, Place, Settings, Store};
use support::{Papers, Sample};

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

async fn one(store: &Store, number: u64) {
    let sample = Sample::new(&format!("loop{number}"), number, 2000);
    if store.lookup(&sample.path).is_some() {
        // Killed between publication and acknowledgement, the last time.
    } else if number.is_multiple_of(2) {
        // The image may be there from the last time.
        if sample.describe(store, "ann").await.unwrap() == Outcome::NeedsImage {
            sample.send(store, "ann").await.unwrap();
        }
    } else {
        sample.send(store, "ann").await.unwrap();
        sample.describe(store, "ann").await.unwrap();
    }
    say(&format!("published {number}"));
    if number.is_multiple_of(3) {
        store.put_deprecation(&sample.path, Bytes::from_static(b"old")).await.unwrap();
        say(&format!("deprecated {number}"));
    }
    if number.is_multiple_of(4) {
        say(&format!("deleting {number}"));
        store.delete(&sample.path).await.unwrap();
        say(&format!("deleted {number}"));
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().expect("a data folder"));
    let first: u64 = arguments.next().expect("a number").parse().unwrap();
    let limits = Limits { uploads_per_owner: 1000, ..Limits::default() };
    let settings = Settings { data, place: Place::Tree, limits };
    let store = Store::open(settings, Arc::new(Papers)).await.unwrap();
    say("open");
    for number in first.. {
        one(&store, number).await;
    }
}
