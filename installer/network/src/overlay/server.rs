//! The server's configuration.

use super::{LAN_MTU, Place, device, protocol, routes};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use stratus_site::{Site, Vpn, VpnMode};

/// The range of burst nodes leaves no address of the subnet for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`vpn.range` takes every address of `vpn.subnet`; a routed VPN needs one more for its server"
)]
pub struct NoServerAddress;

/// The server's own address where the tunnel is routed: the first one of the subnet outside of the
/// range. A bridged server has none, its host's bridge has.
pub fn server_address(vpn: &Vpn) -> Result<Option<Ipv4Addr>, NoServerAddress> {
    match vpn.mode {
        VpnMode::Tap => Ok(None),
        VpnMode::Tun | VpnMode::WireGuard => {
            let free = vpn.subnet.hosts().find(|address| !vpn.range.contains(*address));
            free.map(Some).ok_or(NoServerAddress)
        }
    }
}

/// `server.conf`.
pub fn server_conf(site: &Site, vpn: &Vpn, place: &Place) -> Result<String, NoServerAddress> {
    let mut text =
        String::from("# Made by stratus-vpn from the site file; changes here are lost.\n");
    text += "mode server\ntls-server\ntopology subnet\n";
    let mode = if vpn.mode == VpnMode::Tap { "tap" } else { "tun" };
    let _ = writeln!(text, "dev {}\ndev-type {mode}", device(vpn.mode));
    let _ = writeln!(text, "proto {}\nport {}", protocol(vpn, "server"), vpn.port);
    if let Some(address) = server_address(vpn)? {
        routed(&mut text, site, vpn, address);
    }
    authentication(&mut text, place);
    clients(&mut text, vpn, place);
    let _ = writeln!(text, "user {}\ngroup {}", place.account.0, place.account.1);
    // Only root may connect, and only root may enter the folder of the socket.
    let _ = writeln!(
        text,
        "management {} unix\nmanagement-client-user root\nmanagement-log-cache 2000",
        quoted(&place.management())
    );
    text += "status-version 3\nverb 3\n";
    Ok(text)
}

fn routed(text: &mut String, site: &Site, vpn: &Vpn, address: Ipv4Addr) {
    let _ = writeln!(text, "ifconfig {address} {}", vpn.subnet.netmask());
    let _ = writeln!(text, "push \"topology subnet\"\npush \"route-gateway {address}\"");
    for net in routes(site, vpn) {
        let _ = writeln!(text, "push \"route {} {}\"", net.network(), net.netmask());
    }
}

fn authentication(text: &mut String, place: &Place) {
    for (option, file) in [
        ("ca", "ca.pem"),
        ("cert", "server.crt"),
        ("key", "server.key"),
        ("crl-verify", "crl.pem"),
        ("tls-crypt-v2", "tls-crypt-v2.key"),
    ] {
        let _ = writeln!(text, "{option} {}", quoted(&format!("{}/{file}", place.server)));
    }
    *text += "dh none\nremote-cert-tls client\ntls-version-min 1.2\n\
        data-ciphers AES-256-GCM:CHACHA20-POLY1305\nallow-compression no\n";
    // Certificates are looked at again each hour. The key of before counts for five minutes then, not
    // for another hour: a session that may not go on is over.
    *text += "reneg-sec 3600\ntran-window 300\n";
    // The machine that a certificate was given to by token proves that it is still that one.
    let verifier = format!("{} verify {}/join {}", place.verifier, place.server, place.joined);
    *text += "script-security 2\n";
    let _ = writeln!(text, "auth-user-pass-verify {} via-file", quoted(&verifier));
    *text += "auth-user-pass-optional\n";
}

fn clients(text: &mut String, vpn: &Vpn, place: &Place) {
    let _ = writeln!(text, "client-config-dir {}", quoted(&format!("{}/ccd", place.server)));
    // A certificate alone is not enough: its name must be known, so revoking holds twice.
    *text += "ccd-exclusive\nclient-to-client\n";
    let _ = writeln!(text, "max-clients {}", vpn.range.size);
    *text += "keepalive 10 60\nfloat\npersist-key\npersist-tun\n";
    let mssfix = super::mtu(vpn, LAN_MTU).mssfix;
    let _ = writeln!(text, "tun-mtu {LAN_MTU}\nmssfix {mssfix}");
    if vpn.protocol != "tcp" {
        *text += "explicit-exit-notify 1\n";
    }
}

/// The file of one client in the server's `client-config-dir`: its fixed address.
pub fn client_directives(vpn: &Vpn, address: Ipv4Addr) -> String {
    format!("ifconfig-push {address} {}\n", vpn.subnet.netmask())
}

/// As OpenVPN reads quoted words: `\` and `"` are escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
