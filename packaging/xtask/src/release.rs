//! What people install, made by `packaging/release`.

use crate::run::{cargo, check, find};
use crate::setup;
use anyhow::{Result, bail};

/// Makes a release.
pub(crate) fn run(options: &[&str]) -> Result<()> {
    let missing: Vec<_> =
        setup::RELEASE.iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let names: Vec<_> =
            missing.iter().map(|(program, package)| format!("{program} ({package})")).collect();
        bail!("install these programs, by their Debian packages: {}", names.join(", "));
    }
    check(cargo().args(["run", "--quiet", "--locked", "-p", "stratus-release", "--"]).args(options))
}
