//! What a package puts on a disk.

use crate::Family;
use crate::description::Package;
use crate::programs::{Program, Programs};
use crate::release::Release;
use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// One thing on the disk, by its absolute path.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) source: Source,
}

/// What it is for package managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Program,
    Plain,
    /// The administrator's to change.
    Settings,
    Document,
    Licence,
}

/// Where its bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
    Link(String),
}

impl Entry {
    pub(crate) fn bytes(path: String, kind: Kind, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path, kind, source: Source::Bytes(bytes.into()) }
    }

    /// The mode that it is installed with.
    pub(crate) fn mode(&self) -> u32 {
        if self.kind == Kind::Program { 0o755 } else { 0o644 }
    }
}

/// Everything that a package has.
pub(crate) fn of(
    release: &Release,
    package: &Package,
    programs: &Programs,
    family: Family,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for name in &package.programs {
        let program = programs.get(name).with_context(|| format!("`{name}` was not prepared"))?;
        of_program(name, program, family, &mut entries)?;
    }
    for path in &package.files {
        let source = Source::File(release.root.join(path.trim_start_matches('/')));
        let kind = if path.starts_with("/etc/") { Kind::Settings } else { Kind::Plain };
        entries.push(Entry { path: path.clone(), kind, source });
    }
    documents(release, package, family, &mut entries)?;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(entries)
}

/// The symbols of its programs, with the document that each package has.
pub(crate) fn of_symbols(package: &Package, programs: &Programs) -> Vec<Entry> {
    let symbols = package.programs.iter().filter_map(|name| programs.get(name)?.symbols.clone());
    let entry = |(file, path)| Entry { path, kind: Kind::Plain, source: Source::File(file) };
    symbols.map(entry).collect()
}

fn of_program(
    name: &str,
    program: &Program,
    family: Family,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let source = Source::File(program.stripped.clone());
    entries.push(Entry { path: format!("/usr/bin/{name}"), kind: Kind::Program, source });
    let manual = format!("/usr/share/man/man1/{name}.1.gz");
    entries.push(Entry::bytes(manual, Kind::Document, gzip(&program.manual)?));
    // Debian's zsh has a folder of its own for what packages bring.
    let zsh = if family == Family::Deb { "vendor-completions" } else { "site-functions" };
    for (path, bytes) in [
        (format!("/usr/share/bash-completion/completions/{name}"), &program.bash),
        (format!("/usr/share/zsh/{zsh}/_{name}"), &program.zsh),
        (format!("/usr/share/fish/vendor_completions.d/{name}.fish"), &program.fish),
    ] {
        entries.push(Entry::bytes(path, Kind::Plain, bytes.clone()));
    }
    Ok(())
}

fn documents(
    release: &Release,
    package: &Package,
    family: Family,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let folder = format!("/usr/share/doc/{}", package.name);
    let page = |path: &str| {
        let file = release.checkout.join(path);
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    for path in &package.docs {
        let name = Path::new(path).file_name().context("a page has a name")?.to_string_lossy();
        let target = format!("{folder}/{name}.gz");
        entries.push(Entry::bytes(target, Kind::Document, gzip(&page(path)?)?));
    }
    if !package.programs.is_empty() {
        let notices = gzip(release.notices.as_bytes())?;
        let path = format!("{folder}/third-party-notices.gz");
        entries.push(Entry::bytes(path, Kind::Licence, notices));
    }
    match family {
        Family::Deb => {
            let changes = gzip(&page("CHANGELOG.md")?)?;
            entries.push(Entry::bytes(format!("{folder}/changelog.gz"), Kind::Document, changes));
            let debian = gzip(debian_changes(release).as_bytes())?;
            let path = format!("{folder}/changelog.Debian.gz");
            entries.push(Entry::bytes(path, Kind::Document, debian));
            let copyright = COPYRIGHT.as_bytes();
            entries.push(Entry::bytes(format!("{folder}/copyright"), Kind::Licence, copyright));
        }
        Family::Rpm => {
            let path = format!("/usr/share/licenses/{}/LICENSE", package.name);
            entries.push(Entry::bytes(path, Kind::Licence, page("LICENSE")?));
            let changes = page("CHANGELOG.md")?;
            entries.push(Entry::bytes(format!("{folder}/CHANGELOG.md"), Kind::Document, changes));
        }
    }
    Ok(())
}

const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: stratus
Comment: Programs contain libraries of others; third-party-notices.gz beside this
 file has their licences.

Files: *
Copyright: 2026 the authors of Stratus
License: Apache-2.0
 On Debian systems the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
";

fn debian_changes(release: &Release) -> String {
    format!(
        "stratus ({}) stable; urgency=medium\n\n  * What is new is in changelog.gz.\n\n -- {}  {}\n",
        release.version,
        release.maintainer,
        release.time.strftime("%a, %d %b %Y %H:%M:%S +0000")
    )
}

/// gzip without a time and a name, so that the same bytes give the same file.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzBuilder::new().write(Vec::new(), Compression::best());
    out.write_all(bytes)?;
    Ok(out.finish()?)
}

/// Writes entries below a folder.
pub(crate) fn lay_down(entries: &[Entry], folder: &Path) -> Result<()> {
    for entry in entries {
        let target = folder.join(entry.path.trim_start_matches('/'));
        let above = target.parent().context("an entry is below the folder")?;
        folders(above, folder)?;
        match &entry.source {
            Source::Bytes(bytes) => fs::write(&target, bytes)?,
            // Programs and symbols are large, and are only read: a link does.
            Source::File(file) if entry.kind == Kind::Program => link_or_copy(file, &target)?,
            Source::File(file) => {
                fs::copy(file, &target)
                    .with_context(|| format!("cannot copy {}", file.display()))?;
            }
            Source::Link(to) => {
                symlink(to, &target)?;
                continue;
            }
        }
        fs::set_permissions(&target, PermissionsExt::from_mode(entry.mode()))?;
    }
    Ok(())
}

fn link_or_copy(file: &Path, target: &Path) -> Result<()> {
    if fs::hard_link(file, target).is_err() {
        fs::copy(file, target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Folders with the mode that they are installed with, whatever the umask is.
fn folders(folder: &Path, top: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| above.starts_with(top)) {
        folders(above, top)?;
    }
    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    Ok(())
}
