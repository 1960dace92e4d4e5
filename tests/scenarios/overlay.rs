//! The overlay with real openvpn: burst nodes join from their bundles, are on the LAN, are refused
//! with the reason, are revoked in the middle of their session, and outlive every rotation.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "overlay/bed.rs"]
mod bed;
#[path = "overlay/expiry.rs"]
mod expiry;
#[path = "network_files/namespace.rs"]
mod namespace;
#[path = "overlay/routed.rs"]
mod routed;
#[path = "overlay/wireguard.rs"]
mod wireguard;

use base64::Engine as _;
use bed::{Bed, LAN_HOST, eventually, pings, reaches};
use jiff::{SignedDuration, Timestamp};
use namespace::Namespace;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};
use stratus_overlay::{Form, Overlay, system_random};
use stratus_tests::{run, tool};

const RANGE: &str = "range = \"10.50.0.200-10.50.0.239\"\n";

/// A block of an `.ovpn` file, with its marks.
fn block(profile: &str, name: &str) -> String {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let start = profile.find(&begin).unwrap();
    let stop = profile.find(&end).unwrap() + end.len();
    profile[start..stop].to_owned()
}

/// A profile with a block of another one.
fn with_block(profile: &str, other: &str, name: &str) -> String {
    profile.replace(&block(profile, name), &block(other, name))
}

/// Waits until `status` gives a reason for somebody that is no burst node.
fn refused(bed: &Bed, reason: &str) {
    eventually(&format!("status says: {reason}"), || {
        let status = bed.status();
        let mut strangers = status["strangers"].as_array().unwrap().iter();
        strangers.any(|s| s["reason"].as_str().unwrap().contains(reason))
    });
}

fn refused_node(bed: &Bed, name: &str, reason: &str) {
    eventually(&format!("status says of {name}: {reason}"), || {
        let node = bed.node(name);
        assert!(node["session"].is_null(), "{name} was let in");
        node["last_error"]["reason"].as_str().is_some_and(|told| told.contains(reason))
    });
}

#[track_caller]
fn reaches_the_lan(burst: &Namespace) {
    eventually("a burst node reaches the LAN", || pings(burst, LAN_HOST));
}

/// Hears one datagram, which the LAN host sends to everybody.
fn hears_a_broadcast(bed: &Bed, burst: &Namespace) {
    const HEAR: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9999)); s.settimeout(20)
print('ready', flush=True); print(s.recvfrom(100)[0].decode(), flush=True)";
    const SAY: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); s.sendto(b'to all', ('10.50.0.255', 9999))";
    let mut command = burst.command(&["python3", "-c", HEAR]);
    let mut child = namespace::Listener(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut heard = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    run(&mut bed.lan.command(&["python3", "-c", SAY])).good();
    let mut rest = String::new();
    heard.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "to all\n");
}

/// How many packets a host had to cut.
fn fragments(host: &Namespace) -> u64 {
    let text = run(&mut host.command(&["cat", "/proc/net/snmp"])).good().stdout;
    let mut lines = text.lines().filter(|line| line.starts_with("Ip: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "FragCreates").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

#[test]
fn a_burst_node_is_on_the_lan_until_it_is_revoked() {
    let mut bed = Bed::new(RANGE);
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1", "burst2"]).good();
    bed.serve();
    let burst = bed.cloud();
    let profile = bed.profile("burst1");
    let joined = bed.join(&burst, &profile);
    reaches_the_lan(&burst);

    // Its fixed address, and the MAC address that a machine of the site would have there.
    let (address, mac) = ("10.50.0.200", "02:00:0a:32:00:c8");
    let device = burst.ip("addr show dev tap-stratus");
    assert!(device.contains(address) && device.contains(mac), "{device}");
    assert!(reaches(&bed.lan, address));
    let neighbours = bed.lan.ip("neigh show");
    assert!(neighbours.contains(&format!("{address} dev eth0 lladdr {mac}")), "{neighbours}");
    hears_a_broadcast(&bed, &burst);
    let listener = bed.lan.listen(&[8000]);
    assert_eq!(burst.call(LAN_HOST, 8000).as_deref(), Some(address));
    drop(listener);
    // As large as a packet may be: over an IPv4 endpoint 1500 - 20 - 8 - 24 - 14.
    let largest = ["ping", "-c", "3", "-i", "0.2", "-M", "do", "-s", "1406", LAN_HOST];
    run(&mut burst.command(&largest)).good();
    assert_eq!((fragments(&burst), fragments(&bed.gate)), (0, 0));

    let node = bed.node("burst1");
    assert!(node["session"]["peer"].as_str().unwrap().starts_with("203.0.113.6:"), "{node}");
    assert!(node["session"]["received"].as_u64().unwrap() > 0, "{node}");
    assert!(node["certificate_expires"].is_string() && node["last_error"].is_null(), "{node}");
    assert!(bed.node("burst2")["session"].is_null());
    let told = bed.vpn(&["status"]).good();
    assert!(told.stdout.contains("203.0.113.6"), "{}", told.stdout);

    let begin = Instant::now();
    let told = bed.vpn(&["revoke", "burst1"]).good();
    assert!(told.stderr.contains("its session was ended"), "{}", told.stderr);
    eventually("the revoked node is cut off", || !pings(&burst, LAN_HOST));
    let cut = begin.elapsed();
    println!("cut off {cut:?} after the beginning of `revoke`");
    assert!(cut < Duration::from_secs(10), "{cut:?}");
    // It comes again, as the same machine.
    drop(joined);
    let joined = bed.join(&burst, &profile);
    refused(&bed, "its certificate was revoked");
    drop(joined);
    // The name is free, for another machine.
    bed.vpn(&["add", "burst1"]).good();
    let _joined = bed.join(&burst, &bed.profile("burst1"));
    reaches_the_lan(&burst);
}

#[test]
fn strangers_are_refused_and_status_says_why() {
    let mut bed = Bed::new(RANGE);
    for folder in ["vpn", "other"] {
        bed.vpn_in(folder, &["init"]).good();
        bed.vpn_in(folder, &["add", "burst1"]).good();
    }
    bed.serve();
    let burst = bed.cloud();
    let ours = bed.profile("burst1");
    let theirs = bed.vpn_in("other", &["bundle", "burst1", "--as", "ovpn"]).good().stdout;

    let foreign = with_block(&with_block(&ours, &theirs, "cert"), &theirs, "key");
    let joined = bed.join(&burst, &foreign);
    refused(&bed, "its certificate is from another authority");
    drop(joined);

    let wrong_key = with_block(&ours, &theirs, "tls-crypt-v2");
    let joined = bed.join(&burst, &wrong_key);
    refused(&bed, "its tls-crypt-v2 key is not one of this server");
    drop(joined);

    // One that was added long ago, and never renewed.
    let old = {
        let (site, place) = (bed.site(), bed.place());
        let vpn = site.vpn.clone().unwrap();
        let then = Timestamp::now() - SignedDuration::from_hours(24 * 366);
        let mut overlay = Overlay::open(&bed.path("vpn"), (&site, &vpn), place).unwrap();
        let name = "burst2".parse().unwrap();
        overlay.add(&[name], then, &mut system_random).unwrap();
        let name = "burst2".parse().unwrap();
        let week = Duration::from_hours(7 * 24);
        overlay.bundle(&name, Form::Ovpn, 1500, week, then, &mut system_random).unwrap().text
    };
    let joined = bed.join(&burst, &old);
    refused_node(&bed, "burst2", "its certificate has expired");
    drop(joined);
    assert!(bed.node("burst1")["session"].is_null());
    // And the right one comes in, through the same door.
    let _joined = bed.join(&burst, &ours);
    reaches_the_lan(&burst);
}

/// The text between two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap();
    rest.split_once(end).unwrap().0
}

fn decoded(base64: &str) -> String {
    let digits: String = base64.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(digits).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_join_token_lets_one_machine_in_once() {
    let mut bed = Bed::new(RANGE);
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1"]).good();
    bed.serve();
    let data = bed.vpn(&["bundle", "burst1", "--as", "cloud-init"]).good().stdout;
    let script = decoded(between(&data, "content: ", "\n"));
    let profile = decoded(between(&script, "<<'END'\n", "\nEND"));
    let token = between(&script, "\\n' 'burst1' '", "'");

    let machine = |secret: &str| {
        let file = bed.path(&format!("secret-{}", &secret[..1]));
        fs::write(&file, format!("burst1\n{token}.{secret}\n")).unwrap();
        profile.replace("/etc/openvpn/stratus.secret", file.to_str().unwrap())
    };
    let (one, other) = (machine(&"a".repeat(43)), machine(&"b".repeat(43)));
    let (first, second) = (bed.cloud(), bed.cloud());
    assert!(bed.node("burst1")["joined"].is_null());
    let joined = bed.join(&first, &one);
    reaches_the_lan(&first);
    assert!(bed.node("burst1")["joined"].is_string());
    drop(joined);
    eventually("the session ends", || bed.node("burst1")["session"].is_null());

    let replay = bed.join(&second, &other);
    refused_node(&bed, "burst1", "the join token was used by another machine before");
    drop(replay);
    // Without any token, too.
    let bare = profile.replace("auth-user-pass /etc/openvpn/stratus.secret\nauth-nocache\n", "");
    let replay = bed.join(&second, &bare);
    refused_node(&bed, "burst1", "no join token was sent");
    drop(replay);
    // The machine that joined is still the node.
    let _joined = bed.join(&first, &one);
    reaches_the_lan(&first);
}

#[test]
fn the_script_of_a_bundle_prepares_a_machine_and_keeps_its_secret() {
    let bed = Bed::new(RANGE);
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1"]).good();
    let data = bed.vpn(&["bundle", "burst1", "--as", "context"]).good().stdout;
    let script = decoded(between(&data, "START_SCRIPT_BASE64 = \"", "\""));
    fs::write(bed.path("join"), &script).unwrap();
    // In a mount namespace of its own, with stand-ins for what changes a machine.
    let outer = format!(
        "set -e\ncd {folder}\nmkdir bin\n\
         for name in hostnamectl openvpn systemctl; do\n\
         printf '#!/bin/sh\\necho \"%s $*\" >> {folder}/told\\n' $name > bin/$name\n\
         done\nchmod 755 bin/*\n\
         cp /etc/hosts hosts; mount --bind hosts /etc/hosts; mount -t tmpfs none /etc/openvpn\n\
         export PATH={folder}/bin:$PATH\n\
         sh join; cat /etc/openvpn/stratus.secret; sh join; cat /etc/openvpn/stratus.secret\n\
         stat -c %a /etc/openvpn/stratus.secret /etc/openvpn/client/stratus.conf\n\
         cp /etc/openvpn/client/stratus.conf profile; grep -c burst1 /etc/hosts\n",
        folder = bed.path("").display(),
    );
    let unshare = ["--mount", "sh", "-c", &outer];
    let out = run(tool("unshare", "util-linux").args(unshare)).good();
    let lines: Vec<&str> = out.stdout.lines().collect();
    let [name, secret, again, same, mode1, mode2, hosts] = lines[..] else {
        panic!("{}", out.stdout)
    };
    assert_eq!((name, again), ("burst1", "burst1"));
    assert_eq!(secret, same);
    assert!(secret.split_once('.').is_some_and(|(_, made)| made.len() >= 32), "{secret}");
    assert_eq!((mode1, mode2, hosts), ("600", "600", "1"));
    let told = fs::read_to_string(bed.path("told")).unwrap();
    assert!(told.contains("systemctl enable --now openvpn"), "{told}");
    let profile = fs::read_to_string(bed.path("profile")).unwrap();
    assert!(profile.contains("auth-user-pass /etc/openvpn/stratus.secret"), "{profile}");
}

#[test]
fn rotations_lock_nobody_out() {
    let mut bed = Bed::new(RANGE);
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "old"]).good();
    bed.serve();
    let (here, there) = (bed.cloud(), bed.cloud());
    let old = bed.profile("old");
    let joined = bed.join(&here, &old);
    reaches_the_lan(&here);

    bed.vpn(&["rotate", "server"]).good();
    bed.serve();
    reaches_the_lan(&here);

    bed.vpn(&["rotate", "ca"]).good();
    bed.serve();
    reaches_the_lan(&here);
    bed.vpn(&["add", "new"]).good();
    let new = bed.profile("new");
    assert_eq!(block(&new, "ca").matches("BEGIN CERTIFICATE").count(), 2);
    let _new = bed.join(&there, &new);
    reaches_the_lan(&there);

    let told = bed.vpn(&["rotate", "ca", "--finish"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(told.stderr.contains("1 burst node has"), "{}", told.stderr);
    assert!(told.stderr.contains("old authority only: old"), "{}", told.stderr);
    bed.vpn(&["renew", "old"]).good();
    let renewed = bed.profile("old");
    bed.vpn(&["rotate", "ca", "--finish"]).good();
    bed.serve();
    // The new one comes back by itself; the old bundle is of no use, the renewed one is.
    reaches_the_lan(&there);
    eventually("the old bundle does not know the server", || joined.said("VERIFY ERROR: depth=1"));
    assert!(bed.node("old")["session"].is_null());
    drop(joined);
    let _joined = bed.join(&here, &renewed);
    reaches_the_lan(&here);
}

#[test]
fn an_expired_revocation_list_is_told_and_renewed_without_a_restart() {
    let long = "certificate_validity = \"3650 days\"\nca_validity = \"5000 days\"\n";
    let mut bed = Bed::new(&format!("{RANGE}{long}"));
    let profile = {
        let (site, place) = (bed.site(), bed.place());
        let vpn = site.vpn.clone().unwrap();
        let then = Timestamp::now() - SignedDuration::from_hours(24 * 500);
        let at = (&site, &vpn);
        let (mut overlay, _) =
            Overlay::init(&bed.path("vpn"), at, place, then, &mut system_random).unwrap();
        let name = "burst1".parse().unwrap();
        overlay.add(&[name], then, &mut system_random).unwrap();
        let name = "burst1".parse().unwrap();
        let week = Duration::from_hours(7 * 24);
        overlay.bundle(&name, Form::Ovpn, 1500, week, then, &mut system_random).unwrap().text
    };
    bed.serve();
    let attention = bed.status()["attention"].to_string();
    assert!(attention.contains("the revocation list has expired"), "{attention}");
    let burst = bed.cloud();
    let _joined = bed.join(&burst, &profile);
    refused_node(&bed, "burst1", "the revocation list has expired");
    bed.vpn(&["renew"]).good();
    reaches_the_lan(&burst);
    assert!(!bed.status()["attention"].to_string().contains("revocation"));
}
