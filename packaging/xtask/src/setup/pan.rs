//! The pan compiler of Quattor, where it can be had.

use crate::run::{find, tools};
use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The compiler as Maven names it.
const ARTIFACT: &str = "org.quattor.pan:panc:10.8";

/// Looks for the compiler, asks Maven for it where there is a Maven, and says what is left out
/// where there is none.
pub(super) fn compiler() -> Result<()> {
    let named = std::env::var_os("STRATUS_PANC").map(PathBuf::from);
    let ours = tools().join("bin/panc");
    let here = named.or_else(|| find("panc")).or_else(|| ours.is_file().then(|| ours.clone()));
    if let Some(file) = here {
        println!("pan compiler: {}", file.display());
        return Ok(());
    }
    let reason = match find("mvn") {
        None => "there is no `panc` here, and no `mvn` to ask for it".to_owned(),
        Some(mvn) if asked(&mvn, &ours)? => {
            println!("pan compiler: {}", ours.display());
            return Ok(());
        }
        Some(_) => format!("Maven has no {ARTIFACT}"),
    };
    println!(
        "LEFT OUT: profiles for Quattor as the pan compiler itself compiles them: {reason}; \
         STRATUS_PANC may name its program. Templates are read by a reader of the tests instead"
    );
    Ok(())
}

/// Asks Maven for the compiler with what it needs. True where it came.
fn asked(mvn: &Path, program: &Path) -> Result<bool> {
    println!("asking Maven for {ARTIFACT}");
    let store = tools().join("maven");
    let got = Command::new(mvn)
        .args(["--batch-mode", "--quiet"])
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get")
        .arg(format!("-Dartifact={ARTIFACT}"))
        .arg(format!("-Dmaven.repo.local={}", store.display()))
        .stdout(Stdio::null())
        .status()
        .context("cannot run mvn")?;
    if !got.success() {
        return Ok(false);
    }
    let parts = ["org/quattor", "org/clojure", "com/google/code/gson", "org/apache/commons"];
    let mut jars = Vec::new();
    for folder in parts.map(|part| store.join(part)).iter().filter(|folder| folder.is_dir()) {
        jars_below(folder, &mut jars)?;
    }
    jars.sort();
    let path = std::env::join_paths(&jars)?;
    let text = format!(
        "#!/bin/sh\nexec java -cp '{}' clojure.main -m org.quattor.pan.pan-compiler \"$@\"\n",
        path.to_string_lossy()
    );
    std::fs::create_dir_all(program.parent().context("the program has a folder")?)?;
    std::fs::write(program, text)?;
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?;
    Ok(true)
}

fn jars_below(folder: &Path, jars: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            jars_below(&path, jars)?;
        } else if path.extension().is_some_and(|end| end == "jar") {
            jars.push(path);
        }
    }
    Ok(())
}
