//! `[vpn]`: the overlay of burst nodes.

mod wireguard;

use super::claims::Use;
use super::subnet::{net, parse_extent, usable};
use super::{Reading, one_of, port, within};
use crate::sections::{Burst, Extent, Network, Vpn, VpnMode};
use crate::values::HostName;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use stratus_sections::{Element, Section};

const DAY: u64 = 86_400;

/// The addresses of burst nodes, which networks leave out of their leases.
pub(super) fn range(s: &Section<'_>) -> Option<Extent> {
    if !enabled(s) {
        return None;
    }
    let text = s.text("range")?;
    let extent = parse_extent(&text);
    if extent.is_none() {
        let cure = Some("write it as \"10.0.0.200-10.0.0.239\"".to_owned());
        s.complain("range", format!("`{text}` is no range of addresses"), cure);
    }
    extent
}

pub(super) fn read(
    s: Section<'_>,
    range: Option<Extent>,
    reading: &mut Reading,
    networks: &[Network],
    hosts: &[&HostName],
) -> Option<Vpn> {
    let vpn = if enabled(&s) {
        overlay(&s, range, reading, networks, hosts)
    } else {
        // What is switched off is still kept, for the day it is switched on.
        let keys: Vec<&str> =
            crate::keys::all().filter(|k| k.section == "vpn").map(|k| k.name).collect();
        s.accept(&keys);
        None
    };
    reading.close(s);
    vpn
}

fn enabled(s: &Section<'_>) -> bool {
    s.is_present() && s.flag("enabled", true)
}

fn overlay(
    s: &Section<'_>,
    range: Option<Extent>,
    reading: &mut Reading,
    networks: &[Network],
    hosts: &[&HostName],
) -> Option<Vpn> {
    let endpoint = s.required_text("endpoint");
    let named = endpoint.parse::<HostName>().is_ok() || endpoint.parse::<IpAddr>().is_ok();
    if s.has("endpoint") && !named {
        let cure = "the port is said in `port`".to_owned();
        s.complain("endpoint", format!("`{endpoint}` is no host name or address"), Some(cure));
    }
    if !s.has("range") {
        s.required_text("range");
    }
    let protocols = [("udp", "udp".to_owned()), ("tcp", "tcp".to_owned())];
    let protocol = one_of(s, "protocol", &protocols).unwrap_or_else(|| "udp".to_owned());
    let modes = [("tap", VpnMode::Tap), ("tun", VpnMode::Tun), ("wireguard", VpnMode::WireGuard)];
    let mode = one_of(s, "mode", &modes).unwrap_or(VpnMode::Tap);
    let port = port(s, "port").unwrap_or_else(|| wireguard::default_port(mode));
    let gateway_host = reading.host(s, "gateway_host");
    let serve_names = serve_names(s, mode);
    let certificate_validity = within(s, "certificate_validity", 365 * DAY, DAY..=3650 * DAY);
    let ca_validity = within(s, "ca_validity", 3650 * DAY, DAY..=18_250 * DAY);
    if ca_validity < certificate_validity {
        let message = "the authority would end before the certificates it makes";
        let key = if s.has("ca_validity") { "ca_validity" } else { "certificate_validity" };
        s.complain(key, message, Some("make `ca_validity` the longer one".to_owned()));
    }
    let network = joined(s, range.as_ref(), networks);
    let stated = net(s, "subnet");
    let settled = mode != VpnMode::WireGuard || wireguard::is_settled(s, stated, network, networks);
    let subnet = stated.or_else(|| network.and_then(|n| n.subnet));
    if let Some(range) = &range {
        let owner = "of burst nodes".to_owned();
        reading.claims.range(*range, Use::Burst, owner, s.value_span("range"));
        if settled {
            fits(s, *range, subnet, stated, network);
        }
    }
    let around = Around { mode, gateway_host: gateway_host.as_ref(), hosts };
    let nodes = nodes(s, range.as_ref(), reading, around);
    Some(Vpn {
        endpoint,
        port,
        protocol,
        mode,
        network: network.map(|n| n.name.clone()),
        subnet: subnet?,
        range: range?,
        gateway_host,
        serve_names,
        certificate_validity,
        ca_validity,
        nodes,
    })
}

fn serve_names(s: &Section<'_>, mode: VpnMode) -> bool {
    let serves = s.flag("serve_names", !mode.is_routed());
    if serves && mode.is_routed() {
        let cure = "have the site's name service read the file `names/hosts` of the overlay";
        s.complain(
            "serve_names",
            "a routed VPN joins no LAN to tell names to",
            Some(cure.to_owned()),
        );
    }
    serves
}

/// The virtual network whose subnet is joined: the named one, or the one that holds the range.
fn joined<'a>(
    s: &Section<'_>,
    range: Option<&Extent>,
    networks: &'a [Network],
) -> Option<&'a Network> {
    let Some(name) = s.text("network") else {
        let holds = |n: &&Network| {
            n.subnet.is_some_and(|net| range.is_some_and(|r| net.contains(&r.first)))
        };
        return networks.iter().find(holds);
    };
    let network = networks.iter().find(|n| n.name.as_str() == name);
    match network {
        None => {
            let known = networks.iter().map(|n| n.name.as_str());
            let cure = stratus_sections::near::cure(&name, known, "networks");
            s.complain("network", format!("there is no network `{name}`"), Some(cure));
        }
        Some(network) if network.subnet.is_none() => {
            let cure = format!("write `subnet` in [networks.{name}]");
            s.complain("network", format!("the subnet of `{name}` is not known"), Some(cure));
        }
        Some(_) => {}
    }
    network
}

fn fits(
    s: &Section<'_>,
    range: Extent,
    subnet: Option<Ipv4Net>,
    stated: Option<Ipv4Net>,
    network: Option<&Network>,
) {
    if let (Some(stated), Some(net)) = (stated, network.and_then(|n| n.subnet))
        && stated != net
    {
        let cure = Some("take `subnet` out".to_owned());
        s.complain("subnet", format!("the network that is joined has the subnet {net}"), cure);
    }
    let Some(subnet) = subnet else {
        if !s.has("subnet") && !s.has("network") {
            let cure = "take a range inside of a network's subnet, or write `subnet`".to_owned();
            s.complain("range", "no network's subnet holds these addresses", Some(cure));
        }
        return;
    };
    let (low, high) = usable(subnet);
    if range.first.to_bits() < low || range.last().to_bits() > high {
        let (low, high) = (Ipv4Addr::from_bits(low), Ipv4Addr::from_bits(high));
        let message = format!("the range does not lie in {subnet}, which burst nodes join");
        s.complain("range", message, Some(format!("take addresses from {low} to {high}")));
    }
}

/// What burst nodes are judged by.
#[derive(Clone, Copy)]
struct Around<'a> {
    mode: VpnMode,
    gateway_host: Option<&'a HostName>,
    /// The front-end, where it is known, and the nodes.
    hosts: &'a [&'a HostName],
}

fn nodes(
    s: &Section<'_>,
    range: Option<&Extent>,
    reading: &mut Reading,
    around: Around<'_>,
) -> Vec<Burst> {
    let mut nodes: Vec<Burst> = Vec::new();
    let mut names = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for element in s.list("nodes", "a list of names, or of tables with `name`") {
        let (name, address, register, span) = match element {
            Element::Text(text, span) => (text, None, None, span),
            Element::Table(table) => {
                let name = table.required_text("name");
                let address = table.parsed("address");
                let register = table.flag("register", false).then(|| table.value_span("register"));
                let place = if address.is_some() { "address" } else { "name" };
                let span = table.value_span(place);
                reading.close(table);
                (name, address, register, span)
            }
        };
        if let Some(address) = address {
            placed(s, address, range, &mut addresses, &span);
        }
        match name.parse::<HostName>() {
            _ if name.is_empty() => {}
            Err(error) => {
                let cure = Some("write host names such as \"burst1\"".to_owned());
                s.complain_at(span, error.to_string(), cure);
            }
            Ok(name) if around.hosts.iter().any(|host| host.is_like(&name)) => {
                let cure = "a burst node is a machine of its own, elsewhere: give it a name that no host of the site has";
                let message = format!("`{name}` is the name of a host of the site");
                s.complain_at(span, message, Some(cure.to_owned()));
            }
            Ok(name) if !names.insert(name.clone()) => {
                let cure = Some("write each burst node once".to_owned());
                s.complain_at(span, format!("`{name}` is listed twice"), cure);
            }
            Ok(name) => {
                if let Some(span) = &register {
                    may_register(s, around, span);
                }
                nodes.push(Burst { name, address, register: register.is_some() });
            }
        }
    }
    if let Some(range) = range.filter(|r| nodes.len() > r.size as usize) {
        let message = format!("{} burst nodes share {} addresses", nodes.len(), range.size);
        s.complain("range", message, Some("make the range larger".to_owned()));
    }
    nodes
}

/// A host of OpenNebula runs machines of the site's networks, and the front-end logs in on it.
fn may_register(s: &Section<'_>, around: Around<'_>, span: &Range<usize>) {
    if around.mode != VpnMode::Tap {
        let message = "machines on a burst node would be in no network of the site: a routed VPN \
                       carries no Ethernet frames";
        let cure = "take `mode = \"tap\"`, or `register = false`".to_owned();
        s.complain_at(span.clone(), message, Some(cure));
    }
    // The front-end is the first of the hosts.
    if let Some((gateway, frontend)) = around.gateway_host.zip(around.hosts.first())
        && gateway != *frontend
    {
        let message = format!("`{gateway}` registers no host: OpenNebula is on `{frontend}`");
        let cure = "take `gateway_host` out, so that the front-end is the gateway, or write \
                    `register = false`";
        s.complain_at(span.clone(), message, Some(cure.to_owned()));
    }
}

fn placed(
    s: &Section<'_>,
    address: Ipv4Addr,
    range: Option<&Extent>,
    taken: &mut BTreeSet<Ipv4Addr>,
    span: &Range<usize>,
) {
    if let Some(range) = range.filter(|r| !r.contains(address)) {
        let cure = Some(format!("take one from {} to {}", range.first, range.last()));
        s.complain_at(span.clone(), format!("`{address}` is not in the range of [vpn]"), cure);
    }
    if !taken.insert(address) {
        let cure = Some("give each burst node its own".to_owned());
        s.complain_at(span.clone(), format!("two burst nodes have the address `{address}`"), cure);
    }
}
