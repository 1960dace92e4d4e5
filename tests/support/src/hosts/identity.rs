//! What makes a host that one and no other: keys and numbers.

use crate::programs::{run, tool};
use std::fs;
use std::path::Path;

/// A new ssh key pair, `file` and `file.pub`; gives the public half.
pub(super) fn ssh_key(file: &Path, comment: &str) -> String {
    run(tool("ssh-keygen", "openssh-client")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(file))
    .good();
    fs::read_to_string(file.with_extension("pub")).expect("the public key")
}

/// A machine id that no other host has.
pub(super) fn machine_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel's random ids");
    id.trim().replace('-', "")
}
