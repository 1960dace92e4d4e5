//! Burst nodes as hosts: what is decided, against a model of hosts that does what is decided.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use stratus_opennebula::burst::{
    AWAY, BurstChange, BurstNode, Decision, MARK, Seen, Session, decide,
};
use stratus_opennebula::{
    Attribute, Attributes, ClusterId, Host, HostId, HostShare, HostState, MachineId,
};

const GRACE: i64 = 45;
const SITE: &str = "example";

fn host(id: i32, name: &str, state: HostState, mark: Option<&str>) -> Host {
    let attributes = mark.map_or_else(Attributes::new, |mark| Attributes::new().with(MARK, mark));
    Host {
        id: HostId(id),
        name: name.to_owned(),
        state,
        im_mad: "kvm".to_owned(),
        vm_mad: "kvm".to_owned(),
        cluster: ClusterId(0),
        cluster_name: "default".to_owned(),
        share: HostShare::default(),
        machines: Vec::new(),
        attributes,
    }
}

fn node(name: &str, session: Session) -> BurstNode {
    BurstNode { name: name.to_owned(), session }
}

fn at(now: i64, nodes: &[BurstNode], hosts: &[Host]) -> Decision {
    decide(Seen { site: SITE, nodes, hosts, now, grace: GRACE })
}

/// Does to the hosts what oned does.
fn carry_out(hosts: &mut Vec<Host>, decision: &Decision) {
    let note = |host: &mut Host, text: String| host.attributes.set(AWAY, Attribute::Text(text));
    for change in &decision.changes {
        let named = hosts.iter().position(|host| host.name == change.name());
        match change {
            BurstChange::Make { name } => {
                let next = hosts.iter().map(|host| host.id.0 + 1).max().unwrap_or(0);
                hosts.push(self::host(next, name, HostState::Monitored, Some(SITE)));
            }
            BurstChange::NoteAway { since, .. } => {
                note(&mut hosts[named.unwrap()], since.to_string());
            }
            BurstChange::ForgetAway { .. } => note(&mut hosts[named.unwrap()], "no".to_owned()),
            BurstChange::Offline { .. } => hosts[named.unwrap()].state = HostState::Offline,
            BurstChange::Enable { .. } => hosts[named.unwrap()].state = HostState::Monitored,
            BurstChange::Delete { .. } => {
                hosts.remove(named.unwrap());
            }
        }
    }
}

#[test]
fn a_node_comes_leaves_comes_back_and_is_revoked() {
    let (up, down) = ([node("b", Session::Up)], [node("b", Session::Down)]);
    let mut hosts = Vec::new();
    let mut step = |now: i64, nodes: &[BurstNode], said: &[&str]| -> Option<HostState> {
        let decision = at(now, nodes, &hosts);
        let told: Vec<String> = decision.changes.iter().map(ToString::to_string).collect();
        assert_eq!(told, said, "at {now}");
        assert_eq!(decision.attention, []);
        carry_out(&mut hosts, &decision);
        hosts.first().map(|host| host.state)
    };
    assert_eq!(step(0, &down, &[]), None);
    assert_eq!(step(60, &up, &["host b is made"]), Some(HostState::Monitored));
    step(120, &up, &[]);
    step(180, &down, &["host b has no session; offline soon unless it comes back"]);
    assert_eq!(step(190, &down, &[]), Some(HostState::Monitored));
    step(200, &up, &["host b has a session again"]);
    step(240, &down, &["host b has no session; offline soon unless it comes back"]);
    assert_eq!(step(300, &down, &["host b is put offline"]), Some(HostState::Offline));
    step(360, &down, &[]);
    let back = ["host b is enabled", "host b has a session again"];
    assert_eq!(step(420, &up, &back), Some(HostState::Monitored));
    assert_eq!(step(480, &[], &["host b is deleted: it is no burst node any more"]), None);
}

#[test]
fn what_an_administrator_did_stays() {
    for state in [HostState::Disabled, HostState::Offline] {
        let hosts = [host(1, "b", state, Some(SITE))];
        for session in [Session::Up, Session::Down] {
            assert_eq!(at(0, &[node("b", session)], &hosts), Decision::default(), "{state}");
        }
    }
    // Disabled while it was away: it is so when it comes back.
    let mut disabled = host(1, "b", HostState::Disabled, Some(SITE));
    disabled.attributes.set(AWAY, Attribute::Text("1".into()));
    let decision = at(9, &[node("b", Session::Up)], &[disabled]);
    let forget = BurstChange::ForgetAway { id: HostId(1), name: "b".into() };
    assert_eq!(decision.changes, [forget]);
}

#[test]
fn a_node_whose_key_nobody_knows_is_no_host() {
    let nodes = [node("b", Session::UpWithoutKey)];
    let decision = at(0, &nodes, &[]);
    assert_eq!(decision.changes, []);
    assert!(decision.attention[0].1.contains("boot it from a new bundle"), "{decision:?}");
    // One that is a host already stays one.
    let known = [host(1, "b", HostState::Monitored, Some(SITE))];
    assert_eq!(at(0, &nodes, &known), Decision::default());
}

#[test]
fn a_revoked_node_with_machines_goes_offline_and_says_so() {
    let mut busy = host(4, "b", HostState::Monitored, Some(SITE));
    busy.machines = vec![MachineId(7), MachineId(9)];
    let mut hosts = vec![busy];
    let decision = at(500, &[], &hosts);
    carry_out(&mut hosts, &decision);
    assert_eq!(hosts[0].state, HostState::Offline);
    assert!(decision.attention[0].1.contains("machines are on its host: 7, 9"), "{decision:?}");
    let again = at(560, &[], &hosts);
    assert_eq!((again.changes.len(), again.attention.len()), (0, 1));
    // The name is given again: the host is taken up where it was left.
    let taken_up = at(600, &[node("b", Session::Up)], &hosts);
    carry_out(&mut hosts, &taken_up);
    assert_eq!(hosts[0].state, HostState::Monitored);
    hosts[0].machines.clear();
    let gone = at(700, &[], &hosts);
    carry_out(&mut hosts, &gone);
    assert_eq!(hosts, []);
}

fn session() -> impl Strategy<Value = Session> {
    prop_oneof![Just(Session::Up), Just(Session::UpWithoutKey), Just(Session::Down)]
}

fn nodes() -> impl Strategy<Value = Vec<BurstNode>> {
    let all = prop::collection::btree_map("[abc]", session(), 0..4);
    all.prop_map(|all| all.iter().map(|(name, session)| node(name, *session)).collect())
}

fn hosts() -> impl Strategy<Value = Vec<Host>> {
    let one = (
        prop::sample::select(HostState::ALL),
        prop::option::of(prop::sample::select(vec![SITE, "other"])),
        prop::option::of(-100_i64..1100),
        0_i32..2,
    );
    prop::collection::btree_map("[abcd]", one, 0..5).prop_map(|all| {
        let make = |(at, (name, (state, mark, away, machines))): (usize, (String, _))| {
            let (state, mark, away): (HostState, Option<&str>, Option<i64>) = (state, mark, away);
            let mut host = host(i32::try_from(at).unwrap(), &name, state, mark);
            if let Some(away) = away {
                host.attributes.set(AWAY, Attribute::Text(away.to_string()));
            }
            host.machines = (0..machines).map(MachineId).collect();
            host
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

proptest! {
    /// Whatever is there: strangers stay as they are, a second look has nothing to do, and a look
    /// after the grace leaves every host as its session says, but for what an administrator did.
    #[test]
    fn hosts_follow_sessions(nodes in nodes(), before in hosts()) {
        let mut hosts = before.clone();
        let first = at(1000, &nodes, &hosts);
        carry_out(&mut hosts, &first);
        prop_assert_eq!(at(1000, &nodes, &hosts).changes, []);
        let second = at(1000 + GRACE, &nodes, &hosts);
        carry_out(&mut hosts, &second);
        prop_assert_eq!(at(2000, &nodes, &hosts).changes, []);

        let strange = |host: &&Host| host.attributes.text(MARK) != Some(SITE);
        let of = |all: &[Host]| all.iter().filter(strange).cloned().collect::<Vec<_>>();
        prop_assert_eq!(of(&before), of(&hosts));
        for node in &nodes {
            let was = before.iter().find(|host| host.name == node.name);
            let is = hosts.iter().find(|host| host.name == node.name);
            let is_up = is.is_some_and(|host| {
                ![HostState::Offline, HostState::Disabled, HostState::MonitoringDisabled]
                    .contains(&host.state)
            });
            match (was, node.session) {
                (None, session) => prop_assert_eq!(is.is_some(), session == Session::Up),
                (Some(was), _) if strange(&was) => {}
                (Some(_), Session::Down) => prop_assert!(!is_up, "{is:?}"),
                // Offline without a note, or disabled: an administrator's doing.
                (Some(was), _) => {
                    let noted = was.attributes.text(AWAY).is_some();
                    let held = match was.state {
                        HostState::Disabled | HostState::MonitoringDisabled => true,
                        HostState::Offline => !noted,
                        _ => false,
                    };
                    prop_assert_eq!(is_up, !held);
                }
            }
        }
        // Nobody's machines lose their host.
        for host in before.iter().filter(|host| !host.machines.is_empty()) {
            prop_assert!(hosts.iter().any(|after| after.id == host.id));
        }
    }
}
