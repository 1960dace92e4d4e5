//! Throughput of the overlay beside a hand-written minimal configuration of openvpn, in the same
//! namespaces and the same run.
//!
//! ```sh
//! cargo bench -p stratus-tests --bench overlay -- [--rounds N] [--seconds N]
//! ```
//!
//! Both servers bridge into the same LAN, and both have a client; they take turns, each from the burst
//! node to the LAN host (`up`) and back (`down`). One TCP connection, as iperf3 counts it where it
//! arrives.
#![expect(clippy::unwrap_used, reason = "a bench that ends when something fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "the bed is that of the scenario, and a bench uses a part of it"
)]

#[path = "../scenarios/overlay/bed.rs"]
mod bed;
#[path = "../scenarios/network_files/namespace.rs"]
mod namespace;

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
    let (rounds, seconds) = (option("--rounds", 15), option("--seconds", 2));
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
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (at, way) in ["up", "down"].into_iter().enumerate() {
            let [our, their] = [&ours, &theirs].map(|burst| megabits(burst, at == 1, seconds));
            // The first round warms caches of both.
            if round > 0 {
                let ratio = our / their;
                println!(
                    "round {round} {way:<4}: stratus {our:.0} Mbit/s, minimal {their:.0} Mbit/s, ratio {ratio:.2}"
                );
                ratios[at].push(ratio);
            }
        }
    }
    for (way, mut all) in ["up", "down"].into_iter().zip(ratios) {
        all.sort_by(f64::total_cmp);
        let (middle, least, most) = (all[all.len() / 2], all[0], all[all.len() - 1]);
        println!("{way:<4} ratio {middle:.2} ({least:.2} to {most:.2}); goal: 0.95 or more");
    }
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

fn megabits(burst: &Namespace, down: bool, seconds: usize) -> f64 {
    let file = tool("iperf3", "iperf3").get_program().to_str().unwrap().to_owned();
    let seconds = seconds.to_string();
    let mut words = vec![file.as_str(), "-c", LAN_HOST, "-t", &seconds, "-J"];
    words.extend(down.then_some("-R"));
    let mut measured = None;
    // The server may still be at the end of the measurement before.
    eventually("iperf3 measures", || {
        let out = run(&mut burst.command(&words)).stdout;
        let told: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
        measured = told["end"]["sum_received"]["bits_per_second"].as_f64();
        measured.is_some()
    });
    measured.unwrap() / 1e6
}
