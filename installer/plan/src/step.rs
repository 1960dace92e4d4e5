//! What can be done to a host: a closed set, each kind able to say what it is, to be compared with
//! what is there, and to be undone.

use crate::facts::NetworkTool;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use stratus_site::HostName;

/// One thing that must be so on a host. Carrying a step out when it is so already does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Packages are installed, in one transaction. What is newly there is taken away by undoing.
    Packages {
        /// Their names.
        names: BTreeSet<String>,
    },
    /// Packages for these names are on the host, with the signed index that lists them; those that are
    /// installed stay where they are.
    Carry(Carry),
    /// A group exists.
    Group {
        /// Its name.
        name: String,
        /// Its number, where it matters.
        gid: Option<u32>,
    },
    /// A user exists and belongs to groups.
    User(User),
    /// A directory exists.
    Directory {
        /// Path.
        path: String,
        /// Who owns it.
        access: Access,
    },
    /// A file has a content.
    File(File),
    /// A random secret is in a file; one that is there already stays.
    Secret {
        /// Path.
        path: String,
        /// Who owns it.
        access: Access,
        /// What stands before the secret in the file, such as `oneadmin:`.
        prefix: String,
    },
    /// A secret file of whoever starts the installer is on the host. Its content is never in a plan,
    /// a log or an argument.
    SecretFile {
        /// Path.
        path: String,
        /// Who owns it.
        access: Access,
        /// Path where the installer runs.
        source: PathBuf,
    },
    /// A user has a key pair of its own (Ed25519); one that is there already stays.
    SshKey {
        /// The user.
        user: String,
        /// Path of the private key; the public one has `.pub` after it.
        path: String,
    },
    /// A unit of systemd is as wanted, and has seen the newest content of its inputs.
    Unit(Unit),
    /// Something that has to be done again whenever its inputs change.
    Action {
        /// What.
        action: Action,
        /// Paths of the files it reads.
        inputs: BTreeSet<String>,
    },
    /// A database and its user exist in the MariaDB server of the host.
    Database {
        /// Database and user.
        name: String,
        /// File with the user's password.
        password_file: String,
    },
    /// The host's network is configured anew: files are put in place and loaded, and everything
    /// returns to what it was unless the new network is confirmed within 60 s.
    Network(Network),
}

/// Packages that come from the machine that the installer runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The part of the directory that is for the host's system: `debian-12-x86_64`.
    pub part: String,
    /// The packages that the host is to have.
    pub names: BTreeSet<String>,
    /// SHA-256 (hexadecimal) of the names and the index.
    pub digest: String,
}

/// Owner, group and permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Owner by name.
    pub owner: String,
    /// Group by name.
    pub group: String,
    /// Permission bits.
    pub mode: u32,
}

impl Access {
    /// Of root, with these permission bits.
    pub fn root(mode: u32) -> Self {
        Self { owner: "root".into(), group: "root".into(), mode }
    }
}

/// A user of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name.
    pub name: String,
    /// Number, where it matters.
    pub uid: Option<u32>,
    /// Primary group.
    pub group: String,
    /// Home.
    pub home: String,
    /// Shell.
    pub shell: String,
    /// Further groups that it must belong to.
    pub groups: BTreeSet<String>,
}

/// A file with a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Path.
    pub path: String,
    /// What it holds.
    pub content: Vec<Piece>,
    /// How much of the file is ours.
    pub share: OurShare,
    /// Who owns it; a file that is there keeps its owner where only a block is ours.
    pub access: Access,
    /// Whether the content may be shown, logged or leave the host in clear.
    pub secret: bool,
}

/// A part of a file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// This text.
    Text(String),
    /// What stands in a file of a host when the step is carried out, without blanks at the end:
    /// a public key, which an earlier step made.
    From {
        /// The host.
        host: HostName,
        /// The path there.
        path: String,
    },
    /// The same as a value in quotes, its own quotes escaped: a password in a settings file.
    Quoted {
        /// The host.
        host: HostName,
        /// The path there.
        path: String,
        /// By which rules.
        quoting: Quoting,
    },
}

/// How a value is put into quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quoting {
    /// YAML, single quotes.
    Yaml,
    /// oned.conf, double quotes.
    Oned,
}

/// How much of a file is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OurShare {
    /// All of it. What stood there before is kept beside it once, as `.stratus-orig`.
    Whole,
    /// The lines between `BEGIN STRATUS name` and `END STRATUS name`, at the end if there are none.
    Block {
        /// Tells blocks of one file apart.
        name: String,
        /// What starts a comment in such a file.
        comment: String,
    },
    /// The values of keys in `KEY = value` lines as oned.conf has them, in the order of the
    /// pieces' lines; everything else of the file stays.
    OnedKeys,
}

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Name with its kind, `opennebula.service`.
    pub name: String,
    /// Whether it starts with the host.
    pub enabled: bool,
    /// Whether it runs.
    pub running: bool,
    /// Files that it reads at its start: it is started again when one of them has changed.
    pub inputs: BTreeSet<String>,
    /// Whether it takes a reload instead.
    pub reload: bool,
}

/// Something done again whenever its inputs change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The package manager reads its repositories again.
    RefreshPackages,
    /// systemd reads its unit files again.
    ReloadUnits,
    /// The exports of the share are read again.
    ExportShares,
    /// Kernel settings are loaded.
    LoadSysctl,
    /// libvirt's own network is stopped and does not start again.
    RemoveLibvirtNetwork,
    /// The firewall's rules are loaded.
    LoadFirewall,
    /// The scripts of oned are copied to the nodes (`onehost sync`).
    SyncRemotes,
    /// SELinux labels of the datastores are set again.
    RestoreLabels,
    /// SELinux lets machines use what is mounted by NFS (`virt_use_nfs`), now and after a start.
    AllowNfsMachines,
    /// The authority of burst nodes is made where there is none, the server's files follow the site
    /// file, and nodes that it names are put in.
    MakeOverlay,
    /// The same where burst nodes come in through WireGuard, which has a key instead of an authority.
    MakeWireguard,
}

impl Action {
    /// The name below which is kept what it has seen.
    pub fn name(self) -> &'static str {
        match self {
            Self::RefreshPackages => "refresh-packages",
            Self::ReloadUnits => "reload-units",
            Self::ExportShares => "export-shares",
            Self::LoadSysctl => "load-sysctl",
            Self::RemoveLibvirtNetwork => "remove-libvirt-network",
            Self::LoadFirewall => "load-firewall",
            Self::SyncRemotes => "sync-remotes",
            Self::RestoreLabels => "restore-labels",
            Self::AllowNfsMachines => "allow-nfs-machines",
            Self::MakeOverlay => "make-overlay",
            Self::MakeWireguard => "make-wireguard",
        }
    }

    /// A file that it makes, and without which it is done again.
    pub fn makes(self) -> Option<&'static str> {
        match self {
            Self::MakeOverlay => Some("/var/lib/stratus/vpn/server/server.conf"),
            Self::MakeWireguard => Some("/var/lib/stratus/vpn/server/wg-stratus.conf"),
            _ => None,
        }
    }
}

/// A new configuration of a host's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// What manages the network.
    pub tool: NetworkTool,
    /// The files.
    pub files: Vec<File>,
    /// Files that are put aside because they say something else about the same interface.
    pub aside: BTreeSet<String>,
    /// The bridge that must be up afterwards.
    pub bridge: String,
    /// The interface that must be part of it, if any.
    pub interface: Option<String>,
    /// Commands that load the files, in order.
    #[serde(default)]
    pub apply: Vec<Vec<String>>,
    /// Commands that load what was there before, once the files are back.
    #[serde(default)]
    pub revert: Vec<Vec<String>>,
}
