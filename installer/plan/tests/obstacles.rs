//! What preflight finds, one obstacle each.

mod support;

use stratus_plan::facts::{Facts, Feature, HostReport, Unreachable};
use stratus_plan::{Severity, preflight};
use stratus_site::{Database, Hypervisor, Os, Share, Site, VpnMode};
use support::{SYSTEMS, facts, host, known, name, site};

const NODE: &str = "node01.example.org";
const FRONTEND: &str = "one.example.org";

/// The one finding that a change makes.
fn found(change: impl FnOnce(&mut Site, &mut Facts)) -> String {
    let mut site = site(Share::Nfs, Database::Sqlite);
    let mut facts = facts(&site, SYSTEMS[1]);
    change(&mut site, &mut facts);
    let findings = preflight(&site, &facts);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = &findings[0];
    assert!(!finding.cure.is_empty());
    let word = match finding.severity {
        Severity::Refuse => "refuse",
        Severity::Warn => "warn",
    };
    format!("{word} {}: {}", finding.host.short(), finding.text)
}

#[test]
fn each_obstacle_is_found_where_it_is() {
    let all = [
        found(|_, f| {
            let why = Unreachable { reason: "no route to host".into(), cure: None, away: true };
            f.hosts.insert(host(NODE), HostReport::Unreachable(why));
        }),
        found(|_, f| known(f, NODE).root = false),
        found(|_, f| known(f, NODE).systemd = false),
        found(|_, f| known(f, NODE).os.version = "11".into()),
        found(|s, _| s.nodes[0].os = Os::Stated("debian-12".into())),
        found(|_, f| known(f, NODE).hostname = "localhost.localdomain".into()),
        found(|_, f| known(f, NODE).hostname = "db7".into()),
        found(|_, f| known(f, NODE).clock_offset_ms = -7_000),
        found(|_, f| known(f, NODE).package_lock = Some("unattended-upgr (812)".into())),
        found(|_, f| _ = known(f, FRONTEND).free_bytes.insert("/var/lib/one".into(), 1 << 30)),
        found(|_, f| _ = known(f, NODE).features.insert(Feature::Kvm, false)),
        found(|_, f| _ = known(f, NODE).features.insert(Feature::NfsClient, false)),
        found(|s, _| s.nodes[0].interface = stratus_site::Interface::Named(name("eno9"))),
        found(|_, f| known(f, NODE).default_route = None),
        found(|s, _| s.nodes[0].configure_bridge = false),
        found(|_, f| {
            let eth0 = &mut known(f, NODE).interfaces[0];
            eth0.leased = eth0.addresses.clone();
        }),
        found(|_, f| _ = known(f, FRONTEND).listening.insert(2633, "nginx".into())),
        found(|_, f| known(f, NODE).machine_id = format!("{:032x}", 0)),
        found(|_, f| {
            let mac = known(f, FRONTEND).interfaces[0].mac;
            known(f, NODE).interfaces[0].mac = mac;
        }),
        found(|_, f| known(f, NODE).interfaces[0].addresses.push("10.1.0.1/16".into())),
        found(|_, f| known(f, NODE).interfaces[0].addresses.push("10.64.0.77/16".into())),
        found(|_, f| known(f, NODE).interfaces[0].mtu = 9000),
        found(|s, _| s.nodes[0].hypervisor = Hypervisor::Qemu),
        found(|s, f| {
            s.nodes[0].hypervisor = Hypervisor::Qemu;
            known(f, NODE).features.insert(Feature::Kvm, false);
        }),
        found(|s, f| {
            s.vpn = Some(support::vpn(VpnMode::Tap));
            known(f, FRONTEND).listening.insert(53, "named".into());
        }),
        found(|s, _| {
            let mut vpn = support::vpn(VpnMode::Tap);
            vpn.subnet = "10.9.0.0/24".parse().unwrap();
            s.vpn = Some(vpn);
        }),
        found(|s, f| {
            s.vpn = Some(support::vpn(VpnMode::WireGuard));
            known(f, FRONTEND).features.insert(Feature::WireGuard, false);
        }),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_program_stands_in_for_a_kernel_without_wireguard() {
    let mut site = site(Share::Nfs, Database::Sqlite);
    site.vpn = Some(support::vpn(VpnMode::WireGuard));
    let mut facts = facts(&site, SYSTEMS[1]);
    let features = &mut known(&mut facts, FRONTEND).features;
    features.extend([(Feature::WireGuard, false), (Feature::WireGuardProgram, true)]);
    assert_eq!(preflight(&site, &facts), []);
    // It needs a device of its own, which a kernel with WireGuard does not.
    let features = &mut known(&mut facts, FRONTEND).features;
    features.insert(Feature::Tap, false);
    assert!(preflight(&site, &facts)[0].text.contains("a tap device"));
}

/// With `interface = "auto"` the path of the port's file is known to nobody who asks, and the host
/// tells by itself.
#[test]
fn a_network_changed_by_hand_is_told_of_and_put_back() {
    let site = site(Share::Ssh, Database::Sqlite);
    let before = facts(&site, SYSTEMS[0]);
    let plan = |facts: &_| stratus_plan::plan(&site, facts, &support::inputs());
    let mut after = support::model::apply_to_facts(&plan(&before), &before);
    let steps = plan(&after).hosts[1].steps.clone().unwrap();
    let network = steps.iter().find_map(|s| match &s.step {
        stratus_plan::step::Step::Network(network) => Some(network.clone()),
        _ => None,
    });
    let told = known(&mut after, NODE);
    for file in &network.unwrap().files {
        told.paths.remove(&file.path);
        told.edited_network.insert(file.path.clone(), true);
    }
    let found = preflight(&site, &after);
    assert!(found[0].text.contains("stratus-br0 changed since"), "{found:?}");
    let steps = plan(&after).hosts[1].steps.clone().unwrap();
    let network = steps.iter().find(|s| s.id == "network:br0").unwrap();
    assert!(matches!(&network.state, stratus_plan::plan::State::Change(_)), "{:?}", network.state);
}

#[test]
fn a_file_changed_by_hand_is_told_of() {
    let site = site(Share::Nfs, Database::Mariadb);
    let before = facts(&site, SYSTEMS[1]);
    let plan = stratus_plan::plan(&site, &before, &support::inputs());
    let mut after = support::model::apply_to_facts(&plan, &before);
    assert_eq!(preflight(&site, &after), []);
    let told = known(&mut after, FRONTEND);
    told.paths.insert("/etc/exports.d/stratus.exports".into(), support::text("/ *(rw)\n"));
    told.paths.get_mut("/etc/one/oned.conf").unwrap().sha256 = Some("0".repeat(64));
    let texts: Vec<String> = preflight(&site, &after).into_iter().map(|f| f.text).collect();
    insta::assert_snapshot!(texts.join("\n"));
}
