//! The folder on disk: two administrators at once, leftovers of a killed one, spoiled files.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use jiff::Timestamp;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use stratus_network::overlay::Place;
use stratus_overlay::register::Register;
use stratus_overlay::{Error, Overlay, system_random};
use stratus_site::{HostName, Site};

const SITE: &str = "[site]\nname = \"lab\"\n[frontend]\nhost = \"front.example.org\"\n\
    [nodes]\nhosts = [\"node1.example.org\"]\n[networks.private]\nbase = \"10.50.0.0/24\"\n\
    first = \"10.50.0.100\"\nlast = \"10.50.0.199\"\n\
    [vpn]\nendpoint = \"198.51.100.2\"\nrange = \"10.50.0.200-10.50.0.239\"\n";

fn site() -> Site {
    Site::parse(Path::new("site.toml"), SITE).unwrap_or_else(|report| panic!("{report}"))
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

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn administrators_wait_for_each_other() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site());
    let root = folder.path();
    drop(open(root, &site));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let site = &site;
            scope.spawn(move || {
                let mut overlay = open(root, site);
                let name = name(&format!("n{number}"));
                overlay.add(&[name], Timestamp::now(), &mut system_random).unwrap();
            });
        }
    });
    let register = Register::load(root).unwrap();
    assert_eq!(register.clients.len(), 8);
    assert_eq!(files(&root.join("server/ccd")).len(), 8);
    assert_eq!(files(&root.join("pki/clients")).len(), 8);
}

#[test]
fn what_a_killed_command_left_goes_and_what_it_spoiled_is_put_right() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site());
    let root = folder.path();
    let mut overlay = open(root, &site);
    overlay.add(&[name("a")], Timestamp::now(), &mut system_random).unwrap();
    drop(overlay);
    let whole = fs::read(root.join("server/server.conf")).unwrap();
    let keys = files(&root.join("pki"));
    // Keys that no register names, half a file, and a file of the server that is empty.
    fs::write(root.join("pki/clients/.new-abc"), "half").unwrap();
    fs::write(root.join("pki/server-00000000000000000000000000000001.pem"), "orphan").unwrap();
    fs::write(root.join("server/server.conf"), "").unwrap();
    fs::remove_file(root.join("server/ccd/a")).unwrap();
    let mut overlay = open(root, &site);
    assert!(overlay.maintain(Timestamp::now(), &mut system_random).unwrap().files);
    assert!(!overlay.maintain(Timestamp::now(), &mut system_random).unwrap().files);
    assert_eq!(files(&root.join("pki")), keys);
    assert_eq!(files(&root.join("pki/clients")).len(), 1);
    assert_eq!(fs::read(root.join("server/server.conf")).unwrap(), whole);
    assert!(root.join("server/ccd/a").is_file());
}

/// `openvpn` looks at the second and the size only.
#[test]
fn a_new_revocation_list_has_another_second_than_the_one_before() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site());
    let mut overlay = open(folder.path(), &site);
    overlay.add(&[name("a"), name("b")], Timestamp::now(), &mut system_random).unwrap();
    let list = folder.path().join("server/crl.pem");
    let seconds = || fs::metadata(&list).unwrap().mtime();
    // As if it had been made a moment from now.
    let file = fs::File::options().write(true).open(&list).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_mins(1)).unwrap();
    for node in ["a", "b"] {
        let before = seconds();
        overlay.revoke(&[name(node)], Timestamp::now()).unwrap();
        assert_eq!(seconds(), before + 1);
    }
}

#[test]
fn a_register_that_cannot_be_read_is_told_and_left_alone() {
    let (folder, site) = (tempfile::tempdir().unwrap(), site());
    let root = folder.path();
    drop(open(root, &site));
    let path = root.join("pki/register.json");
    let good = fs::read_to_string(&path).unwrap();
    let newer = good.replace("\"version\": 1", "\"version\": 9");
    for (text, problem) in [("{", "EOF"), (newer.as_str(), "form 9"), ("[]", "invalid")] {
        fs::write(&path, text).unwrap();
        let vpn = site.vpn.as_ref().unwrap();
        let told = Overlay::open(root, (&site, vpn), Place::default()).err().unwrap();
        assert!(matches!(told, Error::Unreadable { .. }), "{told}");
        assert!(told.to_string().contains("register.json"), "{told}");
        assert!(told.to_string().contains(problem), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
