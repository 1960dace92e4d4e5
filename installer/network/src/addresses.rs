//! Which addresses are given out, and with which MAC addresses.
//!
//! A fixed network gives what the file states. A ranged one gives its range less everything that
//! the same file says something else lives at: routers, name and time servers, hosts, burst nodes
//! and the VPN's range, leases of fixed networks, and the subnet's own two addresses.

use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Extent, Lease, MacAddress, Network, NetworkKind, NetworkName, Site};

/// Every address that is given to a virtual machine, with its network and MAC address: networks in
/// the order of the file, addresses of a ranged one ascending.
pub fn leases(site: &Site) -> impl Iterator<Item = (&NetworkName, Ipv4Addr, MacAddress)> {
    site.networks.iter().flat_map(move |network| {
        network_leases(site, network).map(move |lease| (&network.name, lease.0, lease.1))
    })
}

/// The leases of one network.
pub(crate) fn network_leases(
    site: &Site,
    network: &Network,
) -> impl Iterator<Item = (Ipv4Addr, MacAddress)> {
    let stated: &[Lease] = match &network.kind {
        NetworkKind::Fixed(leases) => leases,
        NetworkKind::Ranged(_) => &[],
    };
    let stated = stated.iter().map(|lease| (lease.ip, lease_mac(site, lease)));
    let ranged = extents(site, network).into_iter().flat_map(move |extent| {
        (extent.first..=extent.last())
            .map(|ip| (ip, MacAddress::derived(site.frontend.mac_prefix, ip)))
    });
    stated.chain(ranged)
}

/// The MAC address of a stated lease: the stated one, or the one that OpenNebula makes.
pub(crate) fn lease_mac(site: &Site, lease: &Lease) -> MacAddress {
    lease.mac.unwrap_or_else(|| MacAddress::derived(site.frontend.mac_prefix, lease.ip))
}

/// What a ranged network gives out: its range without the addresses that are in use, as the
/// pieces that are left, ascending. Empty for a fixed network.
pub fn extents(site: &Site, network: &Network) -> Vec<Extent> {
    let NetworkKind::Ranged(range) = &network.kind else { return Vec::new() };
    if range.size == 0 {
        return Vec::new();
    }
    let mut taken = taken(site);
    let (mut first, mut last) = (range.first.to_bits(), range.last().to_bits());
    if let Some(subnet) = network.subnet {
        first = first.max(subnet.network().to_bits());
        last = last.min(subnet.broadcast().to_bits());
        // A subnet of 31 bits has neither (RFC 3021), nor has a single address.
        if subnet.prefix_len() < 31 {
            taken.push(one(subnet.network()));
            taken.push(one(subnet.broadcast()));
        }
    }
    taken.sort_unstable();
    without(first, last, &taken)
}

/// The pieces of `first..=last` outside sorted intervals.
fn without(first: u32, last: u32, taken: &[(u32, u32)]) -> Vec<Extent> {
    let mut pieces = Vec::new();
    // One past the last address of IPv4 does not fit into 32 bits.
    let (mut next, end) = (u64::from(first), u64::from(last) + 1);
    let stops = taken.iter().map(|(from, to)| (u64::from(*from), u64::from(*to)));
    for (from, to) in stops.chain(std::iter::once((end, end))) {
        let stop = from.min(end);
        if let (Ok(first), Ok(size)) =
            (u32::try_from(next), u32::try_from(stop.saturating_sub(next)))
            && size > 0
        {
            pieces.push(Extent { first: Ipv4Addr::from_bits(first), size });
        }
        next = next.max(to + 1);
    }
    pieces
}

/// An interval of one address.
fn one(address: Ipv4Addr) -> (u32, u32) {
    (address.to_bits(), address.to_bits())
}

/// Addresses of the site that no ranged network may give out.
fn taken(site: &Site) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    for network in &site.networks {
        all.extend(network.gateway.map(one));
        all.extend(network.dns.iter().copied().filter_map(v4).map(one));
        all.extend(network.dhcp.iter().flat_map(|dhcp| &dhcp.ntp).copied().map(one));
        if let NetworkKind::Fixed(leases) = &network.kind {
            all.extend(leases.iter().map(|lease| one(lease.ip)));
            all.extend(leases.iter().filter_map(|lease| namesake(site, lease)).map(one));
        }
    }
    all.extend(host_addresses(site).filter_map(v4).map(one));
    if let Some(vpn) = &site.vpn {
        all.push((vpn.range.first.to_bits(), vpn.range.last().to_bits()));
        all.extend(vpn.nodes.iter().filter_map(|node| node.address).map(one));
        all.extend(vpn.endpoint.parse().ok().map(one));
    }
    all.extend(service_addresses(site).map(one));
    all
}

/// The address whose made MAC address is stated for another one: it would be there twice.
fn namesake(site: &Site, lease: &Lease) -> Option<Ipv4Addr> {
    let stated = lease.mac?;
    let [_, _, octets @ ..] = stated.0;
    let address = Ipv4Addr::from(octets);
    (MacAddress::derived(site.frontend.mac_prefix, address) == stated).then_some(address)
}

/// Stated addresses of the front-end and the nodes.
pub(crate) fn host_addresses(site: &Site) -> impl Iterator<Item = IpAddr> {
    site.frontend.address.into_iter().chain(site.nodes.iter().filter_map(|node| node.address))
}

/// Services that are named by their address.
fn service_addresses(site: &Site) -> impl Iterator<Item = Ipv4Addr> {
    let repository = site.repository.iter().map(|r| &r.url);
    let cache = site.cache.iter().map(|c| &c.url);
    let directory = site.identity.iter().flat_map(|i| &i.urls);
    let urls = repository.chain(cache).chain(directory);
    urls.filter_map(|url| url.host_str()?.parse().ok())
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The subnet that guests of a network are told: the stated one, else the smallest of 24 bits or
/// fewer that holds the router and every address. None for a network without an address.
pub fn guest_subnet(network: &Network) -> Option<Ipv4Net> {
    network.subnet.or_else(|| {
        let mut all: Vec<Ipv4Addr> = network.gateway.into_iter().collect();
        match &network.kind {
            NetworkKind::Fixed(leases) => all.extend(leases.iter().map(|lease| lease.ip)),
            NetworkKind::Ranged(range) => all.extend([range.first, range.last()]),
        }
        let (low, high) = (all.iter().min()?, all.iter().max()?);
        let common = (low.to_bits() ^ high.to_bits()).leading_zeros();
        let prefix = u8::try_from(common).ok()?.min(24);
        Some(Ipv4Net::new(*low, prefix).ok()?.trunc())
    })
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
