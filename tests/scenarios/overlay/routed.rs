//! The overlay without bridging: packets are routed between a subnet of the burst nodes' own and the
//! LAN, through the firewall that the installer writes.

use crate::bed::{Bed, LAN_HOST, eventually, pings, reaches};
use crate::{fragments, reaches_the_lan};
use std::collections::BTreeSet;
use std::fs;
use stratus_network::{HostRole, firewall};
use stratus_tests::run;

const ROUTED: &str =
    "mode = \"tun\"\nsubnet = \"10.51.0.0/24\"\nrange = \"10.51.0.200-10.51.0.239\"\n";

/// The gateway's rules, as the installer loads them.
pub(crate) fn guard(bed: &Bed) {
    let (file, lan) = (bed.path("firewall.nft"), ["10.50.0.0/24".parse().unwrap()]);
    let rules = firewall(&bed.site(), &BTreeSet::from([HostRole::Gateway]), &lan, 22);
    fs::write(&file, rules).unwrap();
    run(&mut bed.gate.command(&["nft", "-f", file.to_str().unwrap()])).good();
}

#[test]
fn a_routed_burst_node_and_the_lan_reach_each_other() {
    let mut bed = Bed::new(ROUTED);
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1", "burst2"]).good();
    guard(&bed);
    bed.serve();
    let (burst, other) = (bed.cloud(), bed.cloud());
    let _joined = bed.join(&burst, &bed.profile("burst1"));
    reaches_the_lan(&burst);

    let address = "10.51.0.200";
    let device = burst.ip("addr show dev tun-stratus");
    assert!(device.contains(&format!("{address}/24")), "{device}");
    let way = burst.ip(&format!("route get {LAN_HOST}"));
    assert!(way.contains("via 10.51.0.1 dev tun-stratus"), "{way}");
    // The rest of the world is reached as before.
    let way = burst.ip("route get 192.0.2.1");
    assert!(way.contains("dev eth0"), "{way}");
    assert!(reaches(&bed.lan, address));

    let _listener = (bed.lan.listen(&[8000]), burst.listen(&[8000]));
    assert_eq!(burst.call(LAN_HOST, 8000).as_deref(), Some(address));
    assert_eq!(bed.lan.call(address, 8000).as_deref(), Some(LAN_HOST));
    // As large as a packet may be: over an IPv4 endpoint 1500 - 20 - 8 - 24.
    let largest = ["ping", "-c", "3", "-i", "0.2", "-M", "do", "-s", "1420", LAN_HOST];
    run(&mut burst.command(&largest)).good();
    assert_eq!((fragments(&burst), fragments(&bed.gate)), (0, 0));

    let _other = bed.join(&other, &bed.profile("burst2"));
    reaches_the_lan(&other);
    eventually("one burst node reaches the other", || pings(&other, address));
    bed.vpn(&["revoke", "burst1"]).good();
    eventually("the revoked node is cut off", || !pings(&burst, LAN_HOST));
    assert!(reaches(&other, LAN_HOST));
}
