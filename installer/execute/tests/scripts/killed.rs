//! Killed at any point and run again, the result is the same.

use crate::bench::{Bench, mine};
use crate::files::{block, file};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{BufRead, BufReader};
use std::process::Command;
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
    let mut whole = begun.elapsed();
    assert!(whole < Duration::from_secs(30));
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
        let moment = whole.mul_f64(f64::from(number) / f64::from(KILLS));
        std::thread::sleep(moment);
        let group = Pid::from_child(&child);
        let alive = child.try_wait().unwrap().is_none();
        let _ = kill_process_group(group, Signal::KILL);
        child.wait().unwrap();
        cut += u32::from(alive);
        if !alive {
            // The first run took longer than usual: what waits for a disk does.
            whole = moment;
        }
        bench.apply(step);
        assert_eq!(paths(&bench), expected, "killed after {number} of {KILLS} parts");
    }
    assert!(cut > KILLS / 3, "only {cut} of {KILLS} kills met the step at work");
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

/// Whoever was killed may have left a step at work on the host; the next one does not meddle.
#[test]
fn a_step_waits_for_one_that_is_still_at_work() {
    let bench = Bench::new();
    crate::system::debian(&bench);
    bench
        .program("apt-get", ": > \"$T/begun\"; read -r _ < \"$T/go\"; echo one >> \"$T/packages\"");
    let folder = bench.root().parent().unwrap().to_owned();
    let (begun, go) = (folder.join("begun"), folder.join("go"));
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());

    let packages = Step::Packages { names: ["one".into()].into() };
    let first = bench.start(&bench.work(&packages));
    let patience = Instant::now() + Duration::from_secs(30);
    while !begun.exists() {
        assert!(Instant::now() < patience, "apt-get was never called");
        std::thread::yield_now();
    }
    let mut second = bench.start(&bench.work(&file("/etc/a.conf", "ours\n", OurShare::Whole)));
    let said = BufReader::new(second.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(said.contains("waiting for an earlier step") && said.contains("process "), "{said}");
    assert!(!bench.at("/etc/a.conf").exists());

    std::fs::write(&go, "\n").unwrap();
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(std::fs::read_to_string(bench.at("/etc/a.conf")).unwrap(), "ours\n");
}
