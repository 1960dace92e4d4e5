//! The bridge of a node, or of the gateway of burst nodes, with the address that the interface has
//! now moved onto it.

use crate::bridging;
use crate::content::SHORTENED;
use crate::facts::{HostFacts, InterfaceFacts, NetworkTool};
use crate::plan::Role;
use crate::step::{File, Network, Step};
use crate::view::View;
use crate::wanted::{Wanted, whole};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::IpAddr;
use stratus_network::{Addressing, bridge_files, interfaces_without, overlay};
use stratus_site::{Interface, InterfaceName, Node, Site};

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let joint = match view.node {
        Some(node) => node.configure_bridge.then(|| Joint {
            bridge: node.bridge.clone(),
            interface: interface(view.told, node),
            reason: "nodes.bridge: machines reach the LAN through it",
        }),
        None => joint(view.site, view.roles, view.told),
    };
    joint.map(|joint| bridge(view, joint)).into_iter().collect()
}

/// A bridge and what is below it.
pub(crate) struct Joint {
    pub(crate) bridge: InterfaceName,
    pub(crate) interface: Option<InterfaceName>,
    reason: &'static str,
}

/// The bridge of a gateway that is no node: over the interface that has an address of the subnet
/// which burst nodes join. That with the default route may be the one to the internet.
pub(crate) fn joint(site: &Site, roles: &BTreeSet<Role>, told: &HostFacts) -> Option<Joint> {
    let vpn = site.vpn.as_ref().filter(|_| roles.contains(&Role::Gateway))?;
    let bridge = overlay::bridge(site, vpn)?.clone();
    if site.nodes.iter().any(|node| !node.configure_bridge) {
        return None;
    }
    let inside = |a: &String| a.parse::<Ipv4Net>().is_ok_and(|a| vpn.subnet.contains(&a.addr()));
    let own = told.interfaces.iter().find(|i| i.name != bridge && i.addresses.iter().any(inside));
    // While questions are collected nothing is known but a name that stands for it.
    let unknown = || told.default_route.as_ref().filter(|_| told.interfaces.is_empty());
    let interface = port(told, &bridge)
        .or_else(|| own.map(|i| i.name.clone()))
        .or_else(|| unknown().map(|(name, _)| name.clone()));
    let reason = "vpn.mode = \"tap\": burst nodes reach the LAN through it";
    Some(Joint { bridge, interface: Some(interface?), reason })
}

fn bridge(view: &View, joint: Joint) -> Wanted {
    let Joint { bridge, interface, reason } = joint;
    let tool = view.told.network_tool.unwrap_or(view.system.release.network);
    let addressing = addressing(view.told, &bridge, interface.as_ref());
    let made = bridge_files(bridging::tool(tool), &bridge, interface.as_ref(), &addressing);
    let mut files: Vec<File> =
        made.files.into_iter().map(|f| whole(&f.path, f.mode, f.content)).collect();
    if tool == NetworkTool::Ifupdown {
        files.extend(without_interface(view, &bridge, interface.as_ref()));
    }
    let step = Step::Network(Network {
        tool,
        files,
        aside: BTreeSet::new(),
        bridge: bridge.to_string(),
        interface: interface.map(|i| i.to_string()),
        apply: made.apply,
        revert: made.revert,
    });
    Wanted::new(step, reason)
}

/// Files of ifupdown where others configure the interface, without what they say of it: two
/// stanzas would both be carried out. Once the bridge is there they are left alone.
fn without_interface(
    view: &View,
    bridge: &InterfaceName,
    port: Option<&InterfaceName>,
) -> Vec<File> {
    let Some(port) = port else {
        // While questions are collected nothing is known of interfaces, and every file is one.
        let asked = SHORTENED.iter().filter(|_| view.inputs.is_none());
        return asked.map(|path| whole(path, 0o644, "")).collect();
    };
    let below = |i: &InterfaceFacts| i.name == *port && i.master.as_ref() == Some(bridge);
    if view.told.interfaces.iter().any(below) {
        return Vec::new();
    }
    let changed = |path: &str| {
        let Some(text) = view.read(view.host, path) else {
            return view.inputs.is_none().then(|| whole(path, 0o644, ""));
        };
        let wanted = interfaces_without(&text, port);
        (wanted != text).then(|| whole(path, 0o644, wanted))
    };
    SHORTENED.into_iter().filter_map(changed).collect()
}

/// The interface below the bridge. Once the bridge is made it has the default route itself, so
/// then the port that is hardware is meant.
pub(crate) fn interface(told: &HostFacts, node: &Node) -> Option<InterfaceName> {
    if let Interface::Named(name) = &node.interface {
        return Some(name.clone());
    }
    let route = || told.default_route.as_ref().map(|(name, _)| name.clone());
    port(told, &node.bridge).or_else(|| route().filter(|name| *name != node.bridge))
}

/// The port of a bridge that is no machine's.
fn port(told: &HostFacts, bridge: &InterfaceName) -> Option<InterfaceName> {
    let ports = || told.interfaces.iter().filter(|i| i.master.as_ref() == Some(bridge));
    let port = ports().find(|i| i.physical).or_else(|| ports().find(|i| !is_machine(i)));
    port.map(|i| i.name.clone())
}

/// Whether the interface is a virtual machine's end.
fn is_machine(interface: &InterfaceFacts) -> bool {
    matches!(interface.kind.as_str(), "tun" | "tap") || interface.name.as_str().starts_with("vnet")
}

/// The addresses that the bridge takes over: its own once it has some, else those of the interface.
fn addressing(
    told: &HostFacts,
    bridge: &InterfaceName,
    interface: Option<&InterfaceName>,
) -> Addressing {
    let find = |name: &InterfaceName| told.interfaces.iter().find(|i| i.name == *name);
    let below = interface.and_then(find);
    let holder = find(bridge).filter(|b| !b.addresses.is_empty()).or(below);
    let Some(holder) = holder else { return Addressing::default() };
    let link_local =
        |a: &ipnet::IpNet| matches!(a.addr(), IpAddr::V6(a) if a.is_unicast_link_local());
    // A leased address is asked for again; written down it would stay after the lease.
    let stated = holder.addresses.iter().filter(|a| !holder.leased.contains(a));
    let addresses = stated.filter_map(|a| a.parse().ok());
    let (dns, search) = resolver(told);
    let mut addressing = Addressing {
        dhcp: holder.uses_dhcp(),
        addresses: addresses.filter(|a| !link_local(a)).collect(),
        dns,
        search,
        mtu: Some(holder.mtu).filter(|&mtu| mtu != 1500 && mtu > 0),
        mac: below.or(Some(holder)).and_then(|i| i.mac),
        ..Addressing::default()
    };
    match &told.default_route {
        Some((name, IpAddr::V4(router))) if *name == holder.name => {
            addressing.gateway4 = Some(*router);
        }
        Some((name, IpAddr::V6(router))) if *name == holder.name => {
            addressing.gateway6 = Some(*router);
        }
        _ => {}
    }
    addressing
}

/// Name servers and search domains of resolv.conf(5); a local stub is not one to write down.
fn resolver(told: &HostFacts) -> (Vec<IpAddr>, Vec<String>) {
    let text = told.paths.get("/etc/resolv.conf").and_then(|p| p.content.as_deref());
    let (mut dns, mut search) = (Vec::new(), Vec::new());
    for line in text.unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => dns.extend(words.filter_map(|w| w.parse::<IpAddr>().ok())),
            Some("search" | "domain") => search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    dns.retain(|address| !address.is_loopback());
    search.retain(|domain| domain != ".");
    (dns, search)
}
