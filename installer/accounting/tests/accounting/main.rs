//! What accounting promises: nothing lost, nothing twice, every second where it belongs.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

mod apel;
mod ledger;
mod orders;
mod reading;
mod usage;

use stratus_accounting::{By, Ledger, MachineKey, Owner, Record, Sizes, Times, Window};

/// A ledger in a folder that goes with it.
async fn ledger() -> (Ledger, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).await.unwrap();
    (ledger, folder)
}

fn window(from: i64, to: i64) -> Window {
    Window::new(from, to).unwrap()
}

/// A record of machine `id` that ran in `running`; an end of 0 is none.
fn record(id: i64, sequence: i64, running: (i64, i64)) -> Record {
    let (from, to) = running;
    let times =
        Times { start: from, end: to, running_start: from, running_end: to, ..Times::default() };
    Record {
        machine: MachineKey { id, born: 10 },
        sequence,
        name: format!("vm-{id}"),
        owner: Owner {
            user_id: id % 3,
            user: format!("user{}", id % 3),
            group_id: id % 2,
            group: format!("group{}", id % 2),
        },
        host: "node1".to_owned(),
        image: "ttylinux".to_owned(),
        sizes: Sizes {
            cpu_milli: 1000,
            vcpu: 1,
            memory_mib: 512,
            disk_mib: 16,
            ..Sizes::default()
        },
        times,
        action: if to > 0 { 2 } else { 0 },
        off: false,
    }
}

/// All seconds that machines ran in a window.
async fn wall(ledger: &Ledger, from: i64, to: i64) -> i64 {
    let rows = ledger.report(window(from, to), By::Machine).await.unwrap();
    rows.iter().map(|row| row.totals.wall_seconds).sum()
}

/// The same by asking for each second which record has it: slow and plain. Open records count
/// until `seen_until`.
fn brute_force(records: &[Record], seen_until: i64, from: i64, to: i64) -> i128 {
    let mut core_milliseconds = 0;
    let mut machines: Vec<_> = records.iter().map(|r| r.machine).collect();
    machines.sort_unstable();
    machines.dedup();
    for machine in machines {
        let mut own: Vec<_> = records.iter().filter(|r| r.machine == machine).collect();
        own.sort_by_key(|r| r.sequence);
        for second in from..to {
            let has = |place: usize| {
                let t = &own[place].times;
                let end = match (t.running_end, t.end, own.get(place + 1)) {
                    (0, 0, Some(next)) => next.times.start,
                    (0, 0, None) => seen_until,
                    (0, end, _) | (end, ..) => end,
                };
                t.running_start > 0 && t.running_start <= second && second < end
            };
            if let Some(winner) = (0..own.len()).rev().find(|place| has(*place)) {
                core_milliseconds += i128::from(own[winner].sizes.cpu_milli);
            }
        }
    }
    core_milliseconds
}
