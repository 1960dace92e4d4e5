//! What all packages of a release have in common.

use crate::run::{program, text};
use crate::signature::Signer;
use crate::{Arguments, run};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tempfile::TempDir;

/// Who answers for packages that nobody else answers for.
pub(crate) const MAINTAINER: &str = "Stratus packagers <packagers@stratus.invalid>";

/// One release.
pub(crate) struct Release {
    pub(crate) checkout: PathBuf,
    /// The tree of installed files.
    pub(crate) root: PathBuf,
    pub(crate) version: Version,
    pub(crate) maintainer: String,
    /// When the commit was made.
    pub(crate) time: Timestamp,
    /// What the licences of the libraries ask to be said.
    pub(crate) notices: String,
    pub(crate) quick: bool,
    /// Where unfinished things are.
    pub(crate) work: TempDir,
}

impl Release {
    pub(crate) fn new(
        checkout: PathBuf,
        root: PathBuf,
        arguments: &Arguments,
        notices: String,
    ) -> Result<Self> {
        let version = match &arguments.version {
            Some(version) => version.clone(),
            None => format!("{}-1", env!("CARGO_PKG_VERSION")).parse()?,
        };
        let time = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(seconds) => seconds,
            Err(_) => {
                text(program("git").current_dir(&checkout).args(["log", "-1", "--format=%ct"]))
                    .context("SOURCE_DATE_EPOCH is not set, and git does not know the commit")?
            }
        };
        let seconds = time.trim().parse().context("the time of the commit is no number")?;
        let work = tempfile::Builder::new().prefix("stratus-release-").tempdir()?;
        Ok(Self {
            checkout,
            root,
            version,
            maintainer: arguments.maintainer.clone(),
            time: Timestamp::from_second(seconds)?,
            notices,
            quick: arguments.quick,
            work,
        })
    }

    /// A program for which it is the time of the commit.
    pub(crate) fn program(&self, name: &str) -> std::process::Command {
        let mut command = run::program(name);
        command.env("SOURCE_DATE_EPOCH", self.time.as_second().to_string());
        command
    }

    /// An empty folder of this name among the unfinished things.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.path().join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Version and revision, as both families understand them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) upstream: String,
    pub(crate) revision: String,
}

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let fits = |part: &str, more: &str| {
            part.starts_with(|c: char| c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        match text.split_once('-') {
            Some((upstream, revision)) if fits(upstream, ".~") && fits(revision, ".~") => {
                Ok(Self { upstream: upstream.to_owned(), revision: revision.to_owned() })
            }
            _ => {
                bail!("`{text}` is no version with a revision, such as `1.2.0-1` or `1.3.0~rc1-1`")
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.upstream, self.revision)
    }
}

/// Writes `SHA256SUMS` over everything in the folder.
pub(crate) fn checksums(out: &Path, signer: Option<&Signer>) -> Result<()> {
    let sums = out.join("SHA256SUMS");
    let mut lines = String::new();
    for path in files(out)? {
        // Links to folders are other names of what is listed.
        if path.starts_with("SHA256SUMS") {
            continue;
        }
        lines += &format!("{}  {path}\n", sha256(&out.join(&path))?);
    }
    fs::write(&sums, lines)?;
    signer.map_or(Ok(()), |signer| signer.sign_beside(&sums, "asc"))
}

fn sha256(file: &Path) -> Result<String> {
    let (mut digest, mut file) = (Sha256::new(), File::open(file)?);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// Every file below a folder, by its path from there, sorted.
fn files(top: &Path) -> Result<BTreeSet<String>> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![top.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_type()?.is_file() {
                found.insert(entry.path().strip_prefix(top)?.display().to_string());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_both_families() {
        let version: Version = "1.3.0~rc1-2".parse().unwrap();
        assert_eq!((version.upstream.as_str(), version.revision.as_str()), ("1.3.0~rc1", "2"));
        assert_eq!(version.to_string(), "1.3.0~rc1-2");
        for wrong in ["1.0", "", "-1", "v1.0-1", "1.0-", "1:1.0-1", "1.0-1-1", "1.0 -1"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
