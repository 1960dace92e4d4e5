//! Promises of the folds: nothing is lost, doubled or believed too early.

use proptest::prelude::*;
use std::collections::BTreeSet;
use stratus_monitor_state::scan::{Visit, pool};
use stratus_monitor_state::{
    Certificate, EventKind, Group, Health, Host, HostLoad, Machine, Network, Observation, Place,
    Query, Range, Service, Severity, State, Viewer, changes, fold, read_machines,
};

const NOW: i64 = 1_800_000_000;

fn machine(id: i32, state: i32, lcm_state: i32, host: i32) -> Machine {
    Machine {
        id,
        name: format!("worker-{id}"),
        user: if id % 2 == 0 { "alice".into() } else { "bob".into() },
        state,
        lcm_state,
        made: NOW - 5000,
        place: (host >= 0).then(|| Place { host, name: format!("node{host}"), sequence: 0 }),
        ..Machine::default()
    }
}

fn host(id: i32, state: i32, heard: i64) -> Host {
    let load = Some(HostLoad { at: heard, ..HostLoad::default() });
    Host { id, name: format!("node{id}"), state, load, ..Host::default() }
}

fn look(at: i64) -> Observation {
    Observation { at, clock_is_steady: true, ..Observation::default() }
}

fn state_of(hosts: Vec<Host>, machines: Vec<Machine>) -> State {
    let seen = Observation { hosts: Some(hosts), machines: Some(machines), ..look(NOW) };
    fold(&State::default(), seen)
}

fn causes(state: &State) -> Vec<&str> {
    state.concerns.iter().map(|c| c.cause.0.as_str()).collect()
}

#[test]
fn a_lost_host_is_one_concern_with_its_machines_folded_in() {
    let lost = Host { machines: (0..40).collect(), ..host(1, 3, NOW) };
    let machines = (0..40).map(|id| machine(id, 3, 16, 1)).collect();
    let state = state_of(vec![lost, host(2, 2, NOW)], machines);
    assert_eq!(causes(&state), ["host 1"]);
    assert!(state.concerns[0].what.contains("40 machines are there"), "{:?}", state.concerns);
}

#[test]
fn thousands_of_failures_of_one_kind_are_one_concern() {
    let failed = |id: i32| Machine {
        error: format!(
            "Sat Nov 21 00:17:2{} 2026: DEPLOY: node{}:worker-{id}: no disk",
            id % 10,
            id % 7
        ),
        ..machine(id, 3, 36, id % 7)
    };
    let state =
        state_of((0..7).map(|id| host(id, 2, NOW)).collect(), (0..5000).map(failed).collect());
    assert_eq!(state.concerns.len(), 1, "{:?}", state.concerns);
    assert_eq!(state.concerns[0].count, 5000);
    assert_eq!(state.count(Group::Failed), 5000);
}

#[test]
fn many_causes_of_one_kind_are_one_and_few_are_told_singly() {
    let lost = |count| {
        state_of((0..100).map(|id| host(id, if id < count { 3 } else { 2 }, NOW)).collect(), vec![])
    };
    assert_eq!(lost(12).concerns.len(), 12);
    let many = lost(13);
    assert_eq!(causes(&many), ["many hosts"]);
    let one = &many.concerns[0];
    assert!(one.what.starts_with("13 hosts are lost. One of them: node0 is in error"), "{one:?}");
    assert_eq!((one.count, one.severity), (13, Severity::Bad));
    // It began with the first of them, and goes on while others come.
    let more = Observation {
        hosts: Some((0..100).map(|id| host(id, if id < 40 { 3 } else { 2 }, NOW)).collect()),
        ..look(NOW + 60)
    };
    assert_eq!(fold(&many, more).concerns[0].since, NOW);
}

#[test]
fn a_change_to_everybody_is_one_event_for_administrators() {
    let all = |lcm| -> Vec<Machine> {
        let of = |id: i32| Machine { user: format!("user{}", id % 50), ..machine(id, 3, lcm, 1) };
        (0..1000).map(of).collect()
    };
    let before = state_of(vec![host(1, 2, NOW)], all(3));
    let after = fold(&before, Observation { machines: Some(all(16)), ..look(NOW + 30) });
    let told = changes(&before, &after);
    let for_all: Vec<&str> = told
        .iter()
        .filter(|e| e.kind == EventKind::Machine && !e.summed)
        .map(|e| e.what.as_str())
        .collect();
    assert_eq!(for_all, ["1000 machines of 50 people are in state “unknown” now."]);
    assert_eq!(told.iter().filter(|e| e.summed && e.user.is_some()).count(), 50);
}

#[test]
fn most_hosts_silent_at_once_are_one_concern() {
    let hosts = (0..100).map(|id| host(id, 2, if id < 80 { NOW - 900 } else { NOW })).collect();
    let state = state_of(hosts, Vec::new());
    assert_eq!(causes(&state), ["silent"]);
    assert!(state.concerns[0].what.starts_with("80 of 100 hosts"), "{:?}", state.concerns);
    assert_eq!(state.concerns[0].since, NOW - 900);
}

#[test]
fn a_stepped_clock_makes_no_host_silent() {
    let seen = Observation {
        hosts: Some(vec![host(1, 2, NOW)]),
        clock_is_steady: false,
        ..look(NOW + 86_400)
    };
    let state = fold(&State::default(), seen);
    assert_eq!(causes(&state), Vec::<&str>::new());
    assert_eq!(state.host_condition(&state.hosts[0]), "on");
}

#[test]
fn a_pool_that_shrinks_to_nothing_is_believed_the_second_time() {
    let first = state_of(vec![host(1, 2, NOW)], vec![machine(1, 3, 3, 1)]);
    let nothing = |at| Observation { hosts: Some(vec![]), machines: Some(vec![]), ..look(at) };
    let second = fold(&first, nothing(NOW + 30));
    assert_eq!((second.machines.len(), second.hosts.len(), second.doubts.len()), (1, 1, 2));
    assert!(changes(&first, &second).iter().all(|e| e.kind == EventKind::Trouble));
    let third = fold(&second, nothing(NOW + 60));
    assert_eq!((third.machines.len(), third.doubts.len()), (0, 0));
    // Back in between: the doubt is forgotten.
    let back =
        fold(&second, Observation { machines: Some(vec![machine(1, 3, 3, 1)]), ..look(NOW + 60) });
    let again = fold(&back, Observation { machines: Some(vec![]), ..look(NOW + 90) });
    assert_eq!(again.machines.len(), 1);
}

#[test]
fn an_oned_that_is_away_leaves_all_as_it_was_and_says_so() {
    let first = state_of(vec![host(1, 2, NOW)], vec![machine(1, 3, 3, 1)]);
    let away = |at| Observation { fault: Some("refused".into()), ..look(at) };
    let second = fold(&first, away(NOW + 30));
    let third = fold(&second, away(NOW + 60));
    assert_eq!((third.machines.len(), third.read_at), (1, NOW));
    assert_eq!(third.health, Health::Away { since: NOW + 30, fault: "refused".into() });
    assert_eq!((third.concerns[0].cause.0.as_str(), third.concerns[0].since), ("oned", NOW + 30));
    assert_eq!(third.concerns[0].severity, Severity::Bad);
}

#[test]
fn while_oned_is_away_no_host_grows_silent() {
    let first = state_of(vec![host(1, 2, NOW)], vec![machine(1, 3, 3, 1)]);
    let away = Observation { fault: Some("refused".into()), ..look(NOW + 90_000) };
    let later = fold(&first, away);
    assert_eq!(causes(&later), ["oned"], "one cause, not a thousand");
    assert_eq!(later.host_condition(&later.hosts[0]), "on");
}

#[test]
fn many_hosts_that_go_at_once_are_one_event() {
    let before = state_of((0..1000).map(|id| host(id, 2, NOW)).collect(), vec![]);
    let seen = Observation { hosts: Some(vec![host(0, 8, NOW)]), ..look(NOW + 30) };
    let told = changes(&before, &fold(&before, seen));
    let texts: Vec<&str> = told.iter().map(|e| e.what.as_str()).collect();
    assert_eq!(texts, ["Host node0: offline; before: on.", "999 hosts: removed."]);
}

#[test]
fn a_concern_keeps_its_beginning() {
    let failed = || Some(vec![machine(1, 3, 36, 1)]);
    let first = state_of(vec![host(1, 2, NOW)], vec![machine(1, 3, 3, 1)]);
    let second = fold(&first, Observation { machines: failed(), ..look(NOW + 30) });
    let third = fold(&second, Observation { machines: failed(), ..look(NOW + 90) });
    assert_eq!(third.concerns[0].since, NOW + 30);
}

#[test]
fn stays_are_asked_for_once_and_again_after_a_change() {
    let all = |lcm| Some((0..10).map(|id| machine(id, 3, lcm, 1)).collect::<Vec<_>>());
    let first = fold(&State::default(), Observation { machines: all(3), ..look(NOW) });
    assert_eq!(first.stays_to_ask(4), [0, 1, 2, 3]);
    let read: Vec<_> = (0..10).map(|id| (id, Vec::new())).collect();
    let second = fold(&first, Observation { machines: all(3), stays: read, ..look(NOW + 30) });
    assert_eq!(second.stays_to_ask(4), Vec::<i32>::new());
    let mut changed = all(3).unwrap();
    changed[7].lcm_state = 36;
    let third = fold(&second, Observation { machines: Some(changed), ..look(NOW + 60) });
    assert_eq!(third.stays_to_ask(4), [7]);
}

#[test]
fn few_changes_are_told_singly_and_many_together() {
    let hosts = || vec![host(1, 2, NOW)];
    let all = |lcm| (0..100).map(|id| machine(id, 3, lcm, 1)).collect::<Vec<_>>();
    let before = state_of(hosts(), all(2));
    let after = fold(&before, Observation { machines: Some(all(3)), ..look(NOW + 30) });
    let told = changes(&before, &after);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].what.contains("50 machines of alice"), "{told:?}");
    let mut one_gone = all(3);
    one_gone.remove(7);
    let later = fold(&after, Observation { machines: Some(one_gone), ..look(NOW + 60) });
    let told = changes(&after, &later);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].what.as_str(), told[0].user.as_deref()),
        ("Machine 7 (worker-7) ended.", Some("bob"))
    );
}

#[test]
fn full_networks_services_and_certificates_are_told() {
    let range = Range { first: "10.0.0.2".into(), size: 250, used: 250, ..Range::default() };
    let network = Network {
        id: 3,
        name: "public".into(),
        state: 1,
        ranges: vec![range],
        ..Network::default()
    };
    let service =
        Service { name: "cache".into(), fault: Some("refused".into()), ..Service::default() };
    let certificate = |place: &str, days: i64| Certificate {
        place: place.into(),
        ends: NOW + days * 86_400,
        ..Certificate::default()
    };
    let seen = Observation {
        networks: Some(vec![network]),
        services: Some(vec![service]),
        certificates: Some(vec![
            certificate("a", 3),
            certificate("b", 20),
            certificate("c", 90),
            certificate("d", -2),
        ]),
        ..look(NOW)
    };
    let state = fold(&State::default(), seen);
    assert_eq!(
        causes(&state),
        ["certificate a", "certificate d", "network 3", "service cache", "certificate b"]
    );
}

#[test]
fn people_see_their_own_machines_and_administrators_all() {
    let state = state_of(vec![], (0..200).map(|id| machine(id, 3, 3, id % 3)).collect());
    let query = Query::parse([("q", "worker-1"), ("sort", "oldest")]).unwrap();
    assert_eq!(query.run(&state, &Viewer::Administrator).total, 111);
    let own = query.run(&state, &Viewer::Own("bob".into()));
    assert!(own.machines.iter().all(|m| m.user == "bob"));
    assert!(own.total < 111 && own.total > 0);
    let nobody = Query::parse([("user", "bob")]).unwrap();
    assert_eq!(nobody.run(&state, &Viewer::Own("alice".into())).total, 0);
    let last = Query::parse([("page", "9999")]).unwrap();
    assert_eq!(last.run(&state, &Viewer::Administrator).machines.len(), 50);
    assert!(Query::parse([("state", "<script>")]).is_err());
}

proptest! {
    /// Whatever is read, each machine is known once, counted once, and found on one page.
    #[test]
    fn nothing_is_lost_or_doubled(ids in proptest::collection::vec((0..400_i32, 0..12_i32, 0..72_i32), 1..300)) {
        let machines: Vec<Machine> = ids.iter().map(|(id, s, l)| machine(*id, *s, *l, id % 5)).collect();
        let distinct: BTreeSet<i32> = ids.iter().map(|(id, ..)| *id).collect();
        let state = state_of(vec![host(1, 2, NOW)], machines);
        prop_assert_eq!(state.machines.len(), distinct.len());
        prop_assert_eq!(state.counts.values().sum::<usize>(), distinct.len());
        let mut found = BTreeSet::new();
        let mut page = 1;
        loop {
            let query = Query { page, ..Query::default() };
            let shown = query.run(&state, &Viewer::Administrator);
            found.extend(shown.machines.iter().map(|m| m.id));
            if page >= shown.pages { break; }
            page += 1;
        }
        prop_assert_eq!(found, distinct);
    }

    /// No text, however odd, ends the reader.
    #[test]
    fn no_text_breaks_the_reader(text in "(<|>|/|VM_POOL|VM|ID|&|lt;|#x41;|\\]\\]>|<!\\[CDATA\\[|<!--|-->|\"|'|é| |[a-z]){0,60}") {
        let _ = read_machines(&text);
        let _ = read_machines(&format!("<VM_POOL><VM>{text}</VM></VM_POOL>"));
    }

    /// What a tree finds in a document, the reader finds without one.
    #[test]
    fn the_reader_agrees_with_a_tree(texts in proptest::collection::vec("[ -~é\u{202e}]{0,20}", 1..20)) {
        let escape = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let objects: String = texts.iter().enumerate().map(|(n, t)| match n % 3 {
            0 => format!("<VM><NAME>{}</NAME><A/></VM>", escape(t)),
            1 => format!("<VM a=\"x>y\"><T><NAME><![CDATA[{}]]></NAME></T><E></E></VM>", t.replace("]]>", "")),
            _ => format!("<VM ><!-- <NAME> --><NAME>&#x41;{}</NAME ></VM>", escape(t)),
        }).collect();
        let text = format!("<?xml version=\"1.0\"?>\n<VM_POOL>{objects}<Q/></VM_POOL>\n");
        let mut found = Vec::new();
        let count = pool(&text, "VM_POOL", "VM", |visit| {
            if let Visit::Leaf(path, text) = visit && path.last() == Some(&"NAME") {
                found.push(text.into_owned());
            }
        }).unwrap();
        let tree = roxmltree::Document::parse(&text).unwrap();
        let names = tree.descendants().filter(|n| n.has_tag_name("NAME"));
        let wanted: Vec<String> = names.map(|n| n.text().unwrap_or_default().to_owned()).collect();
        prop_assert_eq!(count, texts.len());
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn half_a_document_is_an_error_and_not_half_a_pool() {
    let whole = "<VM_POOL><VM><ID>1</ID></VM><VM><ID>2</ID></VM></VM_POOL>";
    assert_eq!(read_machines(whole).unwrap().len(), 2);
    for end in 0..whole.len() {
        assert!(read_machines(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    for odd in
        ["<!DOCTYPE x><VM_POOL/>", "<HOST_POOL/>", "<VM_POOL/><VM_POOL/>", "<VM_POOL>&x;</VM_POOL>"]
    {
        assert!(read_machines(odd).is_err(), "{odd}");
    }
    assert_eq!(read_machines("<VM_POOL/>").unwrap().len(), 0);
}
