//! Plans as an administrator reads them, on each system.

mod support;

use stratus_plan::facts::HostReport;
use stratus_plan::render;
use stratus_plan::step::Step;
use stratus_plan::{files_needed, plan, preflight, promises};
use stratus_site::{Database, Share, Site};
use support::model::apply_to_facts;
use support::{SYSTEMS, facts, identity, inputs, site, sized};

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
