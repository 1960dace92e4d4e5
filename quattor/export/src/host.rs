//! Facts of hosts as they are before anything was done: what the site file states, and nothing
//! that only a living host could tell.

use crate::export::Request;
use crate::refusal::Refusal;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};
use stratus_plan::facts::{Facts, HostFacts, HostReport, InterfaceFacts, OsRelease};
use stratus_plan::metadata::{self, System};
use stratus_site::{HostName, Interface, InterfaceName, Node, Os, Transport};

/// A host with its system and its place in the LAN.
pub(crate) struct Bare {
    pub(crate) system: System,
    pub(crate) lan: Lan,
    facts: HostFacts,
}

/// How a host is in the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lan {
    /// The interface.
    pub(crate) interface: InterfaceName,
    /// The address with the subnet; by DHCP where absent.
    pub(crate) address: Option<Ipv4Net>,
    /// The router.
    pub(crate) gateway: Option<Ipv4Addr>,
}

/// The MTU of Ethernet, bytes.
const MTU: u32 = 1500;

/// Stands for an address that a host gets by DHCP: no host has this one, no network holds it, and
/// the planner writes down nothing that is leased.
const LEASED: &str = "0.0.0.0/32";

/// A bare host. `key` is the section of the site file that it comes from.
pub(crate) fn bare(request: &Request, host: &HostName) -> Result<Bare, Refusal> {
    let site = request.site;
    let node = site.nodes.iter().find(|n| n.host == *host);
    let frontend = site.frontend.host == *host;
    let (os, address, section) = match node {
        _ if frontend => (&site.frontend.os, site.frontend.address, "frontend".to_owned()),
        Some(node) => (&node.os, node.address, format!("nodes.override.\"{host}\"")),
        None => (&Os::Auto, None, "nodes".to_owned()),
    };
    let os = release(request, os, &section)?;
    let system = metadata::find(&os).map_err(|e| Refusal::new(format!("{section}.os"), e))?;
    let interface = interface(request, node, &section)?;
    let (address, gateway) = place(request, address, &section)?;
    let lan = Lan { interface, address, gateway };
    let facts = facts(host, os, &lan);
    Ok(Bare { system, lan, facts })
}

/// All of them as the planner takes them.
pub(crate) fn report<'a>(hosts: impl IntoIterator<Item = (&'a HostName, &'a Bare)>) -> Facts {
    let known = |b: &Bare| HostReport::Known(Box::new(b.facts.clone()));
    Facts { hosts: hosts.into_iter().map(|(host, b)| (host.clone(), known(b))).collect() }
}

fn release(request: &Request, os: &Os, section: &str) -> Result<OsRelease, Refusal> {
    let stated = match (os, request.os) {
        (Os::Stated(stated), _) => stated.as_str(),
        (Os::Auto, Some(stated)) => stated,
        (Os::Auto, None) => {
            return Err(Refusal::new(
                format!("{section}.os"),
                "is \"auto\", and an export asks no host; state the system, such as \"debian-13\", \
                 or name it with --os",
            ));
        }
    };
    let (id, version) = stated
        .rsplit_once('-')
        .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or((stated, ""));
    Ok(OsRelease {
        id: id.to_owned(),
        version: version.to_owned(),
        pretty: stated.to_owned(),
        ..OsRelease::default()
    })
}

/// The interface below the bridge. A host without a bridge of ours may keep it to itself.
fn interface(
    request: &Request,
    node: Option<&Node>,
    section: &str,
) -> Result<InterfaceName, Refusal> {
    let unnamed = || "lan".parse().map_err(|_| Refusal::new("nodes.interface", "has no name"));
    match node.filter(|node| node.configure_bridge).map(|node| &node.interface) {
        Some(Interface::Named(name)) => Ok(name.clone()),
        Some(Interface::Auto) => request.interface.cloned().ok_or_else(|| {
            Refusal::new(
                format!("{section}.interface"),
                "is \"auto\", and an export asks no host; state the interface below the bridge, \
                 such as \"eno1\", or name it with --interface",
            )
        }),
        None => request.interface.map_or_else(unnamed, |name| Ok(name.clone())),
    }
}

type Place = (Option<Ipv4Net>, Option<Ipv4Addr>);

/// The address with its subnet, and the router: of the option, or of the network of the site that
/// the host itself is in.
fn place(request: &Request, address: Option<IpAddr>, section: &str) -> Result<Place, Refusal> {
    let address = match address {
        None => return Ok((None, None)),
        Some(IpAddr::V4(address)) => address,
        Some(IpAddr::V6(address)) => {
            return Err(Refusal::new(
                format!("{section}.address"),
                format!("{address} is of IPv6; a bridge is exported with IPv4 or DHCP only"),
            ));
        }
    };
    let networks = request.site.networks.iter();
    let own = networks.filter(|n| matches!(n.transport, Transport::Bridge(_))).find_map(|n| {
        let subnet = n.subnet.filter(|s| s.contains(&address))?;
        Some((subnet, n.gateway))
    });
    let stated = request.lan.filter(|lan| lan.contains(&address)).map(|lan| (lan, None));
    let Some((subnet, gateway)) = stated.or(own) else {
        return Err(Refusal::new(
            format!("{section}.address"),
            format!("{address} is in no network of the site; name the LAN with --lan 192.0.2.0/24"),
        ));
    };
    let gateway = request.gateway.or(gateway).filter(|g| subnet.contains(g));
    Ok((Ipv4Net::new(address, subnet.prefix_len()).ok(), gateway))
}

fn facts(host: &HostName, os: OsRelease, lan: &Lan) -> HostFacts {
    let leased = lan.address.is_none().then(|| LEASED.to_owned());
    let stated = lan.address.map(|a| IpNet::V4(a).to_string());
    let interface = InterfaceFacts {
        name: lan.interface.clone(),
        mac: None,
        mtu: MTU,
        kind: String::new(),
        master: None,
        up: true,
        addresses: stated.or_else(|| leased.clone()).into_iter().collect(),
        leased: leased.into_iter().collect(),
        physical: true,
    };
    HostFacts {
        os,
        hostname: host.to_string(),
        systemd: true,
        root: true,
        interfaces: vec![interface],
        default_route: lan.gateway.map(|g| (lan.interface.clone(), IpAddr::V4(g))),
        ..HostFacts::default()
    }
}

#[cfg(test)]
impl Bare {
    /// A host for tests.
    pub(crate) fn of(os: OsRelease, lan: Lan) -> Self {
        let system = metadata::find(&os).unwrap();
        let facts = facts(&"host.example.org".parse().unwrap(), os, &lan);
        Self { system, lan, facts }
    }
}
