//! The configuration of a dnsmasq that gives each virtual machine the address that OpenNebula gave
//! it, and nobody else any. Keywords by dnsmasq(8).

use crate::addresses::{guest_subnet, network_leases};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Dhcp, Network, Site, Transport};

/// What holds for the service as a whole.
const HEAD: &str = "\
# Made by stratus-install from the site file; changes here are lost.

# No DNS at all: nobody beside the machines may come to rely on it.
port=0
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

/// The configuration of the DHCP service on the front-end, with a reservation of MAC address,
/// address and name for each lease; none where no network asks for it.
///
/// A network is served when it has a bridge: on the front-end there is no interface of a tagged
/// network, OpenNebula makes those on nodes only. The front-end needs an address of the subnet on
/// the bridge.
pub fn dnsmasq(site: &Site) -> Option<String> {
    let served: Vec<Served<'_>> =
        site.networks.iter().filter_map(|n| Served::of(site, n)).collect();
    if served.is_empty() {
        return None;
    }
    let bridges: BTreeSet<&str> = served.iter().map(|s| s.bridge).collect();
    let leases: usize = served.iter().map(|s| network_leases(site, s.network).count()).sum();
    let mut text = HEAD.to_owned();
    text.extend(bridges.iter().map(|bridge| format!("interface={bridge}\n")));
    text.push_str(MANNERS);
    // dnsmasq stops at 1000 leases by itself.
    text.push_str(&format!("dhcp-lease-max={}\n", leases.max(1)));
    text.extend(served.iter().map(Served::section));
    Some(text)
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

    #[test]
    fn each_lease_of_a_served_network_has_a_reservation() {
        insta::assert_snapshot!(dnsmasq(&site()).unwrap());
    }

    #[test]
    fn no_network_asks_so_there_is_no_service() {
        let mut site = site();
        site.networks[1].dhcp = None;
        assert_eq!(dnsmasq(&site), None);
    }

    #[test]
    fn a_network_without_router_or_name_server_does_not_get_ours() {
        let mut site = site();
        site.networks[1].gateway = None;
        site.networks[1].dns.clear();
        let text = dnsmasq(&site).unwrap();
        assert!(text.contains("option:router\n") && text.contains("option:dns-server\n"), "{text}");
    }

    #[test]
    fn every_name_is_a_label() {
        let mut site = site();
        site.networks[1].name = format!("_{}", "a.B_".repeat(15)).parse().unwrap();
        let text = dnsmasq(&site).unwrap();
        let names =
            text.lines().filter(|l| l.starts_with("dhcp-host=")).map(|l| l.rsplit(',').next());
        for name in names.flatten() {
            assert!(name.parse::<stratus_site::HostName>().is_ok(), "{name}");
        }
    }
}
