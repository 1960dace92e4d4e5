//! The plan against a model of OpenNebula: whatever is there and whatever is wanted, making all
//! changes leaves nothing to do, and what is not ours stays.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

#[path = "convergence/model.rs"]
mod model;

use model::Model;
use proptest::prelude::*;
use stratus_opennebula::Attributes;
use stratus_opennebula::converge::{
    Authentication, Change, Kind, MARK, Removal, Switch, Wanted, WantedCluster, WantedGroup,
    WantedHost, WantedMarketplace, WantedNetwork, WantedRange, WantedTemplate, WantedUser,
    converge,
};

fn name() -> impl Strategy<Value = String> {
    "[abc]"
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec(("[XYZ]", "[12]{0,1}"), 0..3).prop_map(|items| {
        items.iter().fold(Attributes::new(), |all, (name, text)| all.with(name, text.as_str()))
    })
}

fn switch() -> impl Strategy<Value = Switch> {
    prop_oneof![Just(Switch::AsIs), Just(Switch::On), Just(Switch::Off)]
}

fn ranges() -> impl Strategy<Value = Vec<WantedRange>> {
    // No two of them overlap: each has its own hundred.
    prop::collection::btree_map(0_u8..2, (1_u8..40, 1_u32..40), 0..2).prop_map(|ranges| {
        let range = |(hundred, (first, size)): (u8, (u8, u32))| WantedRange {
            ip: [10, 0, 0, hundred * 100 + first].into(),
            mac: None,
            size,
        };
        ranges.into_iter().map(range).collect()
    })
}

/// A list in which each name is once.
fn once<T: std::fmt::Debug>(
    item: impl Strategy<Value = T>,
    name: fn(&T) -> &str,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(item, 0..3).prop_map(move |items| {
        let mut kept: Vec<T> = Vec::new();
        for item in items {
            if !kept.iter().any(|other| name(other) == name(&item)) {
                kept.push(item);
            }
        }
        kept
    })
}

fn host() -> impl Strategy<Value = WantedHost> {
    (name(), "[kv]", prop::option::of(name()), switch(), attributes()).prop_map(
        |(name, mad, cluster, switch, attributes)| {
            let (im_mad, vm_mad) = (mad.clone(), mad);
            WantedHost { name, im_mad, vm_mad, cluster, switch, attributes }
        },
    )
}

fn user() -> impl Strategy<Value = WantedUser> {
    let authentication = prop_oneof![
        "[pq]".prop_map(Authentication::Ldap),
        "[pq]".prop_map(|password| Authentication::Core(password.into())),
        "[pq]".prop_map(|password| Authentication::CoreAtFirst(password.into())),
    ];
    let groups = prop::collection::btree_set(name(), 0..2);
    (name(), authentication, groups, switch(), attributes()).prop_map(
        |(name, authentication, groups, switch, attributes)| {
            let groups = groups.into_iter().collect();
            WantedUser { name, authentication, groups, switch, attributes }
        },
    )
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let removal = prop_oneof![Just(Removal::Keep), Just(Removal::Unwanted)];
    let cluster =
        (name(), attributes()).prop_map(|(name, attributes)| WantedCluster { name, attributes });
    let group =
        (name(), attributes()).prop_map(|(name, attributes)| WantedGroup { name, attributes });
    let template =
        (name(), attributes()).prop_map(|(name, attributes)| WantedTemplate { name, attributes });
    let market = (name(), switch(), attributes())
        .prop_map(|(name, switch, attributes)| WantedMarketplace { name, switch, attributes });
    let network = (name(), attributes(), ranges())
        .prop_map(|(name, attributes, ranges)| WantedNetwork { name, attributes, ranges });
    (
        (once(cluster, |w| &w.name), once(host(), |w| &w.name), once(network, |w| &w.name)),
        (once(user(), |w| &w.name), once(group, |w| &w.name), once(market, |w| &w.name)),
        once(template, |w| &w.name),
        removal,
    )
        .prop_map(
            |((clusters, hosts, networks), (users, groups, marketplaces), templates, removal)| {
                let site = "site".to_owned();
                let mut all = Wanted {
                    site,
                    clusters,
                    hosts,
                    networks,
                    users,
                    groups,
                    marketplaces,
                    templates,
                    removal,
                    ..Wanted::default()
                };
                // A host can only be in a cluster that is there.
                let known: Vec<_> =
                    all.clusters.iter().map(|cluster| cluster.name.clone()).collect();
                for host in &mut all.hosts {
                    host.cluster = host.cluster.take().filter(|cluster| known.contains(cluster));
                }
                all
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn making_all_changes_leaves_nothing_to_do(before in wanted(), after in wanted()) {
        let mut model = Model::default();
        for wanted in [&before, &after] {
            let plan = converge(wanted, model.pools());
            plan.changes.iter().for_each(|change| model.make("site", change));
            let again = converge(wanted, model.pools());
            prop_assert!(again.changes.is_empty(), "{:?} after {:?}", again.changes, plan.changes);
            prop_assert_eq!(again.refusals, plan.refusals);
        }
    }

    #[test]
    fn what_is_not_ours_is_never_deleted(before in wanted(), after in wanted()) {
        let mut model = Model::default();
        let made = converge(&before, model.pools());
        made.changes.iter().for_each(|change| model.make("another site", change));
        let after = Wanted { removal: Removal::Unwanted, ..after };
        let plan = converge(&after, model.pools());
        let removes = |c: &Change| matches!(c, Change::Delete { .. } | Change::RemoveRange { .. });
        prop_assert!(!plan.changes.iter().any(removes), "{:?}", plan.changes);
    }

    #[test]
    fn creations_come_in_the_order_in_which_they_can_be_made(wanted in wanted()) {
        let plan = converge(&wanted, Model::default().pools());
        let kinds: Vec<Kind> = plan.changes.iter().filter_map(|change| match change {
            Change::Create { kind, attributes, .. } => {
                assert_eq!(attributes.text(MARK), Some("site"));
                Some(*kind)
            }
            _ => None,
        }).collect();
        prop_assert!(kinds.is_sorted(), "{kinds:?}");
    }

    #[test]
    fn no_password_is_in_a_plan(wanted in wanted()) {
        let mut wanted = wanted;
        for user in &mut wanted.users {
            user.authentication = Authentication::Core("SECRET".to_owned().into());
        }
        let plan = converge(&wanted, Model::default().pools());
        let shown: String = plan.changes.iter().map(ToString::to_string).collect();
        let printed = format!("{plan:?}");
        prop_assert!(!shown.contains("SECRET") && !printed.contains("SECRET"));
    }
}

/// A network with one range of ours of ten addresses, one of them in use by a machine.
fn in_use(address: u8) -> Model {
    let mut model = Model::default();
    let plan = converge(&ten(10), model.pools());
    plan.changes.iter().for_each(|change| model.make("site", change));
    let ip = Some([10, 0, 0, address].into());
    let holder = stratus_opennebula::Holder::Machine(stratus_opennebula::MachineId(7));
    model.lease(stratus_opennebula::Lease { ip, mac: String::new(), holder });
    model
}

fn ten(size: u32) -> Wanted {
    let range = WantedRange { ip: [10, 0, 0, 1].into(), mac: None, size };
    let attributes = Attributes::new();
    let network = WantedNetwork { name: "lan".into(), attributes, ranges: vec![range] };
    Wanted { site: "site".into(), networks: vec![network], ..Wanted::default() }
}

#[test]
fn a_range_in_use_grows_in_place_and_shrinks_as_far_as_nobody_loses_an_address() {
    let mut model = in_use(4);
    for size in [20, 4] {
        let plan = converge(&ten(size), model.pools());
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let shown: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1);
        assert!(shown[0].ends_with(&format!("of network `lan` {size} addresses")), "{shown:?}");
        plan.changes.iter().for_each(|change| model.make("site", change));
        assert!(converge(&ten(size), model.pools()).changes.is_empty());
    }
    let plan = converge(&ten(3), model.pools());
    assert!(plan.changes.is_empty());
    assert!(plan.refusals[0].reason.contains("10.0.0.4 by machine 7"), "{:?}", plan.refusals);
}
