//! Hosts that are lost or whose disks are full.

use super::{Found, Kind, Severity, full};
use crate::capacity::takes_machines;
use crate::fold::State;
use crate::records::Host;
use crate::states::host_words;
use std::collections::BTreeSet;
use stratus_opennebula::HostState;

/// A host not heard for so long is silent. oned calls a host after 180 s without a beacon.
const SILENT: i64 = 300;

const LOST: Kind = Kind { name: "hosts", many: "hosts are lost", link: "/hosts?state=error" };
const DISKS: Kind = Kind {
    name: "host disks",
    many: "disks for machines on hosts are nearly full",
    link: "/hosts?sort=full",
};

/// The hosts' concerns; answers which hosts are lost, so that their machines are folded into them.
pub(super) fn hosts(state: &State, found: &mut Found) -> BTreeSet<i32> {
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
        let concern = found.add(LOST, "silent", Severity::Bad, what, cure, "/hosts?state=silent");
        concern.count = silent.len();
        concern.since = oldest(&silent);
    } else {
        for host in silent {
            let what = with_machines(format!("{} is not heard any more", host.name), host);
            let cure = "See whether it is up and reaches the front-end's port 4124.";
            let link = format!("/hosts/{}", host.id);
            found.add(LOST, format!("host {}", host.id), Severity::Bad, what, cure, link).since =
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
            found.add(LOST, format!("host {}", host.id), Severity::Bad, what, cure, link);
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
            found.add(DISKS, cause, severity, what, cure, format!("/hosts/{}", host.id));
        }
    }
}

/// The word of a host with what the clock adds: a host that is on but not heard is silent.
pub(crate) fn host_condition(host: &Host, steady: bool, read_at: i64) -> &'static str {
    let silent = host.load.is_some_and(|load| read_at - load.at > SILENT);
    if takes_machines(host) && steady && silent { "silent" } else { host_words(host) }
}
