//! Each part of the first screen, made of the state.

use super::{Count, EndLine, Room, ServiceLine, Shown};
use crate::figures::{cores, counted, kib, lasts, moment, percent};
use std::collections::BTreeMap;
use stratus_monitor_state::capacity::Capacity;
use stratus_monitor_state::{Concern, Group, Health, Machine, Severity, State, Viewer, Vpn, why};

/// Machines in trouble that somebody's own first screen names.
const OWN: usize = 20;

pub(super) fn sentence(state: &State, concerns: &[Shown], states: &[Count]) -> String {
    if state.read_at == 0 {
        return "Nothing has been read from OpenNebula yet.".to_owned();
    }
    let urgent = concerns.len();
    let trouble = match urgent {
        0 => "Nothing needs you".to_owned(),
        1 => "1 thing needs you".to_owned(),
        many => format!("{many} things need you"),
    };
    let count = |group: Group| {
        states.iter().find(|c| c.word == group.word()).map_or(0, |count| count.count)
    };
    let runs = counted(count(Group::Runs), "machine runs", "machines run");
    let waits = match count(Group::Waits) {
        0 => String::new(),
        some => format!(", {} wait{}", some, if some == 1 { "s" } else { "" }),
    };
    format!("{trouble}; {runs}{waits}.")
}

pub(crate) fn banner(state: &State) -> String {
    match &state.health {
        Health::Starting => "The first look at OpenNebula is going on.".to_owned(),
        Health::Well => String::new(),
        Health::Away { fault, .. } if state.read_at == 0 => {
            format!("OpenNebula could not be read yet: {fault}.")
        }
        Health::Away { fault, .. } => format!(
            "This is how it was at {} UTC, {} ago: OpenNebula cannot be read ({fault}).",
            moment(state.read_at),
            lasts(state.at - state.read_at)
        ),
    }
}

pub(super) fn concerns(state: &State) -> Vec<Shown> {
    let shown = |c: &Concern| Shown {
        cause: c.cause.0.clone(),
        severity: severity(c.severity).to_owned(),
        what: c.what.clone(),
        cure: c.cure.clone(),
        since: c.since,
        lasts: lasts(state.at - c.since),
        count: c.count,
        link: c.link.clone(),
    };
    state.concerns.iter().map(shown).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Bad => "bad",
        Severity::Warn => "warn",
    }
}

/// For people who see their own machines: those of them that do not run as they should.
pub(super) fn own_trouble(state: &State, viewer: &Viewer) -> Vec<Shown> {
    let hosts = state.hosts_by_id();
    let urgent = |m: &&Machine| {
        viewer.may_see(m) && matches!(Group::of(m), Group::Failed | Group::Unknown | Group::Waits)
    };
    let mut found: Vec<&Machine> = state.machines.iter().filter(urgent).collect();
    found.sort_by_key(|m| Group::of(m));
    let shown = |m: &Machine| {
        let bad = Group::of(m) != Group::Waits;
        let name: String = m.name.chars().take(60).collect();
        let since = state.since_of(m);
        Shown {
            cause: format!("machine {}", m.id),
            severity: if bad { "bad" } else { "warn" }.to_owned(),
            what: format!("{name} ({}): {}", m.id, why(m, &hosts).unwrap_or_default()),
            cure: if bad { "Ask your administrator, or delete it and start it again." } else { "" }
                .to_owned(),
            since,
            lasts: lasts(state.at - since),
            count: 1,
            link: format!("/vms/{}", m.id),
        }
    };
    found.into_iter().take(OWN).map(shown).collect()
}

pub(super) fn states(state: &State, viewer: &Viewer) -> Vec<Count> {
    let mut counts = BTreeMap::new();
    for machine in state.machines.iter().filter(|m| viewer.may_see(m)) {
        *counts.entry(Group::of(machine)).or_insert(0) += 1;
    }
    let count = |group: Group| Count {
        word: group.word().to_owned(),
        count: counts.get(&group).copied().unwrap_or(0),
    };
    Group::SHOWN.map(count).to_vec()
}

pub(super) fn hosts(state: &State) -> Vec<Count> {
    const WORDS: [&str; 8] =
        ["error", "silent", "on", "starts", "drains", "drained", "offline", "unknown"];
    let mut counts = BTreeMap::<&str, usize>::new();
    for host in state.hosts.iter() {
        *counts.entry(state.host_condition(host)).or_default() += 1;
    }
    let shown = WORDS.iter().filter(|word| **word == "on" || counts.contains_key(*word));
    shown
        .map(|word| Count {
            word: (*word).to_owned(),
            count: counts.get(word).copied().unwrap_or(0),
        })
        .collect()
}

pub(super) fn capacity(state: &State) -> Vec<Room> {
    state.capacity.iter().map(room).collect()
}

fn room(capacity: &Capacity) -> Room {
    Room {
        cluster: capacity.cluster.clone(),
        hosts: capacity.hosts,
        closed: capacity.closed,
        cpu: format!("{} of {} cores", cores(capacity.cpu_given), cores(capacity.cpu)),
        cpu_percent: percent(capacity.cpu_given, capacity.cpu),
        memory: format!("{} of {}", kib(capacity.memory_given_kib), kib(capacity.memory_kib)),
        memory_percent: percent(capacity.memory_given_kib, capacity.memory_kib),
        fits: capacity.fits,
    }
}

pub(super) fn services(state: &State) -> Vec<ServiceLine> {
    let line = |s: &stratus_monitor_state::Service| ServiceLine {
        name: s.name.clone(),
        answers: s.fault.is_none(),
        about: s.fault.clone().map_or_else(|| about(s), |f| format!("does not answer: {f}")),
    };
    state.services.iter().map(line).chain(state.vpn.as_deref().map(vpn)).collect()
}

fn vpn(vpn: &Vpn) -> ServiceLine {
    let here = vpn.nodes.iter().filter(|node| node.session.is_some()).count();
    let about = match &vpn.fault {
        Some(fault) => format!("its report cannot be read: {fault}"),
        None if !vpn.running => "the server does not answer".to_owned(),
        None => format!("{here} of {} burst nodes are connected", vpn.nodes.len()),
    };
    ServiceLine { name: "vpn".to_owned(), answers: vpn.fault.is_none() && vpn.running, about }
}

/// What a service's figures say that matters most.
fn about(service: &stratus_monitor_state::Service) -> String {
    let figure = |name: &str| {
        service.figures.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
    };
    let sum = |kinds: &[&str]| {
        let name = |kind: &&str| figure(&format!("stratus_cache_requests_total:{kind}"));
        kinds.iter().filter_map(name).sum::<f64>()
    };
    if service.name == "cache" {
        let hits = sum(&["hit", "collapsed", "revalidated", "stale"]);
        let all = hits + sum(&["miss"]);
        return if all > 0.0 {
            format!("answers; {:.0} % of requests were served from it", hits * 100.0 / all)
        } else {
            "answers; nothing was asked for yet".to_owned()
        };
    }
    match figure("stratus_repository_appliances") {
        Some(count) => format!("answers; {count:.0} appliances"),
        None => "answers".to_owned(),
    }
}

pub(super) fn certificates(state: &State) -> Vec<EndLine> {
    let read = state.certificates.iter().filter(|c| c.fault.is_none());
    let mut ends: Vec<EndLine> = read
        .map(|c| EndLine {
            place: c.place.clone(),
            days: (c.ends - state.at).div_euclid(86_400),
            day: moment(c.ends).chars().take(10).collect(),
        })
        .collect();
    ends.sort_by_key(|end| end.days);
    ends
}
