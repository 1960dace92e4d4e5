//! A site of bare hosts, with a site file and everything that `stratus-install` needs to set it up.

use super::{Host, HostSetup, Lab, Standins, Tree};
use crate::oned::Real;
use crate::{Output, program, run};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a container has not and every machine has: a kernel of its own with its drivers, of which only
/// those that guests need are kept. It is not the one that runs.
const KERNEL: &str = r#"set -e
apt-get update -qq
apt-get install -y -qq --no-install-recommends kmod > /dev/null
cd /var/tmp
apt-get download -qq "$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image.*\)/\1/p' | head -n 1)"
dpkg-deb -x linux-image-*.deb kernel
mv kernel/boot/vmlinuz-* /boot/
mv kernel/lib/modules /usr/lib/modules
rm -r kernel linux-image-*.deb
cd /usr/lib/modules/*
find kernel -name '*.ko' | grep -v -E '/(virtio|scsi|cdrom|ata|core)/|/(net_failover|virtio_net)\.ko' | xargs rm
depmod "${PWD##*/}"
"#;

/// Hosts of a lab, the first of them the front-end, and their site file.
pub struct Site {
    /// The hosts in order.
    pub hosts: Vec<Host>,
    file: PathBuf,
    // After the hosts: it ends last.
    lab: Lab,
}

impl Site {
    /// Bare hosts; their nodes get libvirt and qemu from the mirrors.
    ///
    /// # Panics
    /// The bench does not come up.
    pub fn with_libvirt<const N: usize>(names: [&str; N]) -> Self {
        let site = Self::of(names.map(HostSetup::new), Standins::default().with_libvirt());
        site.hosts[0].run(KERNEL).good();
        site
    }

    /// These hosts, with these packages.
    ///
    /// # Panics
    /// The bench does not come up, or the environment asks for a real oned.
    pub fn of<const N: usize>(setups: [HostSetup; N], standins: Standins) -> Self {
        assert!(
            Real::named().is_none(),
            "this test installs its own front-end, with the simulator inside: it says nothing of the oned \
             that STRATUS_TEST_ONED names. `--test opennebula` tests that one, and `stratus-test` its site"
        );
        let lab = Lab::start();
        let hosts = lab.boot(setups);
        let oned = program("oned-simulator").get_program().to_owned();
        let repository = standins.oned(oned).serve(&lab);
        repository.key().publish(&lab.folder().join("repo2.key"));
        let file = lab.folder().join("site.toml");
        Self { hosts: hosts.into(), file, lab }
    }

    /// Writes the site file: these nodes, and one ranged network from 10.77.0.100 to `last` with more
    /// keys.
    ///
    /// # Panics
    /// The disk is full.
    pub fn write(&self, nodes: &str, last: &str, more: &str) {
        let text = format!(
            r#"[site]
name = "lab"
[frontend]
host = "{}"
address = "{}"
web = false
[nodes]
hosts = ["{nodes}"]
hypervisor = "qemu"
bridge = "br0"
interface = "host0"
[networks.private]
kind = "ranged"
base = "10.77.0.0/24"
first = "10.77.0.100"
last = "{last}"
gateway = "10.77.0.1"
{more}
[packages]
opennebula = "http://web.lab/repo"
opennebula_key = "repo2.key"
"#,
            self.hosts[0].name(),
            self.hosts[0].address(),
        );
        fs::write(&self.file, text).expect("the site file is written");
    }

    /// Names the repository of Stratus' own packages ([`Standins::own`]) in the site file.
    ///
    /// # Panics
    /// The disk is full, or the site file is not written yet.
    pub fn name_own_packages(&self) {
        let more = "stratus = \"http://web.lab/stratus\"\nstratus_key = \"repo2.key\"\n";
        let mut file = fs::File::options().append(true).open(&self.file).expect("the site file");
        file.write_all(more.as_bytes()).expect("the site file is written");
    }

    /// Runs `stratus-install` in the lab.
    pub fn install(&self, arguments: &[&str]) -> Output {
        run(&mut self.command("stratus-install", arguments))
    }

    /// One of our commands in the lab, with the site file.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(program(name).get_program());
        command.args(arguments).arg("--config").arg(&self.file);
        command
    }

    /// Waits until an address answers the lab, which is a stranger to the site, and tells the hardware
    /// address that it answers from; nothing where it was silent as long as the program ran.
    ///
    /// # Panics
    /// The program cannot be waited for.
    pub fn sees(&self, address: &str, program: &mut Child) -> String {
        while program.try_wait().expect("the program is a child").is_none() {
            let ping = ["-n", "-q", "-c", "1", "-W", "1", address];
            if run(self.lab.command("ping").args(ping)).code == 0 {
                let entry = ["neigh", "show", "to", address];
                let out = run(self.lab.command("ip").args(entry)).stdout;
                let mut words = out.split_whitespace().skip_while(|word| *word != "lladdr");
                return words.nth(1).unwrap_or_default().to_owned();
            }
        }
        String::new()
    }

    /// `stratus-install` at a terminal of its own, at which somebody types. It has ten minutes.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn on_terminal(&self, arguments: &[&str], typed: &str) -> Output {
        let program = program("stratus-install").get_program().to_string_lossy().into_owned();
        let line = format!("{program} {} --config {}", arguments.join(" "), self.file.display());
        let mut command = self.lab.command("timeout");
        command.args(["--kill-after=5", "600", "script", "-qefc", &line, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("script (util-linux) starts");
        // The terminal stays until the program has ended: its end would be an end of file.
        let mut keyboard = child.stdin.take().expect("its input is piped");
        keyboard.write_all(typed.as_bytes()).expect("script takes what is typed");
        let out = child.wait_with_output().expect("script ends");
        drop(keyboard);
        Output {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// Kills an `apply` and cuts a node's power, by its place in [`Self::hosts`], at the moment at
    /// which its new network is loaded and nobody has confirmed it; then boots it again.
    ///
    /// # Panics
    /// The network step does not begin within ten minutes.
    pub fn cut_before_confirmation(&mut self, node: usize) {
        const PENDING: &str = "/var/lib/stratus/installer/network/pending";
        let mut apply = self.command("stratus-install", &["apply", "--yes"]);
        apply.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut apply = apply.spawn().expect("stratus-install starts");
        let host = &mut self.hosts[node];
        wait_for(|| host.has(PENDING), "the network step begins");
        // What loads the network lives on the host, and goes on without us.
        apply.kill().expect("the installer is killed");
        apply.wait().expect("the installer ends");
        wait_for(|| host.has(&format!("{PENDING}/loaded")), "the new network is loaded");
        host.power_cut();
        host.boot();
    }

    /// The file trees of all hosts.
    pub fn trees(&self) -> Vec<Tree> {
        self.hosts.iter().map(Host::tree).collect()
    }

    /// The site file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.lab.folder()
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }
}

fn wait_for(happens: impl Fn() -> bool, what: &str) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < Duration::from_mins(10), "not within ten minutes: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
