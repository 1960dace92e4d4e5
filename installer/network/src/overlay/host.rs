//! What the server's host needs besides the server's configuration.

use super::{LAN_MTU, Place, device};
use crate::bridge::NetworkFile;
use stratus_site::{InterfaceName, Site, Transport, Vpn, VpnMode};

pub(super) const HEAD: &str = "# Made by stratus-install; changes here are lost.\n";

/// The bridge that a bridged tunnel joins: that of the network, else that of the nodes. None where
/// the tunnel is routed.
pub fn bridge<'a>(site: &'a Site, vpn: &Vpn) -> Option<&'a InterfaceName> {
    if vpn.mode.is_routed() {
        return None;
    }
    let joined = site.networks.iter().find(|network| Some(&network.name) == vpn.network.as_ref());
    let of_network = joined.and_then(|network| match &network.transport {
        Transport::Bridge(bridge) => Some(bridge),
        Transport::Vlan(_) | Transport::Vxlan(_) => None,
    });
    of_network.or_else(|| site.nodes.first().map(|node| &node.bridge))
}

/// The bridge on which the names of burst nodes are told; none where nobody is to be told.
pub fn names_bridge<'a>(site: &'a Site, vpn: &Vpn) -> Option<&'a InterfaceName> {
    bridge(site, vpn).filter(|_| vpn.serve_names)
}

/// The commands that make the tunnel's device before the server starts, in order. The server opens
/// a device that is there, so it needs no script and no right to change networks.
pub fn device_commands(site: &Site, vpn: &Vpn, place: &Place) -> Vec<Vec<String>> {
    let device = device(vpn.mode);
    let kind = if vpn.mode == VpnMode::Tap { "tap" } else { "tun" };
    let mut all = vec![format!("ip tuntap add dev {device} mode {kind} user {}", place.account.0)];
    all.push(format!("ip link set dev {device} mtu {LAN_MTU} up"));
    all.extend(bridge(site, vpn).map(|to| format!("ip link set dev {device} master {to}")));
    if let Ok(Some(address)) = super::server_address(vpn) {
        all.push(format!("ip address replace {address}/{} dev {device}", vpn.subnet.prefix_len()));
    }
    all.into_iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// The units of the server's host.
pub fn host_files(site: &Site, vpn: &Vpn, place: &Place) -> Vec<NetworkFile> {
    if vpn.mode == VpnMode::WireGuard {
        return vec![super::wireguard::server_unit(place)];
    }
    let file = |path: &str, content: String| NetworkFile {
        path: path.to_owned(),
        mode: 0o644,
        content: HEAD.to_owned() + &content,
    };
    vec![
        file("/etc/systemd/system/stratus-vpn-server.service", server_unit(site, vpn, place)),
        file("/etc/systemd/system/stratus-vpn-renew.service", renew_unit(place)),
        file("/etc/systemd/system/stratus-vpn-renew.timer", RENEW_TIMER.to_owned()),
    ]
}

/// The units that write a report of the overlay once a minute, for a monitor on the server's host.
/// The folder of a report below `/run` is made; any other has to be there.
pub fn report_files(report: &str, place: &Place) -> Vec<NetworkFile> {
    let file = |path: &str, content: String| NetworkFile {
        path: path.to_owned(),
        mode: 0o644,
        content: HEAD.to_owned() + &content,
    };
    vec![
        file("/etc/systemd/system/stratus-vpn-status.service", report_unit(report, place)),
        file("/etc/systemd/system/stratus-vpn-status.timer", REPORT_TIMER.to_owned()),
    ]
}

fn report_unit(report: &str, place: &Place) -> String {
    let below = report.strip_prefix("/run/").and_then(|below| below.rsplit_once('/'));
    let folder = below.map_or(String::new(), |(folder, _)| {
        format!("RuntimeDirectory={folder}\nRuntimeDirectoryPreserve=yes\n")
    });
    format!(
        "[Unit]\n\
         Description=Report of burst nodes for the monitor\n\
         Documentation=man:stratus-vpn(1)\n\n\
         [Service]\n\
         Type=oneshot\n\
         {folder}\
         ExecStart={} status --to {report}\n\
         # A server that does not answer is in the report.\n\
         SuccessExitStatus=5\n",
        place.verifier
    )
}

fn server_unit(site: &Site, vpn: &Vpn, place: &Place) -> String {
    let commands = device_commands(site, vpn, place);
    let before: String =
        commands.iter().map(|words| format!("ExecStartPre={}\n", words.join(" "))).collect();
    let device = device(vpn.mode);
    let kind = if vpn.mode == VpnMode::Tap { "tap" } else { "tun" };
    let runtime = place.runtime.trim_start_matches("/run/");
    format!(
        "[Unit]\n\
         Description=Overlay of burst nodes (OpenVPN)\n\
         Documentation=man:stratus-vpn(1) man:openvpn(8)\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         ConditionPathExists={server}/server.conf\n\n\
         [Service]\n\
         Type=notify\n\
         RuntimeDirectory={runtime}\n\
         RuntimeDirectoryMode=0700\n\
         # Another mode of before leaves no device with the same addresses.\n\
         ExecStartPre=-ip link delete dev {wireguard}\n\
         ExecStartPre=-ip tuntap del dev {device} mode {kind}\n\
         {before}\
         ExecStart=openvpn --suppress-timestamps --config {server}/server.conf\n\
         ExecStopPost=-ip tuntap del dev {device} mode {kind}\n\
         Restart=on-failure\n\
         RestartSec=2s\n\
         CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_DAC_OVERRIDE\n\
         NoNewPrivileges=yes\n\
         DevicePolicy=closed\n\
         DeviceAllow=/dev/net/tun rw\n\
         ProtectSystem=strict\n\
         ReadWritePaths=-{joined}\n\
         ProtectHome=yes\n\
         PrivateTmp=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectControlGroups=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        server = place.server,
        joined = place.joined,
        wireguard = super::device(VpnMode::WireGuard),
    )
}

fn renew_unit(place: &Place) -> String {
    format!(
        "[Unit]\n\
         Description=Renewal of the overlay's certificates and revocation list\n\
         Documentation=man:stratus-vpn(1)\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={} renew --restart\n",
        place.verifier
    )
}

const RENEW_TIMER: &str = "[Unit]
Description=Daily renewal of the overlay's certificates and revocation list

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=yes

[Install]
WantedBy=timers.target
";

const REPORT_TIMER: &str = "[Unit]
Description=Report of burst nodes for the monitor, each minute

[Timer]
OnActiveSec=0
OnUnitActiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
";
