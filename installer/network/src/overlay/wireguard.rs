//! The routed overlay with WireGuard, by wg(8) and wg-quick(8): for sites whose kernels have it and
//! where layer 3 is enough. Broadcasts, NIS and DHCP do not pass.

use super::{Mtu, NoServerAddress, mtu, routes, server_address};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Site, Vpn, VpnMode};

/// A burst node as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its public key, base64.
    pub public_key: String,
}

/// The server's file for `wg-quick`. `private_key` is base64; the file is for root alone.
pub fn server(vpn: &Vpn, private_key: &str, peers: &[Peer]) -> Result<String, NoServerAddress> {
    let address = own_address(vpn)?;
    let mut text = format!(
        "[Interface]\nAddress = {address}/{}\nListenPort = {}\nMTU = {}\nPrivateKey = {private_key}\n",
        vpn.subnet.prefix_len(),
        vpn.port,
        size(vpn, super::LAN_MTU),
    );
    for peer in peers {
        let _ = write!(
            text,
            "\n[Peer]\nPublicKey = {}\nAllowedIPs = {}/32\n",
            peer.public_key, peer.address
        );
    }
    Ok(text)
}

/// A burst node's file for `wg-quick`.
pub fn client(
    site: &Site,
    vpn: &Vpn,
    private_key: &str,
    address: Ipv4Addr,
    server_key: &str,
    path_mtu: u16,
) -> String {
    let mut allowed = vec![vpn.subnet.trunc().to_string()];
    allowed.extend(routes(site, vpn).iter().map(ToString::to_string));
    let endpoint = match vpn.endpoint.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => vpn.endpoint.clone(),
    };
    format!(
        "[Interface]\nAddress = {address}/32\nMTU = {}\nPrivateKey = {private_key}\n\n\
         [Peer]\nPublicKey = {server_key}\nEndpoint = {endpoint}:{}\nAllowedIPs = {}\n\
         PersistentKeepalive = 25\n",
        size(vpn, path_mtu),
        vpn.port,
        allowed.join(", "),
    )
}

/// WireGuard's data packets: header 16, tag 16, and padding of the packet to 16 bytes.
fn size(vpn: &Vpn, path: u16) -> u16 {
    let udp = Vpn { protocol: "udp".to_owned(), ..vpn.clone() };
    let Mtu { mssfix, .. } = mtu(&udp, path);
    mssfix.saturating_sub(32) / 16 * 16
}

/// WireGuard is always routed.
fn own_address(vpn: &Vpn) -> Result<Ipv4Addr, NoServerAddress> {
    let routed = Vpn { mode: VpnMode::Tun, ..vpn.clone() };
    server_address(&routed)?.ok_or(NoServerAddress)
}
