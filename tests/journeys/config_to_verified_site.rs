//! From one file to a site that is proved to work: real hosts, real systemd, ssh, apt and libvirt;
//! only OpenNebula's daemon is played by a program that answers as the recorded one. It has libvirt of
//! the nodes run machines as the real one's drivers do.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
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
    a_machine_is_seen_and_gone(&site, &report);
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

    what_is_changed_by_hand_is_named(&site);
    a_node_comes_and_goes(&site, &before);

    // Everything is given back as it was, but for what is listed.
    let given_back = site.install(&["uninstall", "--yes"]).good();
    tell_left(&given_back.stdout);
    for line in [
        "front: opennebula.service as before",
        "front: left /var/lib/one: it holds data",
        "front: left /var/lib/stratus/installer: the journal",
    ] {
        assert!(given_back.stdout.contains(line), "{line}:\n{}", given_back.stdout);
    }
    let after = site.trees();
    as_before("node1", &before[1], &after[1], &[]);
    as_before("node2", &before[2], &after[2], &[]);
    as_before("front", &before[0], &after[0], &FRONTEND);
    let status = site.install(&["status"]).good();
    let last = status.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("uninstall: ") && last.ends_with("good"), "{}", status.stdout);
    assert!(status.stdout.contains("remove-node: "), "{}", status.stdout);
}

/// The machine that `verify` starts is a real one: the lab, which is a stranger to the site, sees it at
/// the address that OpenNebula leased, with the hardware address that belongs to it. Nothing is left.
fn a_machine_is_seen_and_gone(site: &Site, report: &Path) {
    let arguments = ["verify", "--junit", report.to_str().unwrap()];
    let mut verify = site.command("stratus-install", &arguments);
    verify.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut verify = verify.spawn().unwrap();
    let seen = site.sees("10.77.0.100", &mut verify);
    let out = verify.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(out.status.code(), Some(0), "{}{}", said(&out.stdout), said(&out.stderr));
    assert_eq!(seen, "02:00:0a:4d:00:64");
    for host in &site.hosts[..2] {
        let left = host.run(
            "virsh -q list --all --name 2> /dev/null | grep . ; ls -d /var/tmp/stratus-test-* /var/log/libvirt/qemu/stratus-test-* \
             /var/lib/one/datastores/0/* /var/lib/one/datastores/2/* 2> /dev/null; true",
        );
        assert_eq!(left.good().stdout.trim(), "", "on {}", host.name());
    }
}

fn what_is_changed_by_hand_is_named(site: &Site) {
    let quiet = site.install(&["drift"]);
    assert_eq!(quiet.code, 0, "{}", quiet.stdout);
    let node = site.hosts.iter().find(|h| h.name() == "node1").unwrap();
    let file = "/etc/stratus/firewall.nft";
    // Without its sockets too, or it would start when it is asked.
    let stop = "systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd";
    node.run(&format!("echo '# by hand' >> {file} && {stop}")).good();
    let drift = site.install(&["drift", "--json"]);
    assert_eq!(drift.code, 10, "{}", drift.stderr);
    let named: Vec<serde_json::Value> = serde_json::from_str(&drift.stdout).unwrap();
    let named: Vec<_> = named.iter().map(|d| (&d["host"], &d["what"])).collect();
    let what = [format!("{file} changed by hand"), "libvirtd.service stopped by hand".to_owned()];
    assert_eq!(named.len(), 2, "{named:?}");
    for (host, is) in &named {
        assert!(*host == "node1" && what.iter().any(|w| *is == w), "{named:?}");
    }
    site.install(&["apply", "--yes"]).good();
    let quiet = site.install(&["drift"]);
    assert_eq!(quiet.code, 0, "{}", quiet.stdout);
    // What somebody wrote is kept for them, and is theirs to remove.
    let kept = format!("{file}.stratus-orig");
    node.run(&format!("grep -q 'by hand' {kept} && rm {kept}")).good();
}

fn a_node_comes_and_goes(site: &Site, before: &[Tree]) {
    site.write("node[1-2]", "10.77.0.119", "dns = [\"10.77.0.2\"]");
    site.install(&["add-node", "node2", "--yes"]).good();
    site.install(&["verify"]).good();
    site.install(&["plan"]).good();
    let drained = site.install(&["drain-node", "node2"]).good();
    assert!(drained.stdout.contains("node2 is drained"), "{}", drained.stdout);
    let removed = site.install(&["remove-node", "node2", "--yes"]).good();
    tell_left(&removed.stdout);
    assert!(removed.stderr.contains("take node2 out of `hosts`"), "{}", removed.stderr);
    as_before("node2", &before[2], &site.trees()[2], &[]);
    site.write("node1", "10.77.0.119", "dns = [\"10.77.0.2\"]");
    site.install(&["apply", "--yes"]).good();
    site.install(&["verify"]).good();
}

fn tell_left(stdout: &str) {
    for line in stdout.lines().filter(|l| l.contains(": left ")) {
        eprintln!("{line}");
    }
}

fn unchanged(before: &[Tree], after: &[Tree]) {
    for (name, (before, after)) in ALL.iter().zip(before.iter().zip(after)) {
        let differences = before.differences(after);
        assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
    }
}

/// What may differ on every host afterwards, and why.
const EVERYWHERE: [(&str, &str); 23] = [
    ("/usr/share/polkit-1/rules.d", "polkitd's script gives it to the account polkitd"),
    ("/etc/passwd", "accounts that own files, such as polkitd"),
    ("/etc/shadow", "the same"),
    ("/etc/group", "the same"),
    ("/etc/gshadow", "the same"),
    ("/etc/group-", "the copy that groupadd and its like keep of the file before"),
    ("/etc/gshadow-", "the same"),
    ("/etc/passwd-", "the same"),
    ("/etc/shadow-", "the same"),
    ("/etc/subgid-", "the same"),
    ("/etc/subuid-", "the same"),
    ("/etc/ld.so.cache", "ldconfig's cache"),
    ("/var/cache", "caches"),
    ("/var/lib/apt", "package lists and apt's own state"),
    ("/var/lib/dpkg", "dpkg's own state"),
    ("/var/lib/systemd", "systemd's own state: which units packages enabled, when timers ran"),
    ("/etc/xml", "catalogues that xml-core's scripts leave"),
    ("/var/lib/sgml-base", "the same of sgml-base"),
    ("/etc/sgml", "the same"),
    ("/var/lib/machines", "a folder that systemd-container's own settings make"),
    ("/var/lib/portables", "the same"),
    ("/etc/libvirt", "folders that libvirt's daemon makes there while it ends"),
    ("/var/lib/libvirt", "folders that libvirt's daemon makes; data if a machine's disk is there"),
];

/// What may differ on the front-end as well.
const FRONTEND: [(&str, &str); 4] = [
    ("/var/lib/one", "images, keys, what OpenNebula knows: data"),
    ("/var/lib/stratus", "the journal"),
    ("/etc/subuid", "the numbers that useradd gave oneadmin"),
    ("/etc/subgid", "the same"),
];

/// Everything is as before, but for what is allowed.
fn as_before(name: &str, before: &Tree, after: &Tree, more: &[(&str, &str)]) {
    let differences = before.differences(after);
    let allowed = |line: &&String| {
        let path = line[2..].split(": ").next().unwrap_or_default();
        EVERYWHERE.iter().chain(more).any(|(allowed, _)| {
            path.strip_prefix(allowed).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        })
    };
    let left: Vec<&str> = differences.iter().filter(|d| !allowed(d)).map(String::as_str).collect();
    assert!(left.is_empty(), "{name} is not as before:\n{}", left.join("\n"));
}
