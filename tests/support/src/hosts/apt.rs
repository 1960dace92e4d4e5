//! Signed apt repositories, made by the tools that others make theirs with.

use super::deb::Package;
use crate::programs::{run, tool};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository in a folder, and the key that signs it.
///
/// ```text
/// <folder>/dists/<suite>/{Release,InRelease,Release.gpg}
/// <folder>/dists/<suite>/<component>/binary-amd64/Packages
/// <folder>/pool/<component>/*.deb
/// ```
#[derive(Clone, Debug)]
pub struct AptRepository {
    folder: PathBuf,
    suite: String,
    component: String,
}

impl AptRepository {
    /// Builds one in a new folder, signed with this key.
    ///
    /// # Panics
    /// A package or an index cannot be made.
    pub fn build(
        folder: &Path,
        suite: &str,
        component: &str,
        packages: &[Package],
        key: &SigningKey,
    ) -> Self {
        let work = tempfile::tempdir().expect("a folder for packages");
        let files: Vec<_> = packages.iter().map(|package| package.build(work.path())).collect();
        Self::of_files(folder, suite, component, &files, key)
    }

    /// The same of packages that are built already.
    pub(super) fn of_files(
        folder: &Path,
        suite: &str,
        component: &str,
        packages: &[PathBuf],
        key: &SigningKey,
    ) -> Self {
        let repository = Self {
            folder: folder.to_owned(),
            suite: suite.to_owned(),
            component: component.to_owned(),
        };
        let pool = folder.join("pool").join(component);
        fs::create_dir_all(&pool).expect("a folder for packages");
        for package in packages {
            let name = package.file_name().expect("a package's file");
            fs::copy(package, pool.join(name)).expect("a package");
        }
        repository.index();
        repository.sign(key);
        repository
    }

    /// Its `Release` file.
    pub fn release(&self) -> PathBuf {
        self.dists().join("Release")
    }

    /// Changes what its `Release` says after it was signed, as somebody on the way would.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn tamper(&self) {
        for name in ["Release", "InRelease"] {
            let file = self.dists().join(name);
            let text = fs::read_to_string(&file).expect("a release file");
            fs::write(&file, text.replace("Origin: Tests", "Origin: Other"))
                .expect("a release file");
        }
    }

    /// Signs it anew, with another key if wanted.
    ///
    /// # Panics
    /// It cannot be signed.
    pub fn sign(&self, key: &SigningKey) {
        let dists = self.dists();
        for (how, name) in [("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")] {
            run(key
                .gpg()
                .args(["--yes", "--armor", how, "--output"])
                .arg(dists.join(name))
                .arg(dists.join("Release")))
            .good();
        }
    }

    fn dists(&self) -> PathBuf {
        self.folder.join("dists").join(&self.suite)
    }

    /// Lists the packages, then the lists.
    fn index(&self) {
        let Self { folder, suite, component, .. } = self;
        let binary = self.dists().join(component).join("binary-amd64");
        fs::create_dir_all(&binary).expect("a folder for an index");
        let packages = ftparchive(folder, &["packages", &format!("pool/{component}")]);
        fs::write(binary.join("Packages"), packages).expect("an index");
        let option = |name: &str, value: &str| format!("APT::FTPArchive::Release::{name}={value}");
        let options = [
            option("Origin", "Tests"),
            option("Suite", suite),
            option("Codename", suite),
            option("Components", component),
            option("Architectures", "amd64"),
        ];
        let mut words = Vec::new();
        for option in &options {
            words.extend(["-o", option.as_str()]);
        }
        let dists = format!("dists/{suite}");
        words.extend(["release", dists.as_str()]);
        let release = ftparchive(folder, &words);
        fs::write(self.release(), release).expect("a release file");
    }
}

/// A key that signs repositories; its agent ends when it is dropped.
pub struct SigningKey {
    home: PathBuf,
}

impl SigningKey {
    /// A new key, kept in a new folder. The folder's path has to be short: `gpg` puts sockets there.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn new(home: &Path) -> Self {
        fs::create_dir_all(home).expect("a folder for keys");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(home, mode).expect("a mode");
        let key = Self { home: home.to_owned() };
        let name = "Tests <tests@example.org>";
        run(key.gpg().args([
            "--passphrase",
            "",
            "--quick-generate-key",
            name,
            "rsa3072",
            "sign",
            "0",
        ]))
        .good();
        key
    }

    /// Writes the public half, readable as OpenNebula's own is.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn publish(&self, file: &Path) {
        let out = File::create(file).expect("a file for the key");
        let done = self.gpg().args(["--armor", "--export"]).stdout(out).status();
        assert!(done.expect("gpg starts").success(), "the key is written");
    }

    /// The folder it is kept in.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn gpg(&self) -> Command {
        let mut command = tool("gpg", "gnupg");
        command.args(["--batch", "--quiet", "--homedir"]).arg(&self.home).stdin(Stdio::null());
        command
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        run(tool("gpgconf", "gnupg").arg("--homedir").arg(&self.home).args(["--kill", "all"]));
    }
}

fn ftparchive(folder: &Path, words: &[&str]) -> String {
    run(tool("apt-ftparchive", "apt-utils").current_dir(folder).args(words)).good().stdout
}
