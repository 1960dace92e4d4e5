//! The sections as values. Each field says what the key means; the defaults are in the reading.

use crate::values::{Domain, HostName, InterfaceName, MacAddress, MacPrefix, NetworkName};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// A site as meant: complete and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// `[site]`.
    pub general: General,
    /// `[frontend]`.
    pub frontend: Frontend,
    /// `[nodes]`, one for each host, overrides applied, in the order of the file.
    pub nodes: Vec<Node>,
    /// `[ssh]`.
    pub ssh: Ssh,
    /// `[networks.*]`, in the order of the file.
    pub networks: Vec<Network>,
    /// `[vpn]`, where it is enabled.
    pub vpn: Option<Vpn>,
    /// `[identity]`.
    pub identity: Option<Identity>,
    /// `[repository]`.
    pub repository: Option<Repository>,
    /// `[cache]`.
    pub cache: Option<Cache>,
    /// `[monitor]`.
    pub monitor: Option<Monitor>,
    /// `[accounting]`.
    pub accounting: Option<Accounting>,
    /// `[packages]`.
    pub packages: Packages,
    /// Files beside the site file that sections of services name.
    pub service_files: Vec<ServiceFile>,
}

/// A file beside the site file that a service reads. One with an absolute path is none of these: it
/// is the service's host's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFile {
    /// The first word of the section that names it, such as `repository`.
    pub section: String,
    /// The path as written: relative to the site file, and within its folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether nobody else may read it.
    pub secret: bool,
}

/// `[site]`: the site as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct General {
    /// Short name; marks what the installer made.
    pub name: String,
    /// Domain that names of hosts without a dot get.
    pub domain: Option<Domain>,
    /// Who gets mail about the site.
    pub admin_email: Option<String>,
    /// The series of OpenNebula to install.
    pub opennebula_version: OpenNebula,
}

/// A series of OpenNebula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OpenNebula {
    /// 6.10, the older one that still works.
    #[serde(rename = "6.10")]
    V6_10,
    /// 7.4, what a site gets.
    #[serde(rename = "7.4")]
    V7_4,
}

/// The system of a host: found out, or stated and then compared with what is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Os {
    /// Found out.
    Auto,
    /// As `ID` and, after a hyphen, the beginning of `VERSION_ID` of os-release(5):
    /// `debian-13`, `almalinux-9`, `ubuntu-24.04`.
    Stated(String),
}

/// `[frontend]`: the host of OpenNebula's daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// Its name.
    pub host: HostName,
    /// Its address on the site's LAN; what the name resolves to where it is absent.
    pub address: Option<IpAddr>,
    /// Its system.
    pub os: Os,
    /// Where oned keeps its state.
    pub database: Database,
    /// First octets of the MAC addresses of virtual machines.
    pub mac_prefix: MacPrefix,
    /// Port of XML-RPC.
    pub port: u16,
    /// Address that XML-RPC listens on; loopback unless told.
    pub listen: IpAddr,
    /// Whether the web interface FireEdge is installed.
    pub web: bool,
    /// How much oned logs, 0 to 5.
    pub debug_level: u8,
    /// Seconds between two looks at hosts and machines.
    pub monitoring_interval: Duration,
}

/// Where oned keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// In a file.
    Sqlite,
    /// In a MariaDB server on the front-end.
    Mariadb,
}

/// One host that runs virtual machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub host: HostName,
    /// Its address on the LAN; what the name resolves to where it is absent.
    pub address: Option<IpAddr>,
    /// Its system.
    pub os: Os,
    /// What runs the machines.
    pub hypervisor: Hypervisor,
    /// How images get there.
    pub share: Share,
    /// The bridge that machines are attached to.
    pub bridge: InterfaceName,
    /// The interface below the bridge.
    pub interface: Interface,
    /// Whether the installer makes the bridge; else it must be there.
    pub configure_bridge: bool,
    /// OpenNebula's cluster that the host belongs to.
    pub cluster: Option<String>,
}

/// What runs virtual machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hypervisor {
    /// Hardware virtualization.
    Kvm,
    /// qemu's own emulation: slow, needs nothing.
    Qemu,
    /// Containers.
    Lxc,
}

/// How images get to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// Copied by ssh.
    Ssh,
    /// Datastores on a directory that the front-end exports.
    Nfs,
}

/// The interface below a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// The one that has the default route.
    Auto,
    /// This one.
    Named(InterfaceName),
}

/// `[ssh]`: how hosts are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    /// Login on the hosts.
    pub user: Option<String>,
    /// Port; that of the ssh configuration where it is absent.
    pub port: Option<u16>,
    /// Private key; that of the ssh configuration or the agent where it is absent.
    pub key: Option<PathBuf>,
    /// Host to go through.
    pub jump_host: Option<String>,
    /// How the login becomes root.
    pub sudo: Sudo,
    /// Most hosts at once.
    pub parallel: u16,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long one step may be silent.
    pub step_timeout: Duration,
}

/// How the login becomes root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sudo {
    /// Root needs none, anybody else uses it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `[networks.<name>]`: a virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name in OpenNebula.
    pub name: NetworkName,
    /// Which addresses it gives.
    pub kind: NetworkKind,
    /// The subnet, where it is known: the mask of a guest comes from here.
    pub subnet: Option<Ipv4Net>,
    /// How frames leave a node.
    pub transport: Transport,
    /// Router of the guests.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers of the guests.
    pub dns: Vec<IpAddr>,
    /// Search domain of the guests.
    pub search_domain: Option<Domain>,
    /// MTU of the guests, bytes.
    pub mtu: Option<u16>,
    /// A DHCP service on the front-end with a reservation for each lease.
    pub dhcp: Option<Dhcp>,
    /// Whether the front-end translates addresses for it.
    pub nat: Option<Nat>,
    /// Whether every user may use it.
    pub public: bool,
    /// Security groups by OpenNebula's number; `[0]` is the default one.
    pub security_groups: Vec<u32>,
}

/// Which addresses a virtual network gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// Each address stated, with its MAC address where that matters.
    Fixed(Vec<Lease>),
    /// Consecutive addresses.
    Ranged(Extent),
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// IPv4 address.
    pub ip: Ipv4Addr,
    /// MAC address; made from the site's prefix and the address where it is absent.
    pub mac: Option<MacAddress>,
}

/// Consecutive addresses, both ends included; never the network's or broadcast address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// First address.
    pub first: Ipv4Addr,
    /// How many.
    pub size: u32,
}

impl Extent {
    /// Last address.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits().saturating_add(self.size.saturating_sub(1)))
    }

    /// Whether the address is one of them.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last()).contains(&address)
    }
}

/// How frames of a virtual network leave a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Through this bridge of the node.
    Bridge(InterfaceName),
    /// By VLAN tags (IEEE 802.1Q).
    Vlan(Vlan),
    /// In VXLAN (RFC 7348), multicast over the interface.
    Vxlan(Vlan),
}

/// A tagged network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// Tag (1 to 4094) or VXLAN network identifier (1 to 16777215).
    pub id: u32,
    /// The interface of the node that carries it; the one below the node's bridge where absent.
    pub interface: Option<InterfaceName>,
}

/// A DHCP service for a virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dhcp {
    /// How long a lease lasts.
    pub lease_time: Duration,
    /// Time servers told to guests.
    pub ntp: Vec<Ipv4Addr>,
}

/// Address translation for a virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat {
    /// The interface towards the outside; the one with the default route where absent.
    pub interface: Option<InterfaceName>,
}

/// `[vpn]`: the overlay of burst nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpn {
    /// Host name or address that burst nodes connect to.
    pub endpoint: String,
    /// Its port.
    pub port: u16,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Ethernet bridging, or routing, and by what.
    pub mode: VpnMode,
    /// The virtual network whose subnet the burst nodes join, where the addresses lie in one.
    pub network: Option<NetworkName>,
    /// The subnet that they join.
    pub subnet: Ipv4Net,
    /// Addresses that burst nodes get.
    pub range: Extent,
    /// The host of the server; the front-end where absent.
    pub gateway_host: Option<HostName>,
    /// Whether that host tells the LAN the addresses of burst nodes.
    pub serve_names: bool,
    /// How long a certificate is valid.
    pub certificate_validity: Duration,
    /// How long the authority is valid.
    pub ca_validity: Duration,
    /// The burst nodes by name.
    pub nodes: Vec<Burst>,
}

/// What the tunnel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VpnMode {
    /// Ethernet frames, bridged into the LAN.
    Tap,
    /// IP packets, routed.
    Tun,
    /// IP packets, routed, by WireGuard instead of OpenVPN.
    WireGuard,
}

impl VpnMode {
    /// Whether burst nodes have a subnet of their own, with the gateway as its router.
    pub fn is_routed(self) -> bool {
        self != Self::Tap
    }
}

/// A burst node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// Its name.
    pub name: HostName,
    /// Its address; the next free one of the range where absent.
    pub address: Option<Ipv4Addr>,
    /// Whether it is a host of OpenNebula.
    pub register: bool,
}

impl Vpn {
    /// The burst nodes that become hosts of OpenNebula.
    pub fn registered(&self) -> impl Iterator<Item = &Burst> {
        self.nodes.iter().filter(|node| node.register)
    }
}

/// `[identity.ldap]`: the directory that people are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `ldaps://` and `ldap://` (with StartTLS) servers.
    pub urls: Vec<Url>,
    /// Where the search for people starts.
    pub base: String,
    /// Who searches; anonymous where absent.
    pub bind_dn: Option<String>,
    /// File with that one's password: `bind_password_file` in the file.
    pub password_file: Option<PathBuf>,
    /// LDAP filter of people; `{login}` stands for the login, as the services write it.
    pub user_filter: String,
    /// LDAP filter of groups.
    pub group_filter: Option<String>,
    /// Members of this group administrate: `administrators` in the file.
    pub admin_group: Option<String>,
    /// PEM certificates of the directory's authorities.
    pub ca: Option<PathBuf>,
}

/// Where an address of a service comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressSource {
    /// It exists already, here.
    Existing(Url),
    /// The installer sets it up on this host.
    Install(HostName),
}

/// `[repository]`: the appliance repository, as the installer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Where it is.
    pub source: AddressSource,
    /// Where clients find it.
    pub url: Url,
    /// PEM certificates of its authority, where the system's do not do.
    pub ca: Option<PathBuf>,
}

/// `[cache]`: the caching proxy, as the installer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// Where it is.
    pub source: AddressSource,
    /// Where clients find it.
    pub url: Url,
}

/// `[monitor]`: the web application, as the installer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// Its host; the front-end where the file says nothing.
    pub host: HostName,
    /// Its port: that of the first address that it listens on.
    pub port: u16,
    /// Where it finds the report of the VPN, as written: relative to its settings.
    pub vpn_report: Option<String>,
}

/// `[accounting]`: who this site is to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Name of the site in published records.
    pub site_name: String,
}

/// `[packages]`: where packages come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Base of OpenNebula's package repository, above `7.4/Debian/13`; the public one where absent.
    pub opennebula: Option<Url>,
    /// File with the key that signs it (OpenPGP, ASCII armour).
    pub opennebula_key: Option<PathBuf>,
    /// Base of Stratus' own package repository.
    pub stratus: Option<Url>,
    /// File with the key that signs that one.
    pub stratus_key: Option<PathBuf>,
    /// HTTP proxy for package managers.
    pub proxy: Option<Url>,
    /// Directory with all packages where the installer runs, for hosts without internet.
    pub offline: Option<PathBuf>,
    /// File with the key that signs the directory.
    pub offline_key: Option<PathBuf>,
}
