//! A burst node that is a host of OpenNebula: what its script does besides joining, and what the
//! front-end needs to keep its hosts in step with sessions.
//!
//! The machine's address is on a bridge that its end of the tunnel is a port of, so machines that
//! OpenNebula starts there are on the LAN. As on the server's host, a unit makes device and bridge,
//! and openvpn opens a device that is there: it runs no script as root. The key of the machine's ssh
//! server goes to the gateway with its first password.

use super::bundle::Token;
use super::host::HEAD;
use super::{Place, device};
use crate::bridge::NetworkFile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use stratus_site::{HostName, InterfaceName, MacAddress, VpnMode};

/// What `.ovpn` files of such nodes have besides: their address is the bridge's.
pub const HOST_DIRECTIVES: &str = "ifconfig-noexec\n";

/// What every Ed25519 key of ssh begins with; a password has no room for it.
const KEY_PREFIX: &str = "AAAAC3NzaC1lZDI1NTE5AAAAI";

/// A line that ends a program within a program.
const END: &str = "END-OF-STRATUS-NODE";

/// How such a node is placed in the site.
#[derive(Clone, Copy)]
pub struct Hypervisor<'a> {
    /// The bridge that machines are attached to.
    pub bridge: &'a InterfaceName,
    /// The node's address.
    pub address: Ipv4Addr,
    /// The length of its subnet's prefix, bits.
    pub prefix: u8,
    /// Its MAC address.
    pub mac: MacAddress,
    /// The largest packet that the tunnel carries, bytes.
    pub mtu: u16,
    /// The shell program that makes the machine a node of OpenNebula. Run until it succeeds, and at
    /// each boot; where it ends with 3, it is of no use to run it again.
    pub program: &'a str,
}

/// The script of a node that becomes a host of OpenNebula; `join` is what every burst node has.
pub fn host_script(join: &str, token: Token<'_>, host: Hypervisor<'_>) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Made by stratus-vpn. This machine becomes a host of OpenNebula; may run at every boot.\nset -eu\numask 077\n",
    );
    text += &told_key(token);
    text += &bridged(host);
    text += join;
    let _ = write!(
        text,
        "cat > /usr/local/sbin/stratus-node.new <<'{END}'\n{program}{END}\n\
         mv /usr/local/sbin/stratus-node.new /usr/local/sbin/stratus-node\n\
         chmod 0700 /usr/local/sbin/stratus-node\n\
         cat > /etc/systemd/system/stratus-node.service <<'{END}'\n{NODE_UNIT}{END}\n\
         systemctl daemon-reload\n\
         systemctl enable stratus-node.service\n\
         systemctl restart --no-block stratus-node.service\n",
        program = host.program,
    );
    text
}

/// The first password, before the joining itself would make one without the key.
fn told_key(token: Token<'_>) -> String {
    let (name, secret) = (token.name, Token::FILE);
    format!(
        r#"if ! [ -x /usr/sbin/sshd ]; then
    if command -v apt-get >/dev/null 2>&1; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update
        apt-get -qy install --no-install-recommends openssh-server
    elif command -v dnf >/dev/null 2>&1; then
        dnf -qy install openssh-server
    else
        zypper -nq install openssh
    fi
fi
key=/etc/ssh/ssh_host_ed25519_key
if ! [ -s $key ]; then
    ssh-keygen -q -t ed25519 -N '' -f $key
    systemctl try-restart ssh.service sshd.service 2>/dev/null || :
fi
told=$(ssh-keygen -y -f $key | cut -d ' ' -f 2)
mkdir -p /etc/openvpn
if ! grep -qs '^{token}\.' {secret}; then
    made=$(head -c 32 /dev/urandom | base64 | tr -d '\n=')
    printf '%s\n%s.%s.%s\n' '{name}' '{token}' "$made" "${{told#{KEY_PREFIX}}}" > {secret}.new
    mv {secret}.new {secret}
fi
"#,
        token = token.text,
    )
}

/// The unit that makes the bridge, started before openvpn.
fn bridged(host: Hypervisor<'_>) -> String {
    let Hypervisor { bridge, address, prefix, mac, mtu, .. } = host;
    let device = device(VpnMode::Tap);
    format!(
        "cat > /etc/systemd/system/stratus-bridge.service <<'{END}'\n\
         [Unit]\n\
         Description=Bridge of a burst node with its end of the tunnel\n\
         Before=openvpn-client@stratus.service openvpn@stratus.service\n\n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart=-ip link add name {bridge} type bridge\n\
         ExecStart=-ip tuntap add dev {device} mode tap\n\
         ExecStart=ip link set dev {device} address {mac} mtu {mtu} master {bridge} up\n\
         # A MAC address that is set stays, whatever machine comes.\n\
         ExecStart=ip link set dev {bridge} address {mac} up\n\
         ExecStart=ip address replace {address}/{prefix} dev {bridge}\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n\
         {END}\n\
         systemctl daemon-reload\n\
         systemctl enable --now stratus-bridge.service\n"
    )
}

const NODE_UNIT: &str = "[Unit]
Description=Node of the site's OpenNebula
Wants=network-online.target
After=network-online.target stratus-bridge.service openvpn-client@stratus.service openvpn@stratus.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/stratus-node
# What packages come from may be away for now.
Restart=on-failure
RestartSec=1min
RestartPreventExitStatus=3

[Install]
WantedBy=multi-user.target
";

/// The script as user-data for cloud-init, packed: many clouds take 16 KiB.
pub fn packed_cloud_init(script: &str, name: &HostName) -> String {
    // Memory takes whatever is written; and user-data that is not packed is as good.
    let Ok(packed) = packed(script) else { return super::cloud_init(script, name) };
    super::cloud_init("", name)
        .replace("encoding: b64", "encoding: gz+b64")
        .replace("content: \n", &format!("content: {}\n", STANDARD.encode(packed)))
}

fn packed(text: &str) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(text.as_bytes())?;
    packed.finish()
}

/// The units on the front-end that keep OpenNebula's hosts in step with sessions: service and timer,
/// and one that takes the names of burst nodes off the host when it is stopped.
pub fn register_files(place: &Place) -> Vec<NetworkFile> {
    let file = |name: &str, content: String| NetworkFile {
        path: format!("/etc/systemd/system/{name}"),
        mode: 0o644,
        content: HEAD.to_owned() + &content,
    };
    vec![
        file("stratus-vpn-register.service", register_unit(place)),
        file("stratus-vpn-register.timer", REGISTER_TIMER.to_owned()),
        file("stratus-vpn-names.service", names_unit(place)),
    ]
}

fn register_unit(place: &Place) -> String {
    format!(
        "[Unit]\n\
         Description=Burst nodes as hosts of OpenNebula\n\
         Documentation=man:stratus-vpn(1)\n\
         After=opennebula.service stratus-vpn-server.service stratus-vpn-names.service\n\n\
         [Service]\n\
         Type=oneshot\n\
         TimeoutStartSec=10min\n\
         ExecStart={} register\n\
         # OpenNebula or the server may be away for now.\n\
         SuccessExitStatus=5\n",
        place.verifier
    )
}

fn names_unit(place: &Place) -> String {
    format!(
        "[Unit]\n\
         Description=Names of burst nodes on the front-end\n\
         Documentation=man:stratus-vpn(1)\n\n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart=true\n\
         ExecStop={} register --forget\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        place.verifier
    )
}

const REGISTER_TIMER: &str = "[Unit]
Description=Burst nodes as hosts of OpenNebula, each minute

[Timer]
OnActiveSec=0
OnUnitActiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
";

#[cfg(test)]
#[path = "hypervisor_tests.rs"]
mod tests;
