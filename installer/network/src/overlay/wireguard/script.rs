//! What a burst node of a WireGuard overlay boots from.

use super::super::bundle::{head, install, lines};
use super::{QUICK, interface};
use std::fmt::Write as _;
use stratus_site::HostName;

/// The shell script that makes a stock image a burst node; `profile` is its file for wg-quick.
pub fn join_script(profile: &str, name: &HostName) -> String {
    let mut text = head(name);
    text += &install("! command -v wg-quick >/dev/null 2>&1", "wireguard-tools");
    let no_kernel = "! { ip link add dev stratus-probe type wireguard && \
        ip link delete dev stratus-probe; } 2>/dev/null";
    // wg-quick falls back to it by itself.
    let no_wireguard = format!("! command -v wireguard-go >/dev/null 2>&1 && {no_kernel}");
    text += &install(&no_wireguard, "wireguard-go");
    let _ = write!(
        text,
        r#"mkdir -p /etc/wireguard
file=/etc/wireguard/{QUICK}
base64 -d > "$file.new" <<'END'
{profile}END
verb=start
if [ "$(cat "$file" 2>/dev/null)" != "$(cat "$file.new")" ]; then verb=restart; fi
mv "$file.new" "$file"
systemctl enable wg-quick@{interface}
systemctl "$verb" wg-quick@{interface}
"#,
        profile = lines(profile),
        interface = interface(),
    );
    text
}
