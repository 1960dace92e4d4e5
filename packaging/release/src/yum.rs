//! The package repository of RPM's family, for dnf, yum and zypper: `yum/<architecture>/*.rpm` with
//! `repodata`.

use crate::apt::{links, refuse_known};
use crate::release::Release;
use crate::rpm::architecture;
use crate::run::{check, text};
use crate::signature::Signer;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A repository that may have packages of earlier releases.
pub(crate) struct Repository<'a> {
    /// With the architecture.
    folder: PathBuf,
    release: &'a Release,
}

impl<'a> Repository<'a> {
    pub(crate) fn at(folder: &Path, release: &'a Release) -> Result<Self> {
        let folder = folder.join(architecture());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        refuse_known(&folder, &format!("-{}.", release.version), release)?;
        Ok(Self { folder, release })
    }

    /// Takes packages in, signed.
    pub(crate) fn take(&self, packages: &[PathBuf], signer: Option<&Signer>) -> Result<()> {
        let mut taken = Vec::new();
        for package in packages {
            let target = self.folder.join(package.file_name().context("a package has a name")?);
            fs::copy(package, &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
            taken.push(target);
        }
        if let Some(signer) = signer {
            self.sign(&taken, signer)?;
        }
        for package in &taken {
            // The index has this time of each package.
            let seconds = u64::try_from(self.release.time.as_second()).unwrap_or_default();
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            File::options().append(true).open(package)?.set_modified(time)?;
        }
        Ok(())
    }

    /// Signs packages, and has rpm itself say that it accepts them: what `rpmsign` could not do is
    /// easy to miss.
    fn sign(&self, packages: &[PathBuf], signer: &Signer) -> Result<()> {
        let key = signer.fingerprint();
        let mut sign = self.release.program("rpmsign");
        sign.args(["--addsign", "--define", "__gpg /usr/bin/gpg"]);
        check(sign.args(["--define", &format!("_gpg_name {key}")]).args(packages))?;
        let database = self.release.folder("rpmdb")?;
        let public = database.join("key.asc");
        signer.publish(&public)?;
        let rpmkeys = || {
            let mut command = self.release.program("rpmkeys");
            command.arg("--dbpath").arg(&database);
            command
        };
        check(rpmkeys().arg("--import").arg(&public))?;
        let said = text(rpmkeys().args(["--checksig"]).args(packages))?;
        let unsigned: Vec<_> =
            said.lines().filter(|line| !line.ends_with(": digests signatures OK")).collect();
        if !unsigned.is_empty() {
            bail!("rpm does not accept its own signature:\n{}", unsigned.join("\n"));
        }
        Ok(())
    }

    /// Makes the index anew, and signs it.
    pub(crate) fn index(&self, signer: Option<&Signer>) -> Result<()> {
        let revision = self.release.time.as_second().to_string();
        let mut make = self.release.program("createrepo_c");
        make.args(["--quiet", "--no-database", "--set-timestamp-to-revision", "--revision"]);
        check(make.arg(revision).arg(&self.folder))?;
        let index = self.folder.join("repodata/repomd.xml");
        if let Some(signer) = signer {
            signer.sign_beside(&index, "asc")?;
            // zypper asks for the key there.
            signer.publish(&index.with_extension("xml.key"))?;
        }
        Ok(())
    }

    /// Writes the file for `/etc/yum.repos.d`, and the names that the installer knows.
    pub(crate) fn describe(&self, out: &Path, url: Option<&str>) -> Result<()> {
        for facts in ["el.toml", "suse.toml"] {
            links(out, self.release, facts, "yum")?;
        }
        let Some(url) = url else { return Ok(()) };
        let url = url.trim_end_matches('/');
        let text = format!(
            "[stratus]\nname=Stratus\nbaseurl={url}/yum/$basearch\nenabled=1\ngpgcheck=1\n\
             repo_gpgcheck=1\ngpgkey={url}/stratus.asc\n"
        );
        Ok(fs::write(out.join("stratus.repo"), text)?)
    }
}
