//! What the network crate decides, asked for with what the planner has.

use crate::facts::{Facts, NetworkTool};
use crate::plan::Role;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use stratus_site::{InterfaceName, MacAddress, Site};

#[derive(Clone, Debug, Default)]
pub(crate) struct Addressing {
    pub(crate) dhcp: bool,
    pub(crate) addresses: Vec<IpNet>,
    pub(crate) gateway4: Option<Ipv4Addr>,
    pub(crate) gateway6: Option<Ipv6Addr>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) mac: Option<MacAddress>,
}

pub(crate) struct NetworkFile {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: String,
}

pub(crate) struct BridgeFiles {
    pub(crate) files: Vec<NetworkFile>,
    pub(crate) apply: Vec<Vec<String>>,
    pub(crate) revert: Vec<Vec<String>>,
}

pub(crate) fn bridge_files(
    _tool: NetworkTool,
    bridge: &InterfaceName,
    interface: Option<&InterfaceName>,
    addressing: &Addressing,
) -> BridgeFiles {
    let content = format!("{bridge} {interface:?} {addressing:?}\n");
    let path = format!("/etc/network/interfaces.d/stratus-{bridge}");
    BridgeFiles {
        files: vec![NetworkFile { path, mode: 0o644, content }],
        apply: Vec::new(),
        revert: Vec::new(),
    }
}

pub(crate) fn dnsmasq(site: &Site) -> Option<String> {
    let served = site.networks.iter().any(|n| n.dhcp.is_some());
    served.then(|| "# dnsmasq\n".to_owned())
}

/// The rules of a host. The LAN is the subnets that hosts' stated addresses lie in.
pub(crate) fn firewall(site: &Site, facts: &Facts, roles: &BTreeSet<Role>) -> String {
    format!("# {roles:?} {:?}\n", lan(site, facts))
}

/// The subnets of the LAN: those of the front-end's interface that has its address.
fn lan(site: &Site, facts: &Facts) -> Vec<IpNet> {
    let _ = (site, facts);
    Vec::new()
}
