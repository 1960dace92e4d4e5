//! The network that hosts live in, and how programs under test get into it.

use super::web::Web;
use super::{Host, HostSetup, boot, demands, identity, last_words, sweep};
use crate::programs::{run, tool};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// The lab's own address on its bridge: the hosts' gateway and web server.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The web server's name, by which hosts and programs ask for packages.
pub(super) const WEB: &str = "web.lab";

/// Runs a program with the lab's ssh settings; the person's own would come before the machine's.
const ENTER: &str = r#"
own=$(getent passwd "$(id -u)" | cut -d: -f6)/.ssh
[ ! -d "$own" ] || mount --bind "$HOME/.ssh" "$own" || exit 1
exec "$@"
"#;

/// A network with hosts. Everything in it ends when the lab and all its hosts are dropped.
#[derive(Clone)]
pub struct Lab {
    pub(super) core: Arc<Core>,
}

/// What a lab and its hosts share.
pub(super) struct Core {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) public_key: String,
    web: Mutex<Option<Web>>,
    hosts: Mutex<Vec<Entry>>,
}

/// A host as the lab knows it.
struct Entry {
    name: String,
    address: Ipv4Addr,
    key: String,
}

impl Lab {
    /// A new network without hosts.
    ///
    /// # Panics
    /// The machine cannot run one; with all that is missing.
    pub fn start() -> Self {
        demands::check();
        last_words::keep();
        sweep::sweep();
        let name = sweep::name();
        let folder = sweep::folder(&name);
        fs::create_dir(&folder).expect("a folder for the lab");
        // From here on, dropping the lab takes away what there is.
        let mut core = Core {
            name,
            folder,
            public_key: String::new(),
            web: Mutex::default(),
            hosts: Mutex::default(),
        };
        core.network();
        core.settings();
        let lab = Self { core: Arc::new(core) };
        *lock(&lab.core.web) = Some(Web::start(&lab));
        lab
    }

    /// Boots hosts, all at once, and waits until each is up.
    ///
    /// # Panics
    /// One does not come up; with its console.
    pub fn boot<const N: usize>(&self, setups: [HostSetup; N]) -> [Host; N] {
        let mut hosts = setups.map(|setup| Host::new(self, setup));
        for host in &hosts {
            host.prepare();
        }
        boot::all(hosts.iter_mut());
        hosts
    }

    /// A program inside the lab's network, with the lab's names, ssh settings and home; add arguments
    /// to it. The process that is started is the program itself.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = tool("ip", "iproute2");
        command
            .args(["netns", "exec", &self.core.name, "sh", "-c", ENTER, "sh"])
            .arg(program)
            .env("HOME", self.home())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("SSH_AUTH_SOCK");
        command
    }

    /// `ssh` to a host as root; add the command to run there. Ends by itself after ten minutes.
    pub fn ssh(&self, host: &str) -> Command {
        let mut command = self.command("timeout");
        command.args(["--kill-after=5", "600", "ssh", "-T"]).arg(format!("root@{host}"));
        command
    }

    /// Runs a function whose sockets are in the lab's network.
    ///
    /// # Panics
    /// The function panics, or the namespace cannot be entered.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = Path::new("/run/netns").join(&self.core.name);
        let namespace = File::open(namespace).expect("the lab's network namespace");
        let work = || {
            // A thread of its own: the namespace is the thread's, and it ends with the function.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the lab's network namespace can be entered");
            work()
        };
        std::thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The home folder of programs in the lab, with `.ssh/config`, the lab's key and the hosts' keys.
    pub fn home(&self) -> PathBuf {
        self.core.home()
    }

    /// The lab's ssh settings, for `ssh -F`.
    pub fn ssh_config(&self) -> PathBuf {
        self.home().join(".ssh/config")
    }

    /// A folder for the test's own files; goes with the lab.
    pub fn folder(&self) -> &Path {
        &self.core.folder
    }

    /// The name of its network namespace, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Serves a folder at `http://web.lab/<at>`, and gives that address.
    ///
    /// # Panics
    /// Never while the lab is there.
    pub fn serve(&self, at: &str, folder: &Path) -> String {
        let at = at.trim_matches('/');
        lock(&self.core.web).as_ref().expect("the lab has a web server").add(at, folder);
        format!("http://{WEB}/{at}")
    }
}

impl Core {
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Gives a new host its address and makes its name and key known.
    pub(super) fn enlist(&self, name: &str, key: &str) -> Ipv4Addr {
        let mut hosts = lock(&self.hosts);
        assert!(hosts.iter().all(|host| host.name != name), "there is a host `{name}` already");
        let number = u8::try_from(11 + hosts.len()).expect("at most 200 hosts");
        let address = Ipv4Addr::new(10, 77, 0, number);
        hosts.push(Entry { name: name.to_owned(), address, key: key.trim().to_owned() });
        let mut known = String::new();
        for host in hosts.iter() {
            let _ = writeln!(known, "{},{} {}", host.name, host.address, host.key);
        }
        drop(hosts);
        put(&self.home().join(".ssh/known_hosts"), &known, 0o600);
        put(&sweep::settings(&self.name).join("hosts"), self.names(), 0o644);
        address
    }

    /// Names and addresses of the lab and its hosts, as in `/etc/hosts`.
    pub(super) fn names(&self) -> String {
        let mut names = format!("127.0.0.1 localhost\n{GATEWAY} {WEB}\n");
        for host in lock(&self.hosts).iter() {
            let _ = writeln!(names, "{} {}", host.address, host.name);
        }
        names
    }

    /// The namespace with two bridges: one with the lab's address, one as a second network of hosts.
    fn network(&self) {
        let ip = |arguments: &str| {
            let words = arguments.replace("LAB", &self.name);
            run(tool("ip", "iproute2").args(words.split_whitespace())).good();
        };
        ip("netns add LAB");
        ip("-n LAB link set lo up");
        for bridge in ["br0", "br1"] {
            ip(&format!("-n LAB link add {bridge} type bridge"));
            ip(&format!("-n LAB link set {bridge} up"));
        }
        ip(&format!("-n LAB addr add {GATEWAY}/24 dev br0"));
    }

    fn settings(&mut self) {
        let ssh = self.home().join(".ssh");
        fs::create_dir_all(&ssh).expect("a home folder");
        fs::set_permissions(&ssh, PermissionsExt::from_mode(0o700)).expect("a mode");
        self.public_key = identity::ssh_key(&ssh.join("id_ed25519"), "lab");
        let at = ssh.display();
        let config = format!(
            "Host *\n    User root\n    IdentityFile {at}/id_ed25519\n    IdentitiesOnly yes\n    \
             UserKnownHostsFile {at}/known_hosts\n    GlobalKnownHostsFile none\n    \
             StrictHostKeyChecking yes\n    BatchMode yes\n    ConnectTimeout 10\n"
        );
        put(&ssh.join("config"), &config, 0o600);
        let settings = sweep::settings(&self.name);
        fs::create_dir_all(settings.join("ssh")).expect("a folder in /etc/netns");
        put(&settings.join("ssh/ssh_config"), &config, 0o644);
        put(&settings.join("hosts"), self.names(), 0o644);
        put(&settings.join("resolv.conf"), "# No name server: the lab has its own names.\n", 0o644);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        drop(lock(&self.web).take());
        if let Err(problem) = sweep::remove(&self.name) {
            eprintln!("cannot take away all of {}: {problem}", self.name);
        }
        if let Some(why) = last_words::of_this_thread() {
            eprintln!("---- {why}");
        }
    }
}

/// Writes a file in place: programs that run see it by its inode.
pub(super) fn put(file: &Path, contents: impl AsRef<[u8]>, mode: u32) {
    let written = fs::write(file, contents)
        .and_then(|()| fs::set_permissions(file, PermissionsExt::from_mode(mode)));
    written.unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
