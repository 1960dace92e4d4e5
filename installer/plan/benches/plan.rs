//! How long a plan takes and what it needs: 1,000 nodes and 50 networks.
//!
//! `cargo bench -p stratus-plan --bench plan` prints one line for each figure.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;
use stratus_plan::{plan, preflight, promises, questions, render};
use stratus_site::{Database, Share};

/// Most memory that the process ever had, MiB.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    format!("{} MiB", kib / 1024)
}

fn timed<T>(what: &str, work: impl Fn() -> T) -> T {
    let mut best = f64::MAX;
    let mut answer = work();
    for _ in 0..5 {
        let start = Instant::now();
        answer = work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what:<32} {:>8.1} ms, peak {}", best * 1e3, peak());
    answer
}

fn main() {
    let mut site = support::sized(1_000, 50, Share::Nfs, Database::Mariadb);
    site.identity = Some(support::identity());
    let inputs = support::inputs();
    println!("1,000 nodes, 50 networks; best of 5");
    let before = support::facts(&site, support::SYSTEMS[1]);
    let first = timed("plan of fresh hosts", || plan(&site, &before, &inputs));
    timed("the same as text", || render::text(&first));
    timed("the same as JSON", || serde_json::to_vec(&first).map(|v| v.len()).ok());
    let after = support::model::apply_to_facts(&first, &before);
    let second = timed("plan of finished hosts", || plan(&site, &after, &inputs));
    println!("steps: {} to do, then {}", first.changes(), second.changes());
    timed("preflight", || preflight(&site, &before));
    timed("promises", || promises(&site, &before));
    timed("questions for all hosts", || {
        site.nodes.iter().map(|n| questions(&site, &n.host).paths.len()).sum::<usize>()
    });
}
