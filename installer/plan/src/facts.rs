//! What was found on the hosts: values that a probe fills and the planner reads.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{HostName, InterfaceName, MacAddress};

/// Everything known of the world. Made by one probe of each host, or read from a file
/// (`--facts`), so that a plan can be made with no host in reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What each host said.
    pub hosts: BTreeMap<HostName, HostReport>,
}

/// The answer of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostReport {
    /// It answered.
    Known(Box<HostFacts>),
    /// It did not.
    Unreachable(Unreachable),
}

/// Why nothing is known of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// What went wrong, in one sentence.
    pub reason: String,
    /// How to mend it.
    pub cure: Option<String>,
    /// Whether trying again may help: the host is away. It does not help with a host key that is
    /// another one, or a login that is refused.
    #[serde(default)]
    pub away: bool,
}

/// What is asked of a host besides what is always told: the things that a plan may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    /// Files and directories whose state matters; content is told up to 64 KiB.
    pub paths: BTreeSet<String>,
    /// Files of which only a digest may leave the host.
    pub secret_paths: BTreeSet<String>,
    /// Units whose state matters (all units' enablement is told anyway where that is cheap).
    pub units: BTreeSet<String>,
    /// Users whose entry and groups matter.
    pub users: BTreeSet<String>,
    /// Groups that matter.
    pub groups: BTreeSet<String>,
    /// Packages whose available version matters.
    pub packages: BTreeSet<String>,
    /// Databases of a MariaDB server on the host.
    pub databases: BTreeSet<String>,
}

/// What is asked of a host only before it is changed: it takes a second, and others notice it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Addresses of package repositories' indexes.
    pub repositories: BTreeSet<String>,
    /// The proxy to them, where the host does not know it yet.
    pub proxy: Option<String>,
    /// Addresses that nobody should have.
    pub addresses: BTreeSet<Ipv4Addr>,
}

/// What one host said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// `/etc/os-release`.
    pub os: OsRelease,
    /// `uname -m`.
    pub architecture: String,
    /// The host's own idea of its name (`hostname -f`).
    pub hostname: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// Whether systemd is PID 1.
    pub systemd: bool,
    /// Whether the login became root.
    pub root: bool,
    /// Processors.
    pub cpus: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Free bytes of the file systems of `/`, `/var` and `/var/lib/one`.
    pub free_bytes: BTreeMap<String, u64>,
    /// The host's clock less the asker's, milliseconds; the time of the connection is not taken off.
    pub clock_offset_ms: i64,
    /// Features that were tried (never guessed from a list of modules).
    pub features: BTreeMap<Feature, bool>,
    /// Network interfaces.
    pub interfaces: Vec<InterfaceFacts>,
    /// The interface with the IPv4 default route, and the router.
    pub default_route: Option<(InterfaceName, IpAddr)>,
    /// Further routes: destination prefix and interface.
    pub routes: Vec<(String, InterfaceName)>,
    /// What manages the network.
    pub network_tool: Option<NetworkTool>,
    /// Installed packages with their versions.
    pub packages: BTreeMap<String, String>,
    /// Versions that the package manager could install, of the packages asked for.
    pub available: BTreeMap<String, String>,
    /// What holds the package manager's lock, if something does.
    pub package_lock: Option<String>,
    /// Units asked for; an absent one is not known to systemd.
    pub units: BTreeMap<String, UnitFacts>,
    /// Users asked for.
    pub users: BTreeMap<String, UserFacts>,
    /// Groups asked for, with their numbers.
    pub groups: BTreeMap<String, u32>,
    /// Paths asked for; an absent one does not exist.
    pub paths: BTreeMap<String, PathFacts>,
    /// Databases asked for that exist.
    pub databases: BTreeSet<String>,
    /// Digest (SHA-256, hexadecimal) of the inputs that a unit or action last saw, by its name:
    /// the files below `/var/lib/stratus/installer/seen/`.
    pub seen: BTreeMap<String, String>,
    /// What the installer left there last: the digest of each file that it wrote, the state of units,
    /// by the names of the files below `/var/lib/stratus/installer/after/`.
    pub after: BTreeMap<String, String>,
    /// What SELinux does; nothing where it is not enforcing.
    #[serde(default)]
    pub selinux: Option<SelinuxFacts>,
    /// Files of a confirmed network that are not as they were confirmed, and whether they are there.
    #[serde(default)]
    pub edited_network: BTreeMap<String, bool>,
    /// Listening TCP ports of IPv4 and IPv6, with the program.
    pub listening: BTreeMap<u16, String>,
    /// Package repositories that it does not reach, with the reason; asked for by [`Reach`].
    pub unreached: BTreeMap<String, String>,
    /// Who answers for addresses on the wire; asked for by [`Reach`].
    pub neighbours: BTreeMap<Ipv4Addr, MacAddress>,
}

/// os-release(5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`.
    pub id: String,
    /// `ID_LIKE`, split at blanks.
    pub like: Vec<String>,
    /// `VERSION_ID`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub pretty: String,
}

/// Something a kernel can or cannot do, found by trying it in a scratch network namespace or by
/// opening the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// `/dev/kvm` can be opened.
    Kvm,
    /// A bridge can be made.
    Bridge,
    /// A tap device can be made.
    Tap,
    /// A VLAN interface can be made.
    Vlan,
    /// A VXLAN interface can be made.
    Vxlan,
    /// The kernel mounts NFS.
    NfsClient,
    /// The kernel serves NFS.
    NfsServer,
    /// nftables takes a table.
    Nftables,
    /// A WireGuard interface can be made.
    WireGuard,
    /// `wireguard-go`, which stands in for the kernel, is installed.
    WireGuardProgram,
}

/// What manages the network of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkTool {
    /// `/etc/network/interfaces`.
    Ifupdown,
    /// netplan, whatever renders it.
    Netplan,
    /// NetworkManager.
    NetworkManager,
    /// systemd-networkd.
    Networkd,
    /// wicked.
    Wicked,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: InterfaceName,
    /// Its address on the link.
    pub mac: Option<MacAddress>,
    /// MTU, bytes.
    pub mtu: u32,
    /// Kind as `ip -d link` tells (`bridge`, `veth`, `vlan`, …); empty for hardware.
    pub kind: String,
    /// The bridge or bond that it belongs to.
    pub master: Option<InterfaceName>,
    /// Whether it is up.
    pub up: bool,
    /// Addresses with their prefix length, `10.0.0.1/24`.
    pub addresses: Vec<String>,
    /// Those of them that came by DHCP or from a router (`dynamic` in `ip address`): nobody stated
    /// them.
    #[serde(default)]
    pub leased: Vec<String>,
    /// The hardware below, where it tells: distinguishes a physical port.
    pub physical: bool,
}

impl InterfaceFacts {
    /// Whether its IPv4 comes from a DHCP server. Addresses of IPv6 may be leased beside a stated
    /// one of IPv4.
    pub fn uses_dhcp(&self) -> bool {
        let four = |a: &String| a.split('/').next().is_some_and(|a| a.parse::<Ipv4Addr>().is_ok());
        self.leased.iter().any(four)
    }
}

/// A unit of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// `systemctl is-enabled`: enabled, disabled, masked, static, …
    pub enabled: String,
    /// `systemctl is-active`: active, inactive, failed, …
    pub active: String,
}

/// SELinux where it is enforcing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelinuxFacts {
    /// Whether machines may use what is mounted by NFS (the boolean `virt_use_nfs`).
    pub nfs_machines: bool,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFacts {
    /// Number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Home.
    pub home: String,
    /// Shell.
    pub shell: String,
    /// Names of all groups.
    pub groups: BTreeSet<String>,
}

/// A file, directory or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFacts {
    /// What it is.
    pub kind: PathKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner by name.
    pub owner: String,
    /// Group by name.
    pub group: String,
    /// SHA-256 of a file's content, hexadecimal.
    pub sha256: Option<String>,
    /// Content of a file that is text, not secret and at most 64 KiB; target of a link.
    pub content: Option<String>,
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}
