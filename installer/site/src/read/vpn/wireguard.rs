//! What `mode = "wireguard"` asks of the other keys.

use crate::sections::{Network, VpnMode};
use ipnet::Ipv4Net;
use stratus_sections::Section;

/// The port that a mode has by itself.
pub(super) fn default_port(mode: VpnMode) -> u16 {
    match mode {
        VpnMode::Tap | VpnMode::Tun => 1194,
        VpnMode::WireGuard => 51_820,
    }
}

/// Keys of OpenVPN's, with the reason why WireGuard has none.
const OTHERS: [(&str, &str); 3] = [
    ("protocol", "WireGuard speaks UDP only"),
    ("certificate_validity", "WireGuard has keys that do not end, and no certificates"),
    ("ca_validity", "WireGuard has no authority"),
];

/// Whether it is settled which subnet burst nodes have; complains where it is not, and of keys that
/// are OpenVPN's. `network` is the one that `range` or `network` leads to.
pub(super) fn is_settled(
    s: &Section<'_>,
    stated: Option<Ipv4Net>,
    network: Option<&Network>,
    networks: &[Network],
) -> bool {
    for (key, why) in OTHERS.into_iter().filter(|(key, _)| s.has(key)) {
        let cure = format!("take `{key}` out, or write mode = \"tun\"");
        s.complain(key, format!("`{key}` makes no sense here: {why}"), Some(cure));
    }
    let shares = |net: &Ipv4Net| stated.is_some_and(|s| net.contains(&s) || s.contains(net));
    let other = networks.iter().find(|n| n.subnet.as_ref().is_some_and(shares));
    let (key, message) = match (network, other, stated) {
        (Some(network), ..) => {
            let key = if s.has("network") { "network" } else { "range" };
            let own = "WireGuard is routed: burst nodes have a subnet of their own";
            (key, format!("{own}, not that of `{}`", network.name))
        }
        (None, Some(other), Some(stated)) => {
            ("subnet", format!("{stated} shares addresses with the network `{}`", other.name))
        }
        (None, _, None) if !s.has("subnet") => {
            let message = "WireGuard is routed, and `subnet` does not say what burst nodes join";
            ("mode", message.to_owned())
        }
        (None, _, stated) => return stated.is_some(),
    };
    let cure = "write a subnet that the site has not, such as subnet = \"10.8.0.0/24\", and a `range` inside of it";
    s.complain(key, message, Some(cure.to_owned()));
    false
}
