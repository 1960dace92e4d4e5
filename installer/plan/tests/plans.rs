//! Plans as an administrator reads them, on each system.
#![expect(clippy::unwrap_used, reason = "a value of a test that does not parse ends it")]

mod support;

use stratus_plan::facts::{HostReport, SelinuxFacts};
use stratus_plan::plan::{HostPlan, Plan, Planned, Stage, State};
use stratus_plan::render;
use stratus_plan::step::Step;
use stratus_plan::{Inputs, files_needed, plan, preflight, promises};
use stratus_site::{
    AddressSource, Burst, Cache, Database, Monitor, Repository, Share, Site, VpnMode,
};
use support::model::apply_to_facts;
use support::{SYSTEMS, facts, host, identity, inputs, known, site, sized, vpn};

fn full() -> Site {
    let mut site = site(Share::Nfs, Database::Mariadb);
    site.identity = Some(identity());
    site
}

#[test]
fn a_fresh_site_of_each_system() {
    for system in SYSTEMS {
        let site = site(Share::Ssh, Database::Sqlite);
        let text = render::full(&plan(&site, &facts(&site, system), &inputs()));
        insta::assert_snapshot!(format!("fresh-{}-{}", system.0, system.1), text);
    }
}

#[test]
fn a_site_with_share_database_and_directory() {
    let site = full();
    let plan = plan(&site, &facts(&site, SYSTEMS[1]), &inputs());
    insta::assert_snapshot!(render::full(&plan));
    insta::assert_snapshot!("as-first-shown", render::text(&plan));
}

#[test]
fn a_finished_site_says_why_nothing_is_to_be_done() {
    let site = full();
    let before = facts(&site, SYSTEMS[1]);
    let after = apply_to_facts(&plan(&site, &before, &inputs()), &before);
    let plan = plan(&site, &after, &inputs());
    insta::assert_snapshot!(render::full(&plan));
    let text = render::text(&plan);
    assert!(text.contains(" steps are done\n") && text.contains("Nothing is to be done"), "{text}");
}

#[test]
fn hundreds_of_nodes_are_as_long_as_two() {
    let lines = |nodes| {
        let site = sized(nodes, 1, Share::Ssh, Database::Sqlite);
        let plan = plan(&site, &facts(&site, SYSTEMS[1]), &inputs());
        render::text(&plan).lines().count()
    };
    // The front-end knows more hosts, up to the lines that are shown of one step.
    assert!(lines(400) <= lines(2) + 25, "{} {}", lines(400), lines(2));
}

#[test]
fn promises_of_a_full_site() {
    let site = full();
    let lines: Vec<String> = promises(&site, &facts(&site, SYSTEMS[1]))
        .into_iter()
        .map(|p| format!("{} from {}: {} | {}", p.id, p.from, p.text, p.cure))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_key_that_was_not_read_is_an_error_and_not_an_empty_file() {
    let site = full();
    let (seen, secret) = files_needed(&site);
    assert_eq!((seen.len(), secret.len()), (2, 1));
    let mut none = inputs();
    none.files.clear();
    let plan = plan(&site, &facts(&site, SYSTEMS[1]), &none);
    let error = plan.hosts[0].steps.as_ref().unwrap_err();
    assert_eq!(error, "keys/opennebula.asc is named by the site file and was not read");
}

#[test]
fn nothing_stands_in_the_way_of_a_fresh_site() {
    let site = full();
    assert_eq!(preflight(&site, &facts(&site, SYSTEMS[1])), []);
}

/// What is leased is asked for again and never written down; what somebody stated is kept.
#[test]
fn a_bridge_takes_over_what_was_stated_and_asks_for_what_was_leased() {
    let site = full();
    let bridge_files = |leased: &[&str]| {
        let mut facts = facts(&site, SYSTEMS[2]);
        let Some(HostReport::Known(told)) = facts.hosts.get_mut(&site.nodes[0].host) else {
            panic!("the node is known");
        };
        let eth0 = &mut told.interfaces[0];
        eth0.leased = leased.iter().map(|a| (*a).to_owned()).collect();
        let (mine, stated) = (eth0.leased.clone(), eth0.addresses[0].clone());
        eth0.addresses.extend(mine.into_iter().filter(|a| *a != stated));
        let plan = plan(&site, &facts, &inputs());
        let host = plan.hosts.iter().find(|h| h.host == site.nodes[0].host).unwrap();
        let steps = host.steps.as_ref().unwrap().iter();
        let text = steps.filter_map(|s| match &s.step {
            Step::Network(network) => {
                Some(network.files.iter().map(|f| format!("{:?}", f.content)).collect::<String>())
            }
            _ => None,
        });
        (text.collect::<String>(), stated)
    };
    let (text, stated) = bridge_files(&["2001:db8::5/64"]);
    assert!(text.contains(&stated) && !text.contains("2001:db8::5"), "{text}");
    assert!(text.contains("dhcp4: false"), "{text}");
    let (_, address) = bridge_files(&[]);
    let (text, _) = bridge_files(&[&address]);
    assert!(!text.contains(&address), "{text}");
    assert!(text.contains("dhcp4: true"), "{text}");
}

/// A boolean of SELinux, asked for on the nodes that mount the share, and only where SELinux rules.
#[test]
fn machines_on_a_share_need_a_boolean_where_selinux_is_enforcing() {
    let steps = |share, system, selinux: [Option<bool>; 2]| {
        let site = site(share, Database::Sqlite);
        let mut facts = facts(&site, system);
        for (node, on) in site.nodes.iter().zip(selinux) {
            let told = known(&mut facts, node.host.as_str());
            told.selinux = on.map(|nfs_machines| SelinuxFacts { nfs_machines });
            if on == Some(true) {
                told.seen.insert("allow-nfs-machines".into(), NOTHING_SEEN.into());
            }
        }
        let mut plan = plan(&site, &facts, &inputs());
        for host in &mut plan.hosts {
            let steps = host.steps.as_mut().unwrap();
            steps.retain(|s| s.id == "action:allow-nfs-machines");
        }
        plan
    };
    let el = SYSTEMS[3];
    assert_eq!(el.0, "almalinux");
    insta::assert_snapshot!(render::full(&steps(Share::Nfs, el, [Some(false), Some(true)])));
    let none = |plan: Plan| plan.hosts.iter().all(|h| h.steps.as_ref().unwrap().is_empty());
    assert!(none(steps(Share::Nfs, el, [None, None])));
    assert!(none(steps(Share::Ssh, el, [Some(false), Some(false)])));
    assert!(none(steps(Share::Nfs, SYSTEMS[1], [Some(false), Some(false)])));
}

/// The digest of no inputs.
const NOTHING_SEEN: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn with_overlay(mode: VpnMode) -> Site {
    let mut site = site(Share::Ssh, Database::Sqlite);
    site.vpn = Some(vpn(mode));
    site
}

/// The front-end's steps that have to do with burst nodes.
fn of_overlay(plan: &Plan) -> Vec<Planned> {
    let steps = plan.hosts[0].steps.clone().expect("the front-end has a plan").into_iter();
    let wanted = [Stage::Network, Stage::Services, Stage::Overlay];
    steps.filter(|s| wanted.contains(&s.stage)).collect()
}

#[test]
fn the_gateway_of_burst_nodes() {
    insta::assert_snapshot!(gateway(VpnMode::Tap).0);
    insta::assert_snapshot!("promises-of-the-gateway", gateway(VpnMode::Tap).1);
}

/// No account, no folder of joined machines, no timer: nothing ends.
#[test]
fn the_gateway_of_burst_nodes_by_wireguard() {
    let (plan, promises) = gateway(VpnMode::WireGuard);
    insta::assert_snapshot!("wireguard-gateway", format!("{plan}\n---\n{promises}"));
}

/// What the front-end does and promises for burst nodes.
fn gateway(mode: VpnMode) -> (String, String) {
    let site = with_overlay(mode);
    let plan = plan(&site, &facts(&site, SYSTEMS[1]), &overlay_inputs());
    let host = plan.hosts[0].host.clone();
    let roles = plan.hosts[0].roles.clone();
    let steps = Ok(of_overlay(&plan));
    let shown = Plan { hosts: vec![HostPlan { host, roles, steps }], ..plan };
    let promises = promises(&site, &facts(&site, SYSTEMS[1])).into_iter();
    let about = promises.filter(|p| p.id.contains("overlay") || p.id.contains("vpn"));
    let lines: Vec<String> =
        about.map(|p| format!("{} from {}: {} | {}", p.id, p.from, p.text, p.cure)).collect();
    (render::full(&shown), lines.join("\n"))
}

#[test]
fn the_gateway_tells_the_lan_the_names_of_burst_nodes() {
    let names = |mode: VpnMode| {
        let site = with_overlay(mode);
        let facts = facts(&site, SYSTEMS[1]);
        let steps = plan(&site, &facts, &overlay_inputs()).hosts[0].steps.clone().unwrap();
        let ids: Vec<String> = steps.into_iter().map(|step| step.id).collect();
        let promised =
            promises(&site, &facts).into_iter().any(|p| p.id.ends_with(":dnsmasq.service"));
        let names = ids.iter().filter(|id| id.contains("dnsmasq") || id.contains("vpn/names"));
        (names.cloned().collect::<Vec<_>>(), promised)
    };
    let wanted = [
        "packages:dnsmasq",
        // Before it starts: it will not without the folder.
        "directory:/var/lib/stratus/vpn/names",
        "file:/etc/dnsmasq.d/stratus.conf",
        "unit:dnsmasq.service",
    ];
    assert_eq!(names(VpnMode::Tap), (wanted.map(str::to_owned).to_vec(), true));
    assert_eq!(names(VpnMode::Tun), (Vec::new(), false));
}

/// An overlay of which one node becomes a host.
fn with_host(share: Share, address: Option<&str>) -> Site {
    let mut site = with_overlay(VpnMode::Tap);
    site.nodes.iter_mut().for_each(|node| node.share = share);
    let burst = |name: &str, register| Burst {
        name: host(name),
        address: address.map(|address| address.parse().unwrap()),
        register,
    };
    site.vpn.as_mut().unwrap().nodes = vec![burst("burst1", true), burst("burst2", false)];
    site
}

#[test]
fn burst_nodes_become_hosts_by_a_timer_where_one_is_to() {
    let site = with_host(Share::Ssh, None);
    let before = facts(&site, SYSTEMS[1]);
    let inputs = Inputs {
        site_text: overlay_inputs().site_text + "[packages]\nproxy = \"http://p\"\n",
        ..overlay_inputs()
    };
    let first = plan(&site, &before, &inputs);
    let steps = of_overlay(&first);
    let of_hosts = |id: &str| id.contains("stratus-vpn-register") || id.contains("vpn-names");
    let ids: Vec<&str> = steps.iter().map(|s| s.id.as_str()).filter(|id| of_hosts(id)).collect();
    assert_eq!(
        ids,
        [
            "file:/etc/systemd/system/stratus-vpn-register.service",
            "file:/etc/systemd/system/stratus-vpn-register.timer",
            "file:/etc/systemd/system/stratus-vpn-names.service",
            "unit:stratus-vpn-names.service",
            "unit:stratus-vpn-register.timer",
        ]
    );
    let promised = promises(&site, &before).into_iter().filter(|p| of_hosts(&p.id)).count();
    assert_eq!(promised, 2);
    // Bundles say where packages come from.
    let settings = |steps: &[Planned]| {
        let own = steps.iter().find(|s| s.id == "file:/etc/stratus/stratus.toml").unwrap();
        format!("{:?}", own.state)
    };
    assert!(settings(&steps).contains("[packages]"), "{}", settings(&steps));
    let none = with_overlay(VpnMode::Tap);
    let steps = of_overlay(&plan(&none, &facts(&none, SYSTEMS[1]), &inputs));
    assert!(!steps.iter().any(|step| of_hosts(&step.id)));
    assert!(!settings(&steps).contains("[packages]"));
}

#[test]
fn burst_nodes_that_are_hosts_mount_the_datastores() {
    let exports = |site: &Site| {
        let plan = plan(site, &facts(site, SYSTEMS[1]), &overlay_inputs());
        let steps = plan.hosts[0].steps.clone().unwrap();
        let own = steps.into_iter().find(|s| s.id == "file:/etc/exports.d/stratus.exports");
        own.map(|step| format!("{:?}", step.state)).unwrap_or_default()
    };
    let stated = exports(&with_host(Share::Nfs, Some("10.1.9.7")));
    assert!(stated.contains("datastores 10.1.9.7("), "{stated}");
    // Forty addresses from 10.1.9.1 on.
    let any = exports(&with_host(Share::Nfs, None));
    assert!(any.contains("datastores 10.1.9.1/32(") && any.contains("10.1.9.32/29("), "{any}");
    assert!(!exports(&with_overlay(VpnMode::Tap)).contains("10.1.9."));
    assert_eq!(exports(&with_host(Share::Ssh, None)), "");
}

fn overlay_inputs() -> Inputs {
    let site_text = "[site]\nname = \"example\"\n[frontend]\nhost = \"one\"\n[vpn]\nendpoint = \"vpn.example.org\"\n[ssh]\nuser = \"root\"\n";
    Inputs { site_text: site_text.into(), ..inputs() }
}

/// A front-end that is everything: services, monitor with the overlay's report.
fn with_services() -> Site {
    let mut site = with_overlay(VpnMode::Tap);
    let here = || AddressSource::Install(site.frontend.host.clone());
    let url = |port| format!("http://one.example.org:{port}/").parse().unwrap();
    site.repository = Some(Repository { source: here(), url: url(8443), ca: None });
    site.cache = Some(Cache { source: here(), url: url(8480) });
    site.monitor = Some(Monitor {
        host: site.frontend.host.clone(),
        port: 8444,
        vpn_report: Some("/run/stratus/vpn.json".into()),
    });
    site.packages.stratus = Some("https://mirror.example.org/stratus".parse().unwrap());
    site.packages.stratus_key = Some("keys/opennebula.asc".into());
    site
}

#[test]
fn services_of_our_own_and_what_their_timers_start() {
    let site = with_services();
    let before = facts(&site, SYSTEMS[1]);
    let plan_of = |facts: &_| plan(&site, facts, &overlay_inputs());
    let first = plan_of(&before);
    let (host, roles) = (first.hosts[0].host.clone(), first.hosts[0].roles.clone());
    let ours = |s: &Planned| {
        s.stage == Stage::Services
            || s.id.contains("stratus-vpn-status")
            || s.id.contains("stratus.sources")
    };
    let steps = first.hosts[0].steps.clone().unwrap().into_iter().filter(ours).collect();
    let shown = Plan { hosts: vec![HostPlan { host, roles, steps: Ok(steps) }], ..first.clone() };
    insta::assert_snapshot!(render::full(&shown));
    let timer = |id: &String| id.strip_suffix(".timer").is_some();
    let promises = promises(&site, &before).into_iter().map(|p| p.id).filter(timer);
    assert_eq!(
        promises.collect::<Vec<_>>(),
        [
            "unit:one.example.org:stratus-vpn-renew.timer",
            "unit:one.example.org:stratus-vpn-status.timer",
            "unit:one.example.org:stratus-accounting.timer",
        ]
    );
    // What somebody stopped is a change to be made.
    let mut after = apply_to_facts(&first, &before);
    let steps = |facts: &_| plan_of(facts).hosts[0].steps.clone().unwrap();
    assert_eq!(changes(&steps(&after)), [""; 0]);
    known(&mut after, "one.example.org")
        .units
        .get_mut("stratus-accounting.timer")
        .unwrap()
        .active = "inactive".into();
    assert_eq!(changes(&steps(&after)).len(), 1);
}

/// A monitor elsewhere does not see the file.
#[test]
fn a_report_of_the_overlay_is_for_a_monitor_on_the_same_host() {
    let mut site = with_services();
    site.monitor.as_mut().unwrap().host = site.nodes[0].host.clone();
    let plan = plan(&site, &facts(&site, SYSTEMS[1]), &overlay_inputs());
    let ids = |host: usize| plan.hosts[host].steps.clone().unwrap().into_iter().map(|s| s.id);
    assert!(!ids(0).chain(ids(1)).any(|id| id.contains("stratus-vpn-status")));
    assert!(ids(1).any(|id| id == "unit:stratus-accounting.timer"));
    assert!(!ids(0).any(|id| id == "unit:stratus-accounting.timer"));
}

/// What is still to be done, with the reason.
fn changes(steps: &[Planned]) -> Vec<String> {
    let text = |s: &Planned| match &s.state {
        State::Change(lines) => Some(format!("{}: {}", s.id, lines.last()?)),
        _ => None,
    };
    steps.iter().filter_map(text).collect()
}

#[test]
fn the_overlay_follows_the_site_file_and_is_made_again_where_it_is_gone() {
    let site = with_overlay(VpnMode::Tap);
    let before = facts(&site, SYSTEMS[1]);
    let after = apply_to_facts(&plan(&site, &before, &overlay_inputs()), &before);
    assert_eq!(changes(&of_overlay(&plan(&site, &after, &overlay_inputs()))), [""; 0]);

    let mut other = overlay_inputs();
    other.site_text = other.site_text.replace("[vpn]\n", "[vpn]\nport = 1195\n");
    assert_eq!(
        changes(&of_overlay(&plan(&site, &after, &other))),
        [
            "file:/etc/stratus/stratus.toml: +port = 1195",
            "action:make-overlay: again: /etc/stratus/stratus.toml changes",
            "unit:stratus-vpn-server.service: restart: /var/lib/stratus/vpn/server/server.conf changes",
        ]
    );

    let mut lost = after.clone();
    let conf = "/var/lib/stratus/vpn/server/server.conf";
    known(&mut lost, "one.example.org").paths.remove(conf);
    assert_eq!(
        changes(&of_overlay(&plan(&site, &lost, &overlay_inputs()))),
        [
            format!("action:make-overlay: again: {conf} is not there"),
            format!("unit:stratus-vpn-server.service: restart: {conf} changes"),
        ]
    );

    // The administrator's own site file is read where it is.
    let mut own = before;
    let text = overlay_inputs().site_text;
    known(&mut own, "one.example.org")
        .paths
        .insert("/etc/stratus/stratus.toml".into(), support::text(&text));
    let steps = of_overlay(&plan(&site, &own, &overlay_inputs()));
    assert!(steps.iter().all(|s| s.id != "file:/etc/stratus/stratus.toml"));
    assert!(steps.iter().any(|s| s.id == "action:make-overlay"));
}

/// The interface with the default route may be the one to the internet.
#[test]
fn the_bridge_of_the_gateway_is_over_the_interface_of_the_lan() {
    let site = with_overlay(VpnMode::Tap);
    let mut facts = facts(&site, SYSTEMS[2]);
    let told = known(&mut facts, "one.example.org");
    let mut wan = told.interfaces[0].clone();
    (wan.name, wan.mac) = (support::name("wan0"), None);
    wan.addresses = vec!["198.51.100.2/24".into()];
    told.interfaces.insert(0, wan);
    told.default_route = Some((support::name("wan0"), "198.51.100.1".parse().unwrap()));
    let steps = of_overlay(&plan(&site, &facts, &overlay_inputs()));
    let network = steps.iter().find_map(|s| match &s.step {
        Step::Network(network) => Some(network),
        _ => None,
    });
    let network = network.expect("a front-end that is no node gets a bridge");
    assert_eq!((network.bridge.as_str(), network.interface.as_deref()), ("br0", Some("eth0")));

    // A routed tunnel needs none.
    let site = with_overlay(VpnMode::Tun);
    let steps = of_overlay(&plan(&site, &facts, &overlay_inputs()));
    assert!(!steps.iter().any(|s| matches!(s.step, Step::Network(_))));
}
