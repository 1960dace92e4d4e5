//! wicked: ifcfg(5), ifcfg-bridge(5), ifroute(5). Name servers of a stated address are in
//! `/etc/sysconfig/network/config`, which belongs to no interface and stays as it is.

use super::{BridgeFiles, Link, NetworkFile, command, file};

const FOLDER: &str = "/etc/sysconfig/network/";

pub(super) fn bridge(link: &Link<'_>) -> BridgeFiles {
    let mut files = vec![bridge_file(link)];
    files.extend(routes(link));
    files.extend(link.port.map(|port| port_file(link, port)));
    // Loads what has changed, takes down what has gone, and leaves the rest alone; so it is also
    // the way back.
    let reload = vec![command(&["wicked", "ifreload", "all"])];
    let mut apply: Vec<_> = link.flush_port().into_iter().collect();
    apply.extend(reload.clone());
    BridgeFiles { files, apply, revert: reload }
}

fn bridge_file(link: &Link<'_>) -> NetworkFile {
    let protocol = match (link.addressing.dhcp, link.is_bare()) {
        (true, _) => "dhcp4",
        (false, true) => "none",
        (false, false) => "static",
    };
    let mut text = format!(
        "STARTMODE='auto'\nBOOTPROTO='{protocol}'\nBRIDGE='yes'\nBRIDGE_PORTS='{}'\nBRIDGE_STP='off'\n\
         BRIDGE_FORWARDDELAY='0'\n",
        link.port.unwrap_or_default()
    );
    if let Some(mac) = link.addressing.mac {
        text += &format!("LLADDR='{mac}'\n");
    }
    text += &mtu(link);
    for (index, net) in link.addressing.addresses.iter().enumerate() {
        text += &format!("IPADDR_{index}='{net}'\n");
    }
    file(format!("{FOLDER}ifcfg-{}", link.bridge), 0o644, text)
}

fn port_file(link: &Link<'_>, port: &str) -> NetworkFile {
    let text = format!("STARTMODE='hotplug'\nBOOTPROTO='none'\n{}", mtu(link));
    file(format!("{FOLDER}ifcfg-{port}"), 0o644, text)
}

/// Default routes: destination, router, a column that is no longer used, device.
fn routes(link: &Link<'_>) -> Option<NetworkFile> {
    let mut text = String::new();
    for gateway in link.gateways() {
        if link.is_off_subnet(gateway) {
            text += &format!("{gateway} - - {}\n", link.bridge);
        }
        text += &format!("default {gateway} - {}\n", link.bridge);
    }
    let path = format!("{FOLDER}ifroute-{}", link.bridge);
    (!text.is_empty()).then(|| file(path, 0o644, text))
}

fn mtu(link: &Link<'_>) -> String {
    link.addressing.mtu.map(|mtu| format!("MTU='{mtu}'\n")).unwrap_or_default()
}
