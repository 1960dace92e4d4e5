//! Everything that must hold before a change lands, in the order that fails fastest.

use crate::run::{cargo, check, fetch, find, step, tools};
use crate::{setup, side_by_side, tidy};
use anyhow::Result;
use std::process::Command;

/// Sets up, then checks everything.
pub(crate) fn run() -> Result<()> {
    step("setup", setup::run)?;
    step("format", || check(cargo().args(["fmt", "--all", "--check"])))?;
    step("tidy", tidy::run)?;
    step("licences and advisories", licences)?;
    step("lints", || {
        check(cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("documentation", || {
        check(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
            "doc",
            "--workspace",
            "--no-deps",
            "--locked",
            "--quiet",
        ]))
    })?;
    // The programs first: end-to-end tests start them by path.
    step("programs", || {
        check(cargo().args(["build", "--workspace", "--bins", "--examples", "--locked"]))
    })?;
    step("tests", side_by_side::run)
}

/// Licences, sources and banned crates always; advisories where the database can be had.
fn licences() -> Result<()> {
    let deny = match find("cargo-deny") {
        Some(installed) => installed,
        None => {
            let ours = tools().join("bin/cargo-deny");
            if !ours.is_file() {
                println!("installing cargo-deny from its package into {}", tools().display());
                // Unoptimised: it runs for a second, and building it optimised takes minutes.
                let install = [
                    "install",
                    "cargo-deny",
                    "--locked",
                    "--quiet",
                    "--debug",
                    "--version",
                    "0.20.2",
                ];
                let mut cargo = cargo();
                cargo.args(install).arg("--root").arg(tools()).env("CARGO_PROFILE_DEV_DEBUG", "0");
                fetch(&mut cargo)?;
            }
            ours
        }
    };
    let run = |checks: &[&str]| {
        let mut command = Command::new(&deny);
        command.current_dir(crate::run::root()).args(["--all-features", "check"]).args(checks);
        check(&mut command)
    };
    run(&["licenses", "bans", "sources"])?;
    let mut database = Command::new(&deny);
    database.current_dir(crate::run::root()).args(["fetch", "db"]);
    if database.status().is_ok_and(|s| s.success()) {
        return run(&["advisories"]);
    }
    println!(
        "LEFT OUT: the advisory check, as the advisory database cannot be reached from this machine"
    );
    Ok(())
}
