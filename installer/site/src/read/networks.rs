//! `[networks.*]`.

use super::claims::Use;
use super::subnet::{self, extent, usable};
use super::{Reading, number, one_of, within};
use crate::sections::{Dhcp, Extent, Lease, Nat, Network, NetworkKind, Transport, Vlan};
use crate::values::{InterfaceName, MacAddress, NetworkName};
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use stratus_sections::{Element, Section, SiteText, Switch};

/// What a network can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Fixed,
    Ranged,
}

/// Keys that belong to one shape alone.
const RANGED_ONLY: [&str; 5] = ["base", "network", "size", "first", "last"];

/// Most addresses of one network that DHCP serves, a network of class B: the server gets a line
/// for each, because it can be told of no rule that leads from a MAC address to an address.
const MOST_BY_DHCP: u32 = 1 << 16;
const TOO_MANY_BY_DHCP: &str = "lease at most 65536 of them with `first` and `last`, or take `dhcp` out: OpenNebula tells machines their addresses in their context";

pub(super) fn all(
    text: &SiteText,
    reading: &mut Reading,
    bridge: Option<&InterfaceName>,
    vpn: Option<&Extent>,
) -> Vec<Network> {
    let s = text.section("networks");
    let mut networks = Vec::new();
    let mut places: Vec<(usize, Range<usize>)> = Vec::new();
    for (name, span, table) in s.tables_by_name() {
        let read = name.parse().map_err(|e: crate::WrongValue| {
            let cure =
                "write [networks.private], with letters, digits, `-`, `_` and `.`".to_owned();
            table.complain_at(span.clone(), e.to_string(), Some(cure));
        });
        let shown = if table.has("base") {
            table.value_span("base")
        } else if table.has("subnet") {
            table.value_span("subnet")
        } else {
            span
        };
        if let Ok(name) = read
            && let Some(network) = network(&table, name, reading, bridge, vpn)
        {
            places.push((networks.len(), shown));
            networks.push(network);
        } else {
            table.accept(&RANGED_ONLY);
        }
        reading.close(table);
    }
    subnets_apart(&s, &networks, &places);
    reading.close(s);
    networks
}

fn network(
    s: &Section<'_>,
    name: NetworkName,
    reading: &mut Reading,
    bridge: Option<&InterfaceName>,
    vpn: Option<&Extent>,
) -> Option<Network> {
    let shape = shape(s);
    let stated = subnet::net(s, "subnet");
    let leases = leases(s, reading, &name, stated);
    let ranged = if shape == Shape::Ranged { subnet::ranged(s) } else { None };
    let net = ranged.as_ref().map(|r| r.net).or(stated);
    let nat = nat(s, reading);
    let gateway = gateway(s, net, nat.is_some());
    let dns: Vec<IpAddr> = s.parsed_list("dns");
    let dhcp = dhcp(s, reading);
    for (key, wanted) in [("dhcp", dhcp.is_some()), ("nat", nat.is_some())] {
        if wanted && net.is_none() && shape == Shape::Fixed {
            let cure = "write subnet = \"192.0.2.0/24\" with the network's own".to_owned();
            s.complain(key, format!("`{key}` needs to know the subnet"), Some(cure));
        }
    }
    let kind = match shape {
        Shape::Fixed => Some(NetworkKind::Fixed(leases)),
        Shape::Ranged => ranged.and_then(|r| extent(s, &r, gateway, vpn)).map(NetworkKind::Ranged),
    };
    if let Some(NetworkKind::Ranged(extent)) = &kind {
        if dhcp.is_some() && extent.size > MOST_BY_DHCP {
            let message = format!("{} addresses are too many for `dhcp`", extent.size);
            s.complain("dhcp", message, Some(TOO_MANY_BY_DHCP.to_owned()));
        }
        let key = ["first", "last", "base"].into_iter().find(|key| s.has(key));
        let span = s.value_span(key.unwrap_or("network"));
        reading.claims.range(*extent, Use::Lease, format!("leased by `{name}`"), span);
    }
    if let Some(gateway) = gateway {
        let owner = format!("the gateway of `{name}`");
        reading.claims.one(gateway, Use::Service, owner, s.value_span("gateway"));
    }
    for address in dns.iter().filter_map(|a| if let IpAddr::V4(a) = a { Some(*a) } else { None }) {
        let owner = format!("a name server of `{name}`");
        reading.claims.one(address, Use::Service, owner, s.value_span("dns"));
    }
    let transport = transport(s, bridge);
    let search_domain = s.parsed("search_domain");
    let mtu = number(s, "mtu", 576..=9216);
    let public = s.flag("public", true);
    let groups = s.numbers("security_groups", 0..=i64::from(i32::MAX));
    let security_groups = groups.map_or_else(
        || vec![0],
        |list| list.into_iter().filter_map(|n| u32::try_from(n).ok()).collect(),
    );
    Some(Network {
        name,
        kind: kind?,
        subnet: net,
        transport: transport?,
        gateway,
        dns,
        search_domain,
        mtu,
        dhcp,
        nat,
        public,
        security_groups,
    })
}

fn shape(s: &Section<'_>) -> Shape {
    let shapes = [("fixed", Shape::Fixed), ("ranged", Shape::Ranged)];
    let seems = if s.has("leases") { Shape::Fixed } else { Shape::Ranged };
    let shape = one_of(s, "kind", &shapes).unwrap_or(seems);
    match shape {
        Shape::Fixed => {
            s.accept(&RANGED_ONLY);
            for key in RANGED_ONLY.iter().filter(|key| s.has(key)) {
                let message = format!("`{key}` does not go with a fixed network");
                let cure = Some("take it out; the subnet of a fixed network is `subnet`".into());
                s.complain(key, message, cure);
            }
            if !s.has("leases") {
                let cure = Some("write leases = [{ ip = \"192.0.2.40\" }]".to_owned());
                s.complain("kind", "a fixed network needs `leases`", cure);
            }
        }
        Shape::Ranged => {
            for (key, instead) in [("leases", "`base`"), ("subnet", "`base`")] {
                if s.has(key) {
                    let message = format!("`{key}` does not go with a ranged network");
                    let cure = Some(format!("take it out; a ranged network has {instead}"));
                    s.complain(key, message, cure);
                }
            }
        }
    }
    shape
}

fn leases(
    s: &Section<'_>,
    reading: &mut Reading,
    network: &NetworkName,
    net: Option<Ipv4Net>,
) -> Vec<Lease> {
    let mut leases = Vec::new();
    for element in s.list("leases", "a list of addresses, or of tables with `ip` and `mac`") {
        let (ip, mac, span) = match element {
            Element::Text(text, span) => {
                let read: Result<Ipv4Addr, _> = text.parse();
                if read.is_err() {
                    let cure = Some("write IPv4 addresses such as \"192.0.2.40\"".to_owned());
                    s.complain_at(span.clone(), format!("`{text}` is no IPv4 address"), cure);
                }
                (read.ok(), None, span)
            }
            Element::Table(table) => {
                let ip: Option<Ipv4Addr> = table.parsed("ip");
                if !table.has("ip") {
                    table.required_text("ip");
                }
                let mac: Option<MacAddress> = table.parsed("mac");
                if let (Some(mac), Some(ip)) = (mac, ip) {
                    reading.claims.mac(mac, ip, table.value_span("mac"));
                }
                let span = table.value_span("ip");
                reading.close(table);
                (ip, mac, span)
            }
        };
        if let Some(ip) = ip {
            inside(s, ip, net, span.clone());
            reading.claims.one(ip, Use::Lease, format!("a lease of `{network}`"), span);
            leases.push(Lease { ip, mac });
        }
    }
    leases
}

/// A lease is the address of a guest in its subnet.
fn inside(s: &Section<'_>, ip: Ipv4Addr, net: Option<Ipv4Net>, span: Range<usize>) {
    let Some(net) = net else { return };
    let (low, high) = usable(net);
    if !(low..=high).contains(&ip.to_bits()) {
        let what = if net.contains(&ip) {
            format!("`{ip}` is the network's own or broadcast address of {net}")
        } else {
            format!("`{ip}` is not in the subnet {net}")
        };
        let cure = "lease an address of a guest, or mend `subnet`".to_owned();
        s.complain_at(span, what, Some(cure));
    }
}

fn gateway(s: &Section<'_>, net: Option<Ipv4Net>, nat: bool) -> Option<Ipv4Addr> {
    let Some(gateway) = s.parsed::<Ipv4Addr>("gateway") else {
        let first = net.filter(|_| nat && !s.has("gateway")).map(|net| usable(net).0);
        return first.map(Ipv4Addr::from_bits);
    };
    if let Some(net) = net {
        let (low, high) = usable(net);
        if !(low..=high).contains(&gateway.to_bits()) {
            let low = Ipv4Addr::from_bits(low);
            let message = format!("the gateway `{gateway}` is no address of a host in {net}");
            s.complain("gateway", message, Some(format!("take one of it, such as \"{low}\"")));
            return None;
        }
    }
    Some(gateway)
}

fn transport(s: &Section<'_>, bridge: Option<&InterfaceName>) -> Option<Transport> {
    let named: Option<InterfaceName> = s.parsed("bridge");
    let vlan: Option<u32> = number(s, "vlan", 1..=4094);
    let vxlan: Option<u32> = number(s, "vxlan", 1..=16_777_215);
    let interface: Option<InterfaceName> = s.parsed("interface");
    let given: Vec<&str> =
        ["bridge", "vlan", "vxlan"].into_iter().filter(|key| s.has(key)).collect();
    if given.len() > 1 {
        let message = format!("`{}` and `{}` are two ways out", given[0], given[1]);
        s.complain(given[1], message, Some("write one of them".to_owned()));
    }
    if s.has("interface") && !s.has("vlan") && !s.has("vxlan") {
        let cure = "the interface below a bridge is said in [nodes]".to_owned();
        s.complain("interface", "`interface` goes with `vlan` or `vxlan`", Some(cure));
    }
    match (vlan, vxlan) {
        (Some(id), _) => Some(Transport::Vlan(Vlan { id, interface })),
        (None, Some(id)) => Some(Transport::Vxlan(Vlan { id, interface })),
        (None, None) => named.or_else(|| bridge.cloned()).map(Transport::Bridge),
    }
}

fn dhcp(s: &Section<'_>, reading: &mut Reading) -> Option<Dhcp> {
    let hour = std::time::Duration::from_hours(1);
    match s.switch("dhcp") {
        Switch::Off => None,
        Switch::On => Some(Dhcp { lease_time: hour, ntp: Vec::new() }),
        Switch::With(table) => {
            let lease_time = within(&table, "lease_time", 3600, 60..=31_536_000);
            let ntp = table.parsed_list("ntp");
            reading.close(table);
            Some(Dhcp { lease_time, ntp })
        }
    }
}

fn nat(s: &Section<'_>, reading: &mut Reading) -> Option<Nat> {
    match s.switch("nat") {
        Switch::Off => None,
        Switch::On => Some(Nat { interface: None }),
        Switch::With(table) => {
            let interface = table.parsed("interface");
            reading.close(table);
            Some(Nat { interface })
        }
    }
}

/// Networks may share a subnet where they share the wire too.
fn subnets_apart(s: &Section<'_>, networks: &[Network], places: &[(usize, Range<usize>)]) {
    let mut sorted: Vec<(&Network, &Range<usize>, Ipv4Net)> = places
        .iter()
        .filter_map(|(at, span)| networks.get(*at).map(|n| (n, span)))
        .filter_map(|(network, span)| network.subnet.map(|net| (network, span, net)))
        .collect();
    sorted.sort_by_key(|(_, _, net)| (net.network(), net.prefix_len()));
    let mut widest: Option<&(&Network, &Range<usize>, Ipv4Net)> = None;
    for here in &sorted {
        if let Some(before) = widest.filter(|w| w.2.contains(&here.2)) {
            let same = before.2 == here.2;
            if !same || before.0.transport != here.0.transport {
                let (a, b) =
                    if before.1.start < here.1.start { (before, here) } else { (here, before) };
                let message = format!(
                    "the subnet {} of `{}` overlaps {} of `{}`",
                    b.2, b.0.name, a.2, a.0.name
                );
                let cure = "give each wire a subnet of its own; on one wire write the same subnet";
                s.complain_at(b.1.clone(), message, Some(cure.to_owned()));
            }
        } else {
            widest = Some(here);
        }
    }
}
