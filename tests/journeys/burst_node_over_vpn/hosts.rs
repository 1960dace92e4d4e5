//! A burst node is a host of OpenNebula: by itself when it joins, offline without its session, and gone
//! when it was revoked.

use crate::bed::{Bed, eventually};
use stratus_tests::hosts::Host;

const OFFLINE: &str = "8";
const MONITORED: &str = "2";

/// The state of a host as oned tells it, by its number; nothing where there is no such host.
fn state(front: &Host, name: &str) -> Option<String> {
    const ASK: &str = r#"
auth=$(cat /var/lib/one/.one/one_auth)
printf '<?xml version="1.0"?><methodCall><methodName>one.hostpool.info</methodName><params><param><value><string>%s</string></value></param></params></methodCall>' "$auth" |
    curl -sSf -H 'Content-Type: text/xml' --data-binary @- http://127.0.0.1:2633/RPC2"#;
    let answer = front.run(ASK).good().stdout.replace("&lt;", "<").replace("&gt;", ">");
    let (_, rest) = answer.split_once(&format!("<NAME>{name}</NAME><STATE>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// Names are on the front-end before anybody joined, so that a host's tree is not changed later.
pub(crate) fn are_named(front: &Host) {
    let named = "grep -qx '10.77.0.200 burst1' /etc/hosts";
    eventually("the front-end knows the node's name", || front.run(named).code == 0);
    assert_eq!(state(front, "burst1"), None, "nobody has joined");
}

/// The timer makes it a host; the front-end logs in on it with the key that it told, and finds what
/// OpenNebula needs. Its address is that of a bridge, which machines are attached to.
pub(crate) fn becomes_a_host(bed: &Bed, burst: &Host) {
    let front = bed.front();
    let waited = eventually("the burst node is a host", || {
        state(front, "burst1").is_some_and(|state| state == MONITORED)
    });
    println!("burst1 was a host {waited:.1?} after it was looked for");
    let waited = eventually("the burst node is a node of OpenNebula", || {
        burst.run("systemctl is-active stratus-node").stdout.trim() == "active"
    });
    println!("burst1 had OpenNebula's packages {waited:.1?} later");
    let inside = "runuser -u oneadmin -- ssh -o BatchMode=yes -o StrictHostKeyChecking=yes burst1";
    // libvirt, which Debian has in a later version than the stand-in, lets oneadmin in.
    let asks = "id -un && hostname && virsh -c qemu:///system list --all";
    let told = front.run(&format!("{inside} '{asks}'")).good().stdout;
    assert!(told.starts_with("oneadmin\nburst1\n"), "{told}");
    let ports = burst.run("ip -o link show master br0").good().stdout;
    assert!(ports.contains("tap-stratus"), "{ports}");
    let on_port = burst.run("ip -o -4 address show dev tap-stratus").good().stdout;
    assert_eq!(on_port.trim(), "");
    // oneadmin has no list of its own with this key in it: nobody trusted it blindly.
    let own = front.run("grep -c burst1 /var/lib/one/.ssh/known_hosts");
    assert_eq!(own.stdout.trim(), "0");
    assert_eq!(state(front, "burst2"), None, "nobody asked for it");
}

/// Without its session it is offline, and with it in use again.
pub(crate) fn follows_its_session(bed: &Bed, burst: &Host) {
    let front = bed.front();
    let look = |wanted: fn(&str) -> bool| {
        front.run("stratus-vpn register").good();
        state(front, "burst1").is_some_and(|state| wanted(&state))
    };
    burst.run("systemctl stop openvpn-client@stratus").good();
    let waited = eventually("the host is offline", || look(|state| state == OFFLINE));
    println!("offline {waited:.1?} after its session ended");
    burst.run("systemctl start openvpn-client@stratus").good();
    eventually("the host is enabled", || look(|state| state != OFFLINE));
}

/// Revoked, it is no host any more; one of the same name would be another one.
pub(crate) fn goes_when_revoked(front: &Host) {
    let waited = eventually("the revoked host is gone", || state(front, "burst1").is_none());
    println!("no host {waited:.1?} after it was revoked");
    let left = front.run("grep -h burst1 /etc/hosts /etc/ssh/ssh_known_hosts");
    assert_eq!(left.stdout.trim(), "");
    front.run("stratus-vpn add burst1 && stratus-vpn register").good();
    front.run("grep -q '10.77.0.200 burst1' /etc/hosts").good();
}
