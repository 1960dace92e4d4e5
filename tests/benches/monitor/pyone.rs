//! The same pools, read by OpenNebula's own Python package.

use std::path::Path;
use stratus_tests::{run, tools};

/// Reads hosts and machines three times and prints what each took.
pub(crate) fn read(endpoint: &str) {
    let python = tools().join("pyone/bin/python");
    if !python.is_file() {
        println!("LEFT OUT: pyone, which `cargo xtask bench monitor` installs");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/monitor/pyone_reads.py");
    let out = run(std::process::Command::new(python).arg(script).arg(endpoint)).good();
    print!("{}", out.stdout);
}
