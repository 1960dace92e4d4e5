//! RPM packages, by `rpmbuild`, from one recipe for all of them.

use crate::Family;
use crate::content::{self, Entry, Kind};
use crate::description::{Package, System};
use crate::programs::Programs;
use crate::release::Release;
use crate::run::check;
use crate::scripts;
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that every system has. Others, such as those of shells, are also ours: a removal leaves
/// none behind where nothing else is in them.
const THEIRS: [&str; 14] = [
    "/",
    "/etc",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib/debug",
    "/usr/lib/systemd",
    "/usr/lib/systemd/system",
    "/usr/lib/sysusers.d",
    "/usr/share",
    "/usr/share/doc",
    "/usr/share/licenses",
    "/usr/share/man",
    "/usr/share/man/man1",
];
/// Builds them, and gives their files.
pub(crate) fn build(
    release: &Release,
    packages: &[Package],
    programs: &Programs,
) -> Result<Vec<PathBuf>> {
    let top = release.folder("rpm")?;
    let mut recipe = head(release);
    for package in packages {
        let entries = content::of(release, package, programs, Family::Rpm)?;
        content::lay_down(&entries, &top.join("tree"))?;
        recipe += &section(release, package, &package.system(&release.root)?, &entries);
        let symbols = content::of_symbols(package, programs);
        if !symbols.is_empty() {
            content::lay_down(&symbols, &top.join("tree"))?;
            recipe += &symbols_section(release, package, &symbols);
        }
    }
    let _ = write!(recipe, "{}", changes(release));
    let file = top.join("stratus.spec");
    fs::write(&file, recipe)?;
    rpmbuild(release, &top, &file)?;
    fs::remove_dir_all(top.join("tree"))?;
    let mut built: Vec<_> = fs::read_dir(top.join("RPMS"))?.flatten().map(|e| e.path()).collect();
    built.sort();
    let wanted = packages.iter().filter(|package| {
        let begin =
            format!("{}-{}-{}.", package.name, release.version.upstream, release.version.revision);
        !built
            .iter()
            .any(|file| file.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&begin)))
    });
    let missing: Vec<_> = wanted.map(|package| package.name.as_str()).collect();
    if !missing.is_empty() {
        bail!("rpmbuild made no package for {}", missing.join(", "));
    }
    Ok(built)
}

/// What this machine's architecture is called there.
pub(crate) fn architecture() -> &'static str {
    std::env::consts::ARCH
}

fn rpmbuild(release: &Release, top: &Path, recipe: &Path) -> Result<()> {
    let payload = if release.quick { "w1.gzdio" } else { "w19.zstdio" };
    let macros = [
        ("_topdir", top.display().to_string()),
        ("_rpmfilename", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".to_owned()),
        // The same commit, the same bytes.
        ("_buildhost", "stratus".to_owned()),
        ("use_source_date_epoch_as_buildtime", "1".to_owned()),
        ("clamp_mtime_to_source_date_epoch", "1".to_owned()),
        ("_binary_payload", payload.to_owned()),
        // Programs are stripped, and their symbols apart, already.
        ("__os_install_post", "%{nil}".to_owned()),
        ("debug_package", "%{nil}".to_owned()),
        ("_build_id_links", "none".to_owned()),
    ];
    let mut build = release.program("rpmbuild");
    build.args(["--quiet", "-bb", "--target", &format!("{}-linux", architecture())]);
    for (name, value) in macros {
        build.args(["--define", &format!("{name} {value}")]);
    }
    // Nobody's own settings may change a package.
    check(build.env("HOME", top).arg(recipe))
}

/// The recipe's own name is that of no package: each of them is a part.
fn head(release: &Release) -> String {
    format!(
        "Name: stratus-source\nVersion: {}\nRelease: {}\nSummary: Packages of Stratus\n\
         License: Apache-2.0\nVendor: Stratus\nPackager: {}\n\
         %description\nPackages of Stratus.\n\
         %install\ncp -a %{{_topdir}}/tree/. %{{buildroot}}\n",
        release.version.upstream,
        release.version.revision,
        escaped(&release.maintainer)
    )
}

fn section(release: &Release, package: &Package, system: &System, entries: &[Entry]) -> String {
    let Package { name, summary, .. } = package;
    let mut text = format!("\n%package -n {name}\nSummary: {}\n", escaped(&capital(summary)));
    if package.is_portable() {
        text += "BuildArch: noarch\n";
    }
    for need in &package.needs {
        let _ = writeln!(text, "Requires: {need} >= {}", release.version);
    }
    for need in &package.depends.rpm {
        let _ = writeln!(text, "Requires: {need}");
    }
    for also in &package.suggests.rpm {
        let _ = writeln!(text, "Suggests: {also}");
    }
    if !system.account_lists.is_empty() {
        text += "Requires: systemd\nRequires(post): systemd\nRequires(preun): systemd\nRequires(postun): systemd\n";
    }
    let _ = writeln!(text, "%description -n {name}\n{}", escaped(package.description.trim()));
    for (part, script) in scripts::rpm(system) {
        let _ = write!(text, "{part} -n {name}\n{}", escaped(&script));
    }
    let _ = writeln!(text, "%files -n {name}\n%defattr(-,root,root,-)");
    text + &files(entries)
}

fn symbols_section(release: &Release, package: &Package, entries: &[Entry]) -> String {
    let name = format!("{}-debuginfo", package.name);
    format!(
        "\n%package -n {name}\nSummary: Debug symbols for {package}\nAutoReqProv: no\n\
         Requires: {package} = {version}\n\
         %description -n {name}\nDebug symbols for the programs of {package}.\n\
         %files -n {name}\n%defattr(-,root,root,-)\n{files}",
        package = package.name,
        version = release.version,
        files = files(entries)
    )
}

/// The list of files, with the folders that are the package's own.
fn files(entries: &[Entry]) -> String {
    let mut folders = BTreeSet::new();
    let mut text = String::new();
    for entry in entries {
        let mut above = Path::new(&entry.path).parent();
        while let Some(folder) = above {
            let name = folder.to_string_lossy();
            if THEIRS.contains(&name.as_ref()) {
                break;
            }
            folders.insert(name.into_owned());
            above = folder.parent();
        }
        let mark = match entry.kind {
            Kind::Settings => "%config(noreplace) ",
            Kind::Document => "%doc ",
            Kind::Licence => "%license ",
            Kind::Program | Kind::Plain => "",
        };
        let _ = writeln!(text, "{mark}{}", escaped(&entry.path));
    }
    folders.iter().map(|folder| format!("%dir {folder}\n")).collect::<String>() + &text
}

fn changes(release: &Release) -> String {
    format!(
        "\n%changelog\n* {} {} - {}\n- What is new is in CHANGELOG.md\n",
        release.time.strftime("%a %b %d %Y"),
        escaped(&release.maintainer),
        release.version
    )
}

/// A percent sign begins a macro.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// Summaries begin with a capital there, and without one in Debian.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_with_their_marks_and_the_folders_of_ours() {
        let entry = |path: &str, kind| Entry::bytes(path.to_owned(), kind, "");
        let list = files(&[
            entry("/etc/stratus/a.toml", Kind::Settings),
            entry("/usr/bin/a", Kind::Program),
            entry("/usr/share/doc/a/100%.gz", Kind::Document),
            entry("/usr/share/zsh/site-functions/_a", Kind::Plain),
        ]);
        assert_eq!(
            list,
            "%dir /etc/stratus\n%dir /usr/share/doc/a\n%dir /usr/share/zsh\n\
             %dir /usr/share/zsh/site-functions\n%config(noreplace) /etc/stratus/a.toml\n\
             /usr/bin/a\n%doc /usr/share/doc/a/100%%.gz\n/usr/share/zsh/site-functions/_a\n"
        );
    }
}
