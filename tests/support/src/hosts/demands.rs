//! What a machine must have before it can run hosts, said in one message when it has not.

pub(super) use crate::programs::tools;
use crate::programs::{run, tool};
use std::fs;
use std::path::PathBuf;

/// Programs by the Debian package that brings them.
const PROGRAMS: [(&str, &str); 11] = [
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("unshare", "util-linux"),
    ("timeout", "coreutils"),
    ("tar", "tar"),
    ("dpkg-deb", "dpkg"),
    ("apt-ftparchive", "apt-utils"),
    ("gpg", "gnupg"),
];

/// Ends the test with everything that is missing.
pub(super) fn check() {
    let mut missing = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root: network namespaces and overlay mounts are root's".to_owned());
    }
    let systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    for system in ["overlay", "cgroup2"] {
        if !systems.split_whitespace().any(|known| known == system) {
            missing.push(format!("the file system `{system}` in the kernel"));
        }
    }
    for (program, package) in PROGRAMS {
        if !exists(program) {
            missing.push(format!("the program `{program}`: run `apt-get install {package}`"));
        }
    }
    if missing.is_empty() && run(tool("unshare", "util-linux").args(["--net", "true"])).code != 0 {
        missing.push("the right to make network namespaces".to_owned());
    }
    assert!(
        missing.is_empty(),
        "tests with whole hosts cannot run on this machine (`cargo xtask setup` installs programs); missing:\n- {}",
        missing.join("\n- ")
    );
}

fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).any(|file| file.is_file())
}
