//! 64 KiB at a time from what is here already: whole objects, and ranges of a large one.

use crate::reader;
use crate::servers::{self, Server};
use crate::{Plan, spread};
use std::fs;
use std::path::Path;
use stratus_tests::{run, tool};
use tempfile::TempDir;

/// Asks `wrk` for random parts.
const RANGES: &str = "request = function()
  local at = math.random(0, LAST) * 65536
  wrk.headers['Range'] = 'bytes=' .. at .. '-' .. (at + 65535)
  return wrk.format('GET', '/big.bin')
end
";

pub(crate) fn bench(plan: &Plan) {
    let folder = TempDir::new().unwrap();
    servers::file(&folder.path().join("big.bin"), plan.mib);
    let small = fs::File::create(folder.path().join("small.bin")).unwrap();
    small.set_len(65_536).unwrap();
    let last = (plan.mib * 16 - 1).to_string();
    fs::write(folder.path().join("ranges.lua"), RANGES.replace("LAST", &last)).unwrap();
    let origin = servers::origin(folder.path(), None);
    let servers = [servers::ours(folder.path(), &origin), servers::peer(folder.path(), &origin)];
    for server in &servers {
        reader::read(server.plain, "/big.bin", None);
        reader::read(server.plain, "/small.bin", None);
    }
    println!("| case | cache | thousand requests per second | CPU µs per request |");
    println!("|---|---|---|---|");
    for (case, script) in [("objects", None), ("ranges", Some("ranges.lua"))] {
        let mut rows = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            for (row, server) in rows.iter_mut().zip(&servers) {
                row.push(requests(server, folder.path(), script));
            }
        }
        for (row, server) in rows.iter().zip(&servers) {
            let speed = spread(row.iter().map(|(speed, _)| *speed).collect());
            let cpu = spread(row.iter().map(|(_, cpu)| *cpu).collect());
            println!("| {case} | {} | {speed} | {cpu} |", server.name);
        }
    }
}

fn requests(server: &Server, folder: &Path, script: Option<&str>) -> (f64, f64) {
    let url = format!("http://{}/small.bin", server.plain);
    let before = server.cpu_seconds();
    let mut wrk = tool("wrk", "wrk");
    wrk.current_dir(folder).args(["-t1", "-d3s", "-c32"]);
    if let Some(script) = script {
        wrk.args(["-s", script]);
    }
    let out = run(wrk.arg(&url)).good().stdout;
    let failed = ["Non-2xx", "Socket errors"].iter().any(|text| out.contains(text));
    assert!(!failed, "{}: {out}", server.name);
    let line = out.lines().find(|line| line.contains(" requests in ")).unwrap();
    let count: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
    (count / 3e3, (server.cpu_seconds() - before) / count * 1e6)
}
