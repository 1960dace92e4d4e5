//! The lock and the journal on the front-end, here the machine itself with a scratch root.

use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use stratus_execute::journal::{Entry, Journal, Record, read};
use stratus_execute::keeper::{Holder, Keeper, NotTaken};
use stratus_execute::local::Local;

fn frontend() -> Local {
    Local::new("front".parse().unwrap())
}

fn holder(who: &str) -> Holder {
    Holder { who: who.into(), from: "desk".into(), since: Timestamp::UNIX_EPOCH, pid: 7 }
}

async fn take(root: &Path, who: &str) -> Result<Keeper, NotTaken> {
    Keeper::take(&frontend(), root.to_str().unwrap(), &holder(who), "run.jsonl").await
}

/// The lock goes with the process of the one before; that takes a moment.
async fn take_at_last(root: &Path, who: &str) -> Keeper {
    let tries = async {
        loop {
            match take(root, who).await {
                Ok(keeper) => return keeper,
                Err(NotTaken::Host(error)) => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), tries).await.unwrap()
}

fn record(who: &str) -> Record {
    let entry = Entry::RunEnded { good: true };
    Record { at: Timestamp::UNIX_EPOCH, who: who.into(), entry }
}

#[tokio::test]
async fn the_second_is_told_who_has_the_lock_and_gets_it_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let ann = take(root.path(), "ann").await.unwrap();
    let held = take(root.path(), "bob").await.unwrap_err();
    assert_eq!(held, NotTaken::Held(holder("ann")));
    assert!(held.to_string().starts_with("ann works on this site since 1970-01-01"));
    drop(ann);
    take_at_last(root.path(), "bob").await;
}

#[tokio::test]
async fn what_a_power_cut_left_behind_holds_nobody_up() {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("var/lib/stratus/installer");
    std::fs::create_dir_all(state.join("journal")).unwrap();
    std::fs::write(state.join("lock"), "").unwrap();
    std::fs::write(state.join("holder"), serde_json::to_string(&holder("ghost")).unwrap()).unwrap();
    take(root.path(), "ann").await.unwrap();
}

#[tokio::test]
async fn records_are_on_the_disk_when_they_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let keeper = take(root.path(), "ann").await.unwrap();
    let many = (0..50).map(|i| {
        let keeper = keeper.clone();
        async move { keeper.keep(&record(&format!("it's \\n {i}"))).await }
    });
    for kept in futures_util::future::join_all(many).await {
        kept.unwrap();
    }
    let file = root.path().join("var/lib/stratus/installer/journal/run.jsonl");
    let journal = read(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((journal.records.len(), journal.torn), (50, false));
    assert!(journal.records.contains(&record("it's \\n 7")));
}

#[tokio::test]
async fn a_journal_that_is_gone_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let keeper = take(root.path(), "ann").await.unwrap();
    let folder = root.path().join("var/lib/stratus/installer/journal");
    std::fs::remove_dir_all(folder).unwrap();
    assert!(keeper.keep(&record("ann")).await.is_err());
    assert!(keeper.keep(&record("ann")).await.is_err());
}
