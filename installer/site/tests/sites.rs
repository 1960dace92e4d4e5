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
fn dhcp_is_for_networks_that_a_server_can_list() {
    let with = |rest: &str| MINIMAL.replace("base = \"10.0.0.0/24\"", rest);
    let large = "network = \"10.0.0.0\"\nsize = \"A\"\n";
    let report = parse(&with(&format!("{large}dhcp = true"))).unwrap_err();
    assert!(report.contains("16777214 addresses are too many for `dhcp`"), "{report}");
    assert!(report.contains("lease at most 65536") && report.contains("dhcp = true"), "{report}");
    for good in [
        large.to_owned(),
        format!("{large}dhcp = true\nlast = \"10.0.255.255\""),
        "base = \"172.16.0.0/16\"\ndhcp = true".to_owned(),
    ] {
        parse(&with(&good)).unwrap_or_else(|report| panic!("{good}: {report}"));
    }
}

#[test]
fn burst_nodes_are_not_called_like_hosts() {
    let vpn = "[vpn]\nendpoint = \"v.example.org\"\nrange = \"10.0.0.200-10.0.0.239\"\n";
    let with = |nodes: &str| parse(&format!("{MINIMAL}{vpn}nodes = [{nodes}]\n"));
    let host = parse(MINIMAL).unwrap().frontend.host;
    let frontend = host.short();
    let elsewhere = format!("{frontend}.elsewhere.org");
    for taken in ["node2", frontend, &elsewhere] {
        let report = with(&format!("\"burst1\", {{ name = \"{taken}\" }}")).unwrap_err();
        assert!(report.contains(&format!("`{taken}` is the name of a host")), "{report}");
        assert!(report.contains("give it a name"), "{report}");
    }
    assert_eq!(with("\"burst1\", \"node22\"").unwrap().vpn.unwrap().nodes.len(), 2);
}

#[test]
fn burst_nodes_become_hosts_where_they_can_be_used_and_if_asked() {
    let vpn = "[vpn]\nendpoint = \"v.example.org\"\nrange = \"10.0.0.200-10.0.0.239\"\n";
    let nodes = "nodes = [\"burst1\", { name = \"burst2\", register = true }]\n";
    let with = |more: &str| parse(&format!("{MINIMAL}{vpn}{nodes}{more}"));
    let site = with("").unwrap().vpn.unwrap();
    let registered: Vec<_> = site.registered().map(|node| node.name.as_str()).collect();
    assert_eq!(registered, ["burst2"]);
    let report = with("gateway_host = \"gate.example.org\"\n").unwrap_err();
    assert!(report.contains("`gate.example.org` registers no host"), "{report}");
    assert!(report.contains("take `gateway_host` out"), "{report}");
    let report = with("mode = \"tun\"\n").unwrap_err();
    assert!(report.contains("carries no Ethernet frames"), "{report}");
    let frontend = parse(MINIMAL).unwrap().frontend.host;
    with(&format!("gateway_host = \"{frontend}\"\n")).unwrap();
}

#[test]
fn wireguard_has_a_subnet_of_its_own_and_no_keys_of_openvpn() {
    let with = |rest: &str| {
        let head = "[vpn]\nendpoint = \"v.example.org\"\nmode = \"wireguard\"\n";
        parse(&format!("{MINIMAL}{head}{rest}"))
    };
    let own = "subnet = \"10.8.0.0/24\"\nrange = \"10.8.0.10-10.8.0.239\"\n";
    let vpn = with(own).unwrap().vpn.unwrap();
    assert_eq!((vpn.port, vpn.protocol.as_str(), vpn.serve_names), (51_820, "udp", false));
    assert_eq!(with(&format!("{own}port = 4500\n")).unwrap().vpn.unwrap().port, 4500);
    let lan = "range = \"10.0.0.200-10.0.0.239\"\n";
    let keys = "protocol = \"udp\"\ncertificate_validity = \"90 days\"\nca_validity = \"900 days\"\nserve_names = true\n";
    let reports = [
        with(&format!("{own}{keys}")),
        with(lan),
        with(&format!("{lan}network = \"private\"\nsubnet = \"10.8.0.0/24\"\n")),
        with("range = \"10.8.0.10-10.8.0.239\"\n"),
        with("subnet = \"10.0.0.0/22\"\nrange = \"10.0.1.10-10.0.1.239\"\n"),
        with("subnet = \"10.8.0.0\"\nrange = \"10.8.0.10-10.8.0.239\"\n"),
        with("subnet = \"10.8.0.0/24\"\nrange = \"10.9.0.10-10.9.0.239\"\n"),
    ];
    let reports: Vec<String> = reports.into_iter().map(|report| report.unwrap_err()).collect();
    insta::assert_snapshot!("wireguard", reports.join("\n\n"));
}

#[test]
fn one_clash_of_an_address_does_not_hide_another_and_none_is_told_twice() {
    let fixed =
        "[networks.public]\nsubnet = \"10.0.0.0/24\"\nleases = [\n\"10.0.0.5\",\n\"10.0.0.5\"]\n";
    let report = Site::parse(Path::new("x"), &format!("{fixed}{MINIMAL}")).unwrap_err();
    let messages: Vec<&str> = report.problems().iter().map(|p| p.message.as_str()).collect();
    let twice = "`10.0.0.5` is a lease of `public` and a lease of `public`";
    assert_eq!(messages.iter().filter(|m| m.starts_with(twice)).count(), 1, "{messages:#?}");
    assert!(messages.iter().any(|m| m.contains("leased by `private`")), "{messages:#?}");
    let distinct: BTreeSet<_> = messages.iter().collect();
    assert_eq!(distinct.len(), messages.len(), "{messages:#?}");
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

/// Only who sets the site up needs to know; services are set up already where they read the file.
#[test]
fn a_site_that_needs_packages_of_ours_says_where_they_come_from() {
    let install = |text: &str| {
        Site::parse_to_install(Path::new("site.toml"), text).map_err(|report| report.to_string())
    };
    install(EXAMPLE).unwrap();
    install(MINIMAL).unwrap();
    install(&format!("{MINIMAL}[cache]\nurl = \"http://cache.example.org:8480\"\n")).unwrap();
    let vpn = "[vpn]\nendpoint = \"v.example.org\"\nrange = \"10.0.0.200-10.0.0.239\"\n";
    let text = format!("{MINIMAL}[monitor]\n{vpn}");
    parse(&text).unwrap();
    let from = |packages: &str| install(&format!("{text}[packages]\n{packages}"));
    let report =
        [from("").unwrap_err(), from("stratus = \"https://p.example.org\"\n").unwrap_err()];
    insta::assert_snapshot!("packages-from-nowhere", report.join("\n\n"));
    from("stratus = \"https://p.example.org\"\nstratus_key = \"stratus.asc\"\n").unwrap();
    from("offline = \"packages\"\n").unwrap();
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
        let report = Site::parse(Path::new(name), &text).expect_err(name);
        for problem in report.problems() {
            assert!(problem.cure.is_some(), "{name}: no cure for: {}", problem.message);
        }
        let report = report.to_string();
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
