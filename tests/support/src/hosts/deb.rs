//! Debian packages for tests, built from values.

use crate::programs::{run, tool};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A package that holds what a test says.
#[derive(Clone, Debug)]
pub struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) summary: String,
    /// Fields of its control file, such as `Depends`.
    pub(super) fields: Vec<(String, String)>,
    pub(super) files: Vec<(String, u32, Vec<u8>)>,
    pub(super) links: Vec<(String, String)>,
    /// `postinst` and the like, as shell without the first line.
    pub(super) scripts: Vec<(String, String)>,
}

impl Package {
    /// An empty package for every architecture.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: format!("{name}, a stand-in for tests"),
            fields: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            scripts: Vec::new(),
        }
    }

    /// With a field of the control file.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a file. Those below `/etc` are configuration files, as Debian's helpers have it.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), mode, bytes.into()));
        self
    }

    /// With a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// With a maintainer script: `preinst`, `postinst`, `prerm` or `postrm`.
    #[must_use]
    pub fn script(mut self, name: &str, shell: &str) -> Self {
        self.scripts.push((name.to_owned(), shell.to_owned()));
        self
    }

    /// Builds it into a folder, and gives the file.
    ///
    /// # Panics
    /// `dpkg-deb` does not like it; with what it said.
    pub fn build(&self, folder: &Path) -> PathBuf {
        let tree = tempfile::tempdir().expect("a folder for a package");
        self.lay_down(tree.path());
        let file = folder.join(format!("{}_{}_all.deb", self.name, self.version));
        // Not compressed: it is unpacked a moment later.
        run(tool("dpkg-deb", "dpkg")
            .args(["--build", "--root-owner-group", "-Znone"])
            .arg(tree.path())
            .arg(&file))
        .good();
        file
    }

    fn lay_down(&self, tree: &Path) {
        fs::set_permissions(tree, PermissionsExt::from_mode(0o755)).expect("a mode");
        self.lay_down_files(tree);
        write(tree, "DEBIAN/control", 0o644, self.control().as_bytes());
        let settings = self.files.iter().filter(|(path, ..)| path.starts_with("/etc/"));
        let settings: String = settings.map(|(path, ..)| format!("{path}\n")).collect();
        write(tree, "DEBIAN/conffiles", 0o644, settings.as_bytes());
        for (name, shell) in &self.scripts {
            let script = format!("#!/bin/sh\nset -e\n{shell}\n");
            write(tree, &format!("DEBIAN/{name}"), 0o755, script.as_bytes());
        }
    }

    /// The files and links, below a folder.
    pub(super) fn lay_down_files(&self, tree: &Path) {
        for (path, mode, bytes) in &self.files {
            write(tree, path, *mode, bytes);
        }
        for (path, target) in &self.links {
            let link = tree.join(path.trim_start_matches('/'));
            fs::create_dir_all(link.parent().expect("an absolute path")).expect("a folder");
            symlink(target, link).expect("a link");
        }
    }

    fn control(&self) -> String {
        let Self { name, version, summary, .. } = self;
        let mut control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\n\
             Maintainer: Tests <tests@example.org>\nDescription: {summary}\n"
        );
        for (name, value) in &self.fields {
            let _ = writeln!(control, "{name}: {value}");
        }
        control
    }
}

fn write(tree: &Path, path: &str, mode: u32, bytes: &[u8]) {
    let file = tree.join(path.trim_start_matches('/'));
    fs::create_dir_all(file.parent().expect("an absolute path")).expect("a folder");
    fs::write(&file, bytes).expect("a file of the package");
    fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("a mode");
}
