//! 64 readers of one cold object at the same moment, from an origin limited to 100 MiB/s.

use crate::reader::{self, Seen};
use crate::servers::{self, Server};
use crate::{Plan, spread};
use tempfile::TempDir;

const READERS: usize = 64;

pub(crate) fn bench(plan: &Plan) {
    println!(
        "| cache | readers | bytes from upstream, of the object's | last one's first byte, s | all done, s | CPU s per GiB served |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, start) in [
        (servers::OURS, servers::ours as fn(&std::path::Path, &Server) -> Server),
        (servers::NGINX, servers::peer),
    ] {
        for readers in [1, READERS] {
            // A peer that waits for the whole fill before it answers takes long enough once.
            let rounds = if name == servers::OURS { plan.rounds } else { 1 };
            let rows: Vec<Row> = (0..rounds).map(|_| round(plan, start, readers)).collect();
            let of = |figure: fn(&Row) -> f64| spread(rows.iter().map(figure).collect());
            let upstream = rows[0].upstream.map_or_else(|| "-".to_owned(), |u| format!("{u:.3}"));
            println!(
                "| {name} | {readers} | {upstream} | {} | {} | {} |",
                of(|row| row.first),
                of(|row| row.last),
                of(|row| row.cpu)
            );
        }
    }
}

struct Row {
    upstream: Option<f64>,
    first: f64,
    last: f64,
    cpu: f64,
}

fn round(plan: &Plan, start: fn(&std::path::Path, &Server) -> Server, readers: usize) -> Row {
    let folder = TempDir::new().unwrap();
    servers::file(&folder.path().join("big.bin"), plan.mib);
    let origin = servers::origin(folder.path(), None);
    let cache = start(folder.path(), &origin);
    let before = cache.cpu_seconds();
    let seen: Vec<Seen> = reader::crowd(readers, cache.plain, "/slow/big.bin");
    let bytes: u64 = seen.iter().map(|s| s.bytes).sum();
    let worst = |of: fn(&Seen) -> f64| seen.iter().map(of).fold(0.0, f64::max);
    let is_ours = cache.name == servers::OURS;
    Row {
        upstream: is_ours.then(|| cache.counted("received") as f64 / (plan.mib << 20) as f64),
        first: worst(|s| s.first.as_secs_f64()),
        last: worst(|s| s.last.as_secs_f64()),
        cpu: (cache.cpu_seconds() - before) / (bytes as f64 / f64::from(1 << 30)),
    }
}
