//! The overlay by WireGuard with its own tools, in the machine's kernel or as the program
//! `wireguard-go`: nodes join from their bundles, come while others work, and are thrown out.

#[path = "wireguard/bed.rs"]
mod wire;

use crate::bed::{LAN_HOST, eventually, pings, reaches};
use crate::{between, decoded, fragments, reaches_the_lan};
use std::fs;
use std::time::{Duration, Instant};
use stratus_overlay::status::Report;
use wire::{Echo, Wire};

#[test]
fn a_burst_node_comes_through_wireguard_until_it_is_revoked() {
    let mut wire = Wire::new();
    let told = wire.vpn(&["status"]);
    assert_eq!((told.code, told.stderr.contains("stratus-vpn init")), (2, true), "{told:?}");
    wire.vpn(&["init"]).good();
    wire.vpn(&["add", "burst1", "burst2"]).good();
    let told = wire.vpn(&["status"]);
    assert_eq!((told.code, told.stderr.contains("not running")), (5, true), "{told:?}");
    wire.serve();
    let (cloud1, cloud2, cloud3) = (wire.bed.cloud(), wire.bed.cloud(), wire.bed.cloud());
    let never = wire.node("burst1");
    assert!(never["session"].is_null() && never["last_error"].is_null(), "{never}");

    let burst1 = wire.join(&cloud1, &wire.bundle("burst1"));
    reaches_the_lan(&cloud1);
    let (lan, address) = (&wire.bed.lan, "10.51.0.200");
    assert!(reaches(lan, address));
    let listeners = (lan.listen(&[8000]), cloud1.listen(&[8000]));
    assert_eq!(cloud1.call(LAN_HOST, 8000).as_deref(), Some(address));
    assert_eq!(lan.call(address, 8000).as_deref(), Some(LAN_HOST));
    drop(listeners);
    // The rest of the world is reached as before.
    let way = cloud1.ip("route get 192.0.2.1");
    assert!(way.contains("dev eth0"), "{way}");
    // As large as a packet may be: over an IPv4 endpoint 1500 - 20 - 8 - 32.
    let largest = ["ping", "-c", "3", "-i", "0.2", "-M", "do", "-s", "1412", LAN_HOST];
    stratus_tests::run(&mut cloud1.command(&largest)).good();
    assert_eq!((fragments(&cloud1), fragments(&wire.bed.gate)), (0, 0));
    status_shows_it(&wire);

    let _burst2 = wire.join(&cloud2, &wire.bundle("burst2"));
    reaches_the_lan(&cloud2);
    eventually("one burst node reaches the other", || pings(&cloud2, address));

    // A third one comes, and a session of the first lives on.
    let mut echo = Echo::between(lan, &cloud1);
    assert!(echo.answers("before"));
    wire.vpn(&["add", "burst3"]).good();
    let _burst3 = wire.join(&cloud3, &wire.bundle("burst3"));
    reaches_the_lan(&cloud3);
    assert!(echo.answers("after"));

    let begin = Instant::now();
    let told = wire.vpn(&["revoke", "burst1"]).good();
    assert!(told.stderr.contains("`burst1` was revoked, its session was ended"), "{}", told.stderr);
    eventually("the revoked node is cut off", || !pings(&cloud1, LAN_HOST));
    let cut = begin.elapsed();
    println!("cut off {cut:?} after the beginning of `revoke`");
    assert!(cut < Duration::from_secs(10), "{cut:?}");
    assert!(!echo.answers("revoked"));
    assert!(reaches(&cloud2, LAN_HOST) && reaches(&cloud3, LAN_HOST));
    let old = burst1.text();
    drop(burst1);

    // The name and its address are free, for another machine; the old bundle is of no use.
    wire.vpn(&["add", "burst1"]).good();
    assert_eq!(wire.node("burst1")["address"], address);
    let joined = wire.join(&cloud1, &old);
    assert!(!pings(&cloud1, LAN_HOST));
    assert!(wire.node("burst1")["session"].is_null());
    drop(joined);
    let _joined = wire.join(&cloud1, &wire.bundle("burst1"));
    reaches_the_lan(&cloud1);
}

fn status_shows_it(wire: &Wire) {
    let node = wire.node("burst1");
    assert!(node["session"]["peer"].as_str().unwrap().starts_with("203.0.113.6:"), "{node}");
    assert!(node["session"]["received"].as_u64().unwrap() > 4_000, "{node}");
    assert!(node["certificate_expires"].is_null() && node["last_error"].is_null(), "{node}");
    assert!(wire.node("burst2")["session"].is_null());
    let told = wire.vpn(&["status"]).good();
    assert!(told.stdout.contains("LAST HANDSHAKE"), "{}", told.stdout);
    assert!(told.stdout.contains("203.0.113.6:"), "{}", told.stdout);
    assert!(!told.stderr.contains("warning"), "{}", told.stderr);
    // The monitor reads the same form as of OpenVPN.
    let file = wire.bed.path("report.json");
    wire.vpn(&["status", "--to", file.to_str().unwrap()]).good();
    let report: Report = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(report.running && report.clients[0].session.is_some());
    // No secret is shown.
    let key = wire.bundle("burst1");
    let key = between(&key, "PrivateKey = ", "\n");
    for shown in [wire.vpn(&["status", "--json"]), wire.vpn(&["list", "--json"]), told] {
        assert!(!shown.stdout.contains(key) && !shown.stderr.contains(key));
    }
}

#[test]
fn keys_are_exchanged_and_a_running_server_follows() {
    let mut wire = Wire::new();
    wire.vpn(&["init"]).good();
    wire.vpn(&["add", "burst1", "burst2"]).good();
    wire.serve();
    let (one, two) = (wire.bed.cloud(), wire.bed.cloud());
    let first = wire.bundle("burst1");
    let joined = wire.join(&one, &first);
    let _other = wire.join(&two, &wire.bundle("burst2"));
    reaches_the_lan(&one);
    reaches_the_lan(&two);

    let told = wire.vpn(&["renew", "burst1"]).good();
    assert!(told.stderr.contains("give them new bundles"), "{}", told.stderr);
    assert!(!pings(&one, LAN_HOST), "the old keys count");
    assert!(reaches(&two, LAN_HOST));
    drop(joined);
    let joined = wire.join(&one, &wire.bundle("burst1"));
    reaches_the_lan(&one);

    let told = wire.vpn(&["rotate", "server"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(told.stderr.contains("locked out") && told.stderr.contains("burst1, burst2"));
    assert!(reaches(&one, LAN_HOST));
    wire.vpn(&["rotate", "server", "--force"]).good();
    drop(joined);
    let joined = wire.join(&one, &first);
    assert!(!pings(&one, LAN_HOST));
    drop(joined);
    let _joined = wire.join(&one, &wire.bundle("burst1"));
    reaches_the_lan(&one);

    // What a hand did to the running server is told, and put right.
    let interface = "wg-stratus";
    let key = wire.json(&["list", "--json"])["clients"][1]["public_key"].clone();
    wire.inside(&["wg", "set", interface, "peer", key.as_str().unwrap(), "remove"]).good();
    let told = wire.vpn(&["status"]).good();
    assert!(told.stderr.contains("does not know 1 of the register's"), "{}", told.stderr);
    wire.vpn(&["renew"]).good();
    assert!(!wire.vpn(&["status"]).good().stderr.contains("warning"));
    // An overlay in another folder spoils nothing.
    let told = wire.vpn_in("other", &["init"]).good();
    assert!(told.stderr.contains("the key of another overlay; it was left alone"), "{told:?}");
    assert!(reaches(&one, LAN_HOST));
}

/// The script of a bundle, with stand-ins for what changes a machine's name and for systemd.
#[test]
fn a_machine_joins_by_the_script_of_its_bundle() {
    let mut wire = Wire::new();
    wire.vpn(&["init"]).good();
    wire.vpn(&["add", "burst1"]).good();
    wire.serve();
    let cloud = wire.bed.cloud();
    let data = wire.vpn(&["bundle", "burst1", "--as", "cloud-init"]).good();
    assert!(data.stderr.contains("whoever has this bundle is the node"), "{}", data.stderr);
    let script = decoded(between(&data.stdout, "content: ", "\n"));
    let context = wire.vpn(&["bundle", "burst1", "--as", "context"]).good().stdout;
    assert_eq!(decoded(between(&context, "START_SCRIPT_BASE64 = \"", "\"")), script);
    let machine = wire.machine(&cloud, &script);
    let told = machine.boot();
    assert_eq!(told, ["enable wg-quick@wg-stratus", "restart wg-quick@wg-stratus", "600", "1"]);
    reaches_the_lan(&cloud);
    // It may run at every boot, and changes nothing then.
    let told = machine.boot();
    assert_eq!(told, ["enable wg-quick@wg-stratus", "start wg-quick@wg-stratus", "600", "1"]);
    assert!(reaches(&cloud, LAN_HOST));
}
