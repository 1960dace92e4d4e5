//! The repository's own rules, each with its cure in the message.

use crate::run::{cargo, output, root};
use crate::setup;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Crates that may not open files or sockets, look at the clock, or be async.
const PURE: [&str; 12] = [
    "manifests/model",
    "manifests/dsig",
    "manifests/x509",
    "manifests/format",
    "manifests/sections",
    "repository/api",
    "repository/cache-policy",
    "installer/site",
    "installer/network",
    "installer/plan",
    "installer/monitor-state",
    "quattor/export",
];

/// What a pure crate does not mention outside of its tests.
const IMPURE: [&str; 8] = [
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::env",
    "SystemTime::now",
    "Timestamp::now",
    "Instant::now",
    "tokio",
];

/// Checks every rule and reports all that is broken.
pub(crate) fn run() -> Result<()> {
    let files = tracked()?;
    let mut broken = Vec::new();
    purity(&files, &mut broken)?;
    commands(&files, &mut broken)?;
    crates_explain_themselves(&files, &mut broken)?;
    dependencies_are_documented(&mut broken)?;
    packages_are_told(&mut broken)?;
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{} rules are broken:\n{}", broken.len(), broken.join("\n"))
}

fn tracked() -> Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    let list = output(git.current_dir(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    Ok(list.lines().map(PathBuf::from).filter(|file| root().join(file).is_file()).collect())
}

fn purity(files: &[PathBuf], broken: &mut Vec<String>) -> Result<()> {
    for pure in PURE {
        // A file `tests.rs` is the test module of the file above it.
        let code = |f: &&PathBuf| {
            f.starts_with(Path::new(pure).join("src")) && is_rust(f) && !f.ends_with("tests.rs")
        };
        for file in files.iter().filter(code) {
            let text = read(file)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let spoken = line.trim_start().starts_with("//");
                if let Some(word) = IMPURE.iter().find(|w| !spoken && line.contains(**w)) {
                    broken.push(format!(
                        "{}:{}: `{word}` in a pure crate; take the value as an argument instead",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    Ok(())
}

/// One command, one file, named like the command, in the README and with a test, which is elsewhere.
fn commands(files: &[PathBuf], broken: &mut Vec<String>) -> Result<()> {
    let readme = read(Path::new("README.md"))?;
    let tests: String = files
        .iter()
        .filter(|f| is_rust(f) && f.components().any(|c| c.as_os_str() == "tests"))
        .map(|f| read(f))
        .collect::<Result<_>>()?;
    for file in
        files.iter().filter(|f| is_rust(f) && f.parent().is_some_and(|p| p.ends_with("src/bin")))
    {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("stratus-") {
            broken.push(format!("{}: a command is called stratus-<name>", file.display()));
        }
        if !readme.contains(&name) {
            broken.push(format!("{}: the README does not mention `{name}`", file.display()));
        }
        if !tests.contains(&name) {
            broken.push(format!("{}: no test runs `{name}`", file.display()));
        }
        // `side_by_side::build` builds no test program of a command.
        if read(file)?.contains("#[cfg(test)]") {
            broken.push(format!("{}: put what has tests into a library", file.display()));
        }
    }
    Ok(())
}

fn crates_explain_themselves(files: &[PathBuf], broken: &mut Vec<String>) -> Result<()> {
    for file in files.iter().filter(|f| f.ends_with("src/lib.rs")) {
        if !read(file)?.starts_with("//!") {
            broken.push(format!("{}: begin with what the crate is for (`//! …`)", file.display()));
        }
    }
    Ok(())
}

/// Every library of the workspace has its line in docs/dependencies.md.
fn dependencies_are_documented(broken: &mut Vec<String>) -> Result<()> {
    let page = read(Path::new("docs/dependencies.md"))?;
    let manifest = read(Path::new("Cargo.toml"))?;
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|l| l.split_once(" = ")).map(|(name, _)| name.trim());
    for name in names.filter(|n| !n.starts_with("stratus-") && !n.starts_with('#')) {
        if !page.contains(&format!("`{name}`")) {
            broken.push(format!("docs/dependencies.md: say in one line why `{name}` is used"));
        }
    }
    // A lock file that cargo would change means that a build elsewhere differs from ours.
    output(cargo().args(["metadata", "--locked", "--format-version", "1", "--no-deps"]))
        .context("Cargo.lock does not fit the manifests; run `cargo build` and commit it")?;
    Ok(())
}

/// The README names every Debian package that the test run installs or unpacks, and no others.
fn packages_are_told(broken: &mut Vec<String>) -> Result<()> {
    let readme = read(Path::new("README.md"))?;
    let list = readme.split("(Debian packages ").nth(1).and_then(|rest| rest.split(')').next());
    let told: BTreeSet<&str> = list.unwrap_or_default().split('`').skip(1).step_by(2).collect();
    // Not Debian's, and its folder.
    let others = ["cargo-deny", "target/tools"].into();
    let needed: BTreeSet<&str> = setup::packages().collect();
    for package in needed.difference(&told) {
        broken.push(format!("README.md: name `{package}` among what the test run installs"));
    }
    for package in told.difference(&needed.union(&others).copied().collect()) {
        broken.push(format!("README.md: the test run does not install `{package}`"));
    }
    Ok(())
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "rs")
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(root().join(file))
        .with_context(|| format!("cannot read {}", file.display()))
}
