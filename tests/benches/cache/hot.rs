//! An object that is here already: what it costs to serve it, whole.

use crate::reader;
use crate::servers::{self, Server};
use crate::{Plan, spread};
use std::time::Instant;
use stratus_tests::{run, tool};
use tempfile::TempDir;

pub(crate) fn bench(plan: &Plan) {
    let folder = TempDir::new().unwrap();
    servers::file(&folder.path().join("big.bin"), plan.mib);
    let origin = servers::origin(folder.path(), None);
    let ours = servers::ours(folder.path(), &origin);
    let encrypted = servers::ours_encrypted(&ours);
    let peer = servers::peer(folder.path(), &origin);
    for server in [&ours, &peer] {
        reader::read(server.plain, "/big.bin", None);
    }
    by_tls(&encrypted, 1);
    by_tls(&peer, 1);
    rustix::fs::sync();
    println!("| case | cache | GiB/s | CPU s per GiB |");
    println!("|---|---|---|---|");
    for clients in [1, 8] {
        print(plan, &format!("plain, {clients} clients"), [&ours, &peer], |server| {
            reader::crowd(clients, server.plain, "/big.bin").len()
        });
        print(plan, &format!("TLS 1.3, {clients} clients"), [&encrypted, &peer], |server| {
            by_tls(server, clients)
        });
    }
}

fn print(plan: &Plan, case: &str, servers: [&Server; 2], work: impl Fn(&Server) -> usize) {
    let mut rows = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (row, server) in rows.iter_mut().zip(servers) {
            let (cpu, started) = (server.cpu_seconds(), Instant::now());
            let gib = work(server) as f64 * plan.mib as f64 / 1024.0;
            let wall = started.elapsed().as_secs_f64();
            row.push((gib / wall, (server.cpu_seconds() - cpu) / gib));
        }
    }
    for (row, server) in rows.iter().zip(servers) {
        let speed = spread(row.iter().map(|(speed, _)| *speed).collect());
        let cpu = spread(row.iter().map(|(_, cpu)| *cpu).collect());
        println!("| {case} | {} | {speed} | {cpu} |", server.name);
    }
}

/// So many downloads at the same time with curl; answers how many.
fn by_tls(server: &Server, clients: usize) -> usize {
    let url = format!("https://{}/big.bin", server.tls.unwrap_or(server.plain));
    let get = [
        "-s",
        "-k",
        "--http1.1",
        "--fail",
        "--tls13-ciphers",
        "TLS_AES_256_GCM_SHA384",
        "-o",
        "/dev/null",
    ];
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| run(tool("curl", "curl").args(get).arg(&url)).good());
        }
    });
    clients
}
