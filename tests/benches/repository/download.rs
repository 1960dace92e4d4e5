//! Hot downloads and small requests, beside nginx over the same files.

use crate::servers::{self, Server, cpu_seconds};
use crate::{Plan, client, spread};
use rustls::ClientConfig;
use std::fs;
use std::sync::Arc;
use std::time::Instant;
use stratus_tests::{Appliance, run, tool};

/// What is measured.
struct Case {
    name: &'static str,
    kind: Kind,
}

/// Downloads by so many clients, each so often; or small requests.
enum Kind {
    Download { clients: usize, repeat: usize, encrypted: bool },
    Manifest,
}

const CASES: [Case; 5] = [
    Case {
        name: "plain, 1 client",
        kind: Kind::Download { clients: 1, repeat: 4, encrypted: false },
    },
    Case {
        name: "plain, 8 clients",
        kind: Kind::Download { clients: 8, repeat: 1, encrypted: false },
    },
    Case {
        name: "TLS 1.3, 1 client",
        kind: Kind::Download { clients: 1, repeat: 2, encrypted: true },
    },
    Case {
        name: "TLS 1.3, 8 clients",
        kind: Kind::Download { clients: 8, repeat: 1, encrypted: true },
    },
    Case { name: "manifests, 64 connections", kind: Kind::Manifest },
];

/// One figure of one round.
struct Sample {
    case: &'static str,
    server: &'static str,
    per_second: f64,
    cpu: f64,
}

/// Bytes that do not compress, so that the file is as large as the image.
fn noise(mib: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..mib << 17).flat_map(|_| next()).collect()
}

pub(crate) fn bench(plan: &Plan) {
    let repository = servers::repository();
    let appliance = Appliance::build(repository.folder(), "bench", "1.0", &noise(plan.mib));
    let files = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
    let length = fs::metadata(&appliance.image).unwrap().len();
    let tls = client::tls(&fs::read(repository.path("server.crt")).unwrap());
    let folder = repository.folder();
    let fast = servers::nginx(folder, FAST, "sendfile on; access_log off;", &appliance);
    let usual = servers::nginx(folder, USUAL, "sendfile on; access_log access.log;", &appliance);
    let mut order = [&servers::ours(&repository, &appliance), &fast.1, &usual.1];
    let mut samples = Vec::new();
    for _ in 0..plan.rounds {
        order.rotate_left(1);
        for case in CASES.iter().filter(|case| plan.has(case.kind.bench())) {
            samples.extend(order.map(|server| sample(case, server, &tls, length)));
        }
    }
    print(&samples, length);
}

const FAST: &str = "nginx without a log";
const USUAL: &str = "nginx with its log";

impl Kind {
    fn bench(&self) -> &'static str {
        match self {
            Self::Download { .. } => "download",
            Self::Manifest => "manifest",
        }
    }
}

fn sample(case: &Case, server: &Server, tls: &Arc<ClientConfig>, length: u64) -> Sample {
    let (cpu, started) = (cpu_seconds(server.process), Instant::now());
    let amount = match case.kind {
        Kind::Manifest => requests(server),
        Kind::Download { clients, repeat, encrypted } => {
            std::thread::scope(|scope| {
                for _ in 0..clients {
                    scope.spawn(|| {
                        for _ in 0..repeat {
                            download(server, encrypted.then_some(tls), length);
                        }
                    });
                }
            });
            (clients * repeat) as f64 * length as f64 / f64::from(1 << 30)
        }
    };
    let wall = started.elapsed().as_secs_f64();
    let cpu = (cpu_seconds(server.process) - cpu) / amount;
    Sample { case: case.name, server: server.name, per_second: amount / wall, cpu }
}

fn download(server: &Server, tls: Option<&Arc<ClientConfig>>, length: u64) {
    let address = if tls.is_some() { server.tls } else { server.plain };
    let came = client::download(address, tls, &server.image);
    assert!(came >= length, "{} sent {came} bytes", server.name);
}

/// How many thousand manifests `wrk` got in three seconds.
fn requests(server: &Server) -> f64 {
    let url = format!("http://{}{}", server.plain, server.manifest);
    let out = run(tool("wrk", "wrk").args(["-t1", "-d3s", "-c64", &url])).good();
    let failed = ["Non-2xx", "Socket errors"].iter().any(|text| out.stdout.contains(text));
    assert!(!failed, "{}: {}", server.name, out.stdout);
    let line = out.stdout.lines().find(|line| line.contains(" requests in ")).unwrap();
    let count: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
    count / 1e3
}

fn print(samples: &[Sample], length: u64) {
    println!(
        "\nA file of {length} bytes in the page cache; medians (least to greatest). Units: GiB; for \
         manifests a thousand requests.\n"
    );
    println!("| case | server | units per second | CPU seconds per unit | CPU of nginx's |");
    println!("|---|---|---|---|---|");
    let figures = |case: &str, server: &str, of: fn(&Sample) -> f64| {
        let fits = |s: &&Sample| s.case == case && s.server == server;
        spread(samples.iter().filter(fits).map(of).collect())
    };
    for case in CASES.iter().filter(|c| samples.iter().any(|s| s.case == c.name)) {
        let (nginx, ..) = figures(case.name, FAST, |s| s.cpu);
        for server in ["stratus-repository", FAST, USUAL] {
            let (speed, slowest, fastest) = figures(case.name, server, |s| s.per_second);
            let (cpu, least, most) = figures(case.name, server, |s| s.cpu);
            println!(
                "| {} | {server} | {speed:.2} ({slowest:.2} to {fastest:.2}) | {cpu:.3} ({least:.3} to {most:.3}) | {:.2} |",
                case.name,
                cpu / nginx
            );
        }
    }
}
