//! One host of a lab.

use super::boot::{self, Running};
use super::lab::{Core, GATEWAY, Lab, put};
use super::setup::HostSetup;
use super::web::PROXY_PORT;
use super::{Tree, cgroup, identity};
use crate::programs::{Output, run, tool};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A host. Ended as by a power cut, and forgotten, when dropped; if the test failed, what its console
/// and its journal said last is shown.
pub struct Host {
    pub(super) core: Arc<Core>,
    pub(super) running: Option<Running>,
    setup: HostSetup,
    address: Ipv4Addr,
    root: PathBuf,
    /// The number of the lab's end of its interface, since its last boot.
    lab_end: String,
    /// Keeps the root where it is.
    _held: File,
}

impl Host {
    /// A host that was never booted.
    pub(super) fn new(lab: &Lab, setup: HostSetup) -> Self {
        let core = lab.core.clone();
        let (root, held) = setup.base.hold();
        let folder = core.folder.join("hosts").join(&setup.name);
        let ssh = folder.join("first/etc/ssh");
        for folder in ["upper", "work", "root"].map(|name| folder.join(name)).iter().chain([&ssh]) {
            fs::create_dir_all(folder).expect("a folder for the host");
        }
        let key = identity::ssh_key(&ssh.join("ssh_host_ed25519_key"), &setup.name);
        let address = match &setup.seat {
            Some(seat) => seat.address,
            None => core.enlist(&setup.name, key.trim()),
        };
        Self { core, running: None, setup, address, root, lab_end: String::new(), _held: held }
    }

    /// Lays down what makes it this host. Every host of the lab has its name by now.
    pub(super) fn prepare(&self) {
        let (names, gateway, web) = match &self.setup.seat {
            Some(seat) => (seat.names(), seat.gateway, seat.web),
            None => (self.core.names(), GATEWAY, GATEWAY),
        };
        let machine_id = self.setup.machine_id.clone().unwrap_or_else(identity::machine_id);
        let network = format!(
            "[Match]\nName=host0\n[Network]\nAddress={}/24\nGateway={gateway}\nLinkLocalAddressing=no\n",
            self.address
        );
        let proxy = format!("Acquire::http::Proxy \"http://{web}:{PROXY_PORT}\";\n");
        self.first("/etc/hostname", 0o644, format!("{}\n", self.setup.name).as_bytes());
        self.first("/etc/hosts", 0o644, names.as_bytes());
        self.first("/etc/machine-id", 0o444, format!("{machine_id}\n").as_bytes());
        self.first("/etc/systemd/network/10-host0.network", 0o644, network.as_bytes());
        self.first("/etc/apt/apt.conf.d/99lab", 0o644, proxy.as_bytes());
        self.first("/root/.ssh/authorized_keys", 0o600, self.core.public_key.as_bytes());
        if self.setup.has_key {
            for name in ["id_ed25519", "known_hosts"] {
                let bytes = fs::read(self.core.home().join(".ssh").join(name)).expect("a key");
                self.first(&format!("/root/.ssh/{name}"), 0o600, &bytes);
            }
        }
        for (path, mode, bytes) in &self.setup.files {
            self.first(path, *mode, bytes);
        }
    }

    fn first(&self, path: &str, mode: u32, bytes: &[u8]) {
        let file = self.folder().join("first").join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("an absolute path")).expect("a folder");
        put(&file, bytes, mode);
    }

    /// More of the container's options.
    pub(super) fn options(&self) -> Vec<OsString> {
        let mut options = Vec::new();
        if self.setup.second {
            options.push(format!("--network-veth-extra={}:eth1", self.second()).into());
        }
        if self.setup.has_handles {
            options.push("--system-call-filter=open_by_handle_at".into());
        }
        options
    }

    /// What is left to do when it is up.
    pub(super) fn connect(&mut self) {
        let link = run(self.inside().args(["ip", "-o", "link", "show", "host0"])).good().stdout;
        let number = link.split_once("@if").and_then(|(_, rest)| rest.split_once(':'));
        number.expect("one of two ends").0.clone_into(&mut self.lab_end);
        if !self.setup.second {
            return;
        }
        let (lab, second) = (self.core.name.as_str(), self.second());
        run(tool("ip", "iproute2").args(["-n", lab, "link", "set", &second, "master", "br1", "up"]))
            .good();
        if let Some(address) = &self.setup.address {
            run(self.inside().args(["ip", "link", "set", "eth1", "address", address])).good();
        }
    }

    /// The network namespace that its interface is plugged into.
    pub(super) fn namespace(&self) -> &str {
        self.setup.seat.as_ref().map_or(&self.core.name, |seat| &seat.namespace)
    }

    /// What the machine runs within its network.
    fn inside(&self) -> std::process::Command {
        let leader = self.running.as_ref().expect("the host is up").leader;
        let mut command = tool("nsenter", "util-linux");
        command.args(["-n", "-t", &leader.as_raw_pid().to_string()]);
        command
    }

    /// The lab's end of its second interface.
    fn second(&self) -> String {
        format!("second{}", self.address.octets()[3])
    }

    /// Its name, known to the lab's programs and to hosts booted with it or later.
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs a line of shell on it as root, over ssh; for ten minutes at most.
    pub fn run(&self, line: &str) -> Output {
        run(self.ssh().arg(line))
    }

    /// Writes a file of root's on it.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) {
        let path = quoted(path);
        let line = format!("umask 077 && cat > {path} && chmod {mode:o} {path}");
        let mut ssh = self.ssh().arg(line).stdin(Stdio::piped()).spawn().expect("ssh starts");
        let mut input = ssh.stdin.take().expect("its input is piped");
        input.write_all(bytes.as_ref()).expect("ssh takes the file");
        drop(input);
        assert!(ssh.wait().expect("ssh ends").success(), "{path} on {} is written", self.name());
    }

    /// A file on it.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let out = self.ssh().arg(format!("cat {}", quoted(path))).stdin(Stdio::null()).output();
        let out = out.expect("ssh starts");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{path} on {} cannot be read: {said}", self.name());
        out.stdout
    }

    /// Whether it has a file, as its first process sees it: its network does not matter.
    pub fn has(&self, path: &str) -> bool {
        let Some(running) = &self.running else { return false };
        let root = PathBuf::from(format!("/proc/{}/root", running.leader.as_raw_pid()));
        root.join(path.trim_start_matches('/')).exists()
    }

    /// All its files as they are now; it must be up. See [`Tree`].
    ///
    /// # Panics
    /// It is not up.
    pub fn tree(&self) -> Tree {
        let running = self.running.as_ref().expect("the host is up");
        Tree::of(running.leader, &self.folder().join("upper"), &self.root)
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::runs)
    }

    /// Ends everything on it in one moment, as a power cut does; its disk stays.
    ///
    /// # Panics
    /// It does not end.
    pub fn power_cut(&mut self) {
        if let Some(mut running) = self.running.take() {
            cgroup::end(&self.group()).unwrap_or_else(|problem| panic!("{problem}"));
            assert!(running.ended(), "the host `{}` does not end", self.name());
            // The kernel takes the interface away a little later; its name is wanted again.
            let patience = Instant::now() + Duration::from_secs(30);
            while self.is_connected() {
                assert!(
                    Instant::now() < patience,
                    "`{}` is down, its interface stays",
                    self.name()
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// Shuts it down, and waits until it is down; its disk stays.
    ///
    /// # Panics
    /// It does not end.
    pub fn stop(&mut self) {
        if let Some(running) = &self.running {
            running.ask_to_stop();
        }
        self.wait_until_down();
    }

    /// Waits until it is down, after it was told to shut down or to reboot: [`Host::boot`] is the
    /// second half of a reboot.
    ///
    /// # Panics
    /// It does not go down.
    pub fn wait_until_down(&mut self) {
        if let Some(running) = &mut self.running {
            assert!(running.ended(), "`{}` does not go down:\n{}", self.name(), self.console());
        }
        self.power_cut();
    }

    /// Boots it again on the disk it has.
    ///
    /// # Panics
    /// It does not come up; with its console.
    pub fn boot(&mut self) {
        self.power_cut();
        boot::all(std::iter::once(self));
    }

    /// What its console said since its first boot.
    pub fn console(&self) -> String {
        let said = fs::read(self.folder().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The last lines of its journal but for logins, as far as it can be asked.
    pub fn journal(&self) -> String {
        let line = "timeout --kill-after=1 10 journalctl --boot --no-pager --lines=1000 | \
                    grep -v -e 'sshd\\[' -e 'systemd-logind\\[' -e 'pam_unix' | tail -n 40";
        self.run(line).stdout
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.core.folder.join("hosts").join(self.name())
    }

    /// The base root below.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the lab's end of its interface is there.
    fn is_connected(&self) -> bool {
        let words = ["-n", self.namespace(), "-o", "link", "show"];
        let links = run(tool("ip", "iproute2").args(words)).good().stdout;
        links.lines().any(|line| line.split_once(": ").is_some_and(|(n, _)| n == self.lab_end))
    }

    fn group(&self) -> String {
        format!("{}/{}", self.core.name, self.name())
    }

    /// A shell on it that takes a line: by ssh, or as at its console where it cannot be reached.
    fn ssh(&self) -> std::process::Command {
        match &self.setup.seat {
            Some(_) => self.console_shell(),
            None => Lab { core: self.core.clone() }.ssh(self.name()),
        }
    }

    fn console_shell(&self) -> std::process::Command {
        let leader = self.running.as_ref().expect("the host is up").leader.as_raw_pid().to_string();
        let mut command = tool("timeout", "coreutils");
        command.args(["--kill-after=5", "600", "nsenter", "--target", &leader]);
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]);
        command.args(["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c"]);
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = self.console();
            let lines: Vec<_> = console.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("---- console of {}:\n{last}", self.name());
            if self.runs() {
                eprintln!("---- journal of {}:\n{}", self.name(), self.journal());
            }
        }
        if let Err(problem) = cgroup::end(&self.group()) {
            eprintln!("cannot end the host `{}`: {problem}", self.name());
        }
        // Its container is gone with its group; here it is only taken note of.
        if let Some(running) = &mut self.running {
            running.ended();
        }
        let _ = fs::remove_dir_all(self.folder());
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
