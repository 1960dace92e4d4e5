//! Hosts without internet: their packages are gathered where there is some, in one signed directory,
//! and carried to them. Real apt on real hosts; the mirrors that the hosts know are out of reach.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use stratus_tests::hosts::{HostSetup, Package, Site, Standins, Tree};
use stratus_tests::{Output, run};

/// An address in the lab's network that nobody has.
const UNREACHABLE: &str = "deb http://10.77.0.254/debian bookworm main\n";

const NAMES: [&str; 2] = ["front", "node1"];

/// Where the machine that makes the directory finds packages: the lab's way out.
const PROXY: &str = "http://web.lab:3142";

struct Bench {
    site: Site,
    mirror: PathBuf,
    keys: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let hosts = NAMES.map(|name| {
            HostSetup::new(name)
                .file("/etc/apt/sources.list", 0o644, UNREACHABLE)
                .file("/etc/apt/apt.conf.d/99lab", 0o644, "Acquire::http::Proxy \"DIRECT\";\nAcquire::http::Timeout \"2\";\nAcquire::Retries \"0\";\n")
        });
        let standins = Standins::default().with_libvirt();
        let own = ["stratus-common", "stratus-monitor"].map(Package::own);
        let site = Site::of(hosts, own.into_iter().fold(standins, Standins::own));
        site.write("node1", "10.77.0.109", "dhcp = true\n[monitor]");
        site.name_own_packages();
        let (mirror, keys) = (site.folder().join("packages"), site.folder().join("k"));
        Self { site, mirror, keys }
    }

    fn gather(&self) -> Command {
        let (mirror, keys) = (self.mirror.to_str().unwrap(), self.keys.to_str().unwrap());
        let words = ["mirror", "-o", mirror, "--family", "debian-12", "--signing-key", keys];
        let mut command = self.site.command("stratus-install", &words);
        command.env("http_proxy", PROXY);
        command
    }

    fn offline(&self, arguments: &[&str]) -> Output {
        let mirror = ["--offline", self.mirror.to_str().unwrap()];
        self.site.install(&[arguments, &mirror].concat())
    }

    /// The packages for the hosts' system.
    fn part(&self) -> PathBuf {
        self.mirror.join("debian-12-x86_64")
    }

    /// Names the key in the site file.
    fn trust(&self) {
        fs::copy(self.mirror.join("key.asc"), self.site.folder().join("mirror.asc")).unwrap();
        let text = fs::read_to_string(self.site.file()).unwrap();
        fs::write(self.site.file(), text + "offline_key = \"mirror.asc\"\n").unwrap();
    }
}

/// A package of the directory.
fn a_package(part: &Path, begins: &str) -> PathBuf {
    let names = fs::read_dir(part.join("pool")).unwrap().flatten();
    let is = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with(begins);
    names.map(|entry| entry.path()).find(is).unwrap()
}

#[test]
fn hosts_without_internet_are_set_up_from_a_signed_directory() {
    let bench = Bench::new();
    what_is_gathered(&bench);
    bench.trust();
    what_is_damaged_is_refused(&bench);

    // The key in the directory would vouch for itself.
    let plan = bench.offline(&["plan"]);
    assert_eq!(plan.code, 10, "{}", plan.stderr);
    assert!(plan.stdout.contains("carry:packages"), "{}", plan.stdout);
    bench.offline(&["preflight"]).good();
    let applied = bench.offline(&["apply", "--yes"]).good();
    assert!(applied.stderr.contains("files carried"), "{}", applied.stderr);
    // There is no kernel on these hosts to make a machine of.
    bench.offline(&["verify", "--without", "machine:*"]).good();
    our_own_services_work(&bench);
    // A monitor that looks after the site writes down what it sees, and the ledger is fed each hour.
    let still = |tree: Tree| {
        tree.without("/var/lib/stratus/monitor").without("/var/lib/stratus/accounting")
    };
    let finished = bench.site.trees().into_iter().map(still);
    let plan = bench.offline(&["plan"]);
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    bench.offline(&["apply", "--yes"]).good();
    for (before, after) in finished.zip(bench.site.trees().into_iter().map(still)) {
        assert_eq!(before.differences(&after), [""; 0]);
    }
    each_host_has_what_it_needs(&bench);

    bench.offline(&["uninstall", "--yes"]).good();
    for host in &bench.site.hosts {
        host.run("! test -e /var/lib/stratus/packages").good();
        host.run("! test -e /etc/apt/sources.list.d/stratus-offline.sources").good();
        host.run("! systemctl cat stratus-accounting.timer stratus-monitor.service").good();
    }
}

/// The monitor and the ledger, whose packages came with all others.
fn our_own_services_work(bench: &Bench) {
    let front = &bench.site.hosts[0];
    for unit in ["stratus-monitor.service", "stratus-accounting.timer"] {
        front.run(&format!("systemctl is-active {unit} && systemctl is-enabled {unit}")).good();
    }
    front.run("curl -fsS http://127.0.0.1:8444/healthz").good();
    // What the timer starts each hour.
    front.run("systemctl start stratus-accounting.service").good();
    front.run("test -s /var/lib/stratus/accounting/ledger.db").good();
    front.run("systemctl stop stratus-accounting.timer").good();
    let drift = bench.offline(&["drift"]);
    assert!(drift.stdout.contains("stratus-accounting.timer stopped by hand"), "{}", drift.stdout);
    bench.offline(&["apply", "--yes"]).good();
    front.run("systemctl is-active stratus-accounting.timer").good();
}

/// The first run is killed in its middle; the next goes on, and one more has nothing to fetch.
fn what_is_gathered(bench: &Bench) {
    let mut child = bench.gather().spawn().unwrap();
    let archives = bench.mirror.join(".work/debian-12-x86_64/var/cache/apt/archives");
    let some = || {
        let there = fs::read_dir(&archives).into_iter().flatten().flatten();
        there.filter(|e| e.path().extension().is_some_and(|e| e == "deb")).count()
    };
    let begun = std::time::Instant::now();
    while some() < 3 && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed().as_secs() < 300, "nothing arrives");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(some() >= 3);
    let refused = bench.offline(&["plan"]);
    assert_ne!(refused.code, 0);

    let first = run(&mut bench.gather()).good();
    assert!(first.stdout.starts_with("debian-12-x86_64: "), "{}", first.stdout);
    let sums = fs::read(bench.mirror.join("SHA256SUMS")).unwrap();
    let mut check = Command::new("sha256sum");
    run(check.current_dir(&bench.mirror).args(["--check", "--quiet", "--strict", "SHA256SUMS"]))
        .good();
    let second = run(&mut bench.gather()).good();
    assert!(second.stdout.contains(" 0 of them new"), "{}{}", second.stdout, second.stderr);
    assert_eq!(fs::read(bench.mirror.join("SHA256SUMS")).unwrap(), sums, "nothing is signed anew");

    // What is damaged is fetched again, and nothing else.
    let damaged = a_package(&bench.part(), "opennebula-tools_");
    flip(&damaged);
    let third = run(&mut bench.gather()).good();
    assert!(third.stdout.contains(" 1 of them new"), "{}", third.stdout);
}

/// Flips one bit in the middle.
fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Another file: the one that a package manager may still hold keeps its bytes.
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// A file, and what is done to it.
type Damage<'a> = (PathBuf, &'a dyn Fn(&Path));

/// Each is refused by its name, and no host is touched.
fn what_is_damaged_is_refused(bench: &Bench) {
    let before = bench.site.trees();
    let part = bench.part();
    let package = a_package(&part, "opennebula-node-kvm_");
    let release = fs::read(part.join("Release")).unwrap();
    let cases: [Damage; 5] = [
        (package, &flip),
        (part.join("InRelease"), &|file| fs::write(file, &release).unwrap()),
        (part.join("Packages"), &|file| fs::remove_file(file).unwrap()),
        (bench.mirror.join("SHA256SUMS.asc"), &|file| fs::remove_file(file).unwrap()),
        (bench.mirror.join("SHA256SUMS"), &|file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, format!("{}  more\n{text}", "0".repeat(64))).unwrap();
        }),
    ];
    for (file, damage) in cases {
        let good = fs::read(&file).unwrap();
        damage(&file);
        for task in [&["plan"][..], &["apply", "--yes"]] {
            let refused = bench.offline(task);
            assert_eq!(refused.code, 3, "{}: {}", file.display(), refused.stderr);
            let name = file.to_str().unwrap();
            assert!(refused.stderr.contains(&format!("{name}: ")), "{name}: {}", refused.stderr);
        }
        fs::write(&file, good).unwrap();
    }
    for (before, after) in before.iter().zip(bench.site.trees()) {
        assert!(before.differences(&after).is_empty());
    }
}

/// The node has nothing of the front-end's, nor what was installed on it before.
fn each_host_has_what_it_needs(bench: &Bench) {
    let [front, node] = &bench.site.hosts[..] else { panic!("two hosts") };
    let list = "cd /var/lib/stratus/packages/pool && ls";
    let (front, node) = (front.run(list).good().stdout, node.run(list).good().stdout);
    let has =
        |list: &str, name: &str| list.lines().any(|line| line.starts_with(&format!("{name}_")));
    assert!(has(&front, "opennebula") && has(&front, "dnsmasq"), "{front}");
    assert!(has(&front, "stratus-monitor") && !has(&node, "stratus-monitor"), "{front}{node}");
    assert!(has(&node, "opennebula-node-kvm") && !has(&node, "opennebula"), "{node}");
    assert!(!has(&node, "systemd") && !has(&node, "libc6"), "they were there: {node}");
}
