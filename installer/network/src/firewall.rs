//! The firewall of a host as one script for `nft -f`.
//!
//! Two tables are ours, `inet stratus` and `ip stratus_nat`; no other is touched. The script makes
//! them exist, deletes them and states them anew: nft carries a script out as one transaction, so
//! it can be loaded again and again, and either all of it holds or nothing has changed.
//!
//! The input chain drops what no rule allows, and each rule says what for. ssh comes before
//! everything that could refuse it, from everywhere: no mistake in the site file can lock an
//! administrator out. What the site does not know of is opened by files of the administrator's,
//! [`EXTRA`]. Only a host that routes has a forward chain: frames between the machines of a bridge
//! pass the forward hook too where br_netfilter is on, as OpenNebula's packages set it, and are
//! judged by OpenNebula's security groups. There is no check of the reverse path: a host with two
//! uplinks may well answer on the other one; instead a network with translation is forwarded only
//! from its own bridge and with its own addresses.
//!
//! Ports by OpenNebula's installation guide, "Firewall configuration".

mod forward;
mod rules;

use crate::addresses::host_addresses;
use crate::overlay::names_bridge;
use ipnet::{IpNet, Ipv4Subnets};
use rules::{Chain, Source};
use std::collections::BTreeSet;
use std::net::IpAddr;
use stratus_site::{Share, Site, Transport, Vpn};

/// Rules of the administrator's, read into the input chain.
pub const EXTRA: &str = "/etc/stratus/firewall.d/*.nft";

/// What a host does for the site; it may do several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostRole {
    /// Runs OpenNebula's daemon, and with it DHCP, translation and the share.
    Frontend,
    /// Runs virtual machines.
    Node,
    /// Runs the server of the VPN.
    Gateway,
    /// Runs the appliance repository.
    Repository,
    /// Runs the cache.
    Cache,
    /// Runs the monitor.
    Monitor,
}

/// The script for a host with these roles. `lan` are the subnets that the site's hosts and users
/// are in: services for the site answer there only; without any they answer nobody whose address
/// the site does not state.
pub fn firewall(site: &Site, roles: &BTreeSet<HostRole>, lan: &[IpNet], ssh_port: u16) -> String {
    let host = Host { site, roles, lan };
    let mut text = format!(
        "#!/usr/sbin/nft -f\n\
         # Made by stratus-install from the site file; changes here are lost.\n\
         # Further rules go into {EXTRA}.\n\
         # Exists, is deleted, is made: all in one transaction.\n\
         table inet stratus\ndelete table inet stratus\n\
         table ip stratus_nat\ndelete table ip stratus_nat\n\n\
         table inet stratus {{\n"
    );
    text += &host.input(ssh_port).text();
    if let Some(chain) = forward::chain(&host) {
        text.push('\n');
        text += &chain.text();
    }
    text += "}\n";
    text + &forward::translation(&host)
}

/// A host and what is known around it.
struct Host<'a> {
    site: &'a Site,
    roles: &'a BTreeSet<HostRole>,
    lan: &'a [IpNet],
}

impl Host<'_> {
    fn is(&self, role: HostRole) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the VPN's server runs here: on the front-end unless another host is named.
    fn is_gateway(&self) -> bool {
        let named = self.site.vpn.as_ref().and_then(|vpn| vpn.gateway_host.as_ref());
        let here = named.is_none_or(|host| *host == self.site.frontend.host);
        self.is(HostRole::Gateway) || (self.is(HostRole::Frontend) && here)
    }

    fn lan(&self) -> Source {
        Source::Nets(self.lan.to_vec())
    }

    /// The front-end where its address is known, else the LAN.
    fn frontend(&self) -> Source {
        self.site.frontend.address.map_or_else(|| self.lan(), |a| Source::Nets(vec![a.into()]))
    }

    /// All hosts where every address is known, else the LAN.
    fn hosts(&self) -> Source {
        let known: Vec<IpNet> = host_addresses(self.site).map(IpNet::from).collect();
        if known.len() <= self.site.nodes.len() {
            return self.lan();
        }
        // Burst nodes are hosts too.
        let range = self.site.vpn.iter().map(|vpn| vpn.range);
        let burst = range.flat_map(|range| Ipv4Subnets::new(range.first, range.last(), 0));
        Source::Nets(known.into_iter().chain(burst.map(IpNet::V4)).collect())
    }

    fn input(&self, ssh_port: u16) -> Chain {
        let mut chain = Chain::new("input", "type filter hook input priority filter; policy drop;");
        Self::basics(&mut chain, ssh_port);
        if self.is(HostRole::Frontend) {
            self.frontend_rules(&mut chain);
        }
        if self.is(HostRole::Node) {
            self.node_rules(&mut chain);
        }
        self.service_rules(&mut chain);
        chain.line(&format!("include \"{EXTRA}\""));
        chain.rule("limit rate 20/second reject with icmpx admin-prohibited", "a quick no");
        chain
    }

    /// What every host needs.
    fn basics(chain: &mut Chain, ssh_port: u16) {
        chain.rule("iifname \"lo\" accept", "the host itself");
        chain.rule(&format!("tcp dport {ssh_port} accept"), "ssh, never locked out");
        chain.rule("ct state established,related accept", "answers");
        chain.rule("ct state invalid drop", "belongs to nothing");
        chain.rule("icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept", "ping and errors of IPv4");
        chain.rule("meta l4proto ipv6-icmp accept", "neighbours, routers, ping and errors of IPv6");
        chain.rule("udp sport 67 udp dport 68 accept", "the DHCP server of the host's own network");
        chain.rule(
            "ip6 saddr fe80::/10 udp dport 546 accept",
            "the DHCPv6 server of the host's own network",
        );
    }

    fn frontend_rules(&self, chain: &mut Chain) {
        let (site, lan, hosts) = (self.site, self.lan(), self.hosts());
        chain.open(&hosts, "tcp", "4124", "monitoring data from nodes");
        chain.open(&hosts, "udp", "4124", "monitoring data from nodes");
        if !site.frontend.listen.is_loopback() {
            chain.open(&lan, "tcp", &site.frontend.port.to_string(), "XML-RPC of OpenNebula");
        }
        if site.frontend.web {
            chain.open(&lan, "tcp", "2616", "web interface of OpenNebula");
        }
        if site.nodes.iter().any(|node| node.share == Share::Nfs) {
            chain.open(&hosts, "tcp", "2049", "share of the datastores (NFS 4)");
        }
        for network in site.networks.iter().filter(|network| network.dhcp.is_some()) {
            if let Transport::Bridge(bridge) = &network.transport {
                let rule = format!("iifname {} udp dport 67 accept", rules::device(bridge));
                chain.rule(&rule, &format!("DHCP for network {}", network.name));
            }
        }
    }

    fn node_rules(&self, chain: &mut Chain) {
        // As oned.conf numbers them: VNC_PORTS from 5900, 32768 and more are left out.
        chain.open(&self.frontend(), "tcp", "5900-32767", "consoles of machines (VNC)");
        chain.open(&self.hosts(), "tcp", "49152-49215", "migration of machines between nodes");
        let tunnels =
            |network: &stratus_site::Network| matches!(network.transport, Transport::Vxlan(_));
        if self.site.networks.iter().any(tunnels) {
            // Not RFC 7348's 4789: OpenNebula states no port, and Linux then takes its own.
            chain.open(&self.hosts(), "udp", "8472", "VXLAN between nodes");
            chain.rule("meta l4proto igmp accept", "queries for the multicast groups of VXLAN");
        }
    }

    fn service_rules(&self, chain: &mut Chain) {
        let site = self.site;
        if let Some(vpn) = site.vpn.as_ref().filter(|_| self.is_gateway()) {
            let protocol = if vpn.protocol.starts_with("tcp") { "tcp" } else { "udp" };
            chain.open(&Source::Anywhere, protocol, &vpn.port.to_string(), "VPN of burst nodes");
        }
        let tells = |vpn: &&Vpn| self.is_gateway() && names_bridge(site, vpn).is_some();
        if let Some(vpn) = site.vpn.as_ref().filter(tells) {
            let nets = self.lan.iter().copied().chain([vpn.subnet.into()]).collect();
            for protocol in ["udp", "tcp"] {
                let asking = Source::Nets(Vec::clone(&nets));
                chain.open(&asking, protocol, "53", "names of burst nodes");
            }
        }
        let port = |url: &url::Url| url.port_or_known_default().map(|port| port.to_string());
        let repository = site.repository.as_ref().filter(|_| self.is(HostRole::Repository));
        if let Some(port) = repository.and_then(|repository| port(&repository.url)) {
            chain.open(
                &Source::Anywhere,
                "tcp",
                &port,
                "appliance repository, for other sites too",
            );
        }
        let cache = site.cache.as_ref().filter(|_| self.is(HostRole::Cache));
        if let Some(port) = cache.and_then(|cache| port(&cache.url)) {
            chain.open(&self.lan(), "tcp", &port, "cache of appliances");
        }
        if let Some(monitor) = site.monitor.as_ref().filter(|_| self.is(HostRole::Monitor)) {
            chain.open(&self.lan(), "tcp", &monitor.port.to_string(), "monitor");
        }
    }
}

/// Splits by family: nft compares addresses of one at a time.
fn families(nets: &[IpNet]) -> [(&'static str, Vec<IpNet>); 2] {
    let trimmed = |four: bool| {
        // Overlapping intervals of one set are refused, so the larger ones take in the smaller.
        let all: Vec<IpNet> = nets.iter().map(IpNet::trunc).collect();
        let mut all = IpNet::aggregate(&all);
        all.retain(|net| matches!(net.addr(), IpAddr::V4(_)) == four);
        all
    };
    [("ip", trimmed(true)), ("ip6", trimmed(false))]
}

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;
