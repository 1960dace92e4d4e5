//! The routed overlay with WireGuard, by wg(8) and wg-quick(8): for sites whose kernels have it and
//! where layer 3 is enough. Broadcasts, NIS and DHCP do not pass.
//!
//! The server has two files. [`QUICK`], for wg-quick, says what only a restart of the interface
//! changes; [`SETTINGS`], for wg, says keys and peers, which a running interface takes over without
//! a session noticing (`wg syncconf`).

mod host;
mod script;

pub use host::server_unit;
pub use script::join_script;

use super::{LAN_MTU, NoServerAddress, Place, device, mtu, routes, server_address};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Site, Vpn, VpnMode};

/// The server's file for wg-quick. Its name is that of the interface.
pub const QUICK: &str = "wg-stratus.conf";
/// The server's file for wg.
pub const SETTINGS: &str = "wg.conf";

/// The interface, on both sides.
pub fn interface() -> &'static str {
    device(VpnMode::WireGuard)
}

/// A burst node as the server knows it; keys are base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<'a> {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its public key.
    pub public_key: &'a str,
    /// The key that it shares with the server.
    pub preshared_key: &'a str,
}

/// [`QUICK`]: no secret, and nothing that changes with a node.
pub fn quick(vpn: &Vpn, place: &Place) -> Result<String, NoServerAddress> {
    let address = server_address(vpn)?.ok_or(NoServerAddress)?;
    Ok(format!(
        "# Made by stratus-vpn from the site file; changes here are lost.\n\
         [Interface]\nAddress = {address}/{}\nMTU = {}\nPostUp = wg syncconf %i {}\n",
        vpn.subnet.prefix_len(),
        mtu(vpn, LAN_MTU).tunnel,
        quoted(&format!("{}/{SETTINGS}", place.server)),
    ))
}

/// [`SETTINGS`]; for root alone.
pub fn settings(vpn: &Vpn, private_key: &str, peers: &[Peer<'_>]) -> String {
    let mut text = format!(
        "# Made by stratus-vpn from its register; changes here are lost.\n\
         [Interface]\nListenPort = {}\nPrivateKey = {private_key}\n",
        vpn.port,
    );
    for peer in peers {
        let _ = write!(
            text,
            "\n[Peer]\nPublicKey = {}\nPresharedKey = {}\nAllowedIPs = {}/32\n",
            peer.public_key, peer.preshared_key, peer.address
        );
    }
    text
}

/// What a burst node proves itself with, and knows its server by; keys are base64.
#[derive(Clone, Copy)]
pub struct NodeKeys<'a> {
    /// Its private key.
    pub private_key: &'a str,
    /// The key that it shares with the server.
    pub preshared_key: &'a str,
    /// The server's public key.
    pub server_key: &'a str,
}

/// A burst node's file for wg-quick. `path_mtu` is what the way to the endpoint carries, in bytes.
pub fn client(
    site: &Site,
    vpn: &Vpn,
    keys: NodeKeys<'_>,
    address: Ipv4Addr,
    path_mtu: u16,
) -> String {
    let mut allowed = vec![vpn.subnet.trunc().to_string()];
    allowed.extend(routes(site, vpn).iter().map(ToString::to_string));
    let endpoint = match vpn.endpoint.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => vpn.endpoint.clone(),
    };
    format!(
        "# Made by stratus-vpn. Holds private keys: keep it secret.\n\
         [Interface]\nAddress = {address}/32\nMTU = {}\nPrivateKey = {}\n\n\
         [Peer]\nPublicKey = {}\nPresharedKey = {}\nEndpoint = {endpoint}:{}\nAllowedIPs = {}\n\
         PersistentKeepalive = 25\n",
        mtu(vpn, path_mtu).tunnel,
        keys.private_key,
        keys.server_key,
        keys.preshared_key,
        vpn.port,
        allowed.join(", "),
    )
}

/// A word for the shell that wg-quick gives its hooks to.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
