//! How large a packet may be so that what carries it is not cut.

use std::net::{IpAddr, Ipv4Addr};
use stratus_site::{Vpn, VpnMode};

/// What Ethernet carries. The server's end of a bridged tunnel always has it: a port with less
/// would shrink the whole bridge.
pub const LAN_MTU: u16 = 1500;

/// The sizes of a tunnel, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// The largest IP packet inside of the tunnel.
    pub tunnel: u16,
    /// The largest payload of a UDP packet around it, as `mssfix` takes it.
    pub mssfix: u16,
}

/// OpenVPN's data packets of version 2 with AES-256-GCM or CHACHA20-POLY1305: opcode and peer 4,
/// packet number 4, tag 16.
const CIPHER: u16 = 4 + 4 + 16;

/// WireGuard's data packets: header 16, tag 16.
const WIREGUARD: u16 = 16 + 16;

/// The sizes over a path that carries packets of `path` bytes. A name may lead to an IPv6 address,
/// whose header is the larger one.
pub fn mtu(vpn: &Vpn, path: u16) -> Mtu {
    let ip = match vpn.endpoint.parse::<IpAddr>() {
        Ok(IpAddr::V4(Ipv4Addr { .. })) => 20,
        Ok(IpAddr::V6(_)) | Err(_) => 40,
    };
    // TCP: its header, and two bytes for the length of each packet.
    let transport = if vpn.protocol == "tcp" { 20 + 2 } else { 8 };
    let mssfix = path.saturating_sub(ip + transport);
    let tunnel = match vpn.mode {
        VpnMode::Tap => mssfix.saturating_sub(CIPHER + 14),
        VpnMode::Tun => mssfix.saturating_sub(CIPHER),
        // It pads packets to whole 16 bytes.
        VpnMode::WireGuard => mssfix.saturating_sub(WIREGUARD) / 16 * 16,
    };
    Mtu { tunnel: tunnel.min(LAN_MTU), mssfix }
}
