//! The form of `metadata/*.toml`.

use crate::facts::NetworkTool;
use serde::Deserialize;
use std::collections::BTreeMap;
use stratus_site::OpenNebula;

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
    /// The release's own archives, as its package manager writes them down: what a mirror takes
    /// packages from.
    pub archive: Option<String>,
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
    /// The address of what a repository that is there serves.
    pub index: String,
    /// Path of its key.
    pub key: String,
    /// Path of its description.
    pub file: String,
    /// The description.
    pub content: String,
    /// The description of a further repository of the distribution.
    pub extra: Option<String>,
    /// The description of the packages that were carried to a host.
    pub offline: String,
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
    pub vpn: Vec<String>,
    pub wireguard: Vec<String>,
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
