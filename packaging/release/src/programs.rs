//! Programs as they are installed, and what is made from them: debug symbols, manual pages,
//! completions.

use crate::description::Package;
use crate::release::Release;
use crate::run::{bytes, check, text};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

/// Every program of the packages, by name.
pub(crate) type Programs = BTreeMap<String, Program>;

/// One of them.
pub(crate) struct Program {
    pub(crate) stripped: PathBuf,
    /// The symbols, and where debuggers look for them.
    pub(crate) symbols: Option<(PathBuf, String)>,
    pub(crate) manual: Vec<u8>,
    pub(crate) bash: Vec<u8>,
    pub(crate) zsh: Vec<u8>,
    pub(crate) fish: Vec<u8>,
}

/// Prepares them all, as many at once as there are processors.
pub(crate) fn prepare(release: &Release, packages: &[Package], built: &Path) -> Result<Programs> {
    let names: Vec<_> = packages.iter().flat_map(|package| &package.programs).collect();
    let folder = release.folder("programs")?;
    let (queue, done) = (Mutex::new(names.into_iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().ok().and_then(|mut names| names.next());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    let one = Program::prepare(release, &built.join(name), &folder);
                    let one = one.with_context(|| format!("`{name}` cannot be packed"));
                    if let Ok(mut done) = done.lock() {
                        done.push((name.clone(), one));
                    }
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_default();
    done.into_iter().map(|(name, one)| Ok((name, one?))).collect()
}

impl Program {
    fn prepare(release: &Release, built: &Path, folder: &Path) -> Result<Self> {
        if !built.is_file() {
            bail!("{} is not there: build it", built.display());
        }
        let name = built.file_name().context("a program has a name")?;
        let stripped = folder.join(name);
        let symbols = if release.quick { None } else { Some(symbols(release, built, &stripped)?) };
        let mut strip = release.program("strip");
        strip.args(["--remove-section=.comment", "--remove-section=.note", "-o"]);
        check(strip.arg(&stripped).arg(built))?;
        if let Some((file, _)) = &symbols {
            let mut link = release.program("objcopy");
            check(link.arg(format!("--add-gnu-debuglink={}", file.display())).arg(&stripped))?;
        }
        let made =
            |what| bytes(release.program(&built.display().to_string()).args(["--generate", what]));
        let (manual, bash) = (made("man")?, made("bash")?);
        Ok(Self { stripped, symbols, manual, bash, zsh: made("zsh")?, fish: made("fish")? })
    }
}

fn symbols(release: &Release, built: &Path, stripped: &Path) -> Result<(PathBuf, String)> {
    let id = build_id(&text(release.program("readelf").arg("--notes").arg(built))?)
        .with_context(|| format!("{} has no build id; link with --build-id", built.display()))?;
    let file = stripped.with_extension("debug");
    let mut copy = release.program("objcopy");
    copy.args(["--only-keep-debug", "--compress-debug-sections"]);
    check(copy.arg(built).arg(&file))?;
    let (folder, rest) = id.split_at(2);
    Ok((file, format!("/usr/lib/debug/.build-id/{folder}/{rest}.debug")))
}

/// The build's name, from what readelf prints.
fn build_id(notes: &str) -> Option<String> {
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "))?.trim();
    (id.len() > 8 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// The size of a file in KiB, rounded up.
pub(crate) fn kibibytes(file: &Path) -> Result<u64> {
    let about = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(about.len().div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_read_from_the_notes() {
        let notes = "  GNU  0x14  NT_GNU_BUILD_ID\n    Build ID: 519cfff1ece47c254cf9480ad6e2\n";
        assert_eq!(build_id(notes).as_deref(), Some("519cfff1ece47c254cf9480ad6e2"));
        assert_eq!(build_id("    OS: Linux, ABI: 3.2.0\n"), None);
    }
}
