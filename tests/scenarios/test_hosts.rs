//! The bench of whole hosts keeps its own promises.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Base, Host, HostSetup, Lab, Standins};
use stratus_tests::run;

/// Tells a copy of this test program to boot a host and wait to be killed.
const VICTIM: &str = "STRATUS_TEST_HOSTS_VICTIM";

fn one(lab: &Lab) -> Host {
    let [host] = lab.boot([HostSetup::new("one")]);
    host
}

/// Everything on this machine that has the lab's name in it.
fn left_of(name: &str) -> Vec<String> {
    let mut left = Vec::new();
    for folder in ["/var/tmp", "/run/netns", "/etc/netns"] {
        left.extend(Some(format!("{folder}/{name}")).filter(|path| Path::new(path).exists()));
    }
    let groups = run(Command::new("find").args(["/sys/fs/cgroup", "-name", name])).stdout;
    left.extend(groups.lines().map(str::to_owned));
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(name)).map(str::to_owned));
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(name) {
            left.push(format!("process {}: {command}", process.file_name().display()));
        }
    }
    left
}

#[test]
fn three_hosts_boot_and_reach_each_other() {
    Base::Bookworm.root();
    let begun = Instant::now();
    let lab = Lab::start();
    let hosts = ["one", "two", "three"].map(|name| HostSetup::new(name).with_key());
    let hosts = lab.boot(hosts);
    eprintln!("three hosts are up after {:.1?}", begun.elapsed());
    let mut ids = Vec::new();
    for from in &hosts {
        assert_eq!(from.run("systemctl is-system-running").good().stdout.trim(), "running");
        for to in &hosts {
            let line = format!("ssh {} hostname", to.name());
            assert_eq!(from.run(&line).good().stdout.trim(), to.name());
        }
        ids.push(from.read("/etc/machine-id"));
        ids.push(from.read("/sys/class/net/host0/address"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "every host has a machine id and a hardware address of its own");
}

#[test]
fn clones_are_made_on_purpose_only() {
    let lab = Lab::start();
    let id = "0123456789abcdef0123456789abcdef";
    let clone = |name| {
        HostSetup::new(name).machine_id(id).hardware_address("02:00:0a:00:00:01").file(
            "/etc/motd",
            0o600,
            "hello",
        )
    };
    for host in lab.boot([clone("one"), clone("two")]) {
        assert_eq!(String::from_utf8(host.read("/etc/machine-id")).unwrap().trim(), id);
        let address = host.read("/sys/class/net/eth1/address");
        assert_eq!(String::from_utf8(address).unwrap().trim(), "02:00:0a:00:00:01");
        assert_eq!(
            host.run("stat -c %a%U /etc/motd; cat /etc/motd").good().stdout,
            "600root\nhello"
        );
    }
}

#[test]
fn a_power_cut_ends_everything_and_keeps_what_was_synced() {
    let lab = Lab::start();
    let mut host = one(&lab);
    host.write("/root/it's kept", 0o640, "before");
    host.run("sync '/root/it'\\''s kept'; systemd-run --unit=busy sleep infinity").good();
    host.power_cut();
    assert!(!host.runs());
    assert_ne!(host.run("true").code, 0);
    host.boot();
    assert_eq!(host.read("/root/it's kept"), b"before");
    assert_eq!(host.run("stat -c %a /root/*kept").good().stdout.trim(), "640");
    assert_ne!(host.run("systemctl is-active busy").code, 0);
    // The host's own reboot is a shutdown, then a boot.
    host.run("systemctl reboot");
    host.wait_until_down();
    host.boot();
    assert_eq!(host.run("systemctl is-system-running").good().stdout.trim(), "running");
    host.stop();
    assert!(!host.runs());
}

#[test]
fn a_host_is_down_however_long_it_was_before_anybody_asked() {
    let lab = Lab::start();
    let [_other, mut host] = lab.boot(["one", "two"].map(HostSetup::new));
    host.run("systemctl poweroff");
    let ports = || lab.command("ip").args(["-o", "link", "show", "master", "br0"]).output();
    let patience = Instant::now() + Duration::from_mins(1);
    while String::from_utf8_lossy(&ports().unwrap().stdout).lines().count() != 1 {
        assert!(Instant::now() < patience, "its interface goes with it");
    }
    host.stop();
    host.boot();
    host.run("true").good();
}

#[test]
fn apt_installs_from_the_signed_repository_and_not_from_a_changed_one() {
    let lab = Lab::start();
    let mut hosts = lab.boot([HostSetup::new("front"), HostSetup::new("new").base(Base::Trixie)]);
    let repository = Standins::default().serve(&lab);
    for (host, base) in hosts.iter_mut().zip([Base::Bookworm, Base::Trixie]) {
        let begun = Instant::now();
        host.run(&repository.sources(base, "7.4")).good();
        host.run("apt-get update -q --error-on=any").good();
        eprintln!("{base:?}: lists after {:.1?}", begun.elapsed());
        host.run(
            "DEBIAN_FRONTEND=noninteractive apt-get install -qy opennebula opennebula-node-kvm",
        )
        .good();
        eprintln!("{base:?}: opennebula is installed after {:.1?}", begun.elapsed());
        host.run("systemctl enable --now opennebula").good();
        assert_eq!(host.run("systemctl is-active opennebula").good().stdout.trim(), "active");
        let user = host.run("systemctl show -P User opennebula; id oneadmin").good().stdout;
        assert!(user.starts_with("oneadmin\nuid=9869(oneadmin) gid=9869(oneadmin)"), "{user}");
        assert!(user.contains("(kvm)"), "{user}");
        let auth = host
            .run("stat -c '%U %a' ~oneadmin/.one/one_auth; cut -d: -f1 ~oneadmin/.one/one_auth");
        assert_eq!(auth.good().stdout, "oneadmin 600\noneadmin\n");
        host.run("visudo -c && su oneadmin -c 'sudo -n ip link show'").good();
        repository.of(base).tamper();
        let refused = host.run("apt-get update -q --error-on=any");
        assert_ne!(refused.code, 0);
        let said = refused.stdout + &refused.stderr;
        // Debian 12 and 13 check with different programs.
        assert!(said.contains("BADSIG") || said.contains("has been manipulated"), "{said}");
    }
}

#[test]
fn apt_reaches_the_mirrors_through_the_lab_and_twice_from_what_was_kept() {
    let lab = Lab::start();
    let hosts = lab.boot(["one", "two"].map(HostSetup::new));
    for host in hosts {
        host.run("apt-get update -q --error-on=any").good();
        host.run("apt-get install -qy --no-install-recommends tree && tree --version").good();
        assert_ne!(host.run("ping -c 1 -W 1 192.0.2.1").code, 0, "there is no other way out");
    }
}

#[test]
fn a_tree_tells_what_changed_and_nothing_else() {
    let lab = Lab::start();
    let host = one(&lab);
    let before = host.tree();
    // Written again with what it was, and looked at: nothing has changed.
    host.run("cp -p /etc/passwd /tmp/p && cat /tmp/p > /etc/passwd && systemctl status").good();
    assert_eq!(before.differences(&host.tree()), [""; 0]);
    host.run("chmod 600 /etc/fstab; rm /etc/debian_version; echo x > /etc/new; useradd somebody");
    let after = host.tree();
    let differences = before.differences(&after);
    let kinds = |path: &str| -> Vec<char> {
        let mine = differences.iter().filter(|d| d[2..].split(':').next() == Some(path));
        mine.filter_map(|d| d.chars().next()).collect()
    };
    assert_eq!(kinds("/etc/fstab"), ['~'], "{differences:#?}");
    assert_eq!(kinds("/etc/debian_version"), ['-'], "{differences:#?}");
    assert_eq!(kinds("/etc/new"), ['+'], "{differences:#?}");
    assert_eq!(kinds("/etc/passwd"), ['~'], "{differences:#?}");
    let (before, after) = (before.without("/etc"), after.without("/etc"));
    assert_eq!(before.differences(&after), [""; 0]);
}

#[test]
fn without_mirrors_lists_are_there_at_once() {
    let lab = Lab::start();
    let [host] = lab.boot([HostSetup::new("one").without_mirrors()]);
    let begun = Instant::now();
    let repository = Standins::default().serve(&lab);
    eprintln!("the repository is made after {:.1?}", begun.elapsed());
    host.run(&repository.sources(Base::Bookworm, "7.4")).good();
    let begun = Instant::now();
    host.run("apt-get update -q --error-on=any && apt-get install -qy opennebula").good();
    eprintln!("without mirrors: opennebula is installed after {:.1?}", begun.elapsed());
    assert_ne!(host.run("apt-get install -qy tree").code, 0);
}

#[test]
fn programs_run_in_the_lab_with_its_names_and_keys() {
    let lab = Lab::start();
    let host = one(&lab);
    let ssh =
        |arguments: &[&str]| run(lab.command("ssh").args(arguments).args(["one", "hostname"]));
    assert_eq!(ssh(&[]).good().stdout, "one\n");
    let config = lab.ssh_config();
    assert_eq!(ssh(&["-F", config.to_str().unwrap()]).good().stdout, "one\n");
    assert_eq!(
        run(lab.command("sh").args(["-c", "echo $HOME"])).stdout.trim(),
        lab.home().to_str().unwrap()
    );
    let address = (host.address(), 22);
    assert!(lab.inside(|| TcpStream::connect(address)).is_ok());
    fs::write(lab.folder().join("page"), "served").unwrap();
    let url = lab.serve("own", lab.folder());
    assert_eq!(host.run(&format!("curl -fsS {url}/page")).good().stdout, "served");
    assert_ne!(host.run(&format!("curl -fsS --path-as-is {url}/../own/page")).code, 0);
}

#[test]
fn nothing_is_left_when_it_is_dropped() {
    let lab = Lab::start();
    let name = lab.name().to_owned();
    let host = one(&lab);
    assert!(left_of(&name).len() > 3, "{:?}", left_of(&name));
    drop(lab);
    host.run("true").good();
    drop(host);
    assert_eq!(left_of(&name), [""; 0]);
}

#[test]
fn nothing_is_left_of_a_killed_test_when_the_next_begins() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_victim_of_a_kill", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let name = lines.find_map(|line| line.strip_prefix("lab ").map(str::to_owned));
    // While it lives nobody sweeps it away; afterwards every test that begins does.
    let there = name.as_deref().map(left_of);
    victim.kill().unwrap();
    victim.wait().unwrap();
    let name = name.expect("the victim says that it is up");
    assert!(there.as_ref().is_some_and(|there| there.len() > 3), "{there:?}");
    let _next = Lab::start();
    let begun = Instant::now();
    while !left_of(&name).is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", left_of(&name));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The other half of the test above; nothing by itself.
#[test]
fn the_victim_of_a_kill() {
    if std::env::var_os(VICTIM).is_some() {
        let lab = Lab::start();
        let _host = one(&lab);
        println!("\nlab {}", lab.name());
        // Until it is killed, or its input ends because the other half did.
        let _ = std::io::stdin().lines().count();
    }
}

#[test]
fn dnf_installs_from_the_signed_repository_and_not_from_a_changed_one() {
    let lab = Lab::start();
    let [host] = lab.boot([HostSetup::new("front").base(Base::El9)]);
    let repository = Standins::default().with_rpm().serve(&lab);
    assert!(
        host.run(". /etc/os-release; echo $ID $VERSION_ID")
            .good()
            .stdout
            .starts_with("almalinux 9")
    );
    host.run(&repository.sources(Base::El9, "7.4")).good();
    let begun = Instant::now();
    host.run("dnf -y install opennebula opennebula-node-kvm").good();
    eprintln!("el9: opennebula is installed after {:.1?}", begun.elapsed());
    host.run("systemctl enable --now opennebula").good();
    assert_eq!(host.run("systemctl is-active opennebula").good().stdout.trim(), "active");
    let user = host.run("id oneadmin; stat -c '%U %a' ~oneadmin/.one/one_auth").good().stdout;
    assert!(user.starts_with("uid=9869(oneadmin) gid=9869(oneadmin)"), "{user}");
    assert!(user.ends_with("oneadmin 600\n"), "{user}");
    repository.rpm().tamper();
    let refused = host.run("dnf -y --refresh --setopt=skip_if_unavailable=False makecache");
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("signature"), "{}", refused.stderr);
}
