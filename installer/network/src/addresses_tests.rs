//! What is given out, judged by counting address by address.

use super::*;
use crate::samples::site;
use crate::vnet::vnets;
use proptest::prelude::*;
use std::collections::BTreeSet;
use stratus_site::{Dhcp, Extent};

fn pieces(site: &Site, network: usize) -> Vec<(String, u32)> {
    let all = extents(site, &site.networks[network]);
    all.iter().map(|piece| (piece.first.to_string(), piece.size)).collect()
}

#[test]
fn a_range_is_split_around_everything_that_lives_in_it() {
    // Left out: .2 front-end and router, .3 DNS, .4 NTP, .11 and .12 nodes, .40 to .49 VPN.
    let expected = [("10.0.0.1", 1), ("10.0.0.5", 6), ("10.0.0.13", 27), ("10.0.0.50", 13)];
    assert_eq!(pieces(&site(), 1), expected.map(|(first, size)| (first.to_owned(), size)));
}

#[test]
fn an_address_whose_mac_is_stated_for_another_is_not_given_out() {
    let mut site = site();
    let NetworkKind::Fixed(leases) = &mut site.networks[0].kind else { panic!() };
    leases[0].mac = Some("02:00:0a:00:00:07".parse().unwrap());
    assert!(extents(&site, &site.networks[1]).iter().all(|e| !e.contains([10, 0, 0, 7].into())));
}

#[test]
fn the_last_addresses_of_all_do_not_overflow() {
    let mut site = site();
    let kind = Extent { first: Ipv4Addr::new(255, 255, 255, 250), size: u32::MAX };
    site.networks[1].kind = NetworkKind::Ranged(kind);
    site.networks[1].subnet = None;
    assert_eq!(pieces(&site, 1), [("255.255.255.250".to_owned(), 6)]);
    let kind = Extent { first: Ipv4Addr::UNSPECIFIED, size: u32::MAX };
    site.networks[1].kind = NetworkKind::Ranged(kind);
    let sum: u64 = pieces(&site, 1).iter().map(|(_, size)| u64::from(*size)).sum();
    // Public lease, made MAC and router and so on are left out: 4 of `public`, 15 of `private`,
    // 1 router of `overlay`.
    assert_eq!(sum, u64::from(u32::MAX) - 4 - 15 - 1);
}

/// A site whose ranged network has other things in and around it.
fn sites() -> impl Strategy<Value = Site> {
    let host = || 0_u32..300;
    let hosts = || prop::collection::vec(host(), 0..6);
    let leases = prop::collection::btree_map(host(), prop::option::of(any::<u8>()), 0..6);
    let vpn = prop::option::of((host(), 1_u32..40));
    (host(), 0_u32..280, 22_u8..=30, prop::option::of(host()), hosts(), hosts(), leases, vpn)
        .prop_map(|(first, size, prefix, gateway, dns, nodes, leases, vpn)| {
            let ip = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n);
            let mut site = site();
            let network = &mut site.networks[1];
            network.kind = NetworkKind::Ranged(Extent { first: ip(first), size });
            network.subnet = Some(Ipv4Net::new(ip(first), prefix).unwrap().trunc());
            network.gateway = gateway.map(ip);
            network.dns = dns.iter().map(|n| ip(*n).into()).collect();
            network.dhcp.as_mut().unwrap().ntp.clear();
            site.frontend.address = nodes.first().map(|n| ip(*n).into());
            for (node, n) in site.nodes.iter_mut().zip(nodes.iter().skip(1)) {
                node.address = Some(ip(*n).into());
            }
            // Stated MAC addresses all differ, but may be those that are made for others.
            let lease = |(n, mac): (u32, Option<u8>)| Lease {
                ip: ip(n),
                mac: mac.map(|mac| MacAddress([2, 0, 10, 0, 0, mac])),
            };
            let mut leases: Vec<Lease> = leases.into_iter().map(lease).collect();
            let mut seen = BTreeSet::new();
            leases.retain(|l| seen.insert(lease_mac(&site, l)));
            site.networks[0].kind = NetworkKind::Fixed(leases);
            let model = site.vpn.take();
            site.vpn = vpn.and_then(|(n, size)| {
                let mut vpn = model?;
                vpn.range = Extent { first: ip(n), size };
                vpn.nodes.clear();
                Some(vpn)
            });
            site
        })
}

/// Whether the ranged network may give the address out, asked one by one in the plainest way.
fn free(site: &Site, address: Ipv4Addr) -> bool {
    let network = &site.networks[1];
    let NetworkKind::Ranged(range) = &network.kind else { return false };
    let NetworkKind::Fixed(stated) = &site.networks[0].kind else { return false };
    let subnet = network.subnet.unwrap();
    let is = |other: IpAddr| other == IpAddr::V4(address);
    let made = MacAddress::derived(site.frontend.mac_prefix, address);
    range.size > 0
        && range.contains(address)
        && subnet.contains(&address)
        && address != subnet.network()
        && address != subnet.broadcast()
        && !site.networks.iter().any(|n| n.gateway == Some(address) || n.dns.iter().any(|d| is(*d)))
        && !site.frontend.address.is_some_and(is)
        && !site.nodes.iter().any(|node| node.address.is_some_and(is))
        && !site.vpn.as_ref().is_some_and(|vpn| vpn.range.contains(address))
        && !stated.iter().any(|lease| lease.ip == address || lease.mac == Some(made))
}

fn dhcp(site: &Site) -> Option<String> {
    let place = crate::overlay::Place::default();
    crate::dnsmasq(site, &BTreeSet::from([crate::HostRole::Frontend]), &place)
}

proptest! {
    #[test]
    fn exactly_the_free_addresses_are_given_out(site in sites()) {
        let name = &site.networks[1].name;
        let given: Vec<Ipv4Addr> =
            leases(&site).filter(|l| l.0 == name).map(|l| l.1).collect();
        let every = (0..1024).map(|n| Ipv4Addr::from_bits(0x0a00_0000 + n));
        let expected: Vec<Ipv4Addr> = every.filter(|a| free(&site, *a)).collect();
        prop_assert_eq!(&given, &expected);
        let sizes: u32 = vnets(&site)[1].ranges.iter().map(|range| range.size).sum();
        prop_assert_eq!(sizes as usize, expected.len());
    }

    #[test]
    fn no_address_and_no_mac_is_given_twice(site in sites()) {
        let all: Vec<_> = leases(&site).collect();
        let addresses: BTreeSet<_> = all.iter().map(|lease| lease.1).collect();
        let macs: BTreeSet<_> = all.iter().map(|lease| lease.2).collect();
        prop_assert_eq!(addresses.len(), all.len());
        prop_assert_eq!(macs.len(), all.len());
    }

    #[test]
    fn templates_and_leases_are_the_same_addresses(site in sites()) {
        let counted = |range: &crate::AddressRange| {
            let (first, mac) = (range.first.to_bits(), range.mac.unwrap().0);
            // As OpenNebula counts: the last four octets of the MAC address, as one number.
            let low = u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]]);
            (0..range.size).map(move |n| {
                let [a, b, c, d] = (low + n).to_be_bytes();
                (Ipv4Addr::from_bits(first + n), MacAddress([mac[0], mac[1], a, b, c, d]))
            })
        };
        let templates = vnets(&site);
        let from_templates: Vec<_> =
            templates.iter().flat_map(|vnet| vnet.ranges.iter().flat_map(counted)).collect();
        let given: Vec<_> = leases(&site).map(|lease| (lease.1, lease.2)).collect();
        prop_assert_eq!(from_templates, given);
    }

    #[test]
    fn the_same_site_gives_the_same_text(site in sites()) {
        let twin: Site = serde_json::from_str(&serde_json::to_string(&site).unwrap()).unwrap();
        prop_assert_eq!(vnets(&site), vnets(&twin));
        prop_assert_eq!(dhcp(&site), dhcp(&twin));
    }

    #[test]
    fn each_lease_has_its_reservation(site in sites()) {
        let text = dhcp(&site).unwrap_or_default();
        let lines = text.lines().filter(|l| l.starts_with("dhcp-host=")).count();
        let served: BTreeSet<&NetworkName> =
            site.networks.iter().filter(|n| n.dhcp.is_some()).map(|n| &n.name).collect();
        let wanted: Vec<_> = leases(&site).filter(|l| served.contains(l.0)).collect();
        prop_assert_eq!(lines, wanted.len());
        for (_, ip, mac) in wanted {
            let line = format!("dhcp-host={mac},{ip},");
            prop_assert!(text.contains(&line), "{}", line);
        }
    }
}

#[test]
fn a_time_server_is_not_given_out() {
    let mut site = site();
    let ntp = vec![Ipv4Addr::new(10, 0, 0, 60)];
    site.networks[1].dhcp = Some(Dhcp { lease_time: std::time::Duration::from_mins(1), ntp });
    assert!(leases(&site).all(|lease| lease.1 != Ipv4Addr::new(10, 0, 0, 60)));
}

#[test]
fn a_mask_wide_enough_is_found_where_none_is_stated() {
    let mut network = site().networks.swap_remove(0);
    network.subnet = None;
    assert_eq!(guest_subnet(&network), Some("192.0.2.0/24".parse().unwrap()));
    network.gateway = Some(Ipv4Addr::new(192, 0, 3, 1));
    assert_eq!(guest_subnet(&network), Some("192.0.2.0/23".parse().unwrap()));
}
