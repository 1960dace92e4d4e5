//! `stratus-monitor` before a cloud of 1,250 hosts and 20,000 machines.
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p stratus-tests --bench monitor -- [--hosts N] [--machines N] [--looks N]
//! ```
//!
//! The cloud, a stand-in for oned, runs in this program; only what the monitor takes is counted.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs;
use std::time::{Duration, Instant};
use stratus_tests::{Cloud, Monitor, MonitorSetup};

/// Seconds in a tick of `/proc/*/stat`: `USER_HZ` is 100 on Linux.
const TICK: f64 = 0.01;
/// Requests for each page.
const REQUESTS: usize = 300;
/// Pages a second.
const RATE: f64 = 50.0;

fn main() {
    let given = |name: &str, default: usize| {
        let words: Vec<String> = std::env::args().collect();
        let place = words.iter().position(|word| word == name);
        place.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let hosts = i32::try_from(given("--hosts", 1250)).unwrap();
    let machines = i32::try_from(given("--machines", 20_000)).unwrap();
    let cloud = Cloud::start(hosts, machines);
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: "interval = \"5 s\"\n".to_owned(),
        ..MonitorSetup::default()
    };
    let mut monitor = Monitor::with(setup);
    let token = monitor.run(&["token", "create", "--owner", "admin"]).good().stdout;
    monitor.restart();
    // The first looks ask for the stays of all machines, 2,000 each time.
    let first = cloud.looks() + usize::try_from(machines).unwrap() / 2000 + 2;
    wait_for(&cloud, first);
    let looks = given("--looks", 8);
    let (begun, before) = (cloud.looks(), processor(monitor.process()));
    wait_for(&cloud, begun + looks);
    let took = (processor(monitor.process()) - before) / looks as f64;
    println!("{hosts} hosts, {machines} machines: {took:.2} s of processor for each look");
    println!("resident {} MiB at most", kib(monitor.process(), "VmHWM:") >> 10);
    let bearer = format!("Bearer {}", token.trim());
    for path in ["/", "/hosts", "/vms", "/vms?q=worker-19&sort=name", "/networks/0", "/users"] {
        page(&monitor, &bearer, path);
    }
}

/// Asks for a page at a steady rate, and prints how long the slow ones took.
fn page(monitor: &Monitor, bearer: &str, path: &str) {
    let headers = [("authorization", bearer), ("accept", "text/html")];
    let mut times = Vec::new();
    let (mut bytes, begun) = (0, Instant::now());
    for number in 0..REQUESTS {
        let due = Duration::from_secs_f64(number as f64 / RATE);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let asked = Instant::now();
        let (status, text) = monitor.get_with(path, &headers);
        assert_eq!(status, 200, "{path}");
        times.push(asked.elapsed().as_secs_f64() * 1e3);
        bytes = text.len();
    }
    times.sort_by(f64::total_cmp);
    let (middle, slow) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{path}: {middle:.1} ms, 99th percentile {slow:.1} ms, {} KiB", bytes >> 10);
}

fn wait_for(cloud: &Cloud, looks: usize) {
    let begun = Instant::now();
    while cloud.looks() < looks {
        assert!(begun.elapsed() < Duration::from_mins(10), "the monitor does not look");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Seconds of processor that a process has had.
fn processor(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.map(|t| t.parse::<f64>().unwrap()).sum::<f64>() * TICK
}

fn kib(process: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
