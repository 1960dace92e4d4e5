//! The process is killed while it publishes, deprecates and deletes; nothing acknowledged is lost,
//! and nothing half-made is seen.
#![expect(clippy::unwrap_used, reason = "helpers of the tests below")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use stratus_store::{Store, StoreError, fault};
use support::{Ground, Sample};

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let file = test.parent().unwrap().parent().unwrap().join("examples/publish_loop");
    assert!(
        file.is_file(),
        "`{}` is missing: `cargo build -p stratus-store --example publish_loop`",
        file.display()
    );
    file
}

fn start(data: &Path, first: u64, fault: Option<&str>) -> Child {
    let mut command = Command::new(program());
    command.arg(data).arg(first.to_string()).stdout(Stdio::piped());
    command.env_remove("STRATUS_FAULT");
    if let Some(fault) = fault {
        command.env("STRATUS_FAULT", fault);
    }
    command.spawn().unwrap()
}

/// What the killed processes acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    published: BTreeSet<u64>,
    deprecated: BTreeSet<u64>,
    deleting: BTreeSet<u64>,
    deleted: BTreeSet<u64>,
    next: u64,
}

impl Ledger {
    fn note(&mut self, line: &str) {
        let Some((verb, number)) = line.split_once(' ') else { return };
        let number: u64 = number.parse().unwrap();
        self.next = self.next.max(number + 1);
        let set = match verb {
            "published" => &mut self.published,
            "deprecated" => &mut self.deprecated,
            "deleting" => &mut self.deleting,
            "deleted" => &mut self.deleted,
            other => panic!("{other}"),
        };
        set.insert(number);
    }

    fn read(&mut self, child: &mut Child) {
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            self.note(&line.unwrap());
        }
    }

    async fn check(&self, store: &Store) {
        for number in self.published.iter().filter(|n| !self.deleting.contains(n)) {
            let sample = Sample::new(&format!("loop{number}"), *number, 2000);
            assert!(sample.is_whole(store).await, "{number} was acknowledged");
        }
        for number in self.deprecated.iter().filter(|n| !self.deleting.contains(n)) {
            let record = store.lookup(&support::place(&format!("loop{number}"))).unwrap();
            assert!(record.deprecated.is_some(), "{number} was deprecated");
        }
        for number in &self.deleted {
            assert!(store.lookup(&support::place(&format!("loop{number}"))).is_none());
        }
    }
}

/// Opens what a killed process left, as the next server would.
async fn survey(ground: &Ground, ledger: &Ledger, what: &str) {
    let store = ground.open().await;
    ledger.check(&store).await;
    for record in store.all() {
        let source = store.open_image(&record).await;
        assert!(source.is_ok(), "{what}: {} is half published: {source:?}", record.path);
    }
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let files = files_below(&ground.settings.data.join("images"));
    for file in &files {
        let (stem, ending) = file.rsplit_once("-1.0").unwrap();
        names.entry(stem.to_owned()).or_default().insert(ending);
    }
    for (stem, endings) in names {
        assert!(
            endings.contains(".img.gz") && endings.contains(".img.manifest.xml"),
            "{what}: {stem} has {endings:?}"
        );
    }
    let report = store.scrub(|_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!(report.damaged, [], "{what}");
    assert_eq!(report.checked, store.len());
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_fault_point_nothing_acknowledged_is_lost() {
    let ground = Ground::tree();
    let mut ledger = Ledger::default();
    for point in fault::POINTS {
        for passage in [1, 2] {
            let fault = format!("{point}:{passage}");
            let mut child = start(&ground.settings.data, ledger.next, Some(&fault));
            ledger.read(&mut child);
            let status = child.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{fault}: {status}");
            survey(&ground, &ledger, &fault).await;
        }
    }
    assert!(ledger.published.len() > 20, "{ledger:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_nothing_acknowledged_is_lost() {
    let ground = Ground::tree();
    let mut ledger = Ledger::default();
    for (round, moment) in support::noise(7, 60).into_iter().enumerate() {
        let mut child = start(&ground.settings.data, ledger.next, None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "open");
        // A few acknowledgements, and then anywhere within the next; the kill ends the lines.
        for line in lines.by_ref().take(usize::from(moment % 4)) {
            ledger.note(&line.unwrap());
        }
        std::thread::sleep(Duration::from_micros(u64::from(moment) * 60));
        child.kill().unwrap();
        lines.for_each(|line| ledger.note(&line.unwrap()));
        child.wait().unwrap();
        if round % 4 == 3 {
            survey(&ground, &ledger, &format!("round {round}")).await;
        }
    }
    survey(&ground, &ledger, "the end").await;
    assert!(ledger.published.len() > 20, "{ledger:?}");
}

#[tokio::test]
async fn an_upload_that_was_killed_goes_on_from_what_was_written() {
    let ground = Ground::tree();
    let mut child = start(&ground.settings.data, 1, Some("image-staged"));
    Ledger::default().read(&mut child);
    child.wait().unwrap();
    let store = ground.open().await;
    let sample = Sample::new("loop1", 1, 2000);
    let staged = store.begin(&sample.path, "ann", None).await.unwrap();
    assert_eq!(staged.offset(), sample.image.len() as u64);
    staged.finish().await.unwrap();
    sample.describe(&store, "ann").await.unwrap();
    assert!(sample.is_whole(&store).await);
}

#[tokio::test]
async fn two_servers_do_not_share_one_folder() {
    let ground = Ground::tree();
    let _first = ground.open().await;
    let second = Store::open(ground.settings.clone(), Arc::new(support::Papers)).await;
    assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
}
