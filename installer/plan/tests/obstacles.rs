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
            let why = Unreachable { reason: "no route to host".into(), cure: None };
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
        found(|s, _| {
            let mut vpn = support::vpn(VpnMode::Tap);
            vpn.subnet = "10.9.0.0/24".parse().unwrap();
            s.vpn = Some(vpn);
        }),
    ];
    insta::assert_snapshot!(all.join("\n"));
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
