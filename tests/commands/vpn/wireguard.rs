//! `stratus-vpn` where the site file says `mode = "wireguard"`, without a server.

use crate::{Site, VPN};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

const WIREGUARD: &str = "[vpn]\nendpoint = \"vpn.example.org\"\nmode = \"wireguard\"\n\
    subnet = \"10.51.0.0/24\"\nrange = \"10.51.0.10-10.51.0.239\"\n\
    nodes = [\"burst1\", { name = \"burst2\", address = \"10.51.0.77\" }]\n";

#[test]
fn mistakes_have_their_codes_and_cures() {
    let site = Site::new(WIREGUARD);
    site.refused(2, "stratus-vpn init", &["add", "a"]);
    site.refused(2, "stratus-vpn init", &["list"]);
    assert!(!site.path("vpn").exists());
    site.vpn(&["init"]).good();
    site.vpn(&["init"]).good();
    site.vpn(&["add", "a"]).good();
    site.refused(2, "`stratus-vpn renew a` gives it new keys", &["add", "b", "a"]);
    site.refused(2, "`front` is the host `front.example.org`", &["add", "c", "front"]);
    site.refused(2, "there is no burst node `b`", &["revoke", "b"]);
    site.refused(2, "there is no burst node `b`", &["bundle", "b"]);
    site.refused(2, "`--as conf` makes one for wg-quick", &["bundle", "a", "--as", "ovpn"]);
    site.refused(2, "whoever has the bundle is the node", &["bundle", "a", "--token-days", "3"]);
    site.refused(2, "the server knows each node by its own key", &["rotate", "ca"]);
    site.refused(2, "goes with `ca`", &["rotate", "server", "--finish"]);
    site.refused(5, "not running", &["status"]);
    assert_eq!(site.json(&["list", "--json"])["clients"].as_array().unwrap().len(), 1);
    // Nobody has a bundle yet, so nobody is locked out.
    site.vpn(&["rotate", "server"]).good();
    site.vpn(&["bundle", "a"]).good();
    site.refused(3, "locked out until they have new bundles: a", &["rotate", "server"]);

    let openvpn = Site::new(VPN);
    openvpn.vpn(&["init"]).good();
    openvpn.vpn(&["add", "a"]).good();
    openvpn.refused(2, "`--as ovpn` makes one for openvpn", &["bundle", "a", "--as", "conf"]);
    openvpn.refused(2, "goes with `ca --finish`", &["rotate", "server", "--force"]);
}

#[test]
fn nodes_have_addresses_and_keys_and_the_bundle_has_everything() {
    let site = Site::new(WIREGUARD);
    site.vpn(&["init"]).good();
    site.vpn(&["add"]).good();
    site.vpn(&["add", "other"]).good();
    assert_eq!(site.vpn(&["add"]).good().stdout, "");
    let list = site.json(&["list", "--json"]);
    let of = |at: usize, what: &str| list["clients"][at][what].as_str().unwrap().to_owned();
    assert_eq!((of(0, "address"), of(1, "address")), ("10.51.0.10".into(), "10.51.0.77".into()));
    assert_eq!(of(2, "address"), "10.51.0.11");
    let hosts = fs::read_to_string(site.path("vpn/names/hosts")).unwrap();
    assert!(hosts.contains("10.51.0.77 burst2"), "{hosts}");

    let bundle = site.vpn(&["bundle", "burst2"]).good().stdout;
    for line in [
        "Address = 10.51.0.77/32",
        // The name may lead to an IPv6 address: 1500 - 40 - 8 - 32, and whole 16 bytes.
        "MTU = 1408",
        "Endpoint = vpn.example.org:51820",
        "AllowedIPs = 10.51.0.0/24, 10.50.0.0/16",
    ] {
        assert!(bundle.lines().any(|l| l == line), "{line}:\n{bundle}");
    }
    let narrow = site.vpn(&["bundle", "burst2", "--path-mtu", "1400"]).good().stdout;
    assert!(narrow.contains("MTU = 1312\n"), "{narrow}");
    let given = site.json(&["list", "--json"]);
    assert!(given["clients"][1]["handed"].is_string() && given["clients"][0]["handed"].is_null());
    let file = site.path("u.yml");
    site.vpn(&["bundle", "burst1", "--as", "cloud-init", "-o", file.to_str().unwrap()]).good();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let table = site.vpn(&["list"]).good().stdout;
    assert!(table.contains("PUBLIC KEY") && table.contains(&of(1, "public_key")), "{table}");
    assert!(!table.contains("CERTIFICATE"), "{table}");
}

/// Who looks needs no site file, and sees the overlay that is there.
#[test]
fn the_register_is_shown_without_a_site_file() {
    let site = Site::new(WIREGUARD);
    site.vpn(&["init"]).good();
    site.vpn(&["add"]).good();
    fs::write(site.path("site.toml"), "[vpn]\n").unwrap();
    assert!(site.vpn(&["list"]).good().stdout.contains("PUBLIC KEY"));
    site.refused(5, "not running", &["status"]);
    site.refused(2, "site.toml", &["add", "a"]);
}

/// The figures printed here are in `docs/performance.md`; a busy machine makes none of them wrong.
#[test]
fn two_hundred_nodes_are_added() {
    let names: Vec<String> = (1..=200).map(|n| format!("n{n:03}")).collect();
    let mut arguments = vec!["add"];
    arguments.extend(names.iter().map(String::as_str));
    let site = Site::new(WIREGUARD);
    let begun = Instant::now();
    site.vpn(&["init"]).good();
    site.vpn(&arguments).good();
    println!("200 nodes added in {:?}", begun.elapsed());
    let begun = Instant::now();
    let out = site.vpn(&["status", "--json"]);
    println!("status for 200 nodes in {:?}", begun.elapsed());
    let status: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(status["clients"].as_array().unwrap().len(), 200);
}
