//! Signatures by gpg, with a key that it has.

use crate::run::{bytes, check, program, text};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// A key that signs.
pub(crate) struct Signer {
    fingerprint: String,
}

impl Signer {
    /// The key that gpg knows by this name.
    pub(crate) fn of(key: &str) -> Result<Self> {
        let list = text(gpg().args(["--with-colons", "--list-secret-keys", "--", key]))
            .with_context(|| format!("gpg has no secret key `{key}`"))?;
        let mut prints = list.lines().filter_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = prints.next().map(|rest| rest.trim_matches(':').to_owned());
        // A second primary key has its own line `sec`.
        if list.lines().filter(|line| line.starts_with("sec:")).count() != 1 {
            bail!("gpg has several secret keys `{key}`; give the fingerprint of one");
        }
        let fingerprint = fingerprint.context("gpg did not tell the key's fingerprint")?;
        Ok(Self { fingerprint })
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Writes the public half.
    pub(crate) fn publish(&self, file: &Path) -> Result<()> {
        fs::write(file, bytes(gpg().args(["--armor", "--export", &self.fingerprint]))?)?;
        Ok(())
    }

    /// Signs `<file>` in `<file>.<ending>`, readable as text.
    pub(crate) fn sign_beside(&self, file: &Path, ending: &str) -> Result<()> {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{ending}"));
        self.sign(file, Path::new(&name), "--detach-sign")
    }

    /// Signs a file in another; `how` is gpg's option.
    pub(crate) fn sign(&self, file: &Path, signature: &Path, how: &str) -> Result<()> {
        let mut gpg = gpg();
        gpg.args(["--yes", "--armor", "--local-user", &self.fingerprint, how, "--output"]);
        check(gpg.arg(signature).arg(file))
    }
}

fn gpg() -> std::process::Command {
    let mut command = program("gpg");
    command.args(["--batch", "--quiet"]);
    command
}
