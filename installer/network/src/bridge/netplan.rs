//! netplan(5), YAML written by hand: every text is quoted, so none is taken for a number or a
//! truth value (`"on"`, `"0123"`).

use super::{BridgeFiles, Link, command, file, joined, networkd, script};

pub(super) fn bridge(link: &Link<'_>) -> BridgeFiles {
    let mut text = "network:\n  version: 2\n".to_owned();
    if let Some(port) = link.port {
        text += &ethernet(link, port);
    }
    text += &bridge_section(link);
    // After the installer's and cloud-init's files; 0600, as newer versions insist.
    let path = format!("/etc/netplan/90-stratus-{}.yaml", link.bridge);
    let mut apply = vec![command(&["netplan", "generate"])];
    apply.extend(link.flush_port());
    apply.push(command(&["netplan", "apply"]));
    let mut files = vec![file(path, 0o600, text)];
    // netplan adds up what all its files say of an interface, so the addresses that another file
    // gives the port would stay on it. networkd takes the first file by name, which is this one.
    files.extend(link.port.map(|port| networkd::port(link, port)));
    BridgeFiles { files, apply, revert: revert(link) }
}

fn ethernet(link: &Link<'_>, port: &str) -> String {
    format!(
        "  ethernets:\n    \"{port}\":\n      dhcp4: false\n      dhcp6: false\n      accept-ra: false\n      \
         link-local: []\n{}",
        mtu(link)
    )
}

fn bridge_section(link: &Link<'_>) -> String {
    let addressing = link.addressing;
    let mut text = format!(
        "  bridges:\n    \"{}\":\n      interfaces: [{}]\n      parameters:\n        stp: false\n        \
         forward-delay: 0\n",
        link.bridge,
        quoted(link.port)
    );
    if let Some(mac) = addressing.mac {
        text += &format!("      macaddress: \"{mac}\"\n");
    }
    text += &mtu(link);
    text += &format!("      dhcp4: {}\n      dhcp6: false\n", addressing.dhcp);
    if addressing.dhcp {
        // Not the one made from machine-id and interface name: clones share the former, and the
        // latter has just changed.
        text += "      dhcp-identifier: \"mac\"\n";
    }
    if link.is_bare() {
        text += "      accept-ra: false\n      link-local: []\n";
    }
    if link.is_bare() || link.port.is_none() {
        text += "      optional: true\n";
    }
    if !addressing.addresses.is_empty() {
        text += &format!("      addresses: [{}]\n", quoted(&addressing.addresses));
    }
    text += &routes(link);
    text + &nameservers(link)
}

fn routes(link: &Link<'_>) -> String {
    let gateways = link.gateways();
    let mut text = if gateways.is_empty() { "" } else { "      routes:\n" }.to_owned();
    for gateway in gateways {
        // "default" is not known to the oldest versions, the prefixes are to all.
        let to = if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        text += &format!("        - to: \"{to}\"\n          via: \"{gateway}\"\n");
        if link.is_off_subnet(gateway) {
            text += "          on-link: true\n";
        }
    }
    text
}

fn nameservers(link: &Link<'_>) -> String {
    let (addresses, search) = (quoted(&link.addressing.dns), quoted(link.search()));
    let mut text = String::new();
    if !addresses.is_empty() {
        text += &format!("        addresses: [{addresses}]\n");
    }
    if !search.is_empty() {
        text += &format!("        search: [{search}]\n");
    }
    if text.is_empty() { text } else { format!("      nameservers:\n{text}") }
}

fn mtu(link: &Link<'_>) -> String {
    link.addressing.mtu.map(|mtu| format!("      mtu: {mtu}\n")).unwrap_or_default()
}

/// Values of a flow sequence. None of them can hold a quote or backslash: names of interfaces
/// by their type, search domains by the check in [`Link::search`].
fn quoted<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    joined(values.into_iter().map(|value| format!("\"{}\"", value.to_string())), ", ")
}

/// Neither renderer deletes a bridge whose definition has gone.
fn revert(link: &Link<'_>) -> Vec<Vec<String>> {
    let bridge = link.bridge;
    vec![script(format!(
        "netplan generate\n\
         [ -e '/run/systemd/network/10-netplan-{bridge}.netdev' ] \
         || [ -e '/run/NetworkManager/system-connections/netplan-{bridge}.nmconnection' ] \
         || ip link delete dev '{bridge}' 2>/dev/null || true\n\
         netplan apply\n"
    ))]
}
