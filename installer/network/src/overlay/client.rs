//! A burst node's configuration, everything in one file.

use super::{SERVER_NAME, device, mtu, protocol};
use std::fmt::Write as _;
use stratus_site::{MacAddress, Vpn, VpnMode};

/// What a client proves itself with, each as PEM text.
#[derive(Clone, Copy)]
pub struct ClientKeys<'a> {
    /// The authorities that a server may come from.
    pub ca: &'a str,
    /// The client's certificate.
    pub certificate: &'a str,
    /// Its private key.
    pub key: &'a str,
    /// Its key of the control channel.
    pub tls_crypt_v2: &'a str,
}

/// The `.ovpn` file. `path_mtu` is what the way to the endpoint carries, in bytes. With `password`,
/// the file that holds name and password, the node proves that it is the one that joined.
pub fn client_profile(
    vpn: &Vpn,
    keys: ClientKeys<'_>,
    mac: MacAddress,
    path_mtu: u16,
    password: Option<&str>,
) -> String {
    let mut text =
        String::from("# Made by stratus-vpn. Holds a private key: keep it secret.\nclient\n");
    let mode = if vpn.mode == VpnMode::Tap { "tap" } else { "tun" };
    let _ = writeln!(text, "dev {}\ndev-type {mode}", device(vpn.mode));
    if vpn.mode == VpnMode::Tap {
        // From its address, as machines of the site have it: the LAN sees the same node again.
        let _ = writeln!(text, "lladdr {mac}");
    }
    let _ = writeln!(text, "proto {}", protocol(vpn, "client"));
    let _ = writeln!(text, "remote {} {}", vpn.endpoint, vpn.port);
    // A refusal under TLS 1.3 looks like silence from here: half of the usual minute is enough.
    text += "nobind\nresolv-retry infinite\nconnect-retry 2 30\nhand-window 30\n";
    text += "persist-key\npersist-tun\n";
    let _ = writeln!(text, "remote-cert-tls server\nverify-x509-name {SERVER_NAME} name");
    text += "tls-version-min 1.2\ndata-ciphers AES-256-GCM:CHACHA20-POLY1305\n\
        allow-compression no\n";
    let sizes = mtu(vpn, path_mtu);
    let _ = writeln!(text, "tun-mtu {}\nmssfix {}", sizes.tunnel, sizes.mssfix);
    // The server would push its own, which is the LAN's.
    text += "pull-filter ignore \"tun-mtu\"\n";
    if vpn.protocol != "tcp" {
        // A node that is shut down says so.
        text += "explicit-exit-notify 1\n";
    }
    if let Some(file) = password {
        let _ = writeln!(text, "auth-user-pass {file}\nauth-nocache");
    }
    text += "verb 3\n";
    for (name, content) in [
        ("ca", keys.ca),
        ("cert", keys.certificate),
        ("key", keys.key),
        ("tls-crypt-v2", keys.tls_crypt_v2),
    ] {
        let _ = writeln!(text, "<{name}>\n{}\n</{name}>", content.trim_end());
    }
    text
}
