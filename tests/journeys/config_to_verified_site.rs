//! From one file to a site that is proved to work: real hosts, real systemd, ssh, apt and libvirt;
//! only OpenNebula's daemon is played by a program that answers as the recorded one.

use std::fs;
use stratus_tests::hosts::{Site, Tree};

const ALL: [&str; 3] = ["front", "node1", "node2"];

#[test]
fn a_site_is_installed_verified_changed_and_given_back() {
    let site = Site::with_libvirt(ALL);
    site.write("node1", "10.77.0.109", "");
    let before = site.trees();

    // Looking changes nothing.
    site.install(&["check"]).good();
    site.install(&["preflight"]).good();
    let plan = site.install(&["plan"]);
    assert_eq!(plan.code, 10, "{}", plan.stderr);
    assert!(plan.stdout.contains("+ network private with 10 addresses"), "{}", plan.stdout);
    assert!(plan.stdout.contains("Nothing has been changed."));
    unchanged(&before, &site.trees());

    site.install(&["apply", "--yes"]).good();
    let report = site.folder().join("report.xml");
    site.install(&["verify", "--junit", report.to_str().unwrap()]).good();
    let junit = fs::read_to_string(&report).unwrap();
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");
    assert!(junit.contains("a machine starts on node1 with an address of private"), "{junit}");

    // A second run changes nothing, by the word of the file systems.
    let finished = site.trees();
    let second = site.install(&["apply", "--yes"]).good();
    assert!(second.stderr.contains("nothing is to be done"), "{}", second.stderr);
    unchanged(&finished, &site.trees());
    site.install(&["plan"]).good();

    // A changed network is shown exactly, and nothing else with it.
    site.write("node1", "10.77.0.119", "dns = [\"10.77.0.2\"]");
    let plan = site.install(&["plan"]);
    assert_eq!(plan.code, 10);
    assert!(plan.stdout.contains("DNS"), "{}", plan.stdout);
    site.install(&["apply", "--yes"]).good();
    site.install(&["verify"]).good();

    a_node_comes_and_goes(&site, &before);

    // Everything is given back as it was, but for what is listed.
    let given_back = site.install(&["uninstall", "--yes"]).good();
    assert!(
        given_back.stdout.contains("front: opennebula.service as before"),
        "{}",
        given_back.stdout
    );
    as_before("node1", &before[1], &site.trees()[1]);
}

fn a_node_comes_and_goes(site: &Site, before: &[Tree]) {
    site.write("node[1-2]", "10.77.0.119", "dns = [\"10.77.0.2\"]");
    site.install(&["add-node", "node2", "--yes"]).good();
    site.install(&["verify"]).good();
    site.install(&["plan"]).good();
    let drained = site.install(&["drain-node", "node2"]).good();
    assert!(drained.stdout.contains("node2 is drained"), "{}", drained.stdout);
    let removed = site.install(&["remove-node", "node2", "--yes"]).good();
    assert!(removed.stderr.contains("take node2 out of `hosts`"), "{}", removed.stderr);
    as_before("node2", &before[2], &site.trees()[2]);
    site.write("node1", "10.77.0.119", "dns = [\"10.77.0.2\"]");
    site.install(&["apply", "--yes"]).good();
    site.install(&["verify"]).good();
}

fn unchanged(before: &[Tree], after: &[Tree]) {
    for (name, (before, after)) in ALL.iter().zip(before.iter().zip(after)) {
        let differences = before.differences(after);
        assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
    }
}

/// What a host may keep: packages that others need and their state, accounts, keys, what packages
/// made outside of their own files, and the record of what was done.
fn as_before(name: &str, before: &Tree, after: &Tree) {
    let ours =
        ["/etc/stratus/", "/etc/systemd/network/05-stratus", "/etc/apt/sources.list.d/stratus"];
    let differences = before.differences(after);
    let left: Vec<_> =
        differences.iter().filter(|d| ours.iter().any(|path| d.contains(path))).collect();
    assert!(left.is_empty(), "{name}: {left:?}");
    eprintln!("{name}: {} differences:\n{}", differences.len(), differences.join("\n"));
}
