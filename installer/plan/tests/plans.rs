//! Plans as an administrator reads them, on each system.

mod support;

use stratus_plan::facts::HostReport;
use stratus_plan::plan::{HostPlan, Plan, Planned, Stage, State};
use stratus_plan::render;
use stratus_plan::step::Step;
use stratus_plan::{Inputs, files_needed, plan, preflight, promises};
use stratus_site::{Database, Share, Site, VpnMode};
use support::model::apply_to_facts;
use support::{SYSTEMS, facts, identity, inputs, known, site, sized, vpn};

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
    let site = with_overlay(VpnMode::Tap);
    let plan = plan(&site, &facts(&site, SYSTEMS[1]), &overlay_inputs());
    let host = plan.hosts[0].host.clone();
    let roles = plan.hosts[0].roles.clone();
    let steps = Ok(of_overlay(&plan));
    let shown = Plan { hosts: vec![HostPlan { host, roles, steps }], ..plan };
    insta::assert_snapshot!(render::full(&shown));
    let promises = promises(&site, &facts(&site, SYSTEMS[1])).into_iter();
    let about = promises.filter(|p| p.id.contains("overlay") || p.id.contains("vpn"));
    let lines: Vec<String> =
        about.map(|p| format!("{} from {}: {} | {}", p.id, p.from, p.text, p.cure)).collect();
    insta::assert_snapshot!("promises-of-the-gateway", lines.join("\n"));
}

fn overlay_inputs() -> Inputs {
    let site_text = "[site]\nname = \"example\"\n[frontend]\nhost = \"one\"\n[vpn]\nendpoint = \"vpn.example.org\"\n[ssh]\nuser = \"root\"\n";
    Inputs { site_text: site_text.into(), ..inputs() }
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
