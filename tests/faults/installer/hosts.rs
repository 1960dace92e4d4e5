//! Hosts that are not as they should be.

use super::site;
use std::fs;
use stratus_tests::Output;
use stratus_tests::hosts::{HostSetup, Site};

#[track_caller]
fn says(output: &Output, code: i32, words: &[&str]) {
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, code, "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

/// Another word in the site file while `work` is done.
fn with(site: &Site, word: &str, other: &str, work: impl FnOnce()) {
    let text = fs::read_to_string(site.file()).unwrap();
    assert!(text.contains(word), "{text}");
    fs::write(site.file(), text.replace(word, other)).unwrap();
    work();
    fs::write(site.file(), text).unwrap();
}

#[test]
fn preflight_finds_what_would_stand_in_the_way() {
    let cloned = |name| HostSetup::new(name).machine_id("0123456789abcdef0123456789abcdef");
    let site = site([HostSetup::new("front"), cloned("node1"), cloned("node2")]);
    site.write("node[1-2]", "10.77.0.109", "");
    let preflight = || site.install(&["preflight"]);
    says(
        &preflight(),
        1,
        &["node2: must be mended: the same machine-id as", "systemd-machine-id-setup"],
    );
    for node in &site.hosts[1..] {
        node.run("ip link add br9 address 02:00:0a:4d:00:63 type bridge").good();
    }
    says(&preflight(), 1, &["the MAC address 02:00:0a:4d:00:63 is on several hosts: node1, node2"]);

    let node1 = &site.hosts[1];
    node1.run("ip address add 10.77.0.105/24 dev host0").good();
    says(
        &preflight(),
        1,
        &["node1: must be mended: it has 10.77.0.105, which the network private"],
    );
    node1.run("ip address del 10.77.0.105/24 dev host0").good();
    node1.run(&format!("ip address add {}/32 dev lo", site.hosts[2].address())).good();
    says(&preflight(), 1, &["it has the address 10.77.0.13 of node2"]);

    // fcntl(2) as apt has it; perl is on every Debian.
    let hold = "perl -e 'use Fcntl; open(F, \">>/var/lib/dpkg/lock-frontend\"); \
                @l = pack(\"s s x4 l! l! i x4\", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, \"@l\") or die; \
                open(O, \">/run/held\"); close(O); sleep 600'";
    // A root on an overlay has other numbers of files in /proc/locks than in stat(2); /run is none.
    let place = "touch /run/lock-file && mount --bind /run/lock-file /var/lib/dpkg/lock-frontend";
    node1.run(&format!("touch /var/lib/dpkg/lock-frontend && {place}")).good();
    node1.run(&format!("systemd-run --quiet --unit=holder -- {hold}")).good();
    node1.run("timeout 20 sh -c 'until [ -e /run/held ]; do sleep 0.1; done'").good();
    says(&preflight(), 0, &["holds the package manager's lock", "perl"]);
    node1.run("systemctl stop holder").good();

    let nic = ["there is no interface eno7", "interfaces there:"];
    with(&site, "\"host0\"", "\"eno7\"", || says(&preflight(), 1, &nic));
    let bridge = "bridge = \"br0\"";
    with(&site, bridge, "bridge = \"br0\"\nos = \"ubuntu-24.04\"", || {
        says(&preflight(), 1, &["correct `os`, or leave it"]);
    });
    let kept = "bridge = \"br0\"\nconfigure_bridge = false";
    with(&site, bridge, kept, || says(&preflight(), 1, &["there is no bridge br0"]));

    // Nothing is done to a host that something stands in the way of.
    let apply = site.install(&["apply", "--yes"]);
    says(&apply, 1, &["node2: left out: something stands in the way"]);
    assert_eq!(site.hosts[2].run("test -e /etc/stratus").code, 1);
}

#[test]
fn an_unreachable_host_is_named_with_cause_and_cure() {
    let mut site = site(["front", "node1", "node2", "node3"].map(HostSetup::new));
    site.write("node[1-3]", "10.77.0.109", "");
    site.hosts[2].power_cut();
    let apply = site.install(&["apply", "--yes"]);
    says(&apply, 1, &["node2: left out: ", "not reachable", "cure: "]);
}
