//! Throughput of the overlay beside a hand-written minimal configuration of openvpn, in the same
//! namespaces and the same run.
//!
//! ```sh
//! cargo bench -p stratus-tests --bench overlay -- [--rounds N] [--seconds N]
//! ```
//!
//! Both servers bridge into the same LAN, and both have a client; they take turns, and turns at being
//! the first, each from the burst node to the LAN host (`up`) and back (`down`). One TCP connection,
//! as iperf3 counts it where it arrives; beside it the processor time of server and client together.
//! Single rounds scatter, so the mean is told with the span that holds it in 95 of 100 such runs.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "the bed is that of the scenario, and a bench uses a part of it"
)]

#[path = "../scenarios/overlay/bed.rs"]
mod bed;
#[path = "../scenarios/network_files/namespace.rs"]
mod namespace;
#[path = "monitor/process.rs"]
mod process;

use bed::{Bed, LAN_HOST, eventually, openvpn, pings};
use namespace::{Listener, Namespace};
use std::fs;
use std::process::Stdio;
use stratus_tests::{run, tool};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: usize| {
        let at = words.iter().position(|w| w == name);
        at.map_or(default, |at| words[at + 1].parse().unwrap())
    };
    let (rounds, seconds) = (option("--rounds", 60), option("--seconds", 1));
    let mut bed = Bed::new("range = \"10.50.0.200-10.50.0.239\"\n");
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1", "burst2"]).good();
    bed.serve();
    let _plain = serve_plainly(&bed);
    let _iperf =
        Listener(bed.lan.command(&["iperf3", "-s"]).stdout(Stdio::null()).spawn().unwrap());
    let (ours, theirs) = (bed.cloud(), bed.cloud());
    let _ours = bed.join(&ours, &bed.profile("burst1"));
    let _theirs = bed.join(&theirs, &plain_client(&bed.profile("burst2")));
    address_by_hand(&theirs);
    for burst in [&ours, &theirs] {
        eventually("the client reaches the LAN", || pings(burst, LAN_HOST));
    }
    let ours = End { burst: &ours, processes: processes(&bed, ["server.conf", "client-0.ovpn"]) };
    let theirs =
        End { burst: &theirs, processes: processes(&bed, ["plain.conf", "client-1.ovpn"]) };
    for (way, down) in [("up", false), ("down", true)] {
        let (mut throughput, mut processor) = (Vec::new(), Vec::new());
        // The first round warms caches of both.
        for round in 0..=rounds {
            let (our, their) = if round % 2 == 0 {
                let our = ours.measure(down, seconds);
                (our, theirs.measure(down, seconds))
            } else {
                let their = theirs.measure(down, seconds);
                (ours.measure(down, seconds), their)
            };
            if round > 0 {
                println!("round {round} {way:<4}: stratus {our}, minimal {their}");
                throughput.push(our.megabits / their.megabits);
                processor.push(our.processor / their.processor);
            }
        }
        println!("{way:<4} throughput, ratio {}; goal: 0.95 or more", told(&mut throughput));
        println!("{way:<4} processor time for each byte, ratio {}", told(&mut processor));
    }
}

/// One tunnel.
struct End<'a> {
    burst: &'a Namespace,
    /// Its server and its client.
    processes: Vec<u32>,
}

/// What one round gave.
struct Round {
    megabits: f64,
    /// Seconds of processor for each GiB.
    processor: f64,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} Mbit/s {:.1} s/GiB", self.megabits, self.processor)
    }
}

impl End<'_> {
    fn measure(&self, down: bool, seconds: usize) -> Round {
        let spent = || self.processes.iter().map(|id| process::processor(*id)).sum::<f64>();
        let before = spent();
        let (megabits, bytes) = transfer(self.burst, down, seconds);
        Round { megabits, processor: (spent() - before) / bytes * f64::from(1 << 30) }
    }
}

/// Median and extremes, and the geometric mean with its span (1.96 standard errors of logarithms).
fn told(ratios: &mut [f64]) -> String {
    ratios.sort_by(f64::total_cmp);
    let (middle, least, most) = (ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
    let count = ratios.len() as f64;
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let span = 1.96 * (variance / count).sqrt();
    let [mean, from, to] = [mean, mean - span, mean + span].map(f64::exp);
    format!(
        "{middle:.2} ({least:.2} to {most:.2}, {count} rounds), mean {mean:.3} ({from:.3} to {to:.3})"
    )
}

/// The programs that were started with these files of the bed.
fn processes(bed: &Bed, files: [&str; 2]) -> Vec<u32> {
    let wanted = files.map(|file| bed.path(file).display().to_string());
    let named = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        wanted.iter().any(|file| line.split('\0').any(|word| word == file))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<u32> = ids.filter(named).collect();
    assert_eq!(found.len(), 2, "a server and a client: {wanted:?}");
    found
}

/// What somebody writes who wants a bridged tunnel and nothing else.
fn serve_plainly(bed: &Bed) -> bed::Process {
    let own = bed.path("vpn/server");
    let conf = format!(
        "mode server\ntls-server\nport 1195\nproto udp\ndev tap-plain\ndev-type tap\ndh none\n\
         ca {own}/ca.pem\ncert {own}/server.crt\nkey {own}/server.key\nkeepalive 10 60\n",
        own = own.display()
    );
    let file = bed.path("plain.conf");
    fs::write(&file, conf).unwrap();
    bed.gate.ip("tuntap add dev tap-plain mode tap");
    bed.gate.ip("link set tap-plain master br0");
    bed.gate.ip("link set tap-plain up");
    openvpn(&bed.gate, &file, &bed.path("plain.log"))
}

fn plain_client(profile: &str) -> String {
    let from = profile.find("<ca>").unwrap();
    let to = profile.find("</key>").unwrap() + "</key>\n".len();
    format!(
        "client\ndev tap-plain\ndev-type tap\nproto udp\nremote 198.51.100.2 1195\nnobind\n{}",
        &profile[from..to]
    )
}

fn address_by_hand(burst: &Namespace) {
    let device = ["link", "show", "tap-plain"];
    eventually("the client's device", || {
        run(&mut burst.command(&[&["ip"][..], &device].concat())).code == 0
    });
    burst.ip("addr add 10.50.0.230/24 dev tap-plain");
    burst.ip("link set tap-plain up");
}

/// Mbit/s, and bytes that arrived.
fn transfer(burst: &Namespace, down: bool, seconds: usize) -> (f64, f64) {
    let file = tool("iperf3", "iperf3").get_program().to_str().unwrap().to_owned();
    let seconds = seconds.to_string();
    let mut words = vec![file.as_str(), "-c", LAN_HOST, "-t", &seconds, "-J"];
    words.extend(down.then_some("-R"));
    let mut measured = None;
    // The server may still be at the end of the measurement before.
    eventually("iperf3 measures", || {
        let out = run(&mut burst.command(&words)).stdout;
        let told: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
        let received = &told["end"]["sum_received"];
        measured = received["bits_per_second"].as_f64().zip(received["bytes"].as_f64());
        measured.is_some()
    });
    let (bits, bytes) = measured.unwrap();
    (bits / 1e6, bytes)
}
