//! ifupdown: interfaces(5). The bridge is made by `ip`, which ifupdown needs anyway, and not by
//! `bridge_ports`, which is silently ignored where the package bridge-utils is not installed.

use super::{BridgeFiles, Link, command, file, joined, script};
use std::fmt::Write;
use stratus_site::InterfaceName;

pub(super) fn bridge(link: &Link<'_>) -> BridgeFiles {
    // A name that `source-directory` takes too: letters, digits, `_` and `-`.
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = link.bridge.chars().map(plain).collect();
    let path = format!("/etc/network/interfaces.d/stratus-{name}");
    BridgeFiles {
        files: vec![file(path, 0o644, stanzas(link))],
        apply: vec![script(apply(link)), command(&["ifup", "--force", link.bridge])],
        revert: vec![script(revert(link))],
    }
}

fn stanzas(link: &Link<'_>) -> String {
    let mut text = String::new();
    if let Some(port) = link.port {
        let _ = writeln!(text, "iface {port} inet manual\n");
    }
    let bridge = link.bridge;
    let _ = writeln!(text, "auto {bridge}");
    let addressing = link.addressing;
    // The first stanza makes the bridge; each further address has a stanza of its own.
    let (mut v4, mut v6) = (link.v4().peekable(), link.v6().peekable());
    if addressing.dhcp {
        let _ = writeln!(text, "iface {bridge} inet dhcp\n{}", making(link));
    } else if let Some(net) = v4.next() {
        let _ = write!(text, "iface {bridge} inet static\n{}    address {net}\n", making(link));
        text += &gateway(link, true);
        text += &resolver(link);
        text.push('\n');
    } else {
        let _ = write!(text, "iface {bridge} inet manual\n{}", making(link));
        let _ = writeln!(text, "    up ip link set dev '{bridge}' up");
        let _ = writeln!(text, "    down ip link set dev '{bridge}' down\n");
    }
    for net in v4 {
        let _ = writeln!(text, "iface {bridge} inet static\n    address {net}\n");
    }
    let mut first = true;
    while let Some(net) = v6.next() {
        let _ = writeln!(text, "iface {bridge} inet6 static\n    address {net}");
        if std::mem::take(&mut first) {
            if addressing.gateway6.is_none() {
                // ifupdown turns advertisements off for a stated address; then no router is left.
                // 2: even where the host forwards.
                text += "    accept_ra 2\n";
            }
            text += &gateway(link, false);
        }
        if v6.peek().is_some() {
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// Lines that make the bridge where it is not there, and put the port into it without addresses.
fn making(link: &Link<'_>) -> String {
    let (bridge, addressing) = (link.bridge, link.addressing);
    let mac = addressing.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
    let mut text = format!(
        "    pre-up ip link show dev '{bridge}' >/dev/null 2>&1 || ip link add name '{bridge}'{mac} type bridge\n    \
         pre-up ip link set dev '{bridge}' type bridge stp_state 0 forward_delay 0\n"
    );
    if let Some(port) = link.port {
        let _ = writeln!(text, "    pre-up ip address flush dev '{port}'");
        text += &mtu(link, port);
        let _ = writeln!(text, "    pre-up ip link set dev '{port}' master '{bridge}' up");
        // The bridge itself stays: machines may be attached to it.
        let _ = writeln!(text, "    post-down ip link set dev '{port}' nomaster");
    }
    if link.is_bare() {
        // No address of the host's own, not even one by router advertisement.
        let _ = writeln!(
            text,
            "    pre-up echo 1 >'/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6' 2>/dev/null || true"
        );
    }
    text + &mtu(link, bridge)
}

fn mtu(link: &Link<'_>, device: &str) -> String {
    let line = |mtu| format!("    pre-up ip link set dev '{device}' mtu {mtu}\n");
    link.addressing.mtu.map(line).unwrap_or_default()
}

fn gateway(link: &Link<'_>, four: bool) -> String {
    let Some(gateway) = link.gateways().into_iter().find(|g| g.is_ipv4() == four) else {
        return String::new();
    };
    if !link.is_off_subnet(gateway) {
        return format!("    gateway {gateway}\n");
    }
    let family = if four { "" } else { " -6" };
    format!("    up ip{family} route replace default via {gateway} dev '{}' onlink\n", link.bridge)
}

/// For resolvconf, where it is installed; without it `/etc/resolv.conf` stays as it is.
fn resolver(link: &Link<'_>) -> String {
    let (servers, search) = (joined(&link.addressing.dns, " "), joined(link.search(), " "));
    let mut text = String::new();
    if !servers.is_empty() {
        let _ = writeln!(text, "    dns-nameservers {servers}");
    }
    if !search.is_empty() {
        let _ = writeln!(text, "    dns-search {search}");
    }
    text
}

/// Ends the DHCP client of a device, which would set its address again when the lease is renewed.
/// ifupdown cannot: the file that started it has gone.
fn end_client(device: &str) -> String {
    format!(
        "for file in '/run/dhclient.{device}.pid' '/run/dhclient-{device}.pid'; do\n  \
         [ ! -s \"$file\" ] || kill \"$(cat \"$file\")\" 2>/dev/null || true\ndone\n\
         ! command -v dhcpcd >/dev/null || dhcpcd --exit '{device}' >/dev/null 2>&1 || true\n"
    )
}

fn apply(link: &Link<'_>) -> String {
    let mut text = link.both().map(end_client).collect::<String>();
    // Tells ifupdown that a former bridge of this name has to be set up anew.
    let _ = writeln!(text, "ip address flush dev '{}' 2>/dev/null || true", link.bridge);
    text
}

fn revert(link: &Link<'_>) -> String {
    let bridge = link.bridge;
    let mut text = link.both().map(end_client).collect::<String>();
    let _ = writeln!(text, "ip address flush dev '{bridge}' 2>/dev/null || true");
    if let Some(port) = link.port {
        let _ = writeln!(text, "ip link set dev '{port}' nomaster 2>/dev/null || true");
        let _ = writeln!(text, "ip address flush dev '{port}' 2>/dev/null || true");
    }
    let _ = writeln!(text, "if ifquery '{bridge}' >/dev/null 2>&1; then");
    let _ = writeln!(text, "  ifup --force '{bridge}'\nelse");
    let _ = writeln!(text, "  ip link delete dev '{bridge}' 2>/dev/null || true");
    if let Some(port) = link.port {
        let _ = writeln!(text, "  ifup --force '{port}'");
    }
    text + "fi\n"
}

/// The text of an interfaces file without what it says of one interface: its `iface` stanzas with
/// their lines, and its name in `auto` and `allow-…` lines. Everything else stays byte for byte.
pub fn interfaces_without(text: &str, interface: &InterfaceName) -> String {
    let mut kept = String::new();
    // Whether the lines now belong to a stanza that goes.
    let (mut going, mut continued) = (false, false);
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_whitespace().collect();
        let was_continued = std::mem::replace(&mut continued, line.trim_end().ends_with('\\'));
        let keyword = words.first().copied().unwrap_or_default();
        let is_list =
            keyword == "auto" || keyword.starts_with("allow-") || keyword == "no-auto-down";
        let starts =
            matches!(keyword, "iface" | "mapping" | "source" | "source-directory" | "template");
        if was_continued {
            if !going {
                kept.push_str(line);
            }
        } else if is_list {
            going = false;
            kept.push_str(&list_without(line, &words, interface.as_str()));
        } else if starts {
            going = keyword == "iface" && words.get(1) == Some(&interface.as_str());
            if !going {
                kept.push_str(line);
            }
        } else if !going || keyword.is_empty() || keyword.starts_with('#') {
            kept.push_str(line);
        }
    }
    kept
}

fn list_without(line: &str, words: &[&str], name: &str) -> String {
    if !words.contains(&name) {
        return line.to_owned();
    }
    let rest: Vec<&str> = words.iter().copied().filter(|word| *word != name).collect();
    if rest.len() == 1 { String::new() } else { rest.join(" ") + "\n" }
}
