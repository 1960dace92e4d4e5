//! A new network: in place only when it is confirmed.

use crate::bench::{self, Bench, mine};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use stratus_plan::facts::NetworkTool;
use stratus_plan::step::{File, Network, OurShare, Piece, Step};

/// A host with networkd whose bridge comes up when it is told to.
fn host(comes_up: bool) -> Bench {
    let bench = Bench::new();
    bench.put("/etc/systemd/network/10-eth0.network", "old\n");
    bench.put("/etc/systemd/network/05-other.network", "in the way\n");
    bench.put("/sys/class/net/eth0/flags", "0x1003\n");
    bench.program("systemctl", "exit 0");
    bench.program("ip", "case $* in 'link delete br0') rm -rf \"$T/root/sys/class/net/br0\" \"$T/root/sys/class/net/eth0/master\" ;; esac");
    bench.program("sleep", "exit 0");
    // The timer is only noted; everything else runs at once.
    bench.program(
        "systemd-run",
        "case $* in *--on-active*) exit 0 ;; esac\nwhile [ \"$1\" != /bin/sh ]; do shift; done\nexec \"$@\"",
    );
    let up = "mkdir -p \"$T/root/sys/class/net/br0\"; echo 0x1003 > \"$T/root/sys/class/net/br0/flags\"; ln -sfn ../br0 \"$T/root/sys/class/net/eth0/master\"";
    let if_new =
        format!("if grep -q new \"$T/root/etc/systemd/network/10-eth0.network\"; then {up}; fi");
    bench.program("networkctl", if comes_up { &if_new } else { "exit 0" });
    bench
}

fn step() -> Step {
    let file = |path: &str, text: &str| File {
        path: path.into(),
        content: vec![Piece::Text(text.into())],
        share: OurShare::Whole,
        access: mine(0o644),
        secret: false,
    };
    Step::Network(Network {
        tool: NetworkTool::Networkd,
        files: vec![
            file("/etc/systemd/network/10-eth0.network", "new\n"),
            file("/etc/systemd/network/20-br0.netdev", "new bridge\n"),
        ],
        aside: ["/etc/systemd/network/05-other.network".into()].into(),
        bridge: "br0".into(),
        interface: Some("eth0".into()),
        apply: Vec::new(),
        revert: Vec::new(),
    })
}

fn is_new(bench: &Bench) -> bool {
    let new = bench.text("/etc/systemd/network/10-eth0.network") == "new\n";
    assert_eq!(new, bench.at("/etc/systemd/network/20-br0.netdev").exists());
    assert_eq!(new, !bench.at("/etc/systemd/network/05-other.network").exists());
    new
}

/// What the timer does when the 60 s are over.
fn time_is_up(bench: &Bench) {
    machine(bench, "revert");
}

fn machine(bench: &Bench, task: &str) {
    let pending = bench.at("/var/lib/stratus/installer/network/pending");
    let bin = bench.root().parent().unwrap().join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg(pending.join("machine")).env("PATH", path);
    command.args([task.as_ref(), pending.as_os_str(), bench.root().as_os_str()]);
    assert!(bench::spawn(&mut command).wait().unwrap().success());
}

#[test]
fn a_confirmed_network_stays_and_a_second_run_does_nothing() {
    let bench = host(true);
    bench.apply(&step());
    let armed = |c: &String| c.starts_with("systemd-run") && c.contains("--on-active=60s");
    let calls = bench.calls();
    let timer = calls.iter().position(armed).expect("no timer");
    let loaded = calls.iter().position(|c| c.starts_with("networkctl")).expect("not loaded");
    assert!(timer < loaded);
    assert_eq!(bench.confirm(&step()).status, 0);
    assert!(bench.calls().contains(&"systemctl stop stratus-network-revert.timer".into()));
    assert!(is_new(&bench));
    let again = bench.apply(&step());
    assert!(!again.changed());
    assert!(bench.calls().is_empty());
    assert_eq!(bench.confirm(&step()).status, 0);
}

#[test]
fn commands_that_came_with_the_files_load_them_and_take_them_back() {
    let bench = host(true);
    bench.program("load", "networkctl reload");
    bench.program("back", "exit 0");
    let Step::Network(mut network) = step() else { unreachable!() };
    network.apply = vec![vec!["load".into(), "it's".into()]];
    network.revert = vec![vec!["back".into(), "a b".into()]];
    let step = Step::Network(network.clone());
    bench.apply(&step);
    assert!(bench.calls().contains(&"load it's".into()));
    time_is_up(&bench);
    assert!(bench.calls().contains(&"back a b".into()));
    bench.apply(&step);
    assert_eq!(bench.confirm(&step).status, 0);
    let seen = bench.text("/var/lib/stratus/installer/seen/network:br0");
    assert_eq!(seen.trim(), stratus_plan::content::network_digest(&network));
}

#[test]
fn what_nobody_confirms_returns() {
    let bench = host(true);
    bench.apply(&step());
    assert!(is_new(&bench));
    time_is_up(&bench);
    assert!(!is_new(&bench));
    assert!(!bench.at("/sys/class/net/br0").exists());
    let late = bench.confirm(&step());
    assert_ne!(late.status, 0);
    assert!(late.stderr.contains("the old one is back"), "{}", late.stderr);
    // And the next run tries again.
    bench.apply(&step());
    assert_eq!(bench.confirm(&step()).status, 0);
    assert!(is_new(&bench));
}

#[test]
fn what_nobody_confirmed_before_the_power_went_returns_at_the_next_start() {
    let unit = "/etc/systemd/system/stratus-network-revert-boot.service";
    let wanted = "/etc/systemd/system/sysinit.target.wants/stratus-network-revert-boot.service";
    let bench = host(true);
    bench.apply(&step());
    let text = bench.text(unit);
    assert!(
        text.contains("Before=network-pre.target") && text.contains("/machine boot "),
        "{text}"
    );
    assert!(bench.at(wanted).exists());
    bench.calls();
    // A decision that the power cut stopped half-way.
    fs::create_dir(bench.at("/var/lib/stratus/installer/network/pending/decided")).unwrap();
    machine(&bench, "boot");
    assert!(!is_new(&bench));
    assert!(!bench.at(unit).exists() && fs::symlink_metadata(bench.at(wanted)).is_err());
    // No tool runs yet that could be told anything.
    assert_eq!(bench.calls(), Vec::<String>::new());
    // The next run tries again, and what is confirmed stays at the next start too.
    bench.apply(&step());
    assert_eq!(bench.confirm(&step()).status, 0);
    assert!(is_new(&bench) && !bench.at(unit).exists());
}

#[test]
fn a_network_that_does_not_come_up_returns_at_once() {
    let bench = host(false);
    let said = bench.run(&bench.work(&step()));
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("the old one is back"), "{}", said.stderr);
    assert!(!is_new(&bench));
}

#[test]
fn without_a_timer_nothing_changes() {
    let bench = host(true);
    bench.program("systemd-run", "exit 1");
    assert_ne!(bench.run(&bench.work(&step())).status, 0);
    assert!(!is_new(&bench));
}

#[test]
fn a_run_after_a_crash_begins_with_the_old_network() {
    let bench = host(true);
    bench.apply(&step());
    bench.calls();
    bench.apply(&step());
    assert!(bench.calls().iter().any(|c| c == "ip link delete br0"));
    assert_eq!(bench.confirm(&step()).status, 0);
    assert!(is_new(&bench));
}

#[test]
fn undone_the_old_files_are_back() {
    let bench = host(true);
    bench.apply(&step());
    bench.confirm(&step());
    let said = bench.undo();
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert_eq!(bench.confirm(&step()).status, 0);
    assert!(!is_new(&bench));
}

/// Under a hidden name: ifupdown's `source` and `NetworkManager` read every other file of a folder.
#[test]
fn what_was_changed_by_hand_stays_beside_what_takes_its_place() {
    let bench = host(true);
    bench.apply(&step());
    bench.confirm(&step());
    let folder = bench.at("/etc/systemd/network");
    let kept = |name: &str| fs::read_to_string(folder.join(name)).ok();
    // What was there before us is in the record, and nowhere else.
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    bench.put("/etc/systemd/network/20-br0.netdev", "by hand\n");
    bench.put("/etc/systemd/network/05-other.network", "in the way again\n");
    let said = bench.apply(&step());
    assert!(said.stdout.contains(".20-br0.netdev.stratus-orig)"), "{}", said.stdout);
    assert_eq!(kept(".20-br0.netdev.stratus-orig").unwrap(), "by hand\n");
    assert_eq!(kept(".05-other.network.stratus-orig").unwrap(), "in the way again\n");
    // The same again, because nobody confirmed it, is one copy; something else is another one.
    time_is_up(&bench);
    bench.apply(&step());
    bench.confirm(&step());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
    bench.put("/etc/systemd/network/20-br0.netdev", "by another hand\n");
    bench.apply(&step());
    bench.confirm(&step());
    assert_eq!(kept(".20-br0.netdev.stratus-orig.2").unwrap(), "by another hand\n");
    assert!(is_new(&bench));
    bench.put("/etc/systemd/network/10-eth0.network", "at last\n");
    bench.undo();
    bench.confirm(&step());
    assert_eq!(kept(".10-eth0.network.stratus-orig").unwrap(), "at last\n");
    assert!(!is_new(&bench));
}

#[test]
fn a_link_among_the_files_comes_back_as_a_link() {
    let bench = host(true);
    let at = bench.at("/etc/systemd/network/05-other.network");
    fs::remove_file(&at).unwrap();
    symlink("/dev/null", &at).unwrap();
    bench.apply(&step());
    time_is_up(&bench);
    assert_eq!(fs::read_link(&at).unwrap().to_str(), Some("/dev/null"));
}
