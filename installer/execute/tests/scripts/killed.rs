//! Killed at any point and run again, the result is the same.

use crate::bench::{Bench, mine};
use crate::files::{block, file};
use rustix::process::{Pid, Signal, kill_process_group};
use std::time::{Duration, Instant};
use stratus_plan::step::{OurShare, Step};

const KILLS: u32 = 25;

/// Kills the step ever later, with everything that it started; each time it runs again afterwards,
/// and the tree must be that of a run in peace.
fn converges(step: &Step, prepare: impl Fn(&Bench)) {
    let peace = Bench::new();
    prepare(&peace);
    let begun = Instant::now();
    peace.apply(step);
    let whole = begun.elapsed();
    let paths = |bench: &Bench| {
        let root = bench.root().display().to_string();
        let plain = |(name, text): (String, String)| (name, text.replace(&root, "ROOT"));
        bench.tree().into_iter().map(plain).collect::<Vec<_>>()
    };
    let expected = paths(&peace);
    let mut cut = 0;
    for number in 0..KILLS {
        let bench = Bench::new();
        prepare(&bench);
        let mut child = bench.start(&bench.work(step));
        std::thread::sleep(whole.mul_f64(f64::from(number) / f64::from(KILLS)));
        let group = Pid::from_child(&child);
        let alive = child.try_wait().unwrap().is_none();
        let _ = kill_process_group(group, Signal::KILL);
        child.wait().unwrap();
        cut += u32::from(alive);
        bench.apply(step);
        assert_eq!(paths(&bench), expected, "killed after {number} of {KILLS} parts");
    }
    assert!(cut > KILLS / 3, "only {cut} of {KILLS} kills met the step at work");
    assert!(whole < Duration::from_secs(30));
}

#[test]
fn a_whole_file() {
    converges(&file("/etc/a.conf", "ours\n", OurShare::Whole), |bench| {
        bench.put("/etc/a.conf", "theirs\n");
    });
}

#[test]
fn a_block() {
    converges(&block("/etc/fstab", "ours\n"), |bench| bench.put("/etc/fstab", "theirs\n"));
}

#[test]
fn keys_of_oned_conf() {
    let step = file("/etc/one/oned.conf", "PORT = 2700\n", OurShare::OnedKeys);
    converges(&step, |bench| bench.put("/etc/one/oned.conf", "PORT = 2633\n# x\n"));
}

#[test]
fn a_folder() {
    let step = Step::Directory { path: "/srv/a".into(), access: mine(0o750) };
    converges(&step, |_| ());
}

#[test]
fn a_unit() {
    let unit = crate::system::unit(true);
    converges(&unit, crate::system::one_service);
}

#[test]
fn packages() {
    let step = Step::Packages { names: ["one".into(), "two".into()].into() };
    converges(&step, crate::system::debian);
}
