//! What every plan must survive, on each system.

mod support;

use proptest::prelude::*;
use stratus_plan::facts::{HostReport, PathKind, Unreachable};
use stratus_plan::plan::State;
use stratus_plan::{files_needed, plan, questions};
use stratus_site::{
    AddressSource, Cache, Database, Monitor, Nat, Repository, ServiceFile, Share, Site, VpnMode,
};
use support::model::{apply_to_facts, undone};
use support::{CANARY, SYSTEMS, facts, host, identity, inputs, known, site};

/// Every feature of a site at once, or few.
fn sites() -> Vec<Site> {
    let mut full = site(Share::Nfs, Database::Mariadb);
    full.identity = Some(identity());
    full.packages.proxy = Some("http://proxy.example.org:3128".parse().expect("it is one"));
    let mut offline = site(Share::Ssh, Database::Sqlite);
    offline.packages.offline = Some("/srv/packages".into());
    // One machine that is everything.
    let mut alone = site(Share::Nfs, Database::Sqlite);
    alone.nodes.truncate(1);
    alone.nodes[0].host = alone.frontend.host.clone();
    alone.nodes[0].address = alone.frontend.address;
    let mut bridged = site(Share::Ssh, Database::Sqlite);
    bridged.vpn = Some(support::vpn(VpnMode::Tap));
    let vpn_report = Some("/run/stratus/vpn.json".into());
    bridged.monitor = Some(Monitor { host: bridged.frontend.host.clone(), port: 8444, vpn_report });
    let mut routed = site(Share::Ssh, Database::Sqlite);
    routed.vpn = Some(support::vpn(VpnMode::Tun));
    routed.networks[0].nat = Some(Nat { interface: None });
    let mut wireguard = site(Share::Ssh, Database::Sqlite);
    wireguard.vpn = Some(support::vpn(VpnMode::WireGuard));
    vec![site(Share::Ssh, Database::Sqlite), full, offline, alone, bridged, routed, wireguard]
}

#[test]
fn a_second_apply_does_nothing() {
    for site in sites() {
        for system in SYSTEMS {
            let before = facts(&site, system);
            let first = plan(&site, &before, &inputs());
            assert!(!first.is_empty());
            let after = apply_to_facts(&first, &before);
            let second = plan(&site, &after, &inputs());
            assert!(second.is_empty(), "{system:?}: {:#?}", undone(&second));
        }
    }
}

#[test]
fn ids_are_names_of_one_step_each() {
    for site in sites() {
        for system in SYSTEMS {
            for host in plan(&site, &facts(&site, system), &inputs()).hosts {
                let steps = host.steps.unwrap();
                let ids: std::collections::BTreeSet<_> = steps.iter().map(|p| &p.id).collect();
                assert_eq!(
                    ids.len(),
                    steps.len(),
                    "{:?}",
                    steps.iter().map(|p| &p.id).collect::<Vec<_>>()
                );
            }
        }
    }
}

#[test]
fn steps_of_other_hosts_that_come_first_exist() {
    for site in sites() {
        let plan = plan(&site, &facts(&site, SYSTEMS[0]), &inputs());
        for planned in plan.hosts.iter().flat_map(|h| h.steps.as_ref().unwrap()) {
            for (host, id) in &planned.after {
                let of = plan.hosts.iter().find(|h| h.host == *host).unwrap();
                assert!(of.steps.as_ref().unwrap().iter().any(|p| p.id == *id), "{id}");
            }
        }
    }
}

#[test]
fn the_questions_cover_every_path_of_a_plan() {
    use stratus_plan::step::Step;
    for site in sites() {
        for system in SYSTEMS {
            for of in plan(&site, &facts(&site, system), &inputs()).hosts {
                let asked = questions(&site, &of.host);
                let path = |p: &String| asked.paths.contains(p) || asked.secret_paths.contains(p);
                for planned in of.steps.unwrap() {
                    let covered = match &planned.step {
                        Step::File(file) if file.secret => asked.secret_paths.contains(&file.path),
                        Step::File(file) => asked.paths.contains(&file.path),
                        Step::Directory { path: p, .. } => path(p),
                        Step::Secret { path, .. }
                        | Step::SecretFile { path, .. }
                        | Step::SshKey { path, .. } => {
                            asked.secret_paths.contains(path) && !asked.paths.contains(path)
                        }
                        Step::Unit(unit) => asked.units.contains(&unit.name),
                        // The name of the interface is not known before it was asked for.
                        Step::Network(network) => {
                            let mut files = network.files.iter();
                            files.all(|f| f.path.contains("eth0") || path(&f.path))
                        }
                        Step::Packages { names } => names.is_subset(&asked.packages),
                        Step::Database { name, .. } => asked.databases.contains(name),
                        _ => true,
                    };
                    assert!(covered, "{system:?} {}", planned.id);
                }
            }
        }
    }
}

#[test]
fn no_secret_is_in_a_plan() {
    for mut site in sites() {
        site.identity = Some(identity());
        let mut world = facts(&site, SYSTEMS[0]);
        let told = known(&mut world, "one.example.org");
        let old = "DB = [ BACKEND = \"mysql\", PASSWD = \"canary-of-the-database\" ]\n";
        told.paths.insert("/etc/one/oned.conf".into(), support::text(old));
        let first = plan(&site, &world, &inputs());
        let after = apply_to_facts(&first, &world);
        for plan in [first, plan(&site, &after, &inputs())] {
            let shown = serde_json::to_string(&plan).unwrap() + &stratus_plan::render::full(&plan);
            for secret in [CANARY, "canary-of-the-database", "secret-of-"] {
                assert!(!shown.contains(secret), "{secret}");
            }
        }
    }
}

#[test]
fn a_changed_password_is_copied_and_what_reads_it_is_written_again() {
    let mut site = site(Share::Ssh, Database::Sqlite);
    site.identity = Some(identity());
    let before = facts(&site, SYSTEMS[0]);
    let after = apply_to_facts(&plan(&site, &before, &inputs()), &before);
    let mut other = inputs();
    other.secrets.insert("secret/ldap".into(), "0".repeat(64));
    let undone = undone(&plan(&site, &after, &other));
    let ids: Vec<_> =
        undone["one.example.org"].iter().map(|l| l.split(": ").next().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "secret-file:/var/lib/stratus/installer/secrets/ldap-bind",
            "file:/etc/one/auth/ldap_auth.conf"
        ]
    );
}

#[test]
fn files_of_services_lie_beside_their_settings_and_on_no_other_host() {
    let mut site = site(Share::Ssh, Database::Sqlite);
    let on = |host| AddressSource::Install(support::host(host));
    let url: url::Url = "https://one.example.org:8443/".parse().unwrap();
    let repository = Repository { source: on("one.example.org"), url: url.clone(), ca: None };
    site.repository = Some(repository);
    site.cache = Some(Cache { source: on("node01.example.org"), url });
    let file = |section: &str, name: &str, secret| ServiceFile {
        section: section.into(),
        name: name.into(),
        path: format!("site/{name}").into(),
        secret,
    };
    site.service_files = vec![
        file("identity", "ca.pem", false),
        file("repository", "keys/tls/server.key", true),
        file("repository", "ca.pem", true),
        file("cache", "upstream.secret", true),
        file("monitor", "mail.secret", true),
    ];
    let (seen, secret) = files_needed(&site);
    assert_eq!((seen.len(), secret.len()), (2, 3), "the monitor is not set up: {secret:?}");
    let mut given = inputs();
    given.files.extend(seen.into_iter().map(|path| (path, b"PEM\n".to_vec())));
    given.secrets.extend(secret.into_iter().map(|path| (path, "0".repeat(64))));
    let plan = plan(&site, &facts(&site, SYSTEMS[0]), &given);
    let of = |host: &str| -> Vec<String> {
        let planned = plan.hosts.iter().find(|h| h.host.as_str() == host).unwrap();
        let steps = planned.steps.as_ref().unwrap().iter();
        let ours = ["file:/etc/stratus/stratus.toml", "file:/etc/stratus/firewall.nft"];
        let here = |id: &&str| id.contains(":/etc/stratus/") && !ours.contains(id);
        steps.map(|p| p.id.as_str()).filter(here).map(str::to_owned).collect()
    };
    let front = [
        "directory:/etc/stratus/keys",
        "directory:/etc/stratus/keys/tls",
        "secret-file:/etc/stratus/ca.pem",
        "secret-file:/etc/stratus/keys/tls/server.key",
    ];
    assert_eq!(of("one.example.org"), front);
    assert_eq!(of("node01.example.org"), ["secret-file:/etc/stratus/upstream.secret"]);
    assert!(of("node02.example.org").is_empty());
}

#[test]
fn a_file_edited_by_hand_is_put_right_and_its_unit_sees_it() {
    let site = site(Share::Ssh, Database::Sqlite);
    let before = facts(&site, SYSTEMS[0]);
    let mut after = apply_to_facts(&plan(&site, &before, &inputs()), &before);
    let told = known(&mut after, "one.example.org");
    let oned = told.paths["/etc/one/oned.conf"].content.clone().unwrap();
    let edited = oned.replace("PORT = 2633", "PORT = 9999") + "MINE = 1\n";
    told.paths.insert("/etc/one/oned.conf".into(), support::text(&edited));
    let plan = plan(&site, &after, &inputs());
    let steps = plan.hosts[0].steps.as_ref().unwrap();
    let lines = |id: &str| match &steps.iter().find(|p| p.id == id).unwrap().state {
        State::Change(lines) => lines.join("\n"),
        other => panic!("{id}: {other:?}"),
    };
    let diff = lines("file:/etc/one/oned.conf");
    assert!(diff.contains("-PORT = 9999\n+PORT = 2633"), "{diff}");
    assert_eq!(lines("unit:opennebula.service"), "restart: /etc/one/oned.conf changes");
    assert_eq!(plan.changes(), 2);
}

#[test]
fn a_node_that_does_not_answer_keeps_its_known_key_and_stops_nobody() {
    let site = site(Share::Ssh, Database::Sqlite);
    let before = facts(&site, SYSTEMS[0]);
    let mut after = apply_to_facts(&plan(&site, &before, &inputs()), &before);
    let away = Unreachable { reason: "no route".into(), cure: None, away: true };
    after.hosts.insert(host("node02.example.org"), HostReport::Unreachable(away));
    let plan = plan(&site, &after, &inputs());
    assert!(plan.is_empty());
    assert_eq!(plan.hosts[2].steps, Err("it was not reached: no route".to_owned()));
}

#[test]
fn a_bridge_that_somebody_else_made_is_left_alone() {
    let site = site(Share::Ssh, Database::Sqlite);
    let before = facts(&site, SYSTEMS[0]);
    let mut after = apply_to_facts(&plan(&site, &before, &inputs()), &before);
    let told = known(&mut after, "node01.example.org");
    told.paths.retain(|path, _| !path.starts_with("/etc/network/interfaces.d/"));
    told.seen.remove("network:br0");
    let plan = plan(&site, &after, &inputs());
    let steps = plan.hosts[1].steps.as_ref().unwrap();
    let bridge = steps.iter().find(|p| p.id == "network:br0").unwrap();
    assert_eq!(bridge.state, State::Done("br0 is up; it was made by somebody else".into()));
}

#[test]
fn an_unsupported_system_is_an_error_of_its_host_alone() {
    let site = site(Share::Ssh, Database::Sqlite);
    let mut world = facts(&site, SYSTEMS[0]);
    known(&mut world, "node01.example.org").os.version = "11".into();
    known(&mut world, "node01.example.org").os.pretty = "Debian 11".into();
    let plan = plan(&site, &world, &inputs());
    let error = plan.hosts[1].steps.as_ref().unwrap_err();
    assert!(error.starts_with("Debian 11 is not supported; supported are debian-12,"), "{error}");
    assert!(plan.hosts[2].steps.is_ok());
}

proptest! {
    /// Whatever an administrator changed by hand, one apply puts it right and a second has nothing
    /// to do.
    #[test]
    fn any_disturbance_is_put_right_by_one_apply(seed in proptest::collection::vec(any::<u16>(), 1..12)) {
        let all: Vec<Site> = sites().into_iter().filter(|s| s.nodes.len() > 1).collect();
        let site = &all[usize::from(seed[0]) % all.len()];
        let before = facts(site, SYSTEMS[usize::from(seed[0] / 7) % 5]);
        let mut world = apply_to_facts(&plan(site, &before, &inputs()), &before);
        for n in seed {
            disturb(&mut world, usize::from(n));
        }
        let world = apply_to_facts(&plan(site, &world, &inputs()), &world);
        let last = plan(site, &world, &inputs());
        prop_assert!(last.is_empty(), "{:#?}", undone(&last));
    }
}

/// Takes something away or changes it, in some host.
fn disturb(world: &mut stratus_plan::facts::Facts, n: usize) {
    let names = ["one.example.org", "node01.example.org", "node02.example.org"];
    let told = known(world, names[n % 3]);
    let n = n / 3;
    match n % 5 {
        0 => drop(told.units.pop_first()),
        1 => drop(told.seen.pop_last()),
        2 => drop(told.packages.pop_last()),
        3 => {
            // What is not made again by a plan (host keys, others' files) is not taken.
            let ours = |p: &String| {
                ["/etc/one/", "/etc/systemd/", "/etc/exports.d", "/etc/stratus"]
                    .iter()
                    .any(|b| p.starts_with(b))
            };
            let path = told.paths.keys().filter(|p| ours(p)).nth(n % 4).cloned();
            path.map(|p| told.paths.remove(&p));
        }
        _ => {
            for is in told.paths.values_mut().filter(|p| p.kind == PathKind::Directory) {
                is.mode = 0o777;
            }
        }
    }
}

#[test]
fn the_same_world_gives_the_same_bytes_whatever_the_order_of_hosts() {
    let site = &sites()[1];
    let world = facts(site, SYSTEMS[1]);
    let first = plan(site, &world, &inputs());
    assert_eq!(
        serde_json::to_string(&first).unwrap(),
        serde_json::to_string(&plan(site, &world, &inputs())).unwrap()
    );
    let mut turned = site.clone();
    turned.nodes.reverse();
    let second = plan(&turned, &world, &inputs());
    for host in &first.hosts[1..] {
        assert_eq!(Some(host), second.hosts.iter().find(|h| h.host == host.host));
    }
}

#[test]
fn the_fingerprint_moves_with_what_matters_only() {
    let site = &sites()[0];
    let mut world = facts(site, SYSTEMS[1]);
    let first = plan(site, &world, &inputs()).fingerprint;
    known(&mut world, "node01.example.org").clock_offset_ms = 3;
    assert_eq!(plan(site, &world, &inputs()).fingerprint, first);
    known(&mut world, "node01.example.org").packages.insert("nftables".into(), "1".into());
    assert_ne!(plan(site, &world, &inputs()).fingerprint, first);
}
