//! Building the programs of a release.

use crate::run::text;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the programs of these crates, and gives the folder they are in.
pub(crate) fn all(checkout: &Path, crates: &[String], release: bool) -> Result<PathBuf> {
    let cargo = || {
        let name = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(name);
        command.current_dir(checkout).stdin(Stdio::null());
        command
    };
    let mut build = cargo();
    build.args(["build", "--locked", "--bins"]);
    if release {
        // Debug symbols for their own packages; no path of this machine; a name for each build, by
        // which debuggers find its symbols.
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        let home = home.context("neither CARGO_HOME nor HOME is set")?;
        let (here, home) = (checkout.display(), home.display());
        let flags = format!(
            "--remap-path-prefix={here}=/usr/src/stratus --remap-path-prefix={home}=/usr/src/cargo \
             -Clink-arg=-Wl,--build-id=sha1"
        );
        let map = format!(
            "-ffile-prefix-map={here}=/usr/src/stratus -ffile-prefix-map={home}=/usr/src/cargo"
        );
        build
            .arg("--release")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_RELEASE_STRIP", "none")
            .env("RUSTFLAGS", flags)
            .env("CFLAGS", map);
    }
    for name in crates {
        build.args(["-p", name]);
    }
    if !build.status().context("cannot start cargo")?.success() {
        bail!("the programs do not build");
    }
    let folder = text(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let folder: serde_json::Value = serde_json::from_str(&folder)?;
    let target = folder["target_directory"].as_str().context("cargo names no build folder")?;
    Ok(Path::new(target).join(if release { "release" } else { "debug" }))
}
