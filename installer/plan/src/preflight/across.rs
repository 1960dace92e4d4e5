//! What only several hosts together show.

use super::Finding;
use crate::facts::{Facts, HostFacts};
use crate::stages::port_of;
use crate::view::{address, known, roles};
use std::collections::BTreeMap;
use std::net::IpAddr;
use stratus_site::{HostName, MacAddress, Site};

type Hosts<'a> = Vec<(&'a HostName, &'a HostFacts)>;

pub(super) fn findings(site: &Site, facts: &Facts) -> Vec<Finding> {
    let hosts: Hosts =
        roles(site).into_iter().filter_map(|(h, _)| Some((h, known(facts, h)?))).collect();
    let mut findings = machine_ids(&hosts);
    findings.extend(macs(&hosts));
    findings.extend(addresses(site, facts, &hosts));
    findings.extend(mtus(site, &hosts));
    findings
}

/// Values that more than one host has, with those hosts.
fn shared<'a, K: Ord>(
    pairs: impl Iterator<Item = (K, &'a HostName)>,
) -> BTreeMap<K, Vec<&'a HostName>> {
    let mut by: BTreeMap<K, Vec<&HostName>> = BTreeMap::new();
    for (key, host) in pairs {
        let hosts = by.entry(key).or_default();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    by.retain(|_, hosts| hosts.len() > 1);
    by
}

fn names(hosts: &[&HostName]) -> String {
    let shown: Vec<&str> = hosts.iter().take(4).map(|h| h.as_str()).collect();
    let more =
        if hosts.len() > 4 { format!(" and {} more", hosts.len() - 4) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Each host but the first of those that share something.
fn each(hosts: &[&HostName], text: &str, cure: &str) -> Vec<Finding> {
    hosts.iter().skip(1).map(|host| Finding::refuse(host, text, cure)).collect()
}

/// Hosts cloned from one image have one machine-id, and then networkd gives their bridges one MAC
/// address and they lose each other on the LAN.
fn machine_ids(hosts: &Hosts) -> Vec<Finding> {
    let ids = hosts.iter().filter(|(_, t)| !t.machine_id.is_empty());
    let shared = shared(ids.map(|(host, told)| (told.machine_id.as_str(), *host)));
    let cure = "on all but one: `rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, then reboot";
    let findings = shared
        .values()
        .map(|of| each(of, &format!("the same machine-id as others: {}", names(of)), cure));
    findings.flatten().collect()
}

fn macs(hosts: &Hosts) -> Vec<Finding> {
    let of = |(host, told): &(&'_ HostName, &HostFacts)| {
        let counted = told.interfaces.iter().filter(|i| i.physical || i.kind == "bridge");
        counted.filter_map(|i| i.mac).map(|mac| (mac, (*host).clone())).collect::<Vec<_>>()
    };
    let all: Vec<(MacAddress, HostName)> = hosts.iter().flat_map(of).collect();
    let shared = shared(all.iter().map(|(mac, host)| (*mac, host)));
    let cure = "two hosts with one MAC address lose each other's frames: give one another";
    let findings = shared.iter().map(|(mac, of)| {
        each(of, &format!("the MAC address {mac} is on several hosts: {}", names(of)), cure)
    });
    findings.flatten().collect()
}

/// An address that the site gives to one host and another one has.
fn addresses(site: &Site, facts: &Facts, hosts: &Hosts) -> Vec<Finding> {
    let mut owners: BTreeMap<IpAddr, &HostName> = BTreeMap::new();
    for (host, _) in roles(site) {
        if let Some(address) = address(site, facts, host) {
            owners.entry(address).or_insert(host);
        }
    }
    let mut findings = Vec::new();
    for (host, told) in hosts {
        let all = told.interfaces.iter().flat_map(|i| &i.addresses);
        let all = all.filter_map(|a| a.split('/').next()?.parse::<IpAddr>().ok());
        for address in all.filter(|a| !a.is_loopback()) {
            match owners.get(&address) {
                Some(owner) if *owner != *host => findings.push(Finding::refuse(
                    host,
                    format!("it has the address {address} of {owner}"),
                    "give one of the two another address",
                )),
                _ => {}
            }
        }
        findings.extend(leased(site, host, told));
    }
    findings
}

/// An address of a host that a virtual network would give to a machine.
fn leased(site: &Site, host: &HostName, told: &HostFacts) -> Vec<Finding> {
    let all = told.interfaces.iter().flat_map(|i| &i.addresses);
    let all = all.filter_map(|a| a.split('/').next()?.parse::<std::net::Ipv4Addr>().ok());
    let mut findings = Vec::new();
    for address in all {
        let gives = |n: &&stratus_site::Network| match &n.kind {
            stratus_site::NetworkKind::Fixed(leases) => leases.iter().any(|l| l.ip == address),
            stratus_site::NetworkKind::Ranged(extent) => extent.contains(address),
        };
        // The front-end may well be the router of a network, and that one is left out of it.
        let router = |n: &stratus_site::Network| n.gateway == Some(address);
        let network = site.networks.iter().find(gives).filter(|n| !router(n));
        findings.extend(network.map(|network| {
            Finding::refuse(
                host,
                format!("it has {address}, which the network {} gives to machines", network.name),
                "take the address out of the network",
            )
        }));
    }
    findings
}

fn mtus(site: &Site, hosts: &Hosts) -> Vec<Finding> {
    let mtu = |host: &HostName, told: &HostFacts| {
        let node = site.nodes.iter().find(|n| n.host == *host);
        let route = told.default_route.as_ref().map(|(name, _)| name.clone());
        let name = node.and_then(|n| port_of(told, n)).or(route)?;
        told.interfaces.iter().find(|i| i.name == name).map(|i| i.mtu)
    };
    let all: Vec<(&HostName, u32)> =
        hosts.iter().filter_map(|(host, told)| Some((*host, mtu(host, told)?))).collect();
    let Some(&(first, usual)) = all.first() else { return Vec::new() };
    let other = all.iter().filter(|(_, mtu)| *mtu != usual);
    other
        .map(|(host, mtu)| {
            Finding::warn(
                host,
                format!("its MTU is {mtu}, that of {first} is {usual}"),
                "large packets are lost between them: set the same MTU on all hosts of the LAN",
            )
        })
        .collect()
}
