//! What a burst node boots from: one script for every cloud, and the forms that carry it.
//!
//! The script may run at every boot: what is there stays, above all the secret that the machine
//! made for itself when it joined. Only another token makes another secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use stratus_site::HostName;

/// Lets one machine join, once.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    /// The node that it is for.
    pub name: &'a HostName,
    /// Its text: letters, digits, `-` and `_`.
    pub text: &'a str,
}

/// Where the profile of a node names its password.
impl Token<'_> {
    /// The file with name and password on the node.
    pub const FILE: &'static str = "/etc/openvpn/stratus.secret";
}

/// The shell script that makes a stock image a burst node; `profile` is its `.ovpn` file.
pub fn join_script(profile: &str, token: Token<'_>) -> String {
    // Base64 and the two texts hold no quote, by their types.
    let (name, secret) = (token.name, Token::FILE);
    let mut text = head(name);
    text += &install("! command -v openvpn >/dev/null 2>&1", "openvpn");
    let _ = write!(
        text,
        r#"mkdir -p /etc/openvpn/client
if ! grep -qs '^{token}\.' {secret}; then
    made=$(head -c 32 /dev/urandom | base64 | tr -d '\n=')
    printf '%s\n%s.%s\n' '{name}' '{token}' "$made" > {secret}.new
    mv {secret}.new {secret}
fi
base64 -d > /etc/openvpn/client/stratus.conf.new <<'END'
{profile}END
mv /etc/openvpn/client/stratus.conf.new /etc/openvpn/client/stratus.conf
if [ -e /lib/systemd/system/openvpn-client@.service ] || [ -e /usr/lib/systemd/system/openvpn-client@.service ]; then
    unit=openvpn-client@stratus
else
    ln -sf client/stratus.conf /etc/openvpn/stratus.conf
    unit=openvpn@stratus
fi
systemctl enable --now "$unit"
"#,
        token = token.text,
        profile = lines(profile),
    );
    text
}

/// What each script begins with: the machine gets the node's name.
pub(super) fn head(name: &HostName) -> String {
    format!(
        r"#!/bin/sh
# Made by stratus-vpn. Joins this machine to a site; may run at every boot.
set -eu
umask 077
hostnamectl set-hostname '{name}' 2>/dev/null || hostname '{name}'
grep -q '[[:space:]]{name}\([[:space:]]\|$\)' /etc/hosts || echo '127.0.1.1 {name} {short}' >> /etc/hosts
",
        short = name.short(),
    )
}

/// Has a package installed where a condition of the shell's holds.
pub(super) fn install(condition: &str, package: &str) -> String {
    format!(
        r"if {condition}; then
    if command -v apt-get >/dev/null 2>&1; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update
        apt-get -qy install --no-install-recommends {package}
    elif command -v dnf >/dev/null 2>&1; then
        dnf -qy install {package} || {{ dnf -qy install epel-release && dnf -qy install {package}; }}
    elif command -v zypper >/dev/null 2>&1; then
        zypper -nq install {package}
    else
        echo 'stratus: install {package} in the image; no package manager is known here' >&2
        exit 1
    fi
fi
"
    )
}

/// The script as user-data for cloud-init.
pub fn cloud_init(script: &str, name: &HostName) -> String {
    let encoded = STANDARD.encode(script);
    format!(
        "#cloud-config\n\
         hostname: {short}\n\
         fqdn: {name}\n\
         write_files:\n\
         \x20 - path: /usr/local/sbin/stratus-join\n\
         \x20   owner: root:root\n\
         \x20   permissions: '0700'\n\
         \x20   encoding: b64\n\
         \x20   content: {encoded}\n\
         runcmd:\n\
         \x20 - [/usr/local/sbin/stratus-join]\n",
        short = name.short(),
    )
}

/// The script as the CONTEXT section of an OpenNebula template. OpenNebula's contextualisation
/// packages run it at every boot.
pub fn context(script: &str, name: &HostName) -> String {
    format!(
        "CONTEXT = [\n  NETWORK = \"YES\",\n  SET_HOSTNAME = \"{name}\",\n  START_SCRIPT_BASE64 = \"{}\"\n]\n",
        STANDARD.encode(script)
    )
}

/// Base64 in lines of 76 characters (RFC 2045).
pub(super) fn lines(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let mut out = String::with_capacity(encoded.len() + encoded.len() / 76 + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out
}
