//! Thirty days of history on disk:
//! `cargo bench -p stratus-monitor --bench history -- [machines] [hosts]`.
//!
//! A block of the files is as long with one step in it as with all of them, so a look for each hour of
//! the thirty days makes them as large as they ever become.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::time::{Duration, Instant};
use stratus_monitor::history::{History, Series, Span};
use stratus_monitor_state::{Host, HostLoad, Load, Machine, Observation, State, fold};

/// 2026-11-01.
const START: i64 = 1_793_491_200;
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

fn main() {
    let mut counts = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (machines, hosts) = (counts.next().unwrap_or(20_000), counts.next().unwrap_or(1250));
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::open(folder.path(), 30 * DAY).expect("a history");
    let mut state = site(machines, hosts);
    let (mut slowest, begun) = (Duration::ZERO, Instant::now());
    for hour in 0..30 * 24 {
        state.read_at = START + hour * HOUR;
        let one = Instant::now();
        history.record(&state).expect("it is written");
        slowest = slowest.max(one.elapsed());
    }
    let each = begun.elapsed() / (30 * 24);
    println!("{machines} machines, {hosts} hosts, 30 days: {} MiB", history.bytes() >> 20);
    println!("a look that ends a step: {each:.1?}, slowest {slowest:.1?}");
    // Most looks end no step.
    state.read_at += 1;
    let one = Instant::now();
    history.record(&state).expect("it is written");
    println!("a look within a step: {:.1?}", one.elapsed());
    for (name, series) in [("host", Series::Host(7)), ("machine", Series::Machine(77))] {
        let one = Instant::now();
        let points = history.read(series, Span::Month, state.read_at).expect("it is read");
        println!("a month of a {name}: {:.1?}, {} points", one.elapsed(), points.len());
    }
}

fn site(machines: i32, hosts: i32) -> State {
    let load = Some(HostLoad { at: START, cpu_used: 1200, memory_used_kib: 30 << 20 });
    let host = |id| Host {
        id,
        state: 2,
        cpu_max: 3200,
        cpu_given: 1600,
        memory_max_kib: 64 << 20,
        memory_given_kib: 32 << 20,
        load,
        ..Host::default()
    };
    let load = Load { at: START, cpu_percent: 42.0, memory_kib: 1 << 20, received: 1, sent: 1 };
    let machine = |id| Machine {
        id,
        state: 3,
        lcm_state: 3,
        cpu: 1.0,
        memory_mib: 2048,
        load: Some(load),
        ..Machine::default()
    };
    let seen = Observation {
        at: START,
        clock_is_steady: true,
        hosts: Some((0..hosts).map(host).collect()),
        machines: Some((0..machines).map(machine).collect()),
        ..Observation::default()
    };
    fold(&State::default(), seen)
}
