//! What the rules say; how they behave is a scenario of the package stratus-tests.

use super::*;
use crate::samples::site;
use stratus_site::VpnMode;

fn lan() -> Vec<IpNet> {
    vec!["10.0.0.0/26".parse().unwrap(), "2001:db8::/64".parse().unwrap()]
}

fn rules(site: &Site, roles: &[HostRole]) -> String {
    firewall(site, &roles.iter().copied().collect(), &lan(), 22)
}

#[test]
fn the_front_end_opens_what_the_site_needs() {
    use HostRole::{Cache, Frontend, Monitor, Repository};
    insta::assert_snapshot!(rules(&site(), &[Frontend, Repository, Cache, Monitor]));
}

#[test]
fn a_node_opens_consoles_and_migration() {
    insta::assert_snapshot!(rules(&site(), &[HostRole::Node]));
}

#[test]
fn a_routed_vpn_is_passed_on() {
    let mut site = site();
    site.networks[1].nat = None;
    let vpn = site.vpn.as_mut().unwrap();
    (vpn.mode, vpn.protocol) = (VpnMode::Tun, "tcp".to_owned());
    vpn.subnet = "10.8.0.0/24".parse().unwrap();
    vpn.gateway_host = Some("gate.example.org".parse().unwrap());
    insta::assert_snapshot!(rules(&site, &[HostRole::Gateway]));
    assert!(!rules(&site, &[HostRole::Frontend]).contains("1194"));
    // WireGuard has a device of another name, and its nodes meet in the kernel.
    let vpn = site.vpn.as_mut().unwrap();
    (vpn.mode, vpn.protocol, vpn.port) = (VpnMode::WireGuard, "udp".to_owned(), 51_820);
    let text = rules(&site, &[HostRole::Gateway]);
    assert!(text.contains("udp dport 51820 accept") && !text.contains("tun*"), "{text}");
    for way in ["iifname \"wg-stratus\" ip saddr 10.8.0.0/24", "oifname \"wg-stratus\" ip saddr"] {
        assert!(text.contains(way), "{text}");
    }
    assert!(text.contains("iifname \"wg-stratus\" oifname \"wg-stratus\" accept"), "{text}");
}

#[test]
fn ssh_comes_before_everything_that_refuses() {
    for roles in [&[][..], &[HostRole::Frontend], &[HostRole::Node]] {
        let roles = roles.iter().copied().collect();
        let text = firewall(&site(), &roles, &[], 2222);
        let ssh = text.find("tcp dport 2222 accept").unwrap();
        for refusal in ["\tct state invalid drop", "\tinclude ", "\tlimit rate"] {
            assert!(ssh < text.find(refusal).unwrap(), "{refusal}");
        }
    }
}

#[test]
fn xml_rpc_is_open_only_where_it_listens() {
    let mut site = site();
    assert!(!rules(&site, &[HostRole::Frontend]).contains("dport 2633"));
    site.frontend.listen = "0.0.0.0".parse().unwrap();
    assert!(rules(&site, &[HostRole::Frontend]).contains("dport 2633"));
}

#[test]
fn without_a_lan_the_services_of_the_site_answer_nobody() {
    let roles = [HostRole::Cache, HostRole::Monitor].into();
    let text = firewall(&site(), &roles, &[], 22);
    assert!(!text.contains("8081") && !text.contains("8090"), "{text}");
}

#[test]
fn subnets_inside_others_make_one_set() {
    let lan = ["10.0.0.5/8", "10.1.0.0/16"].map(|net| net.parse().unwrap());
    let text = firewall(&site(), &[HostRole::Cache].into(), &lan, 22);
    assert!(text.contains("ip saddr { 10.0.0.0/8 } tcp dport 8081 accept"), "{text}");
}
