//! The same packages for the family of Enterprise Linux, in a signed repository of theirs.

use super::apt::SigningKey;
use super::deb::Package;
use crate::programs::{run, tool};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What things are called there: ours, theirs.
const NAMES: [(&str, &str); 3] =
    [("openssh-client", "openssh-clients"), ("passwd", "shadow-utils"), ("iproute2", "iproute")];

/// A dnf repository in a folder: packages, `repodata` and its signature.
#[derive(Clone, Debug)]
pub struct RpmRepository {
    folder: PathBuf,
}

impl RpmRepository {
    /// Builds one in a new folder, with packages and index signed by this key.
    ///
    /// # Panics
    /// A package or the index cannot be made.
    pub fn build(folder: &Path, packages: &[Package], key: &SigningKey) -> Self {
        let work = tempfile::tempdir().expect("a folder for packages");
        for package in packages {
            build(package, work.path());
        }
        fs::create_dir_all(folder).expect("a folder for a repository");
        let built = fs::read_dir(work.path().join("RPMS/noarch")).expect("packages were built");
        let files: Vec<_> = built
            .flatten()
            .map(|file| {
                let target = folder.join(file.file_name());
                fs::copy(file.path(), &target).expect("a package");
                target
            })
            .collect();
        // Debian's rpm looks for gpg2, and says little when there is none.
        run(tool("rpmsign", "rpm")
            .args(["--addsign", "--define", "__gpg /usr/bin/gpg", "--define", "_gpg_name Tests"])
            .args(["--define", &format!("_gpg_path {}", key.home().display())])
            .args(&files))
        .good();
        run(tool("createrepo_c", "createrepo-c").arg("--quiet").arg(folder)).good();
        let repository = Self { folder: folder.to_owned() };
        repository.sign(key);
        repository
    }

    /// Signs its index anew, with another key if wanted.
    ///
    /// # Panics
    /// It cannot be signed.
    pub fn sign(&self, key: &SigningKey) {
        let index = self.index();
        run(key
            .gpg()
            .args(["--yes", "--armor", "--detach-sign", "--output"])
            .arg(index.with_extension("xml.asc"))
            .arg(index))
        .good();
    }

    /// Changes its index after it was signed; it stays XML that can be read.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn tamper(&self) {
        let text = fs::read_to_string(self.index()).expect("an index");
        fs::write(self.index(), text + "<!-- changed -->\n").expect("an index");
    }

    fn index(&self) -> PathBuf {
        self.folder.join("repodata/repomd.xml")
    }
}

fn build(package: &Package, work: &Path) {
    let tree = work.join("tree").join(&package.name);
    fs::create_dir_all(&tree).expect("a folder for a package");
    package.lay_down_files(&tree);
    let file = work.join(format!("{}.spec", package.name));
    fs::write(&file, spec(package, &tree)).expect("a recipe");
    run(tool("rpmbuild", "rpm")
        .args(["--quiet", "-bb", "--define", &format!("_topdir {}", work.display())])
        .args(["--define", "__os_install_post %{nil}", "--define", "debug_package %{nil}"])
        // A daemon that a test gives is in a package for every machine.
        .args(["--define", "_binaries_in_noarch_packages_terminate_build 0"])
        .arg(file))
    .good();
}

fn spec(package: &Package, tree: &Path) -> String {
    let (version, release) = package.version.split_once('-').unwrap_or((&package.version, "1"));
    let mut spec = format!(
        "Name: {}\nVersion: {version}\nRelease: {release}\nSummary: {}\nLicense: none\n\
         BuildArch: noarch\nAutoReqProv: no\n",
        package.name, package.summary
    );
    for (_, needs) in package.fields.iter().filter(|(name, _)| name == "Depends") {
        for need in needs.split(',').map(str::trim) {
            let theirs = NAMES.iter().find(|(ours, _)| *ours == need).map_or(need, |(_, n)| n);
            let _ = writeln!(spec, "Requires: {theirs}");
        }
    }
    let _ = write!(
        spec,
        "%description\n{}\n%install\ncp -a {}/. %{{buildroot}}\n",
        package.summary,
        tree.display()
    );
    for (name, shell) in &package.scripts {
        // An upgrade runs the old package's script after the new one's: then nothing is removed.
        let (section, begin) = match name.as_str() {
            "postinst" => ("%post", "set -e -- configure"),
            "prerm" => ("%preun", "[ \"$1\" = 0 ] || exit 0"),
            other => panic!("no place for the script `{other}` in a package of this family"),
        };
        let _ = write!(spec, "{section}\n{begin}\n{}\n", shell.replace('%', "%%"));
    }
    spec += "%files\n";
    for (path, mode, _) in &package.files {
        let config = if path.starts_with("/etc/") { "%config(noreplace) " } else { "" };
        let _ = writeln!(spec, "{config}%attr({mode:o}, root, root) {path}");
    }
    for (path, _) in &package.links {
        let _ = writeln!(spec, "{path}");
    }
    spec
}
