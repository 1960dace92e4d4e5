//! Hosts that are not as they should be.

use super::site;
use std::fs;
use stratus_tests::hosts::{HostSetup, Site};
use stratus_tests::{Output, run};

#[track_caller]
pub(crate) fn says(output: &Output, code: i32, words: &[&str]) {
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
    node1.run(&format!("systemd-run --quiet --unit=holder -- {hold}")).good();
    node1.run("timeout 20 sh -c 'until [ -e /run/held ]; do sleep 0.1; done'").good();
    let holder = node1.run("systemctl show -p MainPID --value holder").good().stdout;
    let holder = format!("perl (process {}) holds the package manager's lock", holder.trim());
    let said = preflight().stdout;
    assert!(said.contains(&format!("node1: note: {holder}")), "{said}");
    node1.run("systemctl stop holder").good();

    around_the_hosts(&site);

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

/// What a host says of others: its clock, who has addresses on the wire, whether its packages are to
/// be had.
fn around_the_hosts(site: &Site) {
    let preflight = || site.install(&["preflight"]);
    let [_, node1, node2] = &site.hosts[..] else { unreachable!() };
    // All these hosts have one clock; this one tells another time.
    let date = "#!/bin/sh\n[ \"$1\" = +%s%3N ] || exec /bin/date \"$@\"\nexec /bin/date -d '-1 hour' +%s%3N\n";
    node1.write("/usr/local/bin/date", 0o755, date);
    says(&preflight(), 1, &["node1: must be mended: its clock is 3", "s behind", "set-ntp true"]);
    node1.run("rm /usr/local/bin/date").good();

    let address = |word: &str| {
        let mut ip = site.lab().command("ip");
        run(ip.args(["address", word, "10.77.0.105/24", "dev", "br0"])).good();
    };
    address("add");
    let on_wire =
        "the address 10.77.0.105, which a network gives to machines, is in use on the wire by";
    says(&preflight(), 1, &[on_wire, "leave 10.77.0.105 out of the network"]);
    address("del");

    let away = "Acquire::http::Proxy \"http://10.77.0.1:9\";\n";
    node2.write("/etc/apt/apt.conf.d/zz-away", 0o644, away);
    let index = "node2: must be mended: its package repository does not answer: http://web.lab/repo/7.4/Debian/12/";
    says(&preflight(), 1, &[index, "[packages] name another way"]);
    node2.run("rm /etc/apt/apt.conf.d/zz-away").good();
    let said = preflight().stdout;
    for none in ["clock", "on the wire", "does not answer", "lock"] {
        assert!(!said.contains(none), "{none}:\n{said}");
    }
}

#[test]
fn an_unreachable_host_is_named_with_cause_and_cure() {
    let mut site = site(["front", "node1", "node2", "node3"].map(HostSetup::new));
    site.write("node[1-3]", "10.77.0.109", "");
    site.hosts[2].power_cut();
    let apply = site.install(&["apply", "--yes"]);
    says(&apply, 1, &["node2: left out: ", "not reachable", "cure: "]);
    assert!(apply.stdout.contains("node1: ") && apply.stdout.contains("node3: "));
    keys_of_hosts(&site);
    a_login_that_is_not_root(&site);
}

/// The installer's own file of known keys is the machine's; here it is in memory.
fn with_own_keys(site: &Site, arguments: &str) -> Output {
    let install = stratus_tests::program("stratus-install");
    let line = format!(
        "mount -t tmpfs tmpfs /var/lib && exec {} {arguments} --config {}",
        install.get_program().display(),
        site.file().display()
    );
    run(site.lab().command("sh").args(["-c", &line]))
}

fn keys_of_hosts(site: &Site) {
    let file = site.lab().home().join(".ssh/known_hosts");
    let good = fs::read_to_string(&file).unwrap();
    let line = |name: &str| good.lines().find(|l| l.starts_with(name)).unwrap();
    let (_, front) = line("front").split_once(' ').unwrap();
    let (_, node1) = line("node1").split_once(' ').unwrap();
    // Somebody stands in the place of node1.
    fs::write(&file, good.replace(node1, front)).unwrap();
    let changed =
        ["node1: must be mended: not reached: its host key is not the one in", "do not go on"];
    says(&with_own_keys(site, "preflight --limit node1"), 1, &changed);
    says(&with_own_keys(site, "preflight --limit node1 --learn-host-keys"), 1, &changed);
    // Nobody knows node1.
    fs::write(&file, good.replace(line("node1"), "")).unwrap();
    let unknown = ["its host key is not known yet", "--learn-host-keys"];
    says(&with_own_keys(site, "preflight --limit node1"), 1, &unknown);
    let learned = with_own_keys(site, "status --learn-host-keys");
    assert!(!learned.stderr.contains("learned"), "{}", learned.stderr);
    let learned = with_own_keys(site, "facts --limit node1 --learn-host-keys");
    fs::write(&file, &good).unwrap();
    let own = site.hosts[1].run("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").good().stdout;
    let own = own.split_whitespace().nth(1).unwrap();
    says(&learned, 0, &[&format!("node1: learned its key ssh-ed25519 {own}")]);
}

fn a_login_that_is_not_root(site: &Site) {
    let node1 = &site.hosts[1];
    node1.run("useradd -m ann && cp -r /root/.ssh ~ann/ && chown -R ann: ~ann/.ssh").good();
    with(site, "[packages]", "[ssh]\nuser = \"ann\"\n[packages]", || {
        let preflight = || site.install(&["preflight", "--limit", "node1"]);
        let asks = "node1: must be mended: not reached: sudo asks ann for a password";
        says(&preflight(), 1, &[asks, "ann ALL=(ALL) NOPASSWD: ALL"]);
        node1.run("echo 'ann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/stratus-login").good();
        let said = preflight();
        assert!(!said.stdout.contains("sudo"), "{}", said.stdout);
    });
}
