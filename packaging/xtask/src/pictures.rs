//! The pictures of the monitor's guide, from the demo's simulated site in a real browser.

use crate::run::{cargo, check, root};
use crate::setup;
use anyhow::Result;

const PROGRAMS: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

pub(crate) fn run() -> Result<()> {
    setup::programs(&PROGRAMS)?;
    let packages = ["-p", "stratus-monitor", "-p", "stratus-repository"];
    check(cargo().args(["build", "--quiet", "--locked", "--bins"]).args(packages))?;
    let make =
        ["run", "--quiet", "--locked", "-p", "stratus-tests", "--example", "monitor-pictures"];
    check(cargo().args(make).arg("--").arg(root().join("docs/guide/pictures")))
}
