//! The power of a host goes, or the installer is killed, at every step: each time the next run goes on.

use super::cuts::{Apply, At, to_do};
use super::site;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use stratus_tests::hosts::{HostSetup, Site};

/// Longest time that a step runs before it is cut; each gets another part of it.
const LATEST: Duration = Duration::from_millis(160);
/// More runs would mean that it comes to no end.
const ROUNDS: usize = 120;
const MOST_SITES: usize = 4;
/// Steps that may never begin on any site, because what was cut before had done their work: a
/// password and keys that packages make as well.
const NEVER_BEGUN: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum What {
    Power,
    Installer,
}

#[test]
fn the_power_of_a_host_goes_at_every_step() {
    at_every_step(What::Power);
}

#[test]
fn the_installer_is_killed_at_every_step() {
    at_every_step(What::Installer);
}

fn at_every_step(what: What) {
    let begun = Instant::now();
    let mut cut = BTreeSet::new();
    let (mut sites, mut left) = (0, 1);
    // What a step did before it was cut may be enough for the one behind, which then never begins;
    // on another site it is the first to be cut.
    while left > 0 && sites < MOST_SITES {
        left = one_site(what, &mut cut);
        sites += 1;
    }
    let (count, time) = (cut.len(), begun.elapsed().as_secs());
    eprintln!("{count} steps were cut, on {sites} sites in {time} s");
    // Whatever begins is cut; what is left never began.
    assert!(left <= NEVER_BEGUN, "{left} steps never began");
}

/// Sets a site up, cut at every step that was not cut before. How many were not cut.
fn one_site(what: What, cut: &mut BTreeSet<At>) -> usize {
    let mut site = site([HostSetup::new("front"), HostSetup::new("node1")]);
    // One host at a time: only the one that is cut has something under way.
    site.write("node1", "10.77.0.109", "[ssh]\nparallel = 1");
    let planned = to_do(&site.install(&["plan", "--json"]).stdout);
    assert!(planned.len() > 20, "{planned:?}");
    let mut rounds = 0;
    while round(&mut site, what, &planned, cut) {
        rounds += 1;
        assert!(rounds < ROUNDS, "no end after {rounds} rounds; cut: {cut:?}");
    }
    site.install(&["plan"]).good();
    // The stand-in of libvirt runs no machines.
    site.install(&["verify", "--without", "machine:*"]).good();
    let missed: Vec<_> = planned.difference(cut).map(|(h, s)| format!("{h}: {s}")).collect();
    eprintln!("{} steps planned, {rounds} rounds, not cut: {missed:?}", planned.len());
    missed.len()
}

/// One run, cut at the first step that was not cut before. False when there is none, and the run
/// was good.
fn round(site: &mut Site, what: What, planned: &BTreeSet<At>, cut: &mut BTreeSet<At>) -> bool {
    let mut apply = Apply::start(site.command("stratus-install", &["apply", "--yes"]));
    let Some(at) = apply.begins(|at| planned.contains(at) && !cut.contains(at)) else {
        let (code, said) = apply.end();
        if what == What::Installer && said.contains("works on this site since") {
            // The front-end needs a moment to see that the killed one is gone.
            return true;
        }
        assert_eq!(code, Some(0), "{said}");
        return false;
    };
    apply.run_on(&at.0, LATEST / 4 * u32::try_from(cut.len() % 4).unwrap());
    let host = site.hosts.iter_mut().find(|h| h.name() == at.0).unwrap();
    // Most runs end with the power, or they would go on when the host is up again; some see to it
    // by themselves that it is gone.
    let by_itself = what == What::Power && cut.len().is_multiple_of(5);
    if what == What::Power {
        host.power_cut();
    }
    if !by_itself {
        apply.child.kill().unwrap();
    }
    let time = Instant::now();
    let (code, said) = apply.end();
    if what == What::Power {
        host.boot();
    }
    eprintln!("{} {}: {code:?} after {} ms", at.0, at.1, time.elapsed().as_millis());
    // 0 where it was the host's last step, and that was done.
    assert!(!by_itself || code.is_some_and(|c| [0, 1, 5].contains(&c)), "{at:?}: {code:?}\n{said}");
    cut.insert(at);
    true
}
