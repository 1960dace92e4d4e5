//! What has to be asked around a host before it is changed: whether its package repositories answer,
//! and whether somebody on the wire has an address that a network will give to machines.

use crate::facts::{Facts, HostFacts, Reach};
use crate::metadata::{self, opennebula, series_text};
use crate::plan::Role;
use crate::view::{known, roles, roles_of};
use crate::wanted::filled;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use stratus_network::vnets;
use stratus_site::{HostName, MacAddress, Site};
use url::Url;

/// Most addresses of a network that are asked for: each is a frame to everybody on the wire.
const MOST_ADDRESSES: u32 = 256;

/// What to ask of a host; nothing where the site does not need it.
pub fn reach(site: &Site, facts: &Facts, host: &HostName) -> Reach {
    let Some(told) = known(facts, host) else { return Reach::default() };
    let addresses = if asker(site, facts) == Some(host) {
        leases(site).into_keys().filter(|ip| is_on_wire(told, *ip)).collect()
    } else {
        std::collections::BTreeSet::new()
    };
    Reach {
        repositories: index(site, host, told).into_iter().collect(),
        proxy: site.packages.proxy.as_ref().map(Url::to_string),
        addresses,
    }
}

/// The index of OpenNebula's package repository for this host.
fn index(site: &Site, host: &HostName, told: &HostFacts) -> Option<String> {
    let roles = roles_of(site, host);
    let packages = &site.packages;
    let needs = roles.contains(&Role::Frontend) || roles.contains(&Role::Node);
    if !needs || packages.offline.is_some() {
        return None;
    }
    let system = metadata::find(&told.os).ok()?;
    let base = packages.opennebula.as_ref().map_or(opennebula().repository.as_str(), Url::as_str);
    let series = series_text(site.general.opennebula_version);
    let url = format!("{}/{series}/{}", base.trim_end_matches('/'), system.release.path);
    let values = [("url", url.as_str()), ("architecture", &told.architecture)];
    Some(filled(&system.family.repository.index, &values))
}

/// The one host that asks for addresses: the first that answered, for all see the same wire.
fn asker<'a>(site: &'a Site, facts: &Facts) -> Option<&'a HostName> {
    let nodes = site.nodes.iter().map(|node| &node.host);
    let all = nodes.chain(roles(site).into_iter().map(|(host, _)| host));
    all.into_iter().find(|host| known(facts, host).is_some())
}

/// The addresses that networks give to machines, with the MAC address that goes with each.
pub(crate) fn leases(site: &Site) -> BTreeMap<Ipv4Addr, Option<MacAddress>> {
    let mut leases = BTreeMap::new();
    for vnet in vnets(site) {
        let mut left = MOST_ADDRESSES;
        for range in vnet.ranges {
            let size = range.size.min(left);
            left -= size;
            for offset in 0..size {
                let Some(ip) = u32::from(range.first).checked_add(offset) else { break };
                leases.insert(Ipv4Addr::from(ip), range.mac.map(|mac| counted(mac, offset)));
            }
        }
    }
    leases
}

/// OpenNebula counts MAC addresses on from a range's first one.
fn counted(mac: MacAddress, offset: u32) -> MacAddress {
    let mut octets = mac.0;
    let number = [octets[2], octets[3], octets[4], octets[5]];
    let number = u32::from_be_bytes(number).wrapping_add(offset);
    octets[2..].copy_from_slice(&number.to_be_bytes());
    MacAddress(octets)
}

/// Whether an address is on the same wire as one of the host's own.
fn is_on_wire(told: &HostFacts, ip: Ipv4Addr) -> bool {
    let nets = told.interfaces.iter().flat_map(|i| &i.addresses);
    let mut nets = nets.filter_map(|a| a.parse::<Ipv4Net>().ok());
    nets.any(|net| net.prefix_len() < 31 && net.contains(&ip))
}
