//! The unit of a WireGuard server.

use super::super::host::HEAD;
use super::super::{Place, device};
use super::{QUICK, SETTINGS, interface};
use crate::bridge::NetworkFile;
use stratus_site::VpnMode;

/// `stratus-vpn-server.service`. Where the kernel has no WireGuard, wg-quick starts wireguard-go, which
/// wants the tunnel's device and a folder for its socket.
pub fn server_unit(place: &Place) -> NetworkFile {
    let (server, interface, tun) = (&place.server, interface(), device(VpnMode::Tun));
    let tap = device(VpnMode::Tap);
    let content = format!(
        "{HEAD}\
         [Unit]\n\
         Description=Overlay of burst nodes (WireGuard)\n\
         Documentation=man:stratus-vpn(1) man:wg-quick(8)\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         ConditionPathExists={server}/{QUICK}\n\n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         RuntimeDirectory=wireguard\n\
         RuntimeDirectoryPreserve=yes\n\
         # Another mode of before leaves no device with the same addresses.\n\
         ExecStartPre=-ip tuntap del dev {tun} mode tun\n\
         ExecStartPre=-ip tuntap del dev {tap} mode tap\n\
         ExecStartPre=-ip link delete dev {interface}\n\
         ExecStart=wg-quick up {server}/{QUICK}\n\
         ExecReload=wg syncconf {interface} {server}/{SETTINGS}\n\
         ExecStop=-wg-quick down {server}/{QUICK}\n\
         CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE\n\
         NoNewPrivileges=yes\n\
         DevicePolicy=closed\n\
         DeviceAllow=/dev/net/tun rw\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         PrivateTmp=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectControlGroups=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    let path = "/etc/systemd/system/stratus-vpn-server.service".to_owned();
    NetworkFile { path, mode: 0o644, content }
}
