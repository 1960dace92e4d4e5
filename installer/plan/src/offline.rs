//! A directory of packages for hosts without internet: what has to be in it, what is, and what a
//! host gets of it.

use crate::content::sha256;
use crate::facts::{Facts, HostFacts, HostReport, OsRelease};
use crate::metadata::{self, PackageManager, Release, System};
use crate::plan::Role;
use crate::preflight::Finding;
use crate::stages;
use crate::step::{Piece, Step};
use crate::view::{Inputs, View, roles};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stratus_site::{HostName, Os, Site};

/// Where carried packages are on a host.
pub const PLACE: &str = "/var/lib/stratus/packages";
/// The digests of the index files there: written last, so that it stands for all the rest.
pub const INDEX: &str = "/var/lib/stratus/packages/index.sha256";
/// The form that [`Mirror`] is written in.
pub const FORMAT: u32 = 1;
/// The name of the step that carries packages, and of what it has seen.
pub const CARRY: &str = "carry:packages";

/// A directory that was read and whose signature and digests are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offline {
    /// The key that signs it (OpenPGP, ASCII armour).
    pub key: String,
    /// What it holds.
    pub mirror: Mirror,
}

/// What a directory of packages holds: its `mirror.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// [`FORMAT`].
    pub format: u32,
    /// What is for one system each, by the name of its folder: `debian-12-x86_64`.
    pub parts: BTreeMap<String, Part>,
}

/// The packages for one system: a repository as its package manager has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The files of its signed index.
    pub index: Vec<Stored>,
    /// The packages.
    pub packages: Vec<Package>,
    /// What was asked for together, and which packages that takes.
    pub sets: Vec<Set>,
}

/// A file of a directory of packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Its path below the part.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// A package of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, as the package manager of a host tells that of an installed one.
    pub version: String,
    /// Its file.
    pub stored: Stored,
}

/// Packages that were asked for together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Their names.
    pub names: BTreeSet<String>,
    /// Places in the list of packages: these and all that they depend on.
    pub packages: BTreeSet<usize>,
}

impl Mirror {
    /// The packages that a host needs which is to have these names: those of the smallest set that
    /// has all of them, or of several sets that have them together.
    pub fn choose(&self, part: &str, names: &BTreeSet<String>) -> Result<Vec<&Package>, String> {
        let again = "run `stratus-install mirror` again with this site file";
        let Some(found) = self.parts.get(part) else {
            let there: Vec<&str> = self.parts.keys().map(String::as_str).collect();
            let there = there.join(", ");
            return Err(format!(
                "the directory of packages has none for {part}, only for {there}: {again}"
            ));
        };
        let smallest = |has: &dyn Fn(&Set) -> bool| {
            found.sets.iter().filter(|set| has(set)).min_by_key(|set| set.packages.len())
        };
        let mut chosen = BTreeSet::new();
        if let Some(set) = smallest(&|set| names.is_subset(&set.names)) {
            chosen.clone_from(&set.packages);
        } else {
            for name in names {
                let set = smallest(&|set| set.names.contains(name)).ok_or_else(|| {
                    format!("the directory of packages has no `{name}` for {part}: {again}")
                })?;
                chosen.extend(&set.packages);
            }
        }
        Ok(chosen.into_iter().filter_map(|at| found.packages.get(at)).collect())
    }

    /// What a host has to have seen that is to have these names.
    pub(crate) fn digest(&self, part: &str, names: &BTreeSet<String>) -> String {
        let index = self.parts.get(part).map(|part| part.index.as_slice()).unwrap_or_default();
        let mut text: String = names.iter().map(|name| format!("{name}\n")).collect();
        text.push_str(&index_text(index));
        sha256(text)
    }
}

/// What stands in [`INDEX`], as `sha256sum -c` reads it.
pub fn index_text(index: &[Stored]) -> String {
    index.iter().map(|stored| format!("{}  {}\n", stored.sha256, stored.file)).collect()
}

/// The name of the part for a system.
pub fn part(release: &Release, architecture: &str) -> String {
    format!("{}-{architecture}", release.name())
}

/// What a mirror has to hold for one system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The name of the part.
    pub part: String,
    /// The system.
    pub release: String,
    /// What its hosts install packages with.
    pub manager: PackageManager,
    /// As `uname -m` tells.
    pub architecture: String,
    /// The release's own archives, as its package manager writes them down, where we know them.
    pub archive: Option<String>,
    /// Descriptions of repositories, their keys and settings, as a host with internet has them.
    pub files: Vec<(String, String)>,
    /// What hosts are to have, one set for each kind of host.
    pub sets: BTreeSet<BTreeSet<String>>,
}

/// What a mirror has to hold for all hosts of the site, or what is not known of them.
pub fn orders(site: &Site, facts: &Facts, inputs: &Inputs) -> Result<Vec<Order>, String> {
    let mut site = site.clone();
    site.packages.offline = None;
    if let Some(reason) = crate::planner::missing_input(&site, inputs) {
        return Err(reason);
    }
    let mut orders: BTreeMap<String, Order> = BTreeMap::new();
    for (host, roles) in roles(&site) {
        let told = match facts.hosts.get(host) {
            Some(HostReport::Known(told)) => told,
            Some(HostReport::Unreachable(why)) => return Err(format!("{host}: {}", why.reason)),
            None => return Err(format!("{host}: it was not asked")),
        };
        let system = metadata::find(&told.os).map_err(|why| format!("{host}: {why}"))?;
        let view = seen(&site, facts, inputs, (host, &roles), told, system);
        let name = part(system.release, &told.architecture);
        let order = orders.entry(name.clone()).or_insert_with(|| Order {
            part: name,
            release: system.release.name(),
            manager: system.family.package_manager,
            architecture: told.architecture.clone(),
            archive: system.release.archive.clone(),
            files: Vec::new(),
            sets: BTreeSet::new(),
        });
        order.sets.insert(stages::package_names(&view));
        for wanted in stages::repositories(&view) {
            let Step::File(file) = wanted.step else { continue };
            // Of a release whose archives are not known, the administrator names all; the keys of the
            // others are on hosts of that release only.
            if system.release.archive.is_none() && stages::is_extra(system, &file.path) {
                continue;
            }
            let text = file.content.iter().filter_map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::From { .. } | Piece::Quoted { .. } => None,
            });
            let file = (file.path, text.collect());
            if !order.files.contains(&file) {
                order.files.push(file);
            }
        }
    }
    Ok(orders.into_values().collect())
}

fn seen<'a>(
    site: &'a Site,
    facts: &'a Facts,
    inputs: &'a Inputs,
    (host, roles): (&'a HostName, &'a BTreeSet<Role>),
    told: &'a HostFacts,
    system: System,
) -> View<'a> {
    let node = site.nodes.iter().find(|n| n.host == *host);
    View { site, facts, inputs: Some(inputs), host, roles, told, system, node, rules: "" }
}

/// Facts for when no host can be asked: each has the system that the site file states, and else this
/// one (`debian-12`).
pub fn assumed(site: &Site, release: &str, architecture: &str) -> Facts {
    let of = |(host, _): (&HostName, BTreeSet<Role>)| {
        let node = site.nodes.iter().find(|n| n.host == *host).map(|n| &n.os);
        let stated = [(site.frontend.host == *host).then_some(&site.frontend.os), node];
        let stated = stated.into_iter().flatten().find_map(|os| match os {
            Os::Stated(stated) => Some(stated.as_str()),
            Os::Auto => None,
        });
        let name = stated.unwrap_or(release);
        let (id, version) = name.rsplit_once('-').unwrap_or((name, ""));
        let os = OsRelease {
            id: id.to_owned(),
            version: version.to_owned(),
            pretty: name.to_owned(),
            ..OsRelease::default()
        };
        let architecture = architecture.to_owned();
        let told = HostFacts { os, architecture, ..HostFacts::default() };
        (host.clone(), HostReport::Known(Box::new(told)))
    };
    Facts { hosts: roles(site).into_iter().map(of).collect() }
}

/// What the directory lacks, by host.
pub fn findings(site: &Site, facts: &Facts, inputs: &Inputs) -> Vec<Finding> {
    let Some(offline) = &inputs.offline else { return Vec::new() };
    let of = |(host, roles): (&HostName, BTreeSet<Role>)| {
        let HostReport::Known(told) = facts.hosts.get(host)? else { return None };
        let system = metadata::find(&told.os).ok()?;
        let names = stages::package_names(&seen(site, facts, inputs, (host, &roles), told, system));
        let part = part(system.release, &told.architecture);
        let lacks = offline.mirror.choose(&part, &names).err()?;
        Some(Finding::refuse(host, lacks, "make the directory anew where there is internet"))
    };
    roles(site).into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn mirror() -> Mirror {
        let package = |name: &str| Package {
            name: name.into(),
            version: "1".into(),
            stored: Stored { file: format!("pool/{name}.deb"), bytes: 1, sha256: sha256(name) },
        };
        let sets = [("one base", [0, 2].into()), ("kvm base", [1, 2].into())];
        let set =
            |(asked, packages): (&str, BTreeSet<usize>)| Set { names: names(asked), packages };
        let part = Part {
            index: vec![],
            packages: ["one", "kvm", "base"].map(package).into(),
            sets: sets.map(set).into(),
        };
        Mirror { format: FORMAT, parts: [("debian-12-x86_64".into(), part)].into() }
    }

    fn chosen(asked: &str) -> Result<Vec<String>, String> {
        let mirror = mirror();
        let chosen = mirror.choose("debian-12-x86_64", &names(asked))?;
        Ok(chosen.into_iter().map(|p| p.name.clone()).collect())
    }

    #[test]
    fn a_host_gets_what_one_set_has_and_no_more() {
        assert_eq!(chosen("kvm base").unwrap(), ["kvm", "base"]);
        assert_eq!(chosen("one").unwrap(), ["one", "base"]);
        assert_eq!(chosen("one kvm base").unwrap(), ["one", "kvm", "base"]);
    }

    #[test]
    fn what_the_directory_lacks_is_named() {
        assert!(chosen("one nfs").unwrap_err().contains("no `nfs` for debian-12-x86_64"));
        let other = mirror().choose("debian-13-x86_64", &names("one")).unwrap_err();
        assert!(other.contains("none for debian-13-x86_64, only for debian-12-x86_64"), "{other}");
    }

    #[test]
    fn another_index_or_other_names_have_another_digest() {
        let mut mirror = mirror();
        let part = "debian-12-x86_64";
        let one = mirror.digest(part, &names("one"));
        assert_ne!(one, mirror.digest(part, &names("kvm")));
        let index = Stored { file: "InRelease".into(), bytes: 1, sha256: sha256("a") };
        mirror.parts.get_mut(part).unwrap().index.push(index);
        assert_ne!(one, mirror.digest(part, &names("one")));
    }
}
