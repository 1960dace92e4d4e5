//! `packaging/packages.toml` and `packaging/root`: what each package has.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    #[serde(rename = "package")]
    pub(crate) packages: Vec<Package>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// One line, without an article in front and a full stop behind.
    pub(crate) summary: String,
    /// Paragraphs, with an empty line between them.
    pub(crate) description: String,
    pub(crate) section: String,
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    /// Absolute paths, as they are below `packaging/root`.
    #[serde(default)]
    pub(crate) files: Vec<String>,
    /// Pages of the checkout.
    #[serde(default)]
    pub(crate) docs: Vec<String>,
    /// Units that can work as they are installed.
    #[serde(default)]
    pub(crate) starts: Vec<String>,
    /// Packages of ours.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) depends: Names,
    #[serde(default)]
    pub(crate) suggests: Names,
}

/// What a thing is called in each family.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    #[serde(default)]
    pub(crate) deb: Vec<String>,
    #[serde(default)]
    pub(crate) rpm: Vec<String>,
}

/// What the units and lists of accounts of a package say, for its scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct System {
    /// Names of units, and whether each can work as it is installed.
    pub(crate) units: Vec<(String, bool)>,
    /// File names in `sysusers.d`.
    pub(crate) account_lists: Vec<String>,
    pub(crate) accounts: Vec<String>,
    /// Groups that are nobody's own.
    pub(crate) groups: Vec<String>,
    /// What belongs to the services alone, by absolute path.
    pub(crate) folders: Vec<String>,
}

const UNITS: &str = "/usr/lib/systemd/system/";
const ACCOUNTS: &str = "/usr/lib/sysusers.d/";
/// Where a unit's folder is, by its directive.
const FOLDERS: [(&str, &str); 3] = [
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
];

impl Description {
    /// Reads the table.
    pub(crate) fn read(checkout: &Path) -> Result<Self> {
        let file = checkout.join("packaging/packages.toml");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not right", file.display()))
    }

    /// Every file of the tree and every program is in exactly one package, and units fit theirs.
    pub(crate) fn check(&self, checkout: &Path, root: &Path) -> Result<()> {
        let mut problems = Vec::new();
        let files = self.packages.iter().flat_map(|p| &p.files);
        once(files, &tree(root)?, "packaging/root", &mut problems);
        let programs = self.packages.iter().flat_map(|p| &p.programs);
        once(programs, &commands(checkout)?, "the workspace", &mut problems);
        let names: BTreeSet<_> = self.packages.iter().map(|p| &p.name).collect();
        for package in &self.packages {
            for need in package.needs.iter().filter(|need| !names.contains(need)) {
                problems.push(format!("`{}` needs `{need}`, which is no package", package.name));
            }
            package.check_units(root, &mut problems)?;
        }
        if !problems.is_empty() {
            bail!("packaging/packages.toml:\n{}", problems.join("\n"));
        }
        Ok(())
    }
}

impl Package {
    /// Whether it is the same on every machine.
    pub(crate) fn is_portable(&self) -> bool {
        self.programs.is_empty()
    }

    /// What its units and lists of accounts say.
    pub(crate) fn system(&self, root: &Path) -> Result<System> {
        let mut system = System::default();
        for path in &self.files {
            if let Some(unit) = path.strip_prefix(UNITS) {
                let starts = self.starts.iter().any(|name| name == unit);
                system.units.push((unit.to_owned(), starts));
                let text = read(root, path)?;
                system.folders.extend(folders(&text));
            }
            if let Some(list) = path.strip_prefix(ACCOUNTS) {
                system.account_lists.push(list.to_owned());
                let text = read(root, path)?;
                system.accounts.extend(names(&text, "u "));
                system.groups.extend(names(&text, "g "));
            }
        }
        // A unit that only a timer starts is the timer's to enable.
        let timers = system.units.iter().filter_map(|(u, _)| u.strip_suffix(".timer"));
        let timed = timers.map(|name| format!("{name}.service")).collect::<Vec<_>>();
        system.units.retain(|(unit, _)| !timed.contains(unit));
        Ok(system)
    }

    fn check_units(&self, root: &Path, problems: &mut Vec<String>) -> Result<()> {
        let accounts = self.system(root)?.accounts;
        for path in self.files.iter().filter(|path| path.ends_with(".service")) {
            let text = read(root, path)?;
            let user = value(&text, "User").unwrap_or_default();
            if !accounts.iter().any(|account| account == user) {
                problems.push(format!("{path}: `{}` makes no account `{user}`", self.name));
            }
            // The installer gives secrets to this group: `GROUP` in installer/plan/src/stages/services.rs.
            if value(&text, "SupplementaryGroups") != Some("stratus") {
                problems.push(format!("{path}: the service is not in the group `stratus`"));
            }
            let program = value(&text, "ExecStart").and_then(|line| line.split(' ').next());
            let name = program.and_then(|p| p.strip_prefix("/usr/bin/")).unwrap_or_default();
            if !self.programs.iter().any(|known| known == name) {
                problems.push(format!("{path}: `{}` has no program `{name}`", self.name));
            }
        }
        Ok(())
    }
}

/// Each of `there` is listed once, and nothing else is.
fn once<'a>(
    listed: impl Iterator<Item = &'a String>,
    there: &BTreeSet<String>,
    place: &str,
    problems: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for name in listed {
        if !there.contains(name) {
            problems.push(format!("`{name}` is not in {place}"));
        }
        if !seen.insert(name.clone()) {
            problems.push(format!("`{name}` is in two packages"));
        }
    }
    problems.extend(
        there.difference(&seen).map(|name| format!("`{name}` of {place} is in no package: add it")),
    );
}

/// Every file below the tree, as absolute path.
fn tree(root: &Path) -> Result<BTreeSet<String>> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(format!("/{}", path.strip_prefix(root)?.display()));
            }
        }
    }
    Ok(found)
}

/// The commands of the workspace: one file each, `…/src/bin/stratus-<name>.rs`.
fn commands(checkout: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for folder in ["manifests", "repository", "installer", "quattor"] {
        let crates = fs::read_dir(checkout.join(folder)).into_iter().flatten().flatten();
        for bins in crates.map(|entry| entry.path().join("src/bin")).filter(|bins| bins.is_dir()) {
            for file in fs::read_dir(&bins)? {
                let file = PathBuf::from(file?.file_name());
                if file.extension().is_some_and(|e| e == "rs") {
                    found.extend(file.file_stem().map(|s| s.to_string_lossy().into_owned()));
                }
            }
        }
    }
    Ok(found)
}

fn folders(unit: &str) -> impl Iterator<Item = String> {
    FOLDERS.iter().flat_map(move |(directive, place)| {
        let names = value(unit, directive).unwrap_or_default();
        names.split_whitespace().map(move |name| format!("{place}/{name}")).collect::<Vec<_>>()
    })
}

/// The names in a list of accounts, in lines of this kind.
fn names(list: &str, kind: &str) -> impl Iterator<Item = String> {
    let lines = list.lines().filter_map(move |line| line.strip_prefix(kind));
    lines.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned)
}

/// A directive's value in a unit's text.
fn value<'a>(unit: &'a str, directive: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| line.strip_prefix(directive)?.strip_prefix('='))
}

/// A file of the tree, by its absolute path.
pub(crate) fn read(root: &Path, path: &str) -> Result<String> {
    let file = root.join(path.trim_start_matches('/'));
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
    }

    #[test]
    fn every_program_and_every_file_of_the_tree_is_in_one_package() {
        let checkout = checkout();
        let description = Description::read(&checkout).unwrap();
        description.check(&checkout, &checkout.join("packaging/root")).unwrap();
    }

    #[test]
    fn what_is_missing_or_listed_twice_is_named() {
        let checkout = checkout();
        let mut description = Description::read(&checkout).unwrap();
        let cache = description.packages.iter_mut().find(|p| p.name == "stratus-cache").unwrap();
        cache.programs[0] = "stratus-monitor".to_owned();
        let root = checkout.join("packaging/root");
        let told = description.check(&checkout, &root).unwrap_err().to_string();
        for words in [
            "`stratus-monitor` is in two packages",
            "`stratus-cache` of the workspace is in no package",
            "`stratus-cache` has no program `stratus-cache`",
        ] {
            assert!(told.contains(words), "{words}:\n{told}");
        }
    }

    #[test]
    fn units_say_what_a_package_brings_to_a_system() {
        let checkout = checkout();
        let description = Description::read(&checkout).unwrap();
        let monitor = description.packages.iter().find(|p| p.name == "stratus-monitor").unwrap();
        let system = monitor.system(&checkout.join("packaging/root")).unwrap();
        // The service is started by its timer, so it is not enabled itself.
        let units = ["stratus-accounting.timer", "stratus-monitor.service"];
        assert_eq!(system.units, units.map(|unit| (unit.to_owned(), false)));
        assert_eq!(system.accounts, ["stratus-monitor", "stratus-accounting"]);
        assert_eq!(system.folders, ["/var/lib/stratus/accounting", "/var/lib/stratus/monitor"]);
    }
}
