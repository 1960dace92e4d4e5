//! The figures of docs/performance.md, measured anew. Each bench compares with a peer in the same run.

use crate::run::{cargo, check};
use crate::setup;
use anyhow::{Result, bail};

/// Benches by name: what cargo runs for each.
const BENCHES: [(&str, &[&str]); 13] = [
    ("image", &["bench", "-p", "stratus-image"]),
    ("search", &["bench", "-p", "stratus-store", "--bench", "search", "--", "100000"]),
    ("download", &["bench", "-p", "stratus-tests", "--bench", "repository", "--", "download"]),
    ("manifest", &["bench", "-p", "stratus-tests", "--bench", "repository", "--", "manifest"]),
    ("upload", &["bench", "-p", "stratus-tests", "--bench", "repository", "--", "upload"]),
    ("memory", &["bench", "-p", "stratus-tests", "--bench", "repository", "--", "memory"]),
    ("accounting", &["bench", "-p", "stratus-accounting", "--bench", "month", "--", "20000"]),
    ("cache", &["bench", "-p", "stratus-tests", "--bench", "cache"]),
    ("monitor", &["bench", "-p", "stratus-tests", "--bench", "monitor"]),
    ("monitor", &["bench", "-p", "stratus-monitor", "--bench", "history"]),
    ("plan", &["bench", "-p", "stratus-plan", "--bench", "plan"]),
    ("installer", &["bench", "-p", "stratus-tests", "--bench", "installer"]),
    ("overlay", &["bench", "-p", "stratus-tests", "--bench", "overlay"]),
];

/// Peers and tools of the benches, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 9] = [
    ("nginx", "nginx-light"),
    ("wrk", "wrk"),
    ("curl", "curl"),
    ("ansible-playbook", "ansible-core"),
    // Hosts of the installer's bench.
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("apt-ftparchive", "apt-utils"),
    ("openvpn", "openvpn"),
    ("iperf3", "iperf3"),
];

/// Runs the named benches, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|n| BENCHES.iter().all(|(name, _)| name != *n)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("there is no bench `{unknown}`; known are {}", known.join(", "));
    }
    setup::programs(&PROGRAMS)?;
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    // The benches start the programs by path.
    let mut build = cargo();
    build.args(["build", "--release", "--bins"]);
    if names == ["monitor"] {
        // Its own, and the one that hashes the passwords of its people.
        build.args(["-p", "stratus-monitor", "-p", "stratus-repository"]);
    } else {
        build.arg("--workspace");
    }
    check(&mut build)?;
    if wanted("monitor") {
        setup::pyone()?;
    }
    for (name, arguments) in BENCHES.iter().filter(|(name, _)| wanted(name)) {
        println!("== {name}");
        check(cargo().args(*arguments))?;
    }
    Ok(())
}
