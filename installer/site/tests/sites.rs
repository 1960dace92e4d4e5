//! Whole files: good ones become sites, wrong ones reports that name every problem.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;
use stratus_site::keys::{self, Reader};
use stratus_site::{AddressSource, NetworkKind, Site, Transport};

const EXAMPLE: &str = include_str!("../examples/site.toml");
const MINIMAL: &str = include_str!("../examples/minimal.toml");

fn parse(text: &str) -> Result<Site, String> {
    Site::parse(Path::new("/etc/stratus/stratus.toml"), text).map_err(|report| report.to_string())
}

fn range(site: &Site, name: &str) -> String {
    let network = site.networks.iter().find(|n| n.name.as_str() == name).unwrap();
    match &network.kind {
        NetworkKind::Ranged(extent) => format!("{}-{}", extent.first, extent.last()),
        NetworkKind::Fixed(leases) => format!("{} leases", leases.len()),
    }
}

fn json(site: &Site) -> String {
    serde_json::to_string_pretty(site).unwrap()
}

#[test]
fn the_example_becomes_a_site() {
    let site = parse(EXAMPLE).unwrap();
    let nodes: Vec<&str> = site.nodes.iter().map(|n| n.host.as_str()).collect();
    assert_eq!(nodes, ["node01.example.org", "node02.example.org", "node03.example.org"]);
    assert_eq!(site.nodes[2].address, Some("192.0.2.13".parse().unwrap()));
    assert!(site.nodes[0].configure_bridge && !site.nodes[2].configure_bridge);
    assert_eq!(range(&site, "public"), "3 leases");
    assert_eq!(range(&site, "private"), "10.0.0.20-10.0.0.199");
    assert_eq!(range(&site, "batch"), "172.16.0.1-172.16.255.254");
    let vpn = site.vpn.unwrap();
    assert_eq!((vpn.range.size, vpn.nodes.len()), (40, 2));
    let password = site.identity.unwrap().password_file.unwrap();
    assert_eq!(password, Path::new("/etc/stratus/ldap.secret"));
    let here = AddressSource::Install("frontend.example.org".parse().unwrap());
    assert_eq!(site.repository.unwrap().source, here);
    assert_eq!(site.cache.unwrap().url.as_str(), "http://cache.example.org:8480/");
    insta::assert_snapshot!("example", json(&parse(EXAMPLE).unwrap()));
}

#[test]
fn ten_lines_are_enough() {
    let site = parse(MINIMAL).unwrap();
    assert_eq!(site.nodes.len(), 3);
    assert_eq!(range(&site, "private"), "10.0.0.1-10.0.0.254");
    assert!(matches!(&site.networks[0].transport, Transport::Bridge(b) if b.as_str() == "br0"));
    insta::assert_snapshot!("minimal", json(&site));
}

#[test]
fn the_front_end_may_be_a_node_too() {
    let site = parse(&MINIMAL.replace("node[1-3]", "frontend")).unwrap();
    assert_eq!(site.nodes[0].host, site.frontend.host);
}

#[test]
fn ends_that_others_have_are_left_out_of_the_leases() {
    let vpn = "[vpn]\nendpoint = \"v.example.org\"\nrange = \"10.0.0.200-10.0.0.239\"\n";
    let site = parse(&format!("{MINIMAL}nat = true\n{vpn}")).unwrap();
    assert_eq!(site.networks[0].gateway, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(range(&site, "private"), "10.0.0.2-10.0.0.199");
    assert_eq!(site.vpn.unwrap().network.unwrap().as_str(), "private");
    let low = vpn.replace("200", "2").replace("239", "9");
    let site = parse(&format!("{MINIMAL}{low}")).unwrap();
    assert_eq!(range(&site, "private"), "10.0.0.10-10.0.0.254");
    let off = format!("{MINIMAL}[vpn]\nenabled = false\nrange = \"10.0.0.2-10.0.0.9\"\n");
    assert_eq!(parse(&off).unwrap().vpn, None);
}

#[test]
fn sizes_are_numbers_or_classes() {
    for (network, size, wanted) in [
        ("172.16.0.0", "65536", "172.16.0.1-172.16.255.254"),
        ("192.168.1.0", "\"C\"", "192.168.1.1-192.168.1.254"),
        ("192.168.1.0", "254", "192.168.1.1-192.168.1.254"),
        ("192.168.2.0", "255", "192.168.2.1-192.168.2.255"),
        ("10.0.0.0", "\"A\"", "10.0.0.1-10.255.255.254"),
        ("10.0.0.0", "1", "10.0.0.1-10.0.0.1"),
    ] {
        let subnet = format!("network = \"{network}\"\nsize = {size}");
        let site = parse(&MINIMAL.replace("base = \"10.0.0.0/24\"", &subnet));
        assert_eq!(range(&site.unwrap(), "private"), wanted, "{size}");
    }
}

#[test]
fn a_service_with_an_address_alone_exists_already() {
    let text = format!("{MINIMAL}[repository]\nurl = \"https://images.example.net\"\n");
    let repository = parse(&text).unwrap().repository.unwrap();
    assert!(matches!(repository.source, AddressSource::Existing(_)));
    let text = format!("{MINIMAL}[repository]\nlisten = \"0.0.0.0:443\"\n");
    let repository = parse(&text).unwrap().repository.unwrap();
    assert!(matches!(repository.source, AddressSource::Install(_)));
    assert_eq!(repository.url.as_str(), "https://frontend.example.org/");
}

#[test]
fn ten_thousand_hosts_are_read_and_one_more_is_not() {
    let hosts = |last: &str| parse(&MINIMAL.replace("node[1-3]", &format!("n[00001-{last}]")));
    assert_eq!(hosts("10000").unwrap().nodes.len(), 10_000);
    assert!(hosts("10001").unwrap_err().contains("more than 10000 hosts"));
}

/// What is asked for is documented, and what is documented is asked for.
#[test]
fn the_table_of_keys_and_the_reading_agree() {
    // The example has no password file beside the directory, and networks without `base` in pairs.
    let (_, asked) = Site::parse_and_list(Path::new("site.toml"), EXAMPLE).unwrap();
    let documented: BTreeSet<String> = keys::all().map(keys::Key::path).collect();
    let unknown: Vec<&String> = asked.difference(&documented).collect();
    assert!(unknown.is_empty(), "asked for, not in the table: {unknown:?}");
    let ours = keys::all().filter(|key| key.reader != Reader::Service).map(keys::Key::path);
    let idle: Vec<String> = ours.filter(|key| !asked.contains(key)).collect();
    assert!(idle.is_empty(), "in the table, never asked for: {idle:?}");
    assert_eq!(documented.len(), keys::all().count(), "a key is in the table twice");
    let sections: BTreeSet<&str> = keys::all().map(|key| key.section).collect();
    let listed: BTreeSet<&str> = keys::SECTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(sections, listed);
}

#[test]
fn wrong_files_are_reported_whole() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zoo");
    let files = std::fs::read_dir(zoo).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    assert!(files.len() >= 15, "the zoo has lost animals");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let report = Site::parse(Path::new(name), &text).expect_err(name).to_string();
        assert!(report.contains(&format!("{name}:")), "{name}: no place in:\n{report}");
        assert!(!report.contains("opensesame"), "the report shows a secret:\n{report}");
        insta::assert_snapshot!(name.trim_end_matches(".toml"), report);
    }
}

proptest::proptest! {
    /// A good file with one character gone or changed is read or refused, and never more.
    #[test]
    fn a_damaged_file_is_read_or_refused(at in 0_usize..EXAMPLE.len(), with in "[ -~\n]{0,2}") {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..=at, &with);
        let _ = parse(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z.\\[\\]\"={} ,\n0-9/-]|\\[networks\\.a\\]\n|base = |\\[vpn\\]\n|range = ){0,60}") {
        let _ = parse(&text);
    }
}
