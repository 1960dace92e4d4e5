//! The overlay of burst nodes as files: OpenVPN's configuration on both sides, what a burst node
//! boots from, and what the server's host needs besides.
//!
//! Options by openvpn(8) of 2.6; nothing here needs more than 2.5 on a client. The same for
//! WireGuard, for sites where layer 3 is enough, is in [`wireguard`].

mod bundle;
mod client;
mod host;
mod hypervisor;
mod mtu;
mod server;
pub mod wireguard;

pub use bundle::{Token, cloud_init, context, join_script};
pub use client::{ClientKeys, client_profile};
pub use host::{bridge, device_commands, host_files, names_bridge, report_files};
pub use hypervisor::{HOST_DIRECTIVES, Hypervisor, host_script, packed_cloud_init, register_files};
pub use mtu::{LAN_MTU, Mtu, mtu};
pub use server::{NoServerAddress, client_directives, server_address, server_conf};

use crate::addresses::guest_subnet;
use ipnet::Ipv4Net;
use std::net::IpAddr;
use stratus_site::{Site, Vpn, VpnMode};

/// The name in the server's certificate. No host name has `_`, so no burst node can be called so.
pub const SERVER_NAME: &str = "stratus_vpn_server";

/// Where the server's host has things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Folder of certificates, keys, revocation list and clients, as `stratus-vpn` writes them.
    pub server: String,
    /// Folder with the names of burst nodes as a file of the form hosts(5), and nothing else.
    pub names: String,
    /// Folder for the management socket; only root may enter it.
    pub runtime: String,
    /// Folder where it is noted which machine used a join token; it belongs to `account`.
    pub joined: String,
    /// The account and group that the server runs as once it has its keys.
    pub account: (String, String),
    /// The command that looks at join tokens.
    pub verifier: String,
}

impl Default for Place {
    /// As the installer places them.
    fn default() -> Self {
        Self {
            server: "/var/lib/stratus/vpn/server".to_owned(),
            names: "/var/lib/stratus/vpn/names".to_owned(),
            runtime: "/run/stratus-vpn".to_owned(),
            joined: "/var/lib/stratus/vpn/joined".to_owned(),
            account: ("stratus-vpn".to_owned(), "stratus-vpn".to_owned()),
            verifier: "/usr/bin/stratus-vpn".to_owned(),
        }
    }
}

impl Place {
    /// The socket of OpenVPN's management interface.
    pub fn management(&self) -> String {
        format!("{}/management.sock", self.runtime)
    }
}

/// The device of the tunnel, on both sides. The firewall knows that of OpenVPN where it is routed as
/// `tun*`.
pub fn device(mode: VpnMode) -> &'static str {
    match mode {
        VpnMode::Tap => "tap-stratus",
        VpnMode::Tun => "tun-stratus",
        VpnMode::WireGuard => "wg-stratus",
    }
}

/// The subnets that burst nodes are told the way to where the tunnel is routed.
fn routes(site: &Site, vpn: &Vpn) -> Vec<Ipv4Net> {
    let nets = site.networks.iter().filter_map(guest_subnet).map(|net| net.trunc());
    let mut all: Vec<Ipv4Net> = nets.filter(|net| *net != vpn.subnet.trunc()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The protocol as OpenVPN names it; `end` is what it calls this end of a TCP connection.
fn protocol(vpn: &Vpn, end: &str) -> String {
    let six = if matches!(vpn.endpoint.parse(), Ok(IpAddr::V6(_))) { "6" } else { "" };
    match vpn.protocol.as_str() {
        "tcp" => format!("tcp{six}-{end}"),
        _ => format!("udp{six}"),
    }
}

#[cfg(test)]
mod tests;
