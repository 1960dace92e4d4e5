//! NetworkManager's key files: nm-settings-keyfile(5).

use super::{BridgeFiles, Link, NetworkFile, command, file, joined, script};
use ipnet::IpNet;

const FOLDER: &str = "/etc/NetworkManager/system-connections/";

pub(super) fn bridge(link: &Link<'_>) -> BridgeFiles {
    let mut files = vec![bridge_file(link)];
    files.extend(link.port.map(|name| port_file(link, name)));
    let name = profile(link);
    let apply = vec![
        command(&["nmcli", "connection", "reload"]),
        // Takes the port along, which ends the profile that the port had.
        command(&["nmcli", "--wait", "30", "connection", "up", &name]),
    ];
    BridgeFiles { files, apply, revert: revert(link) }
}

fn profile(link: &Link<'_>) -> String {
    format!("stratus-{}", link.bridge)
}

/// The head of a profile. The priority lets ours win over older ones of the same interface when
/// the host starts; without a `uuid` NetworkManager makes a steady one from the file's name.
fn head(id: &str, kind: &str, interface: &str) -> String {
    format!(
        "[connection]\nid={id}\ntype={kind}\ninterface-name={interface}\nautoconnect=true\nautoconnect-priority=100\n"
    )
}

fn bridge_file(link: &Link<'_>) -> NetworkFile {
    let (addressing, id) = (link.addressing, profile(link));
    let mut text = head(&id, "bridge", link.bridge);
    // Else a start of the bridge leaves its port to chance.
    text += "autoconnect-slaves=1\n\n[ethernet]\n";
    if let Some(mac) = addressing.mac {
        text += &format!("cloned-mac-address={mac}\n");
    }
    text += &mtu(link);
    text += "\n[bridge]\nstp=false\nforward-delay=0\n";
    let any4 = link.v4().next().is_some();
    let method4 = match (addressing.dhcp, any4) {
        (true, _) => "auto",
        (false, true) => "manual",
        (false, false) => "disabled",
    };
    text += &section("ipv4", method4, &link.v4().collect::<Vec<_>>());
    if addressing.dhcp {
        text += "dhcp-client-id=mac\n";
    }
    text += &resolver(link, true, method4 != "disabled");
    // Router advertisements are taken, unless everything is stated or nothing wanted.
    let stated6 = link.v6().next().is_some() && addressing.gateway6.is_some();
    let method6 = match (link.is_bare(), stated6) {
        (true, _) => "disabled",
        (false, true) => "manual",
        (false, false) => "auto",
    };
    text += &section("ipv6", method6, &link.v6().collect::<Vec<_>>());
    text += &resolver(link, false, method4 == "disabled" && method6 != "disabled");
    file(format!("{FOLDER}{id}.nmconnection"), 0o600, text)
}

fn section(name: &str, method: &str, addresses: &[&IpNet]) -> String {
    let mut text = format!("\n[{name}]\nmethod={method}\n");
    for (index, net) in addresses.iter().enumerate() {
        text += &format!("address{}={net}\n", index + 1);
    }
    text
}

/// Router and name servers of one family, and the search domains where they are asked for.
fn resolver(link: &Link<'_>, four: bool, with_search: bool) -> String {
    let mut text = String::new();
    if let Some(gateway) = link.gateways().iter().find(|gateway| gateway.is_ipv4() == four) {
        text += &format!("gateway={gateway}\n");
    }
    let servers = joined(link.addressing.dns.iter().filter(|s| s.is_ipv4() == four), ";");
    if !servers.is_empty() && !link.is_bare() {
        text += &format!("dns={servers};\n");
    }
    let search = joined(link.search(), ";");
    if !search.is_empty() && with_search {
        text += &format!("dns-search={search};\n");
    }
    text
}

fn port_file(link: &Link<'_>, port: &str) -> NetworkFile {
    let id = format!("{}-port", profile(link));
    // The older words `master` and `slave-type` are read by every version, the newer are not.
    let text = format!(
        "{}master={}\nslave-type=bridge\n\n[ethernet]\n{}",
        head(&id, "ethernet", port),
        link.bridge,
        mtu(link)
    );
    file(format!("{FOLDER}{id}.nmconnection"), 0o600, text)
}

fn mtu(link: &Link<'_>) -> String {
    link.addressing.mtu.map(|mtu| format!("mtu={mtu}\n")).unwrap_or_default()
}

fn revert(link: &Link<'_>) -> Vec<Vec<String>> {
    let name = profile(link);
    let reconnect = link.port.map(|port| format!("  nmcli --wait 30 device connect '{port}'\n"));
    vec![script(format!(
        "nmcli connection reload\n\
         if nmcli connection show '{name}' >/dev/null 2>&1; then\n  nmcli --wait 30 connection up '{name}'\n\
         else\n  ip link delete dev '{}' 2>/dev/null || true\n{}fi\n",
        link.bridge,
        reconnect.unwrap_or_default()
    ))]
}
