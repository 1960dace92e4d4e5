//! What a host that routes passes on, and translation of addresses: networks with `nat` on the
//! front-end, and the routed VPN on its gateway.

use super::rules::{Chain, device, set};
use super::{Host, HostRole, families};
use crate::addresses::guest_subnet;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use stratus_site::{InterfaceName, Nat, Network, Transport, Vpn, VpnMode};

/// A network whose addresses are translated.
struct Translated<'a> {
    network: &'a Network,
    nat: &'a Nat,
    bridge: &'a InterfaceName,
    subnet: Ipv4Net,
}

impl<'a> Translated<'a> {
    fn of(network: &'a Network) -> Option<Self> {
        let Transport::Bridge(bridge) = &network.transport else { return None };
        let (nat, subnet) = (network.nat.as_ref()?, guest_subnet(network)?);
        Some(Self { network, nat, bridge, subnet })
    }

    /// Where it goes out: the stated interface, else wherever the routes lead. That may be its own
    /// bridge again, where the host has one interface only.
    fn outside(&self) -> String {
        let stated = self.nat.interface.as_ref();
        stated.map(|interface| format!(" oifname {}", device(interface))).unwrap_or_default()
    }
}

/// The networks that this host translates: those with a bridge, since a tagged network has no
/// interface on the front-end.
fn translated<'a>(host: &Host<'a>) -> Vec<Translated<'a>> {
    let networks = host.site.networks.iter().filter(|_| host.is(HostRole::Frontend));
    networks.filter_map(Translated::of).collect()
}

/// The VPN, where it is routed through this host.
fn routed_vpn<'a>(host: &Host<'a>) -> Option<&'a Vpn> {
    host.site.vpn.as_ref().filter(|vpn| vpn.mode.is_routed() && host.is_gateway())
}

/// The forward chain of a host that routes; none for others.
pub(super) fn chain(host: &Host<'_>) -> Option<Chain> {
    let (nets, vpn) = (translated(host), routed_vpn(host));
    if nets.is_empty() && vpn.is_none() {
        return None;
    }
    let mut chain = Chain::new("forward", "type filter hook forward priority filter; policy drop;");
    for bridge in bridges(host) {
        let rule = format!("iifname {bridge} oifname {bridge} accept");
        chain.rule(&rule, "stays on the bridge: not routed, judged by security groups");
    }
    chain.rule("ct state established,related accept", "answers");
    chain.rule("ct state invalid drop", "belongs to nothing");
    for net in nets {
        let (bridge, subnet, out) = (device(net.bridge), net.subnet, net.outside());
        let rule = format!("iifname {bridge} ip saddr {subnet}{out} accept");
        chain.rule(&rule, &format!("network {} to the outside", net.network.name));
    }
    if let Some(vpn) = vpn {
        vpn_rules(host, vpn, &mut chain);
    }
    chain.rule("limit rate 20/second reject with icmpx admin-prohibited", "a quick no");
    Some(chain)
}

/// Bridges whose frames may pass the forward hook, as strings of nft: those of the site, and those
/// that OpenNebula makes for tagged networks.
fn bridges(host: &Host<'_>) -> BTreeSet<String> {
    let nodes = host.site.nodes.iter().map(|node| &node.bridge);
    let networks = host.site.networks.iter().filter_map(|network| match &network.transport {
        Transport::Bridge(bridge) => Some(bridge),
        Transport::Vlan(_) | Transport::Vxlan(_) => None,
    });
    let own = nodes.chain(networks).map(device);
    own.chain(std::iter::once("\"onebr*\"".to_owned())).collect()
}

/// Burst nodes and the LAN reach each other.
fn vpn_rules(host: &Host<'_>, vpn: &Vpn, chain: &mut Chain) {
    let [(_, lan), _] = families(host.lan);
    if lan.is_empty() {
        return;
    }
    let (lan, subnet) = (set(&lan), vpn.subnet.trunc());
    let tunnel = match vpn.mode {
        VpnMode::WireGuard => crate::overlay::device(vpn.mode),
        VpnMode::Tap | VpnMode::Tun => "tun*",
    };
    let inward = format!("iifname \"{tunnel}\" ip saddr {subnet} ip daddr {lan} accept");
    chain.rule(&inward, "burst nodes to the LAN");
    if vpn.mode == VpnMode::WireGuard {
        // OpenVPN passes these on by itself.
        let among = format!("iifname \"{tunnel}\" oifname \"{tunnel}\" accept");
        chain.rule(&among, "burst nodes among themselves");
    }
    let outward = format!("oifname \"{tunnel}\" ip saddr {lan} ip daddr {subnet} accept");
    chain.rule(&outward, "the LAN to burst nodes");
}

/// The table of translation; empty text where nothing is translated.
pub(super) fn translation(host: &Host<'_>) -> String {
    let nets = translated(host);
    if nets.is_empty() {
        return String::new();
    }
    let hook = "type nat hook postrouting priority srcnat; policy accept;";
    let mut chain = Chain::new("postrouting", hook);
    for net in nets {
        let (subnet, out) = (net.subnet, net.outside());
        let rule = format!("ip saddr {subnet} ip daddr != {subnet}{out} masquerade");
        chain.rule(&rule, &format!("network {} shows the host's address", net.network.name));
    }
    format!("\ntable ip stratus_nat {{\n{}}}\n", chain.text())
}
