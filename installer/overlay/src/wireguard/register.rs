//! Who may join a WireGuard overlay, and by which key. Pure.

use super::PublicKey;
use crate::register::{RegisterError, place};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use stratus_site::{HostName, MacAddress, MacPrefix, Vpn};

/// The form of the file.
pub const VERSION: u32 = 1;

/// Everything that is known of the overlay, without secret keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The form of the file, [`VERSION`].
    pub version: u32,
    /// Name of the site.
    pub site: String,
    /// The server's key.
    pub server: Made,
    /// The burst nodes.
    pub nodes: BTreeMap<HostName, Node>,
}

/// A key and its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The key.
    pub public_key: PublicKey,
    /// When it was made.
    pub at: Timestamp,
}

/// A burst node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// The MAC address that a machine of the site would have there; what names nodes may use it.
    pub mac: MacAddress,
    /// Since when it is known.
    pub added: Timestamp,
    /// Its key.
    pub key: Made,
    /// When a bundle with this key was given out last, once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Timestamp>,
}

impl Register {
    /// Where a new node goes: the address that the site file gives it, else the lowest free one.
    pub fn place(&self, vpn: &Vpn, name: &HostName) -> Result<Ipv4Addr, RegisterError> {
        place::free(vpn, name, self.nodes.iter().map(|(name, node)| (name, node.address)))
    }

    /// Puts a node in.
    pub fn add(&mut self, name: HostName, address: Ipv4Addr, prefix: MacPrefix, key: Made) {
        let mac = MacAddress::derived(prefix, address);
        let node = Node { address, mac, added: key.at, key, handed: None };
        self.nodes.insert(name, node);
    }

    /// A node by its name.
    pub fn node(&self, name: &HostName) -> Result<&Node, RegisterError> {
        self.nodes.get(name).ok_or_else(|| RegisterError::Unknown(name.clone()))
    }

    /// A node by its name, to be changed.
    pub fn node_mut(&mut self, name: &HostName) -> Result<&mut Node, RegisterError> {
        self.nodes.get_mut(name).ok_or_else(|| RegisterError::Unknown(name.clone()))
    }

    /// Takes a node out: name and address are free again.
    pub fn revoke(&mut self, name: &HostName) -> Result<Node, RegisterError> {
        self.nodes.remove(name).ok_or_else(|| RegisterError::Unknown(name.clone()))
    }

    /// Nodes that have a bundle, and so the server's key in it.
    pub fn handed(&self) -> Vec<HostName> {
        let handed = self.nodes.iter().filter(|(_, node)| node.handed.is_some());
        handed.map(|(name, _)| name.clone()).collect()
    }
}
