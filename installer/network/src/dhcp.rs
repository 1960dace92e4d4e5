//! The configuration of a dnsmasq that gives each virtual machine the address that OpenNebula gave
//! it, and nobody else any; on the gateway it tells the LAN the addresses of burst nodes. Keywords by
//! dnsmasq(8).

use crate::HostRole;
use crate::addresses::{guest_subnet, network_leases};
use crate::overlay::{Place, names_bridge};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Dhcp, InterfaceName, Network, Site, Transport, Vpn};

const HEAD: &str = "# Made by stratus-install from the site file; changes here are lost.\n\n";

/// Where there are no names to tell.
const NO_NAMES: &str = "\
# No DNS at all: nobody beside the machines may come to rely on it.
port=0
";

/// Where it listens.
const PLACES: &str = "\
# Only on the bridges below, and also on those that appear later.
bind-dynamic
except-interface=lo
";

/// What keeps the peace with other DHCP servers of the same LAN.
const MANNERS: &str = "\
# The addresses below are ours alone, so a wrong request is refused at once …
dhcp-authoritative
# … but only to machines that are listed: others belong to somebody else's DHCP server.
dhcp-ignore=tag:!known
";

/// The configuration for a host with these roles; none where it has nothing to serve. The front-end
/// has a reservation of MAC address, address and name for each lease of a network with DHCP, the
/// gateway of a bridged VPN the names of burst nodes.
///
/// A network is served when it has a bridge: on the front-end there is no interface of a tagged
/// network, OpenNebula makes those on nodes only. The host needs an address of the subnet on the
/// bridge.
pub fn dnsmasq(site: &Site, roles: &BTreeSet<HostRole>, place: &Place) -> Option<String> {
    let networks = site.networks.iter().filter(|_| roles.contains(&HostRole::Frontend));
    let served: Vec<Served<'_>> = networks.filter_map(|n| Served::of(site, n)).collect();
    let names = Names::of(site, roles);
    if served.is_empty() && names.is_none() {
        return None;
    }
    let mut bridges: BTreeSet<&str> = served.iter().map(|s| s.bridge).collect();
    bridges.extend(names.iter().map(|names| names.bridge.as_str()));
    let mut text = HEAD.to_owned();
    text += &names.map_or(NO_NAMES.to_owned(), |names| names.section(place));
    text.push_str(PLACES);
    text.extend(bridges.iter().map(|bridge| format!("interface={bridge}\n")));
    if !served.is_empty() {
        let leases: usize = served.iter().map(|s| network_leases(site, s.network).count()).sum();
        text.push_str(MANNERS);
        // dnsmasq stops at 1000 leases by itself.
        text.push_str(&format!("dhcp-lease-max={}\n", leases.max(1)));
    }
    text.extend(served.iter().map(Served::section));
    Some(text)
}

/// Burst nodes' names, told to the LAN that they are on.
struct Names<'a> {
    bridge: &'a InterfaceName,
    /// The name servers of that network.
    servers: &'a [IpAddr],
}

impl<'a> Names<'a> {
    fn of(site: &'a Site, roles: &BTreeSet<HostRole>) -> Option<Self> {
        let vpn = site.vpn.as_ref().filter(|_| roles.contains(&HostRole::Gateway))?;
        let bridge = names_bridge(site, vpn)?;
        Some(Self { bridge, servers: network(site, vpn).map_or(&[], |n| n.dns.as_slice()) })
    }

    /// A server of the host's own is no loop: dnsmasq leaves out its own addresses.
    fn section(&self, place: &Place) -> String {
        let mut text = format!(
            "# The names of burst nodes, read again by itself when they change; none of the host's own.\n\
             no-hosts\nhostsdir={}\nno-resolv\n",
            place.names
        );
        if !self.servers.is_empty() {
            text += "# Everything else is asked of the network's name servers.\ndomain-needed\n";
        }
        text.extend(self.servers.iter().map(|server| format!("server={server}\n")));
        text
    }
}

/// The network that burst nodes join.
fn network<'a>(site: &'a Site, vpn: &Vpn) -> Option<&'a Network> {
    site.networks.iter().find(|network| Some(&network.name) == vpn.network.as_ref())
}

/// A network with everything that its section needs.
struct Served<'a> {
    site: &'a Site,
    network: &'a Network,
    dhcp: &'a Dhcp,
    bridge: &'a str,
    subnet: ipnet::Ipv4Net,
}

impl<'a> Served<'a> {
    fn of(site: &'a Site, network: &'a Network) -> Option<Self> {
        let Transport::Bridge(bridge) = &network.transport else { return None };
        let (dhcp, subnet) = (network.dhcp.as_ref()?, guest_subnet(network)?);
        Some(Self { site, network, dhcp, bridge: bridge.as_str(), subnet })
    }

    /// The range, the options and the reservations.
    fn section(&self) -> String {
        let (tag, subnet) = (self.tag(), self.subnet);
        // dnsmasq takes no lease shorter than two minutes.
        let seconds = self.dhcp.lease_time.as_secs().max(120);
        // "static": an address is given only by a reservation.
        let mut text = format!(
            "\n# Network `{}`\ndhcp-range=set:{tag},{},static,{},{},{seconds}\n",
            self.network.name,
            subnet.network(),
            subnet.netmask(),
            subnet.broadcast(),
        );
        text.push_str(&self.options());
        for (ip, mac) in network_leases(self.site, self.network) {
            text.push_str(&format!("dhcp-host={mac},{ip},{}\n", self.name(ip)));
        }
        text
    }

    /// What guests are told. Router and name server are always stated, if only to be empty:
    /// dnsmasq would name itself.
    fn options(&self) -> String {
        let v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(address.to_string()),
            IpAddr::V6(_) => None,
        };
        let routers = self.network.gateway.iter().map(ToString::to_string).collect();
        let mut text = self.option("router", routers);
        text += &self.option("dns-server", self.network.dns.iter().filter_map(v4).collect());
        if let Some(domain) = &self.network.search_domain {
            text += &self.option("domain-name", vec![domain.to_string()]);
            text += &self.option("domain-search", vec![domain.to_string()]);
        }
        if !self.dhcp.ntp.is_empty() {
            text +=
                &self.option("ntp-server", self.dhcp.ntp.iter().map(ToString::to_string).collect());
        }
        if let Some(mtu) = self.network.mtu {
            text += &self.option("mtu", vec![mtu.to_string()]);
        }
        text
    }

    fn option(&self, name: &str, values: Vec<String>) -> String {
        let values: String = values.iter().map(|value| format!(",{value}")).collect();
        format!("dhcp-option=tag:{},option:{name}{values}\n", self.tag())
    }

    /// Marks what belongs to the network; the prefix keeps it apart from dnsmasq's own tags.
    fn tag(&self) -> String {
        format!("net-{}", self.network.name)
    }

    /// A name for a machine by its address: one label of at most 63 characters (RFC 1123), the
    /// network's name cut so that an address always fits behind it.
    fn name(&self, ip: Ipv4Addr) -> String {
        let [a, b, c, d] = ip.octets();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let network: String = self.network.name.as_str().chars().take(40).map(plain).collect();
        format!("vm-{}-{a}-{b}-{c}-{d}", network.trim_matches('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::site;

    fn roles(of: &[HostRole]) -> BTreeSet<HostRole> {
        of.iter().copied().collect()
    }

    /// The front-end's, with the gateway elsewhere.
    fn dhcp(site: &Site) -> Option<String> {
        dnsmasq(site, &roles(&[HostRole::Frontend]), &Place::default())
    }

    #[test]
    fn each_lease_of_a_served_network_has_a_reservation() {
        insta::assert_snapshot!(dhcp(&site()).unwrap());
    }

    #[test]
    fn no_network_asks_so_there_is_no_service() {
        let mut site = site();
        site.networks[1].dhcp = None;
        assert_eq!(dhcp(&site), None);
    }

    #[test]
    fn the_gateway_tells_the_names_of_burst_nodes() {
        let told = |site: &Site, of: &[HostRole]| dnsmasq(site, &roles(of), &Place::default());
        insta::assert_snapshot!(told(&site(), &[HostRole::Gateway]).unwrap());
        // Where one host has both to do, there is one service for both.
        let both = told(&site(), &[HostRole::Frontend, HostRole::Gateway]).unwrap();
        assert!(both.contains("hostsdir=") && both.contains("dhcp-host="), "{both}");
        assert!(!both.contains("port=0"), "{both}");
        assert_eq!(told(&site(), &[HostRole::Node]), None);
        let mut site = site();
        site.vpn.as_mut().unwrap().serve_names = false;
        assert_eq!(told(&site, &[HostRole::Gateway]), None);
    }

    #[test]
    fn a_network_without_router_or_name_server_does_not_get_ours() {
        let mut site = site();
        site.networks[1].gateway = None;
        site.networks[1].dns.clear();
        let text = dhcp(&site).unwrap();
        assert!(text.contains("option:router\n") && text.contains("option:dns-server\n"), "{text}");
    }

    #[test]
    fn every_name_is_a_label() {
        let mut site = site();
        site.networks[1].name = format!("_{}", "a.B_".repeat(15)).parse().unwrap();
        let text = dhcp(&site).unwrap();
        let names =
            text.lines().filter(|l| l.starts_with("dhcp-host=")).map(|l| l.rsplit(',').next());
        for name in names.flatten() {
            assert!(name.parse::<stratus_site::HostName>().is_ok(), "{name}");
        }
    }
}
