//! A month of accounting: `cargo bench -p stratus-accounting --bench month -- 20000`.
//!
//! That many machines over three months, with resizes, moves and pauses; the middle month is
//! reported. Beside the report: the first feed, one that finds nothing new, and the records for APEL.

use std::time::Instant;

use stratus_accounting::apel::{Publisher, cloud_records};
use stratus_accounting::ledger::Origin;
use stratus_accounting::{By, Ledger, MachineKey, Owner, Record, Sizes, Times, Window};

/// 2026-08-01.
const START: i64 = 1_785_542_400;
const DAY: i64 = 86_400;
/// 2026-09-01 to 2026-10-01.
const MONTH: Window = Window { from: START + 31 * DAY, to: START + 61 * DAY };
const PAGE: usize = 2000;

fn main() {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let machines: i64 = wanted.unwrap_or(20_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(machines));
}

async fn run(machines: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path).await.expect("a ledger");
    let records = records(machines);
    println!("{machines} machines, {} records, three months", records.len());
    for name in ["first feed", "feed of what is known"] {
        let start = Instant::now();
        let window = Window { from: START, to: MONTH.to + 31 * DAY };
        let mut feed = ledger.feed(window.to, window).await.expect("a feed");
        for page in records.chunks(PAGE) {
            feed.page(Origin::Accounting, page).await.expect("a page");
        }
        feed.finish().await.expect("a whole feed");
        println!("{name}: {:.2} s", start.elapsed().as_secs_f64());
    }
    for (name, by) in [("user", By::User), ("group", By::Group), ("machine", By::Machine)] {
        let start = Instant::now();
        let rows = ledger.report(MONTH, by).await.expect("a report");
        let wall: i64 = rows.iter().map(|row| row.totals.wall_seconds).sum();
        let seconds = start.elapsed().as_secs_f64();
        println!("month by {name}: {seconds:.2} s, {} rows, {wall} s of use", rows.len());
    }
    let start = Instant::now();
    let (mut count, mut bytes) = (0, 0);
    let publisher = Publisher { site_name: "SITE".to_owned(), ..Publisher::default() };
    let add = |history: stratus_accounting::ledger::MachineHistory| {
        for record in cloud_records(&history, &publisher) {
            count += 1;
            bytes += record.text.len();
        }
    };
    ledger.machines(add).await.expect("all machines");
    let seconds = start.elapsed().as_secs_f64();
    println!("records for APEL: {seconds:.2} s, {count} records, {} KiB", bytes / 1024);
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("ledger: {} MiB", size / 1024 / 1024);
}

fn records(machines: i64) -> Vec<Record> {
    let mut all = Vec::new();
    for id in 0..machines {
        let mut at = START + (id * 7919) % (60 * DAY);
        for sequence in 0..6 {
            let to = at + DAY + (id * 104_729 + sequence * 15_485_863) % (12 * DAY);
            all.push(record(id, sequence, (at, if sequence == 5 { 0 } else { to })));
            at = to + (sequence % 2) * 3600;
        }
    }
    all
}

fn record(id: i64, sequence: i64, (from, to): (i64, i64)) -> Record {
    let user = id % 500;
    Record {
        machine: MachineKey { id, born: START },
        sequence,
        name: format!("machine-{id}"),
        owner: Owner {
            user_id: user,
            user: format!("user{user}"),
            group_id: user % 40,
            group: format!("group{}", user % 40),
        },
        host: format!("node{}", id % 1250),
        image: "base".to_owned(),
        sizes: Sizes {
            cpu_milli: 1000 * (1 + (id + sequence) % 8),
            vcpu: 1,
            memory_mib: 2048,
            disk_mib: 10_240,
            ..Sizes::default()
        },
        times: Times {
            start: from,
            end: to,
            running_start: from,
            running_end: to,
            ..Times::default()
        },
        action: 2,
        off: false,
    }
}
