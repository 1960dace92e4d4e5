//! What differs between operating systems, as data: `metadata/*.toml`, one file for each family.
//!
//! The files hold packages, units, paths and lines only. The Quattor export, the packages and the
//! documentation read the same ones, so nothing of this kind is written twice.

use crate::facts::{NetworkTool, OsRelease};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use stratus_site::OpenNebula;

static FILES: [&str; 3] = [
    include_str!("../metadata/debian.toml"),
    include_str!("../metadata/el.toml"),
    include_str!("../metadata/suse.toml"),
];

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    FILES.iter().map(|text| toml::from_str(text).expect("a test reads every file")).collect()
});

static OPENNEBULA: LazyLock<Common> = LazyLock::new(|| {
    toml::from_str(include_str!("../metadata/opennebula.toml")).expect("a test reads the file")
});

/// All families, in the order of the files.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// What is the same everywhere.
pub fn opennebula() -> &'static Common {
    &OPENNEBULA
}

/// The family and release of a host, or which ones there are.
pub fn find(os: &OsRelease) -> Result<System, String> {
    let of = |family: &'static Family| {
        let release = family.release.iter().find(|r| r.is(&os.id, &os.version))?;
        Some(System { family, release })
    };
    families().iter().find_map(of).ok_or_else(|| {
        let name = if os.pretty.is_empty() { "an unknown system" } else { &os.pretty };
        format!("{name} is not supported; supported are {}", supported(None))
    })
}

/// The releases that a series of OpenNebula, or any, has packages for, as a list for people.
pub fn supported(series: Option<OpenNebula>) -> String {
    let releases = families().iter().flat_map(|f| &f.release);
    let fits = |r: &&Release| series.is_none_or(|s| r.series.contains(&s));
    releases.filter(fits).map(Release::name).collect::<Vec<_>>().join(", ")
}

/// The number of a series as people and addresses have it.
pub fn series_text(series: OpenNebula) -> &'static str {
    match series {
        OpenNebula::V6_10 => "6.10",
        OpenNebula::V7_4 => "7.4",
    }
}

/// The system of a host: a release and its family.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// What its family has in common.
    pub family: &'static Family,
    /// What is its own.
    pub release: &'static Release,
}

impl System {
    /// The units of OpenNebula's daemon for a series.
    pub fn frontend_units(&self, series: OpenNebula) -> &'static [String] {
        let special = self.family.series.get(series_text(series)).map(|s| &s.units.frontend);
        special.unwrap_or(&self.family.units.frontend)
    }
}

/// A family of operating systems.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// For people.
    pub name: String,
    /// What installs packages.
    pub package_manager: PackageManager,
    /// The file that it locks.
    pub package_lock: String,
    /// Its releases.
    pub release: Vec<Release>,
    /// How a package repository is written down.
    pub repository: RepositoryForm,
    /// How a proxy is.
    pub proxy: Proxy,
    /// Names of packages by purpose.
    pub packages: Packages,
    /// Names of units by purpose.
    pub units: Units,
    /// What is different for a series of OpenNebula.
    #[serde(default)]
    pub series: BTreeMap<String, Series>,
    /// Paths by purpose.
    pub files: Files,
    /// Users and groups that packages make.
    pub users: Users,
    /// Lines of files.
    pub lines: Lines,
}

/// What installs packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageManager {
    /// apt and dpkg.
    Apt,
    /// dnf and rpm.
    Dnf,
    /// zypper and rpm.
    Zypper,
}

/// A release of an operating system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// `ID`.
    pub id: String,
    /// The beginning of `VERSION_ID`.
    pub version: String,
    /// The series of OpenNebula with packages for it.
    pub series: Vec<OpenNebula>,
    /// Its place in OpenNebula's package repository.
    pub path: String,
    /// What manages its network unless the facts say something else.
    pub network: NetworkTool,
    /// Packages that bring further repositories.
    #[serde(default)]
    pub first: Vec<String>,
    /// A further repository of the distribution.
    pub extra: Option<Extra>,
    /// Packages that have to come from OpenNebula's repository.
    #[serde(default)]
    pub pin: Vec<String>,
    /// What the administrator has to see to, as a sentence.
    pub by_hand: Option<String>,
}

impl Release {
    /// Whether the values of an os-release(5) are this one.
    pub fn is(&self, id: &str, version: &str) -> bool {
        let rest = version.strip_prefix(&self.version);
        self.id == id && rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
    }

    /// As the site file writes it: `debian-13`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.id, self.version)
    }
}

/// A further repository of the distribution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Its list of mirrors.
    pub url: String,
    /// The key on the host.
    pub key: String,
}

/// How a package repository is written down; texts have `{…}` to fill in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryForm {
    /// Path of its key.
    pub key: String,
    /// Path of its description.
    pub file: String,
    /// The description.
    pub content: String,
    /// The description of a further repository of the distribution.
    pub extra: Option<String>,
    /// The description of a directory.
    pub offline: String,
    /// What stands in it for a signed one.
    pub offline_signed: String,
    /// What stands in it for one without a signature.
    pub offline_unsigned: String,
    /// Path of the file that prefers a repository.
    pub pin_file: Option<String>,
    /// Its content.
    pub pin: Option<String>,
}

/// How a proxy for packages is written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// The file.
    pub file: String,
    /// Name of our block, where the file is not ours alone.
    pub block: Option<String>,
    /// What stands there.
    pub content: String,
}

/// Names of packages by purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say the purposes")]
pub struct Packages {
    pub frontend: Vec<String>,
    pub gate: Vec<String>,
    pub web: Vec<String>,
    pub kvm: Vec<String>,
    pub lxc: Vec<String>,
    pub nfs_server: Vec<String>,
    pub nfs_client: Vec<String>,
    pub mariadb: Vec<String>,
    pub dnsmasq: Vec<String>,
    pub firewall: Vec<String>,
    pub ldap: Vec<String>,
    pub bridge: Vec<String>,
}

/// Names of units by purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say the purposes")]
pub struct Units {
    pub frontend: Vec<String>,
    pub gate: Vec<String>,
    pub web: Vec<String>,
    pub libvirt: Vec<String>,
    pub nfs_server: String,
    pub mariadb: String,
    pub dnsmasq: String,
    pub other_firewalls: Vec<String>,
}

/// What is different for a series of OpenNebula.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Units.
    pub units: SeriesUnits,
}

/// Units that are different for a series of OpenNebula.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesUnits {
    /// Of the daemon.
    pub frontend: Vec<String>,
}

/// Paths by purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say the purposes")]
pub struct Files {
    pub mariadb: String,
    pub dnsmasq: String,
    pub qemu: String,
    pub nft: String,
    pub apparmor: Option<String>,
    pub selinux: Option<String>,
}

/// Users and groups that packages make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// Groups that let a user run virtual machines.
    pub qemu_groups: Vec<String>,
    /// The user of dnsmasq.
    pub dnsmasq: String,
}

/// Lines of files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// Lets machines use the datastores where AppArmor rules.
    pub apparmor: Option<String>,
    /// The same for SELinux.
    pub selinux: Option<String>,
}

/// What is the same on every operating system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Base of the public package repository.
    pub repository: String,
    /// Where its key is.
    pub repository_key: String,
    /// The user that OpenNebula's packages make.
    pub user: CommonUser,
    /// Paths.
    pub files: CommonFiles,
    /// Ports.
    pub ports: Ports,
}

/// The user that OpenNebula's packages make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are those of passwd(5)")]
pub struct CommonUser {
    pub name: String,
    pub group: String,
    pub number: u32,
    pub home: String,
    pub shell: String,
}

/// Paths of OpenNebula.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say the purposes")]
pub struct CommonFiles {
    pub oned: String,
    pub monitord: String,
    pub ldap: String,
    pub auth: String,
    pub ssh: String,
    pub datastores: String,
}

/// TCP ports of OpenNebula.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are those of the programs")]
pub struct Ports {
    pub oned: u16,
    pub monitord: u16,
    pub gate: u16,
    pub web: u16,
    pub flow: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str) -> OsRelease {
        OsRelease { id: id.into(), version: version.into(), ..OsRelease::default() }
    }

    #[test]
    fn every_file_is_read() {
        assert_eq!(families().len(), 3);
        assert_eq!(opennebula().user.number, 9869);
    }

    #[test]
    fn a_release_is_found_by_the_beginning_of_its_version() {
        assert_eq!(find(&os("almalinux", "9.6")).unwrap().release.path, "AlmaLinux/9");
        assert_eq!(find(&os("debian", "13")).unwrap().release.path, "Debian/13");
        assert!(find(&os("debian", "130")).is_err());
    }

    #[test]
    fn an_unknown_system_is_told_what_is_supported() {
        let error = find(&OsRelease { pretty: "Gentoo".into(), ..os("gentoo", "") }).unwrap_err();
        assert!(error.starts_with("Gentoo is not supported; supported are debian-12, "), "{error}");
    }

    #[test]
    fn the_scheduler_of_6_10_is_a_unit_of_its_own() {
        let system = find(&os("debian", "12")).unwrap();
        assert!(
            system
                .frontend_units(OpenNebula::V6_10)
                .contains(&"opennebula-scheduler.service".into())
        );
        assert_eq!(system.frontend_units(OpenNebula::V7_4), ["opennebula.service"]);
    }
}
