//! Starting and ending the containers that hosts are.

use super::host::Host;
use crate::programs::tool;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A host that takes longer does not come up at all.
const PATIENCE: Duration = Duration::from_mins(2);

/// Everything that is mounted here is seen by this process and its children only, and goes with them.
/// Files of `first` are laid over the base root once, before the first boot.
const BOOT: &str = r#"
set -e
lab=$1 host=$2 folder=$3 base=$4
shift 4
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$lab/$host"
echo $$ > "/sys/fs/cgroup/$lab/$host/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
if [ -d "$folder/first" ]; then
    tar -C "$folder/first" -c . | tar -C "$folder/root" -x -p --no-overwrite-dir
    rm -r "$folder/first"
fi
exec systemd-nspawn --quiet --boot --directory="$folder/root" --machine="$lab-$host" --hostname="$host" \
    --register=no --keep-unit --network-bridge=br0 --resolv-conf=off --timezone=off \
    --link-journal=no --console=pipe --notify-ready=yes "$@"
"#;

/// A container that is up.
pub(super) struct Running {
    child: Child,
    process: OwnedFd,
    /// Its first process, as the machine counts.
    pub(super) leader: Pid,
}

/// A container that was started.
struct Starting {
    child: Child,
    process: OwnedFd,
    told: UnixDatagram,
}

/// Boots hosts at the same time, and waits until each is up.
pub(super) fn all<'a>(hosts: impl Iterator<Item = &'a mut Host>) {
    let begun = Instant::now();
    let started: Vec<_> = hosts.map(|host| (Starting::new(host), host)).collect();
    for (starting, host) in started {
        match starting.wait(begun) {
            Ok(running) => {
                host.running = Some(running);
                host.connect();
            }
            Err(problem) => {
                panic!("the host `{}` did not come up: {problem}\n{}", host.name(), host.console())
            }
        }
    }
}

impl Starting {
    fn new(host: &Host) -> Self {
        let folder = host.folder();
        let socket = folder.join("notify");
        let _ = std::fs::remove_file(&socket);
        let told = UnixDatagram::bind(&socket).expect("a socket to be told by");
        let console = File::options().append(true).create(true).open(folder.join("console"));
        let console = console.expect("a file for the console");
        let child = command(host, &folder)
            .args(host.options())
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a second handle"))
            .stderr(console)
            .spawn()
            .expect("a shell starts");
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("a handle");
        Self { child, process, told }
    }

    /// Waits until systemd inside says that it is up, or the container ends.
    fn wait(mut self, begun: Instant) -> Result<Running, String> {
        let mut leader = None;
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let mut events =
                [PollFd::new(&self.told, PollFlags::IN), PollFd::new(&self.process, PollFlags::IN)];
            let left = Timespec::try_from(left).expect("a time");
            let count = poll(&mut events, Some(&left)).map_err(|e| e.to_string())?;
            let (told, ended) = (!events[0].revents().is_empty(), !events[1].revents().is_empty());
            if told {
                let mut buffer = [0; 4096];
                let length = self.told.recv(&mut buffer).map_err(|e| e.to_string())?;
                let text = String::from_utf8_lossy(&buffer[..length]);
                let said = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
                leader = said("X_NSPAWN_LEADER_PID=").and_then(|id| id.parse().ok()).or(leader);
                if let (Some("1"), Some(leader)) = (said("READY="), leader.and_then(Pid::from_raw))
                {
                    return Ok(Running { child: self.child, process: self.process, leader });
                }
            } else if ended {
                let status = self.child.wait().map_err(|e| e.to_string())?;
                return Err(format!("its container ended with {status}"));
            } else if count == 0 {
                // Whoever drops the host ends what is left of it.
                return Err(format!("nothing was heard for {PATIENCE:?}"));
            }
        }
    }
}

impl Running {
    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Asks the host to shut down.
    pub(super) fn ask_to_stop(&self) {
        // It may have ended in this moment.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Waits until it has ended; false when it does not.
    pub(super) fn ended(&mut self) -> bool {
        let mut event = [PollFd::new(&self.process, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).expect("a time");
        let ended = poll(&mut event, Some(&patience)).is_ok_and(|count| count == 1);
        ended && self.child.wait().is_ok()
    }
}

fn command(host: &Host, folder: &Path) -> std::process::Command {
    let mut command = tool("ip", "iproute2");
    command
        .args(["netns", "exec", host.namespace(), "sh", "-c", BOOT, "sh", &host.core.name])
        .arg(host.name())
        .arg(folder)
        .arg(host.root());
    command
}
