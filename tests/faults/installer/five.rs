//! Five hosts, and what breaks while they are set up: disks, packages, repositories, commands, people.

use super::cuts::Apply;
use super::hosts::says;
use super::site;
use stratus_tests::hosts::{Host, HostSetup, Site};

/// In the place of a program that the node package's script calls. apt sets its own search path.
fn when_configured(host: &Host, body: &str) {
    let text = format!(
        "#!/bin/sh\n[ -n \"$DPKG_MAINTSCRIPT_PACKAGE\" ] || exec {USERMOD}.real \"$@\"\n{body}\n"
    );
    host.run(&format!("mv {USERMOD} {USERMOD}.real")).good();
    host.write(USERMOD, 0o755, text);
}

fn mended(host: &Host) {
    host.run(&format!("mv {USERMOD}.real {USERMOD}")).good();
}

const USERMOD: &str = "/usr/sbin/usermod";

/// The repository is there until its lists were read.
const GOES_AWAY: &str = "APT::Update::Post-Invoke { \"/usr/local/sbin/goes-away\"; };\n";
const AWAY: &str = "#!/bin/sh\n\
    echo 'Acquire::http::Proxy \"http://10.77.0.1:9\";' > /etc/apt/apt.conf.d/zz-away\n";

#[test]
fn what_breaks_on_one_host_is_named_and_stops_no_other() {
    let site = site(["front", "node1", "node2", "node3", "node4"].map(HostSetup::new));
    site.write("node[1-4]", "10.77.0.109", "[ssh]\nstep_timeout = \"60s\"");
    let [_, node1, node2, node3, node4] = &site.hosts[..] else { unreachable!() };
    let archives = "/var/cache/apt/archives";
    node1.run(&format!("mount -t tmpfs -o size=16k tmpfs {archives}")).good();
    when_configured(node2, "exec sleep 600");
    when_configured(node3, "echo 'the account is not to be changed' >&2; exit 1");
    node4.write("/etc/apt/apt.conf.d/zz-goes", 0o644, GOES_AWAY);
    node4.write("/usr/local/sbin/goes-away", 0o755, AWAY);

    let mut apply = Apply::start(site.command("stratus-install", &["apply", "--yes"]));
    apply.begins(|(host, _)| host == "front").expect("the front-end is set up");
    a_second_administrator_waits(&site);
    let (code, said) = apply.end();
    assert_eq!(code, Some(1), "{said}");
    for words in [
        // Each with its host, what it was about, and the cure.
        "packages:node: node1: failed with status 100: apt install",
        "enough free space in /var/cache/apt/archives",
        "cure: make room on node1",
        "packages:node: node2: nothing heard for 60 s: apt install",
        "`ssh node2 ps axf`",
        "packages:node: node3: failed with status 100: apt install",
        "cure: a package does not configure: mend on node3",
        "packages:node: node4: failed with status 100: apt install",
        "cure: see that node4 reaches its package repositories",
    ] {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    let front = said.lines().find(|l| l.starts_with("| front: ")).unwrap();
    assert!(!front.contains("failed") && !front.contains("skipped"), "{front}");

    // Only one is still broken.
    node1.run(&format!("umount {archives}")).good();
    mended(node2);
    node4.run("rm /etc/apt/apt.conf.d/zz-*").good();
    let apply = site.install(&["apply", "--yes"]);
    let cure = "cure: a package does not configure: mend on node3";
    says(&apply, 1, &["packages:node: node3: failed with status 100: ", cure]);
    for host in ["front", "node1", "node2", "node4"] {
        let line = apply.stdout.lines().find(|l| l.starts_with(&format!("{host}: "))).unwrap();
        assert!(line.contains(" as they should be"), "{line}\n{}", apply.stderr);
        assert!(!line.contains("failed") && !line.contains("skipped"), "{line}");
    }
    site.install(&["verify", "--limit", "node[1-2],node4", "--without", "machine:*"]).good();

    mended(node3);
    a_full_disk_of_the_installers_own(&site, node3);
    at_a_terminal(&site);
    site.install(&["verify", "--without", "machine:*"]).good();
    site.install(&["plan"]).good();
    what_is_changed_by_hand(&site);
    a_drained_node_is_in_the_journal(&site);
}

fn a_second_administrator_waits(site: &Site) {
    let second = site.install(&["apply", "--yes"]);
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let from = format!("(from {machine}, process ");
    says(&second, 1, &["works on this site since 20", " UTC ", &from, "wait for the end"]);
}

/// Where the installer notes how it leaves a host, nothing more fits.
fn a_full_disk_of_the_installers_own(site: &Site, node: &Host) {
    let notes = "/var/lib/stratus/installer/after";
    let fill = format!("head -c 4096 /dev/zero > {notes}/full");
    node.run(&format!("mount -t tmpfs -o size=4k tmpfs {notes} && {fill}")).good();
    let apply = site.install(&["apply", "--yes", "--limit", "node3"]);
    says(
        &apply,
        1,
        &["node3: failed with status ", "No space left on device", "cure: make room on node3"],
    );
    node.run(&format!("umount {notes}")).good();
}

/// Asks, takes the answer, and ends with the terminal still open.
fn at_a_terminal(site: &Site) {
    let out = site.on_terminal(&["apply"], "y\n");
    assert_eq!(out.code, 0, "{}{}", out.stdout, out.stderr);
    assert!(
        out.stdout.contains("Do this?") && out.stdout.contains("node3: done"),
        "{}",
        out.stdout
    );
    let out = site.on_terminal(&["apply"], "");
    assert_eq!(out.code, 0, "{}{}", out.stdout, out.stderr);
    assert!(out.stdout.contains("nothing is to be done"), "{}", out.stdout);
}

fn what_is_changed_by_hand(site: &Site) {
    let quiet = site.install(&["drift"]);
    assert_eq!(quiet.code, 0, "{}{}", quiet.stdout, quiet.stderr);
    let node = &site.hosts[1];
    let file = "/etc/stratus/firewall.nft";
    let original = format!("{file}.stratus-orig");
    node.run(&format!("echo '# by hand' >> {file}")).good();
    let edited = node.read(file);
    node.run("usermod -s /bin/false oneadmin && gpasswd -d oneadmin kvm").good();
    let drift = site.install(&["drift"]);
    let user = "node1: the user oneadmin changed by hand";
    says(&drift, 10, &[&format!("node1: {file} changed by hand"), user]);
    let apply = site.install(&["apply", "--yes"]).good();
    let told = format!("{file} (as it was changed by hand: {original})");
    assert!(apply.stderr.contains(&told), "{}", apply.stderr);
    assert_eq!(node.read(&original), edited);
    assert_ne!(node.read(file), edited);
    // The next one is kept beside it.
    node.run(&format!("echo '# again' >> {file}")).good();
    site.install(&["apply", "--yes"]).good();
    node.run(&format!("grep -q again {original}.2 && ! grep -q again {original}")).good();
    let quiet = site.install(&["drift"]);
    assert_eq!(quiet.code, 0, "{}{}", quiet.stdout, quiet.stderr);
}

fn a_drained_node_is_in_the_journal(site: &Site) {
    site.install(&["drain-node", "node2"]).good();
    let status = site.install(&["status"]).good().stdout;
    let last = status.lines().last().unwrap_or_default();
    assert!(last.contains("  drain-node: 1 changed, good"), "{status}");
}
