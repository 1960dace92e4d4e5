//! `stratus-monitor` before a cloud of 1,250 hosts and 20,000 machines, beside the reading of the
//! same pools by `pyone`, OpenNebula's own Python package.
//!
//! ```sh
//! cargo xtask bench monitor     # builds the program, installs pyone, and runs this
//! cargo bench -p stratus-tests --bench monitor -- [--hosts N] [--machines N] [--looks N] [--seconds N]
//! ```
//!
//! The cloud, a stand-in for oned, runs in this program and makes its answers anew for each call; only
//! what the monitor and Python take is counted. Pages are asked for at a steady rate whether or not
//! those before were answered, and each is timed from the moment when it was due.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod pages;
mod process;
mod pyone;

use process::{processor, resident};
use std::time::{Duration, Instant};
use stratus_tests::{Cloud, Monitor, MonitorSetup};

fn main() {
    let given = |name: &str, default: usize| {
        let words: Vec<String> = std::env::args().collect();
        let place = words.iter().position(|word| word == name);
        place.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let hosts = i32::try_from(given("--hosts", 1250)).unwrap();
    let machines = i32::try_from(given("--machines", 20_000)).unwrap();
    let (looks, seconds) = (given("--looks", 8), given("--seconds", 20));
    println!("{hosts} hosts, {machines} machines");
    let cloud = Cloud::start(hosts, machines);
    let setup = MonitorSetup {
        oned: cloud.url(),
        monitor: "interval = \"5 s\"\n".to_owned(),
        ..MonitorSetup::default()
    };
    let mut monitor = Monitor::with(setup);
    let token = |owner: &str| {
        let made = monitor.run(&["token", "create", "--owner", owner]).good().stdout;
        format!("Bearer {}", made.trim())
    };
    let (admin, alice) = (token("admin"), token("alice"));
    // As many users as such a site has.
    let others: Vec<String> = (0..1000).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> = ["alice"].into_iter().chain(others.iter().map(String::as_str)).collect();
    monitor.write_usage(&users);
    let begun = cloud.looks();
    monitor.restart();
    // The first looks ask for the stays of all machines, 2,000 each time.
    wait_for(&cloud, begun + usize::try_from(machines).unwrap() / 2000 + 2);
    each_look(&monitor, &cloud, looks);
    for series in 1..=2 {
        println!("pages, {} a second for {seconds} s each, series {series}", pages::RATE);
        for path in ["/", "/hosts", "/vms", "/vms?sort=cpu", "/vms?q=worker-19&sort=name"] {
            pages::ask(monitor.url(), &admin, path, seconds);
        }
        for path in [
            "/networks",
            "/networks/0",
            "/images",
            "/burst",
            "/users",
            "/usage",
            "/events",
            "/vms/17",
        ] {
            pages::ask(monitor.url(), &admin, path, seconds);
        }
        pages::ask(monitor.url(), &alice, "/", seconds);
        pages::ask(monitor.url(), &alice, "/vms?sort=oldest", seconds);
    }
    println!("resident at most {} MiB", resident(monitor.process()) >> 20);
    monitor.kill();
    pyone::read(&cloud.url());
}

/// Prints the processor time of each of the next looks.
fn each_look(monitor: &Monitor, cloud: &Cloud, looks: usize) {
    let mut took = Vec::new();
    let mut seen = cloud.looks();
    wait_for(cloud, seen + 1);
    for _ in 0..looks {
        seen = cloud.looks();
        let before = processor(monitor.process());
        wait_for(cloud, seen + 1);
        took.push(processor(monitor.process()) - before);
    }
    took.sort_by(f64::total_cmp);
    let (least, most) = (took[0], took[took.len() - 1]);
    let middle = took[took.len() / 2];
    println!("a look: {middle:.2} s of processor ({least:.2} to {most:.2}, {looks} looks)");
    println!("resident at most {} MiB before any page", resident(monitor.process()) >> 20);
}

fn wait_for(cloud: &Cloud, looks: usize) {
    let begun = Instant::now();
    while cloud.looks() < looks {
        assert!(begun.elapsed() < Duration::from_mins(10), "the monitor does not look");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
