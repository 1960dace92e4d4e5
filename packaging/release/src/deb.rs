//! Debian packages, by `dpkg-deb`.

use crate::Family;
use crate::content::{self, Entry, Kind, Source};
use crate::description::Package;
use crate::programs::{Programs, kibibytes};
use crate::release::Release;
use crate::run::{check, text};
use crate::scripts;
use anyhow::{Context, Result};
use md5::{Digest, Md5};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Builds a package into a folder, and one with the debug symbols of its programs.
pub(crate) fn build(
    release: &Release,
    package: &Package,
    programs: &Programs,
    out: &Path,
) -> Result<()> {
    let architecture = architecture(release)?;
    let entries = content::of(release, package, programs, Family::Deb)?;
    let deb = Deb {
        release,
        architecture: if package.is_portable() { "all" } else { &architecture },
        name: &package.name,
        entries: &entries,
    };
    deb.build(
        &control(release, package, programs)?,
        &scripts::debian(&package.system(&release.root)?),
        out,
    )?;
    let symbols = content::of_symbols(package, programs);
    if symbols.is_empty() {
        return Ok(());
    }
    let name = format!("{}-dbgsym", package.name);
    let documents = Entry {
        path: format!("/usr/share/doc/{name}"),
        kind: Kind::Document,
        source: Source::Link(package.name.clone()),
    };
    let entries: Vec<_> = symbols.into_iter().chain([documents]).collect();
    let control = symbols_control(release, package, &entries);
    Deb { release, architecture: &architecture, name: &name, entries: &entries }.build(
        &control,
        &[],
        out,
    )
}

/// The name that this machine's architecture has in Debian.
pub(crate) fn architecture(release: &Release) -> Result<String> {
    Ok(text(release.program("dpkg").arg("--print-architecture"))?.trim().to_owned())
}

struct Deb<'a> {
    release: &'a Release,
    architecture: &'a str,
    name: &'a str,
    entries: &'a [Entry],
}

impl Deb<'_> {
    fn build(&self, control: &str, scripts: &[(&str, String)], out: &Path) -> Result<()> {
        let Self { release, architecture, name, entries } = self;
        let tree = release.folder(&format!("deb/{name}"))?;
        fs::set_permissions(&tree, PermissionsExt::from_mode(0o755))?;
        content::lay_down(entries, &tree)?;
        let size = self.size(&tree)?;
        let head = format!(
            "Package: {name}\nSource: stratus\nVersion: {}\nArchitecture: {architecture}\n\
             Maintainer: {}\nInstalled-Size: {size}\n",
            release.version, release.maintainer
        );
        let member = |name: &str, mode, text: &str| -> Result<()> {
            let file = tree.join("DEBIAN").join(name);
            fs::write(&file, text)?;
            Ok(fs::set_permissions(&file, PermissionsExt::from_mode(mode))?)
        };
        fs::create_dir_all(tree.join("DEBIAN"))?;
        fs::set_permissions(tree.join("DEBIAN"), PermissionsExt::from_mode(0o755))?;
        member("control", 0o644, &(head + control))?;
        member("md5sums", 0o644, &self.digests(&tree)?)?;
        let settings = entries.iter().filter(|entry| entry.kind == Kind::Settings);
        let settings: String = settings.map(|entry| format!("{}\n", entry.path)).collect();
        if !settings.is_empty() {
            member("conffiles", 0o644, &settings)?;
        }
        for (script, text) in scripts {
            member(script, 0o755, text)?;
        }
        let compression: &[&str] = if release.quick { &["-Zgzip", "-z1"] } else { &["-Zxz"] };
        let file = out.join(format!("{name}_{}_{architecture}.deb", release.version));
        let mut build = release.program("dpkg-deb");
        check(
            build.args(["--root-owner-group", "--build"]).args(compression).arg(&tree).arg(&file),
        )?;
        // Programs are large, and there are many.
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))
    }

    /// KiB on a disk, as Debian's policy counts: files by their size, others as one each.
    fn size(&self, tree: &Path) -> Result<u64> {
        let sizes = self.entries.iter().map(|entry| match &entry.source {
            Source::Link(_) => Ok(1),
            _ => kibibytes(&tree.join(entry.path.trim_start_matches('/'))),
        });
        sizes.sum()
    }

    fn digests(&self, tree: &Path) -> Result<String> {
        let mut lines = String::new();
        for entry in self.entries.iter().filter(|e| e.kind != Kind::Settings) {
            if matches!(entry.source, Source::Link(_)) {
                continue;
            }
            let path = entry.path.trim_start_matches('/');
            let digest = hex::encode(Md5::digest(fs::read(tree.join(path))?));
            let _ = writeln!(lines, "{digest}  {path}");
        }
        Ok(lines)
    }
}

/// What is said of a package beside its name, version and size.
fn control(release: &Release, package: &Package, programs: &Programs) -> Result<String> {
    let mut depends = libraries(release, package, programs)?;
    let system = package.system(&release.root)?;
    depends.extend(package.needs.iter().map(|need| format!("{need} (>= {})", release.version)));
    depends.extend(package.depends.deb.iter().cloned());
    if !system.account_lists.is_empty() {
        // The account is removed by a purge.
        depends.extend(["systemd".to_owned(), "passwd".to_owned()]);
    }
    let mut text = String::new();
    for (field, names) in [("Depends", &depends), ("Suggests", &package.suggests.deb)] {
        if !names.is_empty() {
            let _ = writeln!(text, "{field}: {}", names.join(", "));
        }
    }
    let _ = write!(
        text,
        "Section: {}\nPriority: optional\nDescription: {}\n",
        package.section, package.summary
    );
    for line in package.description.trim().lines() {
        let _ = writeln!(text, " {}", if line.is_empty() { "." } else { line });
    }
    Ok(text)
}

fn symbols_control(release: &Release, package: &Package, symbols: &[Entry]) -> String {
    let ids = symbols.iter().filter_map(|entry| {
        let rest = entry.path.strip_prefix("/usr/lib/debug/.build-id/")?;
        Some(rest.strip_suffix(".debug")?.replace('/', ""))
    });
    format!(
        "Depends: {name} (= {})\nSection: debug\nPriority: optional\nAuto-Built-Package: debug-symbols\n\
         Build-Ids: {}\nDescription: debug symbols for {name}\n",
        release.version,
        ids.collect::<Vec<_>>().join(" "),
        name = package.name
    )
}

/// The packages of the C libraries that its programs use.
fn libraries(release: &Release, package: &Package, programs: &Programs) -> Result<Vec<String>> {
    let files: Vec<_> =
        package.programs.iter().filter_map(|name| Some(&programs.get(name)?.stripped)).collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // dpkg-shlibdeps wants to stand in a source package.
    let folder = release.folder("shlibdeps/debian")?;
    fs::write(folder.join("control"), "Source: stratus\n\nPackage: stratus\nArchitecture: any\n")?;
    let mut find = release.program("dpkg-shlibdeps");
    find.current_dir(folder.parent().unwrap_or(&folder)).args(["-O", "--warnings=0"]).args(files);
    let found = text(&mut find)?;
    let list = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    let list = list.with_context(|| format!("dpkg-shlibdeps said `{found}`"))?;
    Ok(list.split(',').map(|name| name.trim().to_owned()).collect())
}
