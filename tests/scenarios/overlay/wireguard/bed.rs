//! The bed of the other tests, with a server and nodes by WireGuard.
//!
//! Every side has a folder of its own for `/run`: the sockets of `wireguard-go` would otherwise be in
//! one place for the whole machine, with the same interface's name on all sides.

use crate::bed::{Bed, LAN_HOST};
use crate::namespace::{Listener, Namespace};
use crate::routed::guard;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use stratus_tests::{Output, run, tool};

const ROUTED: &str =
    "mode = \"wireguard\"\nsubnet = \"10.51.0.0/24\"\nrange = \"10.51.0.200-10.51.0.239\"\n";

/// A command of a side, with the side's own `/run`.
fn command(inside: &Namespace, folder: &Path, words: &[&str]) -> Command {
    // Of a mount namespace of its own, which `ip netns exec` makes.
    let mount = "mount --bind \"$0\" /run && exec \"$@\"";
    let mut all = vec!["sh", "-c", mount, folder.to_str().unwrap()];
    all.extend(words);
    inside.command(&all)
}

/// A folder with a folder `wireguard`, as `/run` has one.
fn run_folder(bed: &Bed) -> PathBuf {
    static NUMBER: AtomicU8 = AtomicU8::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = bed.path(&format!("side-{number}"));
    fs::create_dir_all(folder.join("wireguard")).unwrap();
    folder
}

pub(super) struct Wire {
    // The server ends before its host.
    server: Option<Interface>,
    run: PathBuf,
    pub(super) bed: Bed,
}

impl Wire {
    pub(super) fn new() -> Self {
        for (name, package) in [("wg", "wireguard-tools"), ("wg-quick", "wireguard-tools")] {
            tool(name, package);
        }
        let bed = Bed::new(ROUTED);
        let kernel = "ip link add probe type wireguard && ip link delete probe";
        if run(&mut bed.gate.command(&["sh", "-c", kernel])).code != 0 {
            tool("wireguard-go", "wireguard-go");
        }
        guard(&bed);
        Self { server: None, run: run_folder(&bed), bed }
    }

    /// A command on the server's host.
    pub(super) fn inside(&self, words: &[&str]) -> Output {
        run(&mut command(&self.bed.gate, &self.run, words))
    }

    pub(super) fn vpn_in(&self, folder: &str, arguments: &[&str]) -> Output {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let (program, config) = (self.bed.place().verifier, text(self.bed.path("site.toml")));
        let directory = text(self.bed.path(folder));
        let mut words = vec![program.as_str()];
        words.extend(arguments);
        words.extend(["--config", config.as_str(), "--directory", directory.as_str()]);
        self.inside(&words)
    }

    pub(super) fn vpn(&self, arguments: &[&str]) -> Output {
        self.vpn_in("vpn", arguments)
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.vpn(arguments).good().stdout).unwrap()
    }

    /// A node as `status` has it.
    pub(super) fn node(&self, name: &str) -> Value {
        let status: Value = serde_json::from_str(&self.vpn(&["status", "--json"]).stdout).unwrap();
        let clients = status["clients"].as_array().unwrap();
        clients.iter().find(|client| client["name"] == name).cloned().unwrap()
    }

    pub(super) fn bundle(&self, name: &str) -> String {
        self.vpn(&["bundle", name]).good().stdout
    }

    /// Starts the server, as its unit would.
    pub(super) fn serve(&mut self) {
        let file = self.bed.path("vpn/server/wg-stratus.conf");
        self.server = Some(Interface::up(&self.bed.gate, self.run.clone(), file));
    }

    /// Starts a node with a bundle.
    pub(super) fn join(&self, cloud: &Namespace, bundle: &str) -> Interface {
        let folder = run_folder(&self.bed);
        let file = folder.join("wg-stratus.conf");
        fs::write(&file, bundle).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        Interface::up(cloud, folder, file)
    }

    /// A machine with a script that joins it.
    pub(super) fn machine<'a>(&self, cloud: &'a Namespace, script: &str) -> Machine<'a> {
        let folder = run_folder(&self.bed);
        fs::create_dir(folder.join("bin")).unwrap();
        fs::create_dir(folder.join("etc")).unwrap();
        fs::copy("/etc/hosts", folder.join("hosts")).unwrap();
        fs::write(folder.join("join"), script).unwrap();
        // Of systemd what the unit `wg-quick@` does.
        let systemctl = "#!/bin/sh\necho \"$*\" >> /run/told\ncase $1 in\n\
            restart) wg-quick down wg-stratus 2> /dev/null; wg-quick up wg-stratus ;;\n\
            start) wg show wg-stratus > /dev/null || wg-quick up wg-stratus ;;\nesac\n";
        for (name, text) in [("systemctl", systemctl), ("hostnamectl", "#!/bin/sh\n")] {
            let file = folder.join("bin").join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
        Machine { cloud, folder }
    }
}

/// An interface of `wg-quick`, which ends with the value.
pub(super) struct Interface {
    down: Command,
    file: PathBuf,
}

impl Interface {
    fn up(inside: &Namespace, folder: PathBuf, file: PathBuf) -> Self {
        let quick =
            |what: &str| command(inside, &folder, &["wg-quick", what, file.to_str().unwrap()]);
        let down = quick("down");
        run(&mut quick("up")).good();
        Self { down, file }
    }

    pub(super) fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        run(&mut self.down);
    }
}

/// A machine whose interface ends with the value.
pub(super) struct Machine<'a> {
    cloud: &'a Namespace,
    folder: PathBuf,
}

impl Machine<'_> {
    /// What its systemd was told, the mode of its file, and how often its name is known.
    pub(super) fn boot(&self) -> Vec<String> {
        let script = "set -e; mkdir -p /etc/wireguard; mount --bind /run/etc /etc/wireguard\n\
            mount --bind /run/hosts /etc/hosts; rm -f /run/told\n\
            PATH=/run/bin:$PATH sh /run/join > /run/log 2>&1 || { cat /run/log >&2; exit 1; }\n\
            cat /run/told; stat -c %a /etc/wireguard/wg-stratus.conf; grep -c burst1 /etc/hosts";
        let out = run(&mut command(self.cloud, &self.folder, &["sh", "-c", script])).good();
        out.stdout.lines().map(str::to_owned).collect()
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let words = ["wg-quick", "down", "/run/etc/wg-stratus.conf"];
        run(&mut command(self.cloud, &self.folder, &words));
    }
}

/// One TCP connection from a burst node to the LAN, whose words come back.
pub(super) struct Echo {
    _server: Listener,
    client: Child,
    say: ChildStdin,
    heard: BufReader<ChildStdout>,
}

impl Echo {
    pub(super) fn between(lan: &Namespace, burst: &Namespace) -> Self {
        const SERVE: &str = "
import socket
s = socket.create_server(('', 7000)); print('ready', flush=True)
c, _ = s.accept()
while True:
    text = c.recv(100)
    if not text: break
    c.sendall(text)";
        const ASK: &str = "
import socket, sys
s = socket.create_connection((sys.argv[1], 7000), 20); s.settimeout(3); print('ready', flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
    try: print(s.recv(100).decode(), end='', flush=True)
    except OSError: print('nothing', flush=True)";
        let mut serve = lan.command(&["python3", "-c", SERVE]);
        let mut server = Listener(serve.stdout(Stdio::piped()).spawn().unwrap());
        ready(&mut BufReader::new(server.0.stdout.take().unwrap()));
        let mut ask = burst.command(&["python3", "-c", ASK, LAN_HOST]);
        let mut client = ask.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let say = client.stdin.take().unwrap();
        let mut heard = BufReader::new(client.stdout.take().unwrap());
        ready(&mut heard);
        Self { _server: server, client, say, heard }
    }

    /// Whether a word comes back within three seconds.
    pub(super) fn answers(&mut self, word: &str) -> bool {
        writeln!(self.say, "{word}").unwrap();
        line(&mut self.heard) == format!("{word}\n")
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn ready(from: &mut impl BufRead) {
    assert_eq!(line(from), "ready\n");
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}
