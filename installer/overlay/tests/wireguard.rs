//! The WireGuard overlay on disk: beside one of OpenVPN, after a killed command, with spoiled files.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use jiff::Timestamp;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use stratus_network::overlay::Place;
use stratus_overlay::wireguard::register::Register;
use stratus_overlay::wireguard::{Form, Overlay};
use stratus_overlay::{Error, system_random};
use stratus_site::{HostName, Site};

const SITE: &str = "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\n\
    [nodes]\nhosts = [\"node1.example.org\"]\n[networks.private]\nbase = \"10.50.0.0/24\"\n\
    first = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n\
    [vpn]\nendpoint = \"198.51.100.2\"\n";
const WIREGUARD: &str =
    "mode = \"wireguard\"\nsubnet = \"10.51.0.0/24\"\nrange = \"10.51.0.200-10.51.0.239\"\n";

fn site(vpn: &str) -> Site {
    let text = format!("{SITE}{vpn}");
    Site::parse(Path::new("site.toml"), &text).unwrap_or_else(|report| panic!("{report}"))
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// Opens the overlay, making it where there is none.
fn open<'a>(root: &Path, site: &'a Site) -> Overlay<'a> {
    let vpn = site.vpn.as_ref().unwrap();
    let now = Timestamp::now();
    Overlay::init(root, (site, vpn), Place::default(), now, &mut system_random).unwrap().0
}

fn files(folder: &Path) -> Vec<(String, u32)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let of = |entry: fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), mode)
    };
    let mut all: Vec<(String, u32)> = entries.map(of).collect();
    all.sort();
    all
}

fn add(overlay: &mut Overlay<'_>, names: &[&str]) {
    let names: Vec<HostName> = names.iter().map(|text| name(text)).collect();
    overlay.add(&names, Timestamp::now(), &mut system_random).unwrap();
}

#[test]
fn an_overlay_of_openvpn_in_the_same_folder_stays_as_it_is() {
    let (folder, ours) = (tempfile::tempdir().unwrap(), site(WIREGUARD));
    let root = folder.path();
    let theirs = site("range = \"10.50.0.200-10.50.0.239\"\n");
    let at = || (&theirs, theirs.vpn.as_ref().unwrap());
    let now = Timestamp::now();
    let place = Place::default;
    let (mut other, new) =
        stratus_overlay::Overlay::init(root, at(), place(), now, &mut system_random).unwrap();
    assert!(new);
    other.add(&[name("a")], now, &mut system_random).unwrap();
    drop(other);
    let path = root.join("pki/register.json");
    let register = fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&register).contains("wireguard"));
    let keys = files(&root.join("pki/clients"));

    let mut overlay = open(root, &ours);
    add(&mut overlay, &["b"]);
    drop(overlay);
    assert_eq!(fs::read(&path).unwrap(), register);
    assert_eq!(files(&root.join("pki/clients")), keys);
    assert_eq!(fs::read_to_string(root.join("names/hosts")).unwrap().lines().count(), 2);

    // And back: what the other one keeps in order is its own.
    let mut other = stratus_overlay::Overlay::open(root, at(), place()).unwrap();
    other.maintain(now, &mut system_random).unwrap();
    other.revoke(&[name("a")], now).unwrap();
    drop(other);
    assert_eq!(Register::load(root).unwrap().nodes.len(), 1);
    let mut overlay = open(root, &ours);
    overlay.bundle(&name("b"), Form::Conf, 1500, now).unwrap();
}

#[test]
fn what_a_killed_command_left_goes_and_what_it_spoiled_is_put_right() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site(WIREGUARD));
    let root = folder.path();
    let mut overlay = open(root, &site);
    add(&mut overlay, &["a", "b"]);
    let bundle = overlay.bundle(&name("a"), Form::Conf, 1500, Timestamp::now()).unwrap();
    drop(overlay);
    let (keys, clients) = (root.join("pki/wireguard"), root.join("pki/wireguard/clients"));
    let (own, theirs) = (files(&keys), files(&clients));
    assert!(own.iter().all(|(name, mode)| *mode == if name == "clients" { 0o700 } else { 0o600 }));
    assert!(theirs.len() == 2 && theirs.iter().all(|(_, mode)| *mode == 0o600), "{theirs:?}");
    let server = |file: &str| fs::read_to_string(root.join("server").join(file)).unwrap();
    let (settings, quick) = (server("wg.conf"), server("wg-stratus.conf"));
    assert_eq!(settings.matches("[Peer]").count(), 2);
    // No secret, and nothing of a node, in what a restart is judged by.
    assert!(!quick.contains("Key") && !quick.contains("10.51.0.200"), "{quick}");
    assert_eq!(files(&root.join("server")).iter().map(|(_, mode)| mode).max(), Some(&0o600));
    // Both ends know the same keys.
    let after = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().to_owned()
    };
    assert!(settings.contains(&after(&bundle, "PresharedKey = ")));
    assert!(!settings.contains(&after(&bundle, "PrivateKey = ")));

    fs::write(clients.join("0123.keys"), "orphan").unwrap();
    fs::write(keys.join(".new-abc"), "half").unwrap();
    fs::write(root.join("server/wg.conf"), "").unwrap();
    fs::remove_file(root.join("server/wg-stratus.conf")).unwrap();
    let mut overlay = open(root, &site);
    assert!(overlay.maintain().unwrap());
    assert!(!overlay.maintain().unwrap());
    assert_eq!((files(&keys), files(&clients)), (own, theirs));
    assert_eq!((server("wg.conf"), server("wg-stratus.conf")), (settings, quick));
}

#[test]
fn keys_are_exchanged_and_the_same_bundle_is_given_again() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site(WIREGUARD));
    let mut overlay = open(folder.path(), &site);
    add(&mut overlay, &["a", "b"]);
    let now = Timestamp::now();
    let a = name("a");
    let only = std::slice::from_ref(&a);
    let first = overlay.bundle(&a, Form::Conf, 1500, now).unwrap();
    assert_eq!(*overlay.bundle(&a, Form::Conf, 1500, now).unwrap(), *first);
    let renewed = overlay.renew(only, now, &mut system_random).unwrap();
    assert_eq!(renewed[0].address.to_string(), "10.51.0.200");
    assert!(overlay.register().nodes[&a].handed.is_none());
    assert_eq!(files(&folder.path().join("pki/wireguard/clients")).len(), 2);
    assert_ne!(*overlay.bundle(&a, Form::Conf, 1500, now).unwrap(), *first);

    // The server's key goes by force only, once somebody has it.
    let key = overlay.register().server.public_key;
    let told = overlay.rotate_server(false, now, &mut system_random).unwrap_err();
    assert!(matches!(&told, Error::LocksOut { names } if names == only), "{told}");
    assert_eq!(overlay.register().server.public_key, key);
    assert_eq!(overlay.rotate_server(true, now, &mut system_random).unwrap(), only);
    assert_ne!(overlay.register().server.public_key, key);
    assert!(overlay.rotate_server(false, now, &mut system_random).unwrap().is_empty());

    // All or none.
    assert!(overlay.revoke(&[a.clone(), name("c")]).is_err());
    assert_eq!(overlay.register().nodes.len(), 2);
    assert!(overlay.add(&[name("c"), a.clone()], now, &mut system_random).is_err());
    assert_eq!(overlay.register().nodes.len(), 2);
    overlay.revoke(only).unwrap();
    add(&mut overlay, &["c"]);
    assert_eq!(overlay.register().nodes[&name("c")].address.to_string(), "10.51.0.200");
}

#[test]
fn a_register_that_cannot_be_read_is_told_and_left_alone() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site(WIREGUARD));
    let root = folder.path();
    drop(open(root, &site));
    let path = root.join("pki/wireguard/register.json");
    let good = fs::read_to_string(&path).unwrap();
    let newer = good.replace("\"version\": 1", "\"version\": 9");
    let key = good.replace("=\"", "\"");
    for (text, problem) in [("{", "EOF"), (newer.as_str(), "form 9"), (key.as_str(), "32 bytes")] {
        fs::write(&path, text).unwrap();
        let at = (&site, site.vpn.as_ref().unwrap());
        let told = Overlay::open(root, at, Place::default()).err().unwrap();
        assert!(told.to_string().contains("register.json"), "{told}");
        assert!(told.to_string().contains(problem), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
