//! The firewall's rules, loaded and called through.

use crate::namespace::Namespace;
use crate::site;
use std::fs;
use stratus_network::{HostRole, firewall};
use stratus_tests::{run, tool};

/// The front-end with a machine on its bridge and somebody outside; its firewall is loaded twice.
struct Routed {
    _folder: tempfile::TempDir,
    host: Namespace,
    guest: Namespace,
    outside: Namespace,
}

impl Routed {
    fn new() -> Self {
        let (host, guest) = (Namespace::new("h"), Namespace::new("g"));
        let outside = Namespace::new("o");
        host.ip("link add br0 type bridge stp_state 0 forward_delay 0");
        host.ip("address add 10.0.0.2/26 dev br0");
        host.ip("link set br0 up");
        host.cable("tap0", &guest, "eth0");
        host.ip("link set tap0 master br0");
        guest.ip("address add 10.0.0.5/26 dev eth0");
        guest.ip("route add default via 10.0.0.2");
        host.cable("eth0", &outside, "eth0");
        host.ip("address add 198.51.100.1/24 dev eth0");
        outside.ip("address add 198.51.100.9/24 dev eth0");
        outside.ip("route add 10.0.0.0/26 via 198.51.100.1");
        run(&mut host.command(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])).good();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stratus.nft");
        let roles = [HostRole::Frontend, HostRole::Repository, HostRole::Cache];
        let lan = ["10.0.0.0/26".parse().unwrap()];
        fs::write(&file, firewall(&site(), &roles.into(), &lan, 2222)).unwrap();
        let file = file.to_str().unwrap();
        let nft = |words: &[&str]| run(&mut host.command(words)).good().stdout;
        nft(&["nft", "add", "table", "ip", "others"]);
        nft(&["nft", "-c", "-f", file]);
        nft(&["nft", "-f", file]);
        let once = nft(&["nft", "list", "ruleset"]);
        nft(&["nft", "-f", file]);
        assert_eq!(nft(&["nft", "list", "ruleset"]), once);
        assert!(once.contains("table ip others"), "{once}");
        Self { _folder: folder, host, guest, outside }
    }
}

#[test]
fn the_firewall_lets_in_what_the_site_needs_and_nothing_else() {
    tool("nft", "nftables");
    let net = Routed::new();
    let _servers = net.host.listen(&[2222, 22, 8443, 8081, 9999]);
    // From the LAN: ssh, repository, cache.
    for port in [2222, 8443, 8081] {
        assert_eq!(net.guest.call("10.0.0.2", port).as_deref(), Some("10.0.0.5"), "{port}");
    }
    for port in [22, 9999] {
        assert_eq!(net.guest.call("10.0.0.2", port), None, "{port}");
    }
    // From elsewhere: ssh and the repository.
    for (port, open) in [(2222, true), (8443, true), (8081, false), (9999, false)] {
        assert_eq!(net.outside.call("198.51.100.1", port).is_some(), open, "{port}");
    }
    run(&mut net.outside.command(&["ping", "-c3", "-i0.2", "-W5", "198.51.100.1"])).good();
    // Answers to the host's own calls get back.
    let _server = net.outside.listen(&[7000]);
    assert_eq!(net.host.call("198.51.100.9", 7000).as_deref(), Some("198.51.100.1"));
}

#[test]
fn a_network_with_translation_reaches_the_outside_and_is_not_reached() {
    tool("nft", "nftables");
    let net = Routed::new();
    let _outside = net.outside.listen(&[7000]);
    let _guest = net.guest.listen(&[7000]);
    assert_eq!(net.guest.call("198.51.100.9", 7000).as_deref(), Some("198.51.100.1"));
    assert_eq!(net.outside.call("10.0.0.5", 7000), None);
    // An address that is not of the network does not get out.
    net.guest.ip("address add 10.99.0.1/32 dev eth0");
    net.outside.ip("route add 10.99.0.1/32 via 198.51.100.1");
    net.host.ip("route add 10.99.0.1/32 dev br0");
    let ping = ["ping", "-c1", "-W1", "-I", "10.99.0.1", "198.51.100.9"];
    assert_ne!(run(&mut net.guest.command(&ping)).code, 0);
    let ping = ["ping", "-c3", "-i0.2", "-W5", "-I", "10.0.0.5", "198.51.100.9"];
    run(&mut net.guest.command(&ping)).good();
}

#[test]
fn rules_of_every_role_are_taken_by_nft() {
    use HostRole::{Cache, Frontend, Gateway, Monitor, Node, Repository};
    let space = Namespace::new("n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stratus.nft");
    for role in [Frontend, Node, Gateway, Repository, Cache, Monitor] {
        let lan = ["10.0.0.0/26".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        fs::write(&file, firewall(&site(), &[role].into(), &lan, 22)).unwrap();
        let _ = tool("nft", "nftables");
        run(&mut space.command(&["nft", "-c", "-f", file.to_str().unwrap()])).good();
    }
}
