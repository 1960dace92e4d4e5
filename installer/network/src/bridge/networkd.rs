//! systemd-networkd: systemd.netdev(5), systemd.network(5).

use super::{BridgeFiles, Link, NetworkFile, command, file, script};

/// Before other files, such as cloud-init's `10-cloud-init-eth0.network`: the first that matches
/// an interface wins.
const FOLDER: &str = "/etc/systemd/network/05-stratus-";

pub(super) fn bridge(link: &Link<'_>) -> BridgeFiles {
    let mut files = vec![device(link), network(link)];
    files.extend(link.port.map(|name| port(link, name)));
    let mut apply = vec![command(&["networkctl", "reload"])];
    apply.extend(link.flush_port());
    apply.extend(link.both().map(|name| command(&["networkctl", "reconfigure", name])));
    BridgeFiles { files, apply, revert: revert(link) }
}

fn device(link: &Link<'_>) -> NetworkFile {
    let bridge = link.bridge;
    let mac = link.addressing.mac.map(|mac| format!("MACAddress={mac}\n")).unwrap_or_default();
    let text = format!(
        "[NetDev]\nName={bridge}\nKind=bridge\n{mac}\n[Bridge]\nSTP=no\nForwardDelaySec=0\n"
    );
    file(format!("{FOLDER}{bridge}.netdev"), 0o644, text)
}

fn network(link: &Link<'_>) -> NetworkFile {
    let (bridge, addressing) = (link.bridge, link.addressing);
    let mut text = format!("[Match]\nName={bridge}\n{}\n[Network]\n", mtu(link));
    text += if addressing.dhcp { "DHCP=ipv4\n" } else { "DHCP=no\n" };
    if link.is_bare() {
        text += "LinkLocalAddressing=no\nIPv6AcceptRA=no\n";
    }
    if link.port.is_none() {
        // Without a port there is no carrier until the first machine runs.
        text += "ConfigureWithoutCarrier=yes\n";
    }
    text.extend(addressing.addresses.iter().map(|net| format!("Address={net}\n")));
    text.extend(addressing.dns.iter().map(|server| format!("DNS={server}\n")));
    let search = super::joined(link.search(), " ");
    if !search.is_empty() {
        text += &format!("Domains={search}\n");
    }
    for gateway in link.gateways() {
        text += &format!("\n[Route]\nGateway={gateway}\n");
        if link.is_off_subnet(gateway) {
            text += "GatewayOnLink=yes\n";
        }
    }
    if addressing.dhcp {
        // The usual identifier is made from the machine-id and the interface's name: the former
        // is the same on clones, the latter has just changed.
        text += "\n[DHCPv4]\nClientIdentifier=mac\n";
    }
    if link.port.is_none() || link.is_bare() {
        text += "\n[Link]\nRequiredForOnline=no\n";
    }
    file(format!("{FOLDER}{bridge}.network"), 0o644, text)
}

pub(super) fn port(link: &Link<'_>, port: &str) -> NetworkFile {
    let text = format!(
        "[Match]\nName={port}\n{}\n[Network]\nBridge={}\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        mtu(link),
        link.bridge,
    );
    file(format!("{FOLDER}{}-port.network", link.bridge), 0o644, text)
}

fn mtu(link: &Link<'_>) -> String {
    link.addressing.mtu.map(|mtu| format!("\n[Link]\nMTUBytes={mtu}\n")).unwrap_or_default()
}

/// networkd never deletes a device whose file has gone.
fn revert(link: &Link<'_>) -> Vec<Vec<String>> {
    let bridge = link.bridge;
    let mut text = format!(
        "grep -qsxF 'Name={bridge}' /etc/systemd/network/*.netdev \
         || ip link delete dev '{bridge}' 2>/dev/null || true\nnetworkctl reload\n"
    );
    for name in link.both() {
        text += &format!("networkctl reconfigure '{name}' 2>/dev/null || true\n");
    }
    vec![script(text)]
}
