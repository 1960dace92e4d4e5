//! A site's LAN, a routed internet and burst nodes, as network namespaces with real openvpn.
//!
//! ```text
//!  lan 10.50.0.9 --- br0 10.50.0.1 [gate] 198.51.100.2 --- [net] --- 203.0.113.0/24 [burst]
//!                     |
//!                 tap-stratus
//! ```

use crate::namespace::Namespace;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use stratus_network::overlay::{Place, device_commands};
use stratus_site::Site;
use stratus_tests::{Output, program, run, tool};

pub(crate) const LAN_HOST: &str = "10.50.0.9";

/// Everything but the burst nodes.
pub(crate) struct Bed {
    server: Option<Process>,
    pub(crate) lan: Namespace,
    pub(crate) gate: Namespace,
    net: Namespace,
    folder: tempfile::TempDir,
    program: PathBuf,
    nodes: AtomicU8,
}

impl Bed {
    /// A bed whose section `[vpn]` says more.
    pub(crate) fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's account must get to its files.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let copy = folder.path().join("stratus-vpn");
        fs::copy(program("stratus-vpn").get_program(), &copy).unwrap();
        let (lan, gate, net) = networks();
        let bed =
            Self { server: None, lan, gate, net, folder, program: copy, nodes: AtomicU8::new(0) };
        fs::write(bed.path("site.toml"), site_text(more)).unwrap();
        for (name, mode) in [("run", 0o700), ("vpn", 0o711), ("vpn/joined", 0o700)] {
            fs::create_dir(bed.path(name)).unwrap();
            fs::set_permissions(bed.path(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        run(Command::new("chown").arg("nobody:nogroup").arg(bed.path("vpn/joined"))).good();
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn site(&self) -> Site {
        let path = self.path("site.toml");
        Site::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap()
    }

    /// Where the server has its things here.
    pub(crate) fn place(&self) -> Place {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        Place {
            server: text(self.path("vpn/server")),
            names: text(self.path("vpn/names")),
            runtime: text(self.path("run")),
            joined: text(self.path("vpn/joined")),
            account: ("nobody".to_owned(), "nogroup".to_owned()),
            verifier: text(self.program.clone()),
        }
    }

    /// Runs `stratus-vpn` with the overlay in a folder.
    pub(crate) fn vpn_in(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--account", "nobody:nogroup"]);
        command.arg("--config").arg(self.path("site.toml"));
        command.arg("--directory").arg(self.path(folder));
        command.arg("--runtime").arg(self.path("run"));
        run(&mut command)
    }

    pub(crate) fn vpn(&self, arguments: &[&str]) -> Output {
        self.vpn_in("vpn", arguments)
    }

    /// The bundle of a node as one file for openvpn.
    pub(crate) fn profile(&self, name: &str) -> String {
        self.vpn(&["bundle", name, "--as", "ovpn"]).good().stdout
    }

    pub(crate) fn status(&self) -> Value {
        let out = self.vpn(&["status", "--json"]);
        serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"))
    }

    /// A node in the status.
    pub(crate) fn node(&self, name: &str) -> Value {
        let status = self.status();
        let clients = status["clients"].as_array().unwrap();
        clients.iter().find(|client| client["name"] == name).cloned().unwrap_or_default()
    }

    /// Starts the server (anew), as its unit would.
    pub(crate) fn serve(&mut self) {
        self.serve_with("");
    }

    /// The same with more options than the server has by itself.
    pub(crate) fn serve_with(&mut self, more: &str) {
        let mode =
            if self.site().vpn.unwrap().mode == stratus_site::VpnMode::Tap { "tap" } else { "tun" };
        if let Some(old) = self.server.take() {
            drop(old);
            self.gate.ip(&format!("tuntap del dev {mode}-stratus mode {mode}"));
        }
        let (site, place) = (self.site(), self.place());
        let vpn = site.vpn.clone().unwrap();
        for words in device_commands(&site, &vpn, &place) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run(&mut self.gate.command(&words)).good();
        }
        let conf = self.path("server.conf");
        let own = fs::read_to_string(self.path("vpn/server/server.conf")).unwrap();
        fs::write(&conf, own + more).unwrap();
        let log = self.path("server.log");
        self.server = Some(openvpn(&self.gate, &conf, &log));
        eventually("the server answers", || self.status()["running"] == true);
    }

    /// A place for a burst node, in another cloud.
    pub(crate) fn cloud(&self) -> Namespace {
        let number = self.nodes.fetch_add(1, Ordering::Relaxed) + 1;
        let burst = Namespace::new("burst");
        burst.cable("eth0", &self.net, &format!("to{number}"));
        self.net.ip(&format!("addr add 203.0.113.{}/30 dev to{number}", 4 * number + 1));
        burst.ip(&format!("addr add 203.0.113.{}/30 dev eth0", 4 * number + 2));
        burst.ip(&format!("route add default via 203.0.113.{}", 4 * number + 1));
        burst
    }

    /// Starts a client with a profile.
    pub(crate) fn join(&self, burst: &Namespace, profile: &str) -> Process {
        static NUMBER: AtomicU8 = AtomicU8::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = self.path(&format!("client-{number}.ovpn"));
        fs::write(&file, profile).unwrap();
        openvpn(burst, &file, &self.path(&format!("client-{number}.log")))
    }
}

impl Drop for Bed {
    /// A test that failed shows what the programs wrote.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|kind| kind == "log") {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                let lines: Vec<&str> = text.lines().filter(|l| !l.contains("MANAGEMENT")).collect();
                let last = &lines[lines.len().saturating_sub(60)..];
                eprintln!("=== {}\n{}", entry.path().display(), last.join("\n"));
            }
        }
    }
}

fn networks() -> (Namespace, Namespace, Namespace) {
    let (lan, gate, net) = (Namespace::new("lan"), Namespace::new("gate"), Namespace::new("net"));
    gate.ip("link add br0 type bridge");
    lan.cable("eth0", &gate, "lan0");
    gate.ip("link set lan0 master br0");
    gate.ip("link set br0 up");
    gate.ip("addr add 10.50.0.1/24 dev br0");
    lan.ip(&format!("addr add {LAN_HOST}/24 dev eth0 broadcast 10.50.0.255"));
    lan.ip("route add default via 10.50.0.1");
    gate.cable("wan0", &net, "to0");
    gate.ip("addr add 198.51.100.2/24 dev wan0");
    net.ip("addr add 198.51.100.1/24 dev to0");
    gate.ip("route add default via 198.51.100.1");
    for router in [&gate, &net] {
        run(&mut router.command(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])).good();
    }
    (lan, gate, net)
}

fn site_text(more: &str) -> String {
    format!(
        "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\naddress = \"10.50.0.1\"\n\
         [nodes]\nhosts = [\"node1.example.org\"]\n[networks.private]\nkind = \"ranged\"\n\
         base = \"10.50.0.0/24\"\nfirst = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n\
         [vpn]\nendpoint = \"198.51.100.2\"\n{more}"
    )
}

pub(crate) fn openvpn(inside: &Namespace, conf: &Path, log: &Path) -> Process {
    // Found here, for a message that says what to install.
    let file = tool("openvpn", "openvpn").get_program().to_str().unwrap().to_owned();
    start(&mut inside.command(&[&file, "--config", conf.to_str().unwrap()]), log)
}

/// Starts a program that writes what it does into a file.
pub(crate) fn start(command: &mut Command, log: &Path) -> Process {
    let file = fs::File::create(log).unwrap();
    command.stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file);
    Process(command.spawn().unwrap(), log.to_owned())
}

/// A process that ends with the value.
pub(crate) struct Process(Child, PathBuf);

impl Process {
    /// Whether it wrote this.
    pub(crate) fn said(&self, words: &str) -> bool {
        fs::read_to_string(&self.1).unwrap_or_default().contains(words)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // `ip netns exec` becomes the program, so this is its process.
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(20) {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_mins(2), "it never came: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    begin.elapsed()
}

/// Whether one of a few pings is answered within some seconds: a busy machine is slow to answer one.
pub(crate) fn reaches(from: &Namespace, to: &str) -> bool {
    run(&mut from.command(&["ping", "-c", "5", "-i", "0.2", "-W", "5", to])).code == 0
}

/// Whether a ping is answered at once.
pub(crate) fn pings(from: &Namespace, to: &str) -> bool {
    run(&mut from.command(&["ping", "-c", "1", "-W", "1", to])).code == 0
}
