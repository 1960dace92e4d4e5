//! Virtual networks as OpenNebula takes them since 5.0: a driver, attributes, address ranges.
//!
//! The older `TYPE=RANGED` and `TYPE=FIXED` are still taken without complaint, and give a network
//! without addresses; so they are never written. Attributes by OpenNebula's reference "Virtual
//! Network Definition".

use crate::addresses::{extents, guest_subnet, lease_mac};
use std::net::Ipv4Addr;
use stratus_site::{MacAddress, Network, NetworkKind, NetworkName, Site, Transport, Vlan};

/// A virtual network of OpenNebula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vnet {
    /// `NAME`.
    pub name: NetworkName,
    /// The other attributes in a steady order, values without quotes.
    pub attributes: Vec<(String, String)>,
    /// What it gives out, each piece an address range of its own.
    pub ranges: Vec<AddressRange>,
    /// Whether every user may use it (permission "other: use").
    pub public: bool,
}

/// An address range (`AR`) of type IP4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    /// First address.
    pub first: Ipv4Addr,
    /// MAC address of the first address; OpenNebula counts on from it. Always stated by [`vnets`],
    /// so that a changed prefix of the site shows as a difference; OpenNebula would make the same
    /// from its `MAC_PREFIX`.
    pub mac: Option<MacAddress>,
    /// How many addresses, at least 1.
    pub size: u32,
}

impl AddressRange {
    /// The attributes inside `AR=[…]`.
    pub fn attributes(&self) -> Vec<(String, String)> {
        let mut all = pairs([("TYPE", "IP4".to_owned()), ("IP", self.first.to_string())]);
        all.extend(self.mac.map(|mac| ("MAC".to_owned(), mac.to_string())));
        all.push(("SIZE".to_owned(), self.size.to_string()));
        all
    }
}

/// The virtual networks of a site, in the order of the file.
pub fn vnets(site: &Site) -> Vec<Vnet> {
    let networks = site.networks.iter();
    let vnet = |network: &Network| Vnet {
        name: network.name.clone(),
        attributes: attributes(site, network),
        ranges: ranges(site, network),
        public: network.public,
    };
    networks.map(vnet).collect()
}

fn ranges(site: &Site, network: &Network) -> Vec<AddressRange> {
    match &network.kind {
        NetworkKind::Fixed(leases) => leases
            .iter()
            .map(|l| AddressRange { first: l.ip, mac: Some(lease_mac(site, l)), size: 1 })
            .collect(),
        NetworkKind::Ranged(_) => extents(site, network)
            .iter()
            .map(|piece| AddressRange {
                first: piece.first,
                mac: Some(MacAddress::derived(site.frontend.mac_prefix, piece.first)),
                size: piece.size,
            })
            .collect(),
    }
}

fn attributes(site: &Site, network: &Network) -> Vec<(String, String)> {
    let mut all = transport(site, network);
    // Never left out: a guest without a mask takes 255.255.255.0, whatever its network is.
    if let Some(subnet) = guest_subnet(network) {
        all.extend(pairs([
            ("NETWORK_ADDRESS", subnet.network().to_string()),
            ("NETWORK_MASK", subnet.netmask().to_string()),
        ]));
    }
    let mut optional = |name: &str, value: Option<String>| {
        all.extend(value.map(|value| (name.to_owned(), value)));
    };
    optional("GATEWAY", network.gateway.map(|gateway| gateway.to_string()));
    optional("DNS", listed(&network.dns, " "));
    optional("SEARCH_DOMAIN", network.search_domain.as_ref().map(ToString::to_string));
    optional("GUEST_MTU", network.mtu.map(|mtu| mtu.to_string()));
    optional("SECURITY_GROUPS", listed(&network.security_groups, ","));
    all
}

/// The driver and what it needs.
fn transport(site: &Site, network: &Network) -> Vec<(String, String)> {
    match &network.transport {
        Transport::Bridge(bridge) => {
            // Only `fw` applies security groups; plain `bridge` lets everything through.
            let driver = if network.security_groups.is_empty() { "bridge" } else { "fw" };
            pairs([("VN_MAD", driver.to_owned()), ("BRIDGE", bridge.to_string())])
        }
        Transport::Vlan(vlan) => tagged("802.1Q", site, vlan),
        Transport::Vxlan(vlan) => tagged("vxlan", site, vlan),
    }
}

/// A tagged network. OpenNebula names the bridge itself, after the tag.
fn tagged(driver: &str, site: &Site, vlan: &Vlan) -> Vec<(String, String)> {
    let mut all = pairs([("VN_MAD", driver.to_owned())]);
    // PHYDEV is one name for all nodes. By default it is the nodes' bridge and not the interface
    // below: the names of interfaces differ from node to node, and VXLAN needs a device that has
    // an address, which is the bridge.
    let bridge = || site.nodes.first().map(|node| node.bridge.to_string());
    let device = vlan.interface.as_ref().map(ToString::to_string).or_else(bridge);
    all.extend(device.map(|device| ("PHYDEV".to_owned(), device)));
    all.push(("VLAN_ID".to_owned(), vlan.id.to_string()));
    all
}

fn listed<T: ToString>(values: &[T], separator: &str) -> Option<String> {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(separator))
}

fn pairs<const N: usize>(all: [(&str, String); N]) -> Vec<(String, String)> {
    all.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::site;

    /// As `onevnet create` reads it.
    fn shown(vnet: &Vnet) -> String {
        let line = |(name, value): &(String, String)| format!("{name}=\"{value}\"\n");
        let mut text = format!("NAME=\"{}\"\n", vnet.name);
        text.extend(vnet.attributes.iter().map(line));
        for range in &vnet.ranges {
            let inside: Vec<String> =
                range.attributes().iter().map(|(n, v)| format!("{n}={v}")).collect();
            text.push_str(&format!("AR=[{}]\n", inside.join(",")));
        }
        text + &format!("# public: {}\n\n", vnet.public)
    }

    #[test]
    fn every_kind_of_network_becomes_a_template_of_today() {
        insta::assert_snapshot!(vnets(&site()).iter().map(shown).collect::<String>());
    }

    #[test]
    fn without_security_groups_nothing_is_filtered() {
        let mut site = site();
        site.networks[0].security_groups.clear();
        let vnet = &vnets(&site)[0];
        assert_eq!(vnet.attributes[0], ("VN_MAD".to_owned(), "bridge".to_owned()));
        assert!(vnet.attributes.iter().all(|(name, _)| name != "SECURITY_GROUPS"));
    }

    #[test]
    fn a_mask_is_told_even_where_no_subnet_is_known() {
        let mut site = site();
        for network in &mut site.networks {
            network.subnet = None;
        }
        for vnet in vnets(&site) {
            assert!(vnet.attributes.iter().any(|(name, _)| name == "NETWORK_MASK"), "{vnet:?}");
        }
    }
}
