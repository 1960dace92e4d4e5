//! What needs attention: one concern for each cause, however many objects it troubles.

use crate::capacity::takes_machines;
use crate::fold::{Health, State};
use crate::records::{Host, Machine};
use crate::states::{Group, host_words, machine_words};
use crate::why::reason;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use stratus_opennebula::{HostState, ImageState, NetworkState};

/// How urgent a concern is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Bad,
    /// Something will not work soon, or not well.
    Warn,
}

/// What a concern is about; equal causes are one concern over time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cause(pub String);

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// What it is about, the same as long as it lasts.
    pub cause: Cause,
    /// How urgent it is.
    pub severity: Severity,
    /// What and where, a sentence.
    pub what: String,
    /// What to do about it, a sentence.
    pub cure: String,
    /// Since when it is known.
    pub since: i64,
    /// How many objects it troubles.
    pub count: usize,
    /// Where the monitor shows more.
    pub link: String,
}

/// A host not heard for so long is silent. oned calls a host after 180 s without a beacon.
const SILENT: i64 = 300;
/// A machine that waits for so long needs attention.
const WAITS: i64 = 600;
/// A step of a machine that takes so long needs attention.
const STEP: i64 = 3600;
/// Days before its end that a certificate is named, and is urgent.
const CERTIFICATE_DAYS: (i64, i64) = (30, 7);

/// Everything that needs attention now, most urgent first. `before` gives the beginnings.
pub(crate) fn concerns(state: &State, before: &[Concern], now: i64) -> Vec<Concern> {
    let mut found = Found { now, read_at: state.read_at, all: BTreeMap::new() };
    collector(state, &mut found);
    let lost = hosts(state, &mut found);
    machines(state, &lost, &mut found);
    storage(state, &mut found);
    networks(state, &mut found);
    services(state, &mut found);
    let mut all: Vec<Concern> = found.all.into_values().collect();
    for concern in &mut all {
        if let Some(known) = before.iter().find(|known| known.cause == concern.cause) {
            concern.since = concern.since.min(known.since);
        }
    }
    all.sort_by(|a, b| (a.severity, a.since, &a.cause).cmp(&(b.severity, b.since, &b.cause)));
    all
}

struct Found {
    now: i64,
    /// When what is judged was read: while oned is away, nothing else grows old.
    read_at: i64,
    all: BTreeMap<Cause, Concern>,
}

impl Found {
    fn add(
        &mut self,
        cause: impl Into<String>,
        severity: Severity,
        what: String,
        cure: &str,
        link: impl Into<String>,
    ) -> &mut Concern {
        let (cause, now) = (Cause(cause.into()), self.now);
        let concern = Concern {
            cause: cause.clone(),
            severity,
            what,
            cure: cure.to_owned(),
            since: now,
            count: 1,
            link: link.into(),
        };
        self.all.entry(cause).or_insert(concern)
    }
}

fn collector(state: &State, found: &mut Found) {
    if let Health::Away { since, fault } = &state.health {
        let what = format!("OpenNebula does not answer, so all below is old: {fault}.");
        let cure =
            "On the front-end look at `systemctl status opennebula` and /var/log/one/oned.log.";
        found.add("oned", Severity::Bad, what, cure, "/events").since = *since;
    }
    for doubt in &state.doubts {
        let what = format!("{doubt}.");
        let cure =
            "If it lasts, see whether the monitor's OpenNebula user may still see everything.";
        found.add(format!("doubt {doubt}"), Severity::Warn, what, cure, "/events");
    }
    if let Some(fault) = &state.history_fault {
        let what = format!("History is not being kept: {fault}.");
        let cure = "Free space on the monitor's data directory; what is shown now is not affected.";
        found.add("history", Severity::Warn, what, cure, "/images");
    }
}

/// The hosts' concerns; answers which hosts are lost, so that their machines are folded into them.
fn hosts(state: &State, found: &mut Found) -> BTreeSet<i32> {
    let on: Vec<&Host> = state.hosts.iter().filter(|h| takes_machines(h)).collect();
    let silence = |host: &Host| host.load.map(|load| (found.read_at - load.at).max(0));
    let silent: Vec<&Host> = on
        .iter()
        .filter(|h| state.clock_is_steady && silence(h).is_some_and(|s| s > SILENT))
        .copied()
        .collect();
    let mut lost: BTreeSet<i32> = silent.iter().map(|h| h.id).collect();
    let measured = on.iter().filter(|h| h.load.is_some()).count();
    if silent.len() > 2 && silent.len() * 2 > measured {
        let what = format!("{} of {measured} hosts are not heard any more.", silent.len());
        let cure = "So many at once point to onemonitord on the front-end or to the network: \
                    look at /var/log/one/monitor.log.";
        let concern = found.add("silent", Severity::Bad, what, cure, "/hosts?state=silent");
        concern.count = silent.len();
        concern.since = oldest(&silent);
    } else {
        for host in silent {
            let what = with_machines(format!("{} is not heard any more", host.name), host);
            let cure = "See whether it is up and reaches the front-end's port 4124.";
            let link = format!("/hosts/{}", host.id);
            found.add(format!("host {}", host.id), Severity::Bad, what, cure, link).since =
                oldest(&[host]);
        }
    }
    for host in state.hosts.iter() {
        let error =
            matches!(HostState::from(host.state), HostState::Error | HostState::MonitoringError);
        if error {
            lost.insert(host.id);
            let told =
                if host.error.is_empty() { String::new() } else { format!(": {}", host.error) };
            let what = with_machines(format!("{} is in error{told}", host.name), host);
            let cure = "Log in there as oneadmin from the front-end; when it answers, \
                        `onehost enable` brings it back.";
            let link = format!("/hosts/{}", host.id);
            found.add(format!("host {}", host.id), Severity::Bad, what, cure, link);
        }
        full_disks(host, found);
    }
    lost
}

fn oldest(hosts: &[&Host]) -> i64 {
    hosts.iter().filter_map(|h| h.load).map(|load| load.at).min().unwrap_or_default()
}

fn with_machines(what: String, host: &Host) -> String {
    match host.machines.len() {
        0 => format!("{what}."),
        1 => format!("{what}; 1 machine is there."),
        many => format!("{what}; {many} machines are there."),
    }
}

fn full_disks(host: &Host, found: &mut Found) {
    for store in &host.stores {
        if let Some((severity, percent)) = full(store.total_mib, store.free_mib) {
            let what = format!(
                "The disk for machines on {} is {percent} % full (datastore {}).",
                host.name, store.datastore
            );
            let cure = "Move machines away or free space below /var/lib/one/datastores there.";
            let cause = format!("host {} disk {}", host.id, store.datastore);
            found.add(cause, severity, what, cure, format!("/hosts/{}", host.id));
        }
    }
}

/// Nearly full, and how much, in percent.
fn full(total: u64, free: u64) -> Option<(Severity, u64)> {
    if total == 0 {
        return None;
    }
    let used = u128::from(total.saturating_sub(free)) * 100 / u128::from(total);
    match u64::try_from(used).unwrap_or(100) {
        percent @ 97.. => Some((Severity::Bad, percent)),
        percent @ 90.. => Some((Severity::Warn, percent)),
        _ => None,
    }
}

fn machines(state: &State, lost: &BTreeSet<i32>, found: &mut Found) {
    let on_lost = |m: &Machine| m.place.as_ref().is_some_and(|p| lost.contains(&p.host));
    let mut together: BTreeMap<(Group, String), Vec<&Machine>> = BTreeMap::new();
    for machine in state.machines.iter() {
        let group = Group::of(machine);
        let since = state.since_of(machine);
        let key = match group {
            // Of a lost host is spoken once, with its machines.
            Group::Failed | Group::Unknown if on_lost(machine) => continue,
            Group::Failed => reason(machine),
            Group::Unknown => String::new(),
            Group::Waits if found.read_at - since >= WAITS => reason(machine),
            Group::Moves if found.read_at - since >= STEP => machine_words(machine),
            _ => continue,
        };
        together.entry((group, key)).or_default().push(machine);
    }
    for ((group, key), machines) in together {
        let since = machines.iter().map(|m| state.since_of(m)).min().unwrap_or(found.now);
        let (severity, what, cure) = trouble(state, group, &key, &machines);
        let link = match machines.as_slice() {
            [one] => format!("/vms/{}", one.id),
            _ => format!("/vms?state={}", group.word()),
        };
        let cause = format!("machines {} {key}", group.word());
        let concern = found.add(cause, severity, what, cure, link);
        (concern.count, concern.since) = (machines.len(), since);
    }
}

fn trouble(
    state: &State,
    group: Group,
    key: &str,
    machines: &[&Machine],
) -> (Severity, String, &'static str) {
    let hosts = state.hosts_by_id();
    let first = machines[0];
    let told = crate::why::why(first, &hosts).unwrap_or_default();
    let who = match machines {
        [one] => format!("{} ({})", short(&one.name), one.id),
        many => format!("{} machines", many.len()),
    };
    match group {
        Group::Failed => {
            let example = if machines.len() > 1 {
                format!(" {} of {}: ", short(&first.name), first.user)
            } else {
                " ".to_owned()
            };
            let what = format!("{who} failed in the same way.{example}{told}");
            let what = if machines.len() == 1 { format!("{who} failed. {told}") } else { what };
            let cure = "Mend what it says, then `onevm recover --retry`; `--delete` gives up.";
            (Severity::Bad, what, cure)
        }
        Group::Unknown => {
            let places: BTreeSet<&str> =
                machines.iter().filter_map(|m| m.place.as_ref()).map(|p| p.name.as_str()).collect();
            let what = format!("{who} not heard of, on {} hosts.", places.len());
            (Severity::Bad, what, "Look at the hypervisor there: `virsh list --all`.")
        }
        Group::Waits => {
            let told = told.strip_prefix("It waits: ").unwrap_or(&told);
            let what = format!("{who} found no place: {told}");
            let cure = "Make room, add hosts, or have the owner ask for less.";
            (Severity::Warn, what, cure)
        }
        _ => {
            let what = format!("{who} in {key} for more than an hour.");
            let cure = "Look at the machine's log on the front-end: /var/log/one/<id>.log.";
            (Severity::Warn, what, cure)
        }
    }
}

fn short(name: &str) -> String {
    let mut kept: String = name.chars().take(40).collect();
    if kept.len() < name.len() {
        kept.push('…');
    }
    kept
}

fn storage(state: &State, found: &mut Found) {
    for store in state.datastores.iter() {
        if let Some((severity, percent)) = full(store.total_mib, store.free_mib) {
            let what = format!("Datastore {} is {percent} % full.", short(&store.name));
            let cure = "Delete images that nobody uses, or give it more space.";
            found.add(format!("datastore {}", store.id), severity, what, cure, "/images");
        }
    }
    let broken: Vec<_> = state
        .images
        .iter()
        .filter(|image| ImageState::from(image.state) == ImageState::Error)
        .collect();
    if let Some(first) = broken.first() {
        let told =
            if first.error.is_empty() { String::new() } else { format!(": {}", first.error) };
        let what = match broken.len() {
            1 => format!("Image {} could not be made{told}.", short(&first.name)),
            many => {
                format!("{many} images could not be made, such as {}{told}.", short(&first.name))
            }
        };
        let cure = "Mend what it says and register them again; delete the failed ones.";
        found.add("images", Severity::Warn, what, cure, "/images").count = broken.len();
    }
}

fn networks(state: &State, found: &mut Found) {
    for network in state.networks.iter() {
        let link = format!("/networks/{}", network.id);
        let name = short(&network.name);
        if NetworkState::from(network.state) == NetworkState::Error {
            let told =
                if network.error.is_empty() { "oned gave no reason" } else { &network.error };
            let what = format!("Network {name} could not be made: {told}.");
            let cure = "Delete it and make it again with a right template.";
            found.add(format!("network {}", network.id), Severity::Warn, what, cure, link);
            continue;
        }
        let size: u64 = network.ranges.iter().map(|r| r.size).fold(0, u64::saturating_add);
        let used: u64 = network.ranges.iter().map(|r| r.used).fold(0, u64::saturating_add);
        let free = size.saturating_sub(used);
        // Fixed networks of a few addresses are meant to be full.
        if size < 8 || free * 20 > size {
            continue;
        }
        let severity = if free == 0 { Severity::Bad } else { Severity::Warn };
        let what = format!("Network {name} has {free} of {size} addresses left.");
        let cure = "Add an address range, or end machines that hold addresses.";
        found.add(format!("network {}", network.id), severity, what, cure, link);
    }
}

fn services(state: &State, found: &mut Found) {
    for service in state.services.iter() {
        if let Some(fault) = &service.fault {
            let what = format!("The {} at {} does not answer: {fault}.", service.name, service.url);
            let cure = "Look at its unit with `systemctl status` on its host.";
            found.add(format!("service {}", service.name), Severity::Bad, what, cure, "/images");
        }
    }
    for certificate in state.certificates.iter() {
        certificate_end(certificate, found);
    }
    for disk in state.disks.iter() {
        let cause = format!("disk {}", disk.path);
        if let Some((severity, percent)) = full(disk.total, disk.free) {
            let what = format!("{} on the monitor's host is {percent} % full.", disk.path);
            found.add(cause, severity, what, "Free space there.", "/images");
        } else if let Some(fault) = &disk.fault {
            let what = format!("{} on the monitor's host cannot be looked at: {fault}.", disk.path);
            found.add(cause, Severity::Warn, what, "Correct `disks` in [monitor].", "/images");
        }
    }
}

fn certificate_end(certificate: &crate::records::Certificate, found: &mut Found) {
    let cause = format!("certificate {}", certificate.place);
    if let Some(fault) = &certificate.fault {
        let what = format!("The certificate {} cannot be read: {fault}.", certificate.place);
        let cure = "Correct `certificates` in [monitor], or the file's rights.";
        found.add(cause, Severity::Warn, what, cure, "/images");
        return;
    }
    let days = (certificate.ends - found.now).div_euclid(86_400);
    let (warn, bad) = CERTIFICATE_DAYS;
    if days >= warn {
        return;
    }
    let severity = if days < bad { Severity::Bad } else { Severity::Warn };
    let what = if certificate.ends <= found.now {
        format!("The certificate {} of {} has expired.", certificate.place, certificate.subject)
    } else {
        let place = &certificate.place;
        format!("The certificate {place} of {} ends in {days} days.", certificate.subject)
    };
    found.add(
        cause,
        severity,
        what,
        "Renew it; the services take the new file by themselves.",
        "/images",
    );
}

/// The word of a host with what the clock adds: a host that is on but not heard is silent.
pub(crate) fn host_condition(host: &Host, steady: bool, read_at: i64) -> &'static str {
    let silent = host.load.is_some_and(|load| read_at - load.at > SILENT);
    if takes_machines(host) && steady && silent { "silent" } else { host_words(host) }
}
