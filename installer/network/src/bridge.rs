//! A bridge over an interface, written for the tool that manages the network of a host.
//!
//! The host keeps its addressing: what the interface had moves to the bridge. Three rules hold for
//! every tool. The port has no address any more: one that stays behind answers on the wrong device.
//! The bridge has the MAC address of the interface, so that DHCP reservations and neighbours know
//! it again, and because hosts cloned with one machine-id would otherwise make the same one. There
//! is no spanning tree and no forwarding delay: a bridge with one uplink has no loop, and 15 s of
//! silence would let a DHCP client give up.
//!
//! The interface below is taken to be an Ethernet port; that of a bond or VLAN needs more words in
//! netplan and NetworkManager than are written here.

mod ifupdown;
mod netplan;
mod network_manager;
mod networkd;
mod wicked;

pub use ifupdown::interfaces_without;

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use stratus_site::{InterfaceName, MacAddress};

/// What manages the network of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
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

/// The addressing of a host, as found on the interface. Without DHCP and without an address the
/// bridge gets none at all, not even from router advertisements: then it serves machines only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addressing {
    /// Whether IPv4 comes from a DHCP server.
    pub dhcp: bool,
    /// Stated addresses with their prefix; with DHCP, those beside it.
    pub addresses: Vec<IpNet>,
    /// Router of IPv4; DHCP tells its own.
    pub gateway4: Option<Ipv4Addr>,
    /// Router of IPv6, where it is stated; router advertisements are taken otherwise.
    pub gateway6: Option<Ipv6Addr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Search domains.
    pub search: Vec<String>,
    /// MTU of bridge and port, bytes, where it is not the usual one.
    pub mtu: Option<u32>,
    /// MAC address of the interface.
    pub mac: Option<MacAddress>,
}

/// A file of the network's configuration, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFile {
    /// Path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Content.
    pub content: String,
}

/// Everything for one bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeFiles {
    /// Files to put in place.
    pub files: Vec<NetworkFile>,
    /// Commands, in order, that load the files once they are in place.
    pub apply: Vec<Vec<String>>,
    /// Commands, in order, that go back once the former files are in place again. They do no harm
    /// where nothing had been loaded, and keep a bridge that the former files have too.
    pub revert: Vec<Vec<String>>,
}

/// Files and commands that put a bridge over an interface, or make one without a port.
pub fn bridge_files(
    tool: Tool,
    bridge: &InterfaceName,
    interface: Option<&InterfaceName>,
    addressing: &Addressing,
) -> BridgeFiles {
    let link =
        Link { bridge: bridge.as_str(), port: interface.map(InterfaceName::as_str), addressing };
    match tool {
        Tool::Ifupdown => ifupdown::bridge(&link),
        Tool::Netplan => netplan::bridge(&link),
        Tool::NetworkManager => network_manager::bridge(&link),
        Tool::Networkd => networkd::bridge(&link),
        Tool::Wicked => wicked::bridge(&link),
    }
}

/// First line of each file; every format takes `#` for a comment.
const MADE_BY: &str = "# Made by stratus-install from the site file; changes here are lost.\n";

/// What the writers share.
struct Link<'a> {
    bridge: &'a str,
    port: Option<&'a str>,
    addressing: &'a Addressing,
}

impl Link<'_> {
    fn v4(&self) -> impl Iterator<Item = &IpNet> {
        self.addressing.addresses.iter().filter(|net| matches!(net, IpNet::V4(_)))
    }

    fn v6(&self) -> impl Iterator<Item = &IpNet> {
        self.addressing.addresses.iter().filter(|net| matches!(net, IpNet::V6(_)))
    }

    /// Whether the host has no address there.
    fn is_bare(&self) -> bool {
        !self.addressing.dhcp && self.addressing.addresses.is_empty()
    }

    /// Stated routers. With DHCP the server tells the one of IPv4.
    fn gateways(&self) -> Vec<IpAddr> {
        let four = self.addressing.gateway4.filter(|_| !self.addressing.dhcp).map(IpAddr::V4);
        let six = self.addressing.gateway6.map(IpAddr::V6);
        four.into_iter().chain(six).filter(|_| !self.is_bare()).collect()
    }

    /// Whether a router lies outside every subnet of the host, as some providers have it with an
    /// address of 32 bits: the route must then say that the router is on the link.
    fn is_off_subnet(&self, gateway: IpAddr) -> bool {
        let link_local = match gateway {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        !link_local && !self.addressing.addresses.iter().any(|net| net.contains(&gateway))
    }

    /// Search domains that are names: nothing else may reach a file that a tool reads.
    fn search(&self) -> impl Iterator<Item = &str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let all = self.addressing.search.iter().map(String::as_str);
        all.filter(move |domain| !domain.is_empty() && domain.chars().all(plain))
    }

    /// The bridge and its port.
    fn both(&self) -> impl Iterator<Item = &str> {
        self.port.into_iter().chain(std::iter::once(self.bridge))
    }

    /// Takes every address from the port: some tools leave those that they did not set.
    fn flush_port(&self) -> Option<Vec<String>> {
        let port = self.port?;
        Some(command(&["ip", "address", "flush", "dev", port, "scope", "global"]))
    }
}

fn file(path: String, mode: u32, content: String) -> NetworkFile {
    NetworkFile { path, mode, content: MADE_BY.to_owned() + &content }
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A script for the shell of POSIX. Names of interfaces hold no quote, by their type, so `'name'`
/// is one word whatever else they hold.
fn script(text: String) -> Vec<String> {
    vec!["sh".to_owned(), "-c".to_owned(), text]
}

fn joined<T: ToString>(values: impl IntoIterator<Item = T>, separator: &str) -> String {
    let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    texts.join(separator)
}

#[cfg(test)]
#[path = "bridge_tests.rs"]
mod tests;
