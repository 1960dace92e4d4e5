//! Names of labs, and taking away everything that has such a name.
//!
//! All that a lab leaves on the machine bears its name: its folder, its network namespace with a folder
//! in `/etc/netns`, its control group with every process. Mounts live in the namespaces of
//! processes and go with them.

use super::cgroup;
use crate::programs::{run, tool};
use rustix::process::{Pid, test_kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "stratus-lab-";
/// On a disk, as hosts may grow, and a short path, as it holds sockets.
const FOLDERS: &str = "/var/tmp";

/// A name for a new lab of this process.
pub(super) fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The folder of everything of a lab.
pub(super) fn folder(name: &str) -> PathBuf {
    Path::new(FOLDERS).join(name)
}

/// What the lab's programs find in `/etc` instead of the machine's own files.
pub(super) fn settings(name: &str) -> PathBuf {
    Path::new("/etc/netns").join(name)
}

/// Takes away the labs of processes that are no more.
pub(super) fn sweep() {
    for place in [FOLDERS, "/run/netns", "/etc/netns"] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_gone = maker(&name).is_some_and(|maker| test_kill_process(maker).is_err());
            if is_gone && let Err(problem) = remove(&name) {
                eprintln!("cannot take away what is left of {name}: {problem}");
            }
        }
    }
}

/// Takes away a lab, whatever there is of it. The folder goes last: it is what the sweep finds.
pub(super) fn remove(name: &str) -> Result<(), String> {
    cgroup::end(name)?;
    if Path::new("/run/netns").join(name).exists() {
        let out = run(tool("ip", "iproute2").args(["netns", "delete", name]));
        if out.code != 0 && Path::new("/run/netns").join(name).exists() {
            return Err(out.stderr);
        }
    }
    for folder in [settings(name), folder(name)] {
        match fs::remove_dir_all(&folder) {
            Err(e) if folder.exists() => return Err(format!("{}: {e}", folder.display())),
            _ => {}
        }
    }
    Ok(())
}

/// The process that made a lab, from its name.
fn maker(name: &str) -> Option<Pid> {
    let (process, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Pid::from_raw(process.parse().ok()?)
}
