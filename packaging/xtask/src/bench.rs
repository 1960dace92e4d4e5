//! The figures of docs/performance.md, measured anew. Each bench compares with a peer in the same run.

use crate::run::{cargo, check};
use anyhow::{Result, bail};

/// Benches by name: what cargo runs for each.
const BENCHES: [(&str, &[&str]); 1] = [("image", &["bench", "-p", "stratus-image"])];

/// Runs the named benches, or all.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|n| BENCHES.iter().all(|(name, _)| name != *n)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("there is no bench `{unknown}`; known are {}", known.join(", "));
    }
    for (name, arguments) in
        BENCHES.iter().filter(|(name, _)| names.is_empty() || names.contains(name))
    {
        println!("== {name}");
        check(cargo().args(*arguments))?;
    }
    Ok(())
}
