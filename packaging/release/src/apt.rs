//! The package repository of Debian's family.
//!
//! ```text
//! apt/dists/stable/{Release,InRelease,Release.gpg}
//! apt/dists/stable/stratus/binary-<architecture>/Packages[.gz]
//! apt/pool/stratus/*.deb
//! Debian/12 -> ../apt     where the installer looks for it, and so on for each release it knows
//! ```

use crate::content::gzip;
use crate::deb;
use crate::release::Release;
use crate::run::bytes;
use crate::signature::Signer;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const SUITE: &str = "stable";
const COMPONENT: &str = "stratus";

/// A repository that may have packages of earlier releases.
pub(crate) struct Repository<'a> {
    folder: PathBuf,
    release: &'a Release,
}

impl<'a> Repository<'a> {
    pub(crate) fn at(folder: &Path, release: &'a Release) -> Result<Self> {
        let repository = Self { folder: folder.to_owned(), release };
        fs::create_dir_all(repository.pool())
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let version = format!("_{}_", release.version);
        refuse_known(&repository.pool(), &version, release)?;
        Ok(repository)
    }

    /// Where packages are put.
    pub(crate) fn pool(&self) -> PathBuf {
        self.folder.join("pool").join(COMPONENT)
    }

    /// Lists the packages, then the lists, and signs.
    pub(crate) fn index(&self, signer: Option<&Signer>) -> Result<()> {
        let architecture = deb::architecture(self.release)?;
        let dists = self.folder.join("dists").join(SUITE);
        let binary = dists.join(COMPONENT).join(format!("binary-{architecture}"));
        fs::create_dir_all(&binary)?;
        let mut scan = self.release.program("dpkg-scanpackages");
        scan.current_dir(&self.folder).args(["--multiversion", "--hash", "sha256"]);
        let list = bytes(scan.arg(format!("pool/{COMPONENT}")))?;
        fs::write(binary.join("Packages.gz"), gzip(&list)?)?;
        fs::write(binary.join("Packages"), list)?;
        let release = self.release_file(&dists, &architecture)?;
        let file = dists.join("Release");
        fs::write(&file, release)?;
        for name in ["InRelease", "Release.gpg"] {
            let signature = dists.join(name);
            match (signer, name) {
                (Some(signer), "InRelease") => signer.sign(&file, &signature, "--clearsign")?,
                (Some(signer), _) => signer.sign(&file, &signature, "--detach-sign")?,
                // A signature of an earlier index would be a wrong one.
                (None, _) if signature.exists() => fs::remove_file(&signature)?,
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn release_file(&self, dists: &Path, architecture: &str) -> Result<Vec<u8>> {
        // An older one would be listed in itself.
        for old in ["Release", "InRelease", "Release.gpg"] {
            let file = dists.join(old);
            if file.exists() {
                fs::remove_file(&file)?;
            }
        }
        let date = self.release.time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
        let mut make = self.release.program("apt-ftparchive");
        for (name, value) in [
            ("Origin", "Stratus"),
            ("Label", "Stratus"),
            ("Suite", SUITE),
            ("Codename", SUITE),
            ("Components", COMPONENT),
            ("Architectures", architecture),
            ("Date", &date),
        ] {
            make.args(["-o", &format!("APT::FTPArchive::Release::{name}={value}")]);
        }
        bytes(make.current_dir(&self.folder).arg("release").arg(format!("dists/{SUITE}")))
    }

    /// Writes the file for `/etc/apt/sources.list.d`, and the names that the installer knows.
    pub(crate) fn describe(&self, out: &Path, url: Option<&str>) -> Result<()> {
        links(out, self.release, "debian.toml", "apt")?;
        let Some(url) = url else { return Ok(()) };
        let text = format!(
            "Types: deb\nURIs: {}/apt\nSuites: {SUITE}\nComponents: {COMPONENT}\n\
             Signed-By: /etc/apt/keyrings/stratus.asc\n",
            url.trim_end_matches('/')
        );
        Ok(fs::write(out.join("stratus.sources"), text)?)
    }
}

/// What was published stays as it is: another version is needed for other bytes.
pub(crate) fn refuse_known(folder: &Path, version: &str, release: &Release) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains(version)) {
            bail!(
                "{} is there already; a package never changes: use another `--version` than {}, or another `--out`",
                path.display(),
                release.version
            );
        }
    }
    Ok(())
}

/// Links with the names under which the installer looks for packages of each system.
pub(crate) fn links(out: &Path, release: &Release, facts: &str, folder: &str) -> Result<()> {
    let file = release.checkout.join("installer/plan/metadata").join(facts);
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let table: toml::Table = toml::from_str(&text)?;
    let releases = table.get("release").and_then(toml::Value::as_array);
    let paths = releases.into_iter().flatten().filter_map(|r| r.get("path")?.as_str());
    for path in paths {
        let link = out.join(path);
        if link.symlink_metadata().is_ok() {
            continue;
        }
        let above = link.parent().context("the link is below the folder")?;
        fs::create_dir_all(above)?;
        let up = "../".repeat(path.split('/').count() - 1);
        symlink(format!("{up}{folder}"), &link)
            .with_context(|| format!("cannot make {}", link.display()))?;
    }
    Ok(())
}
