//! Machines that failed, wait too long, or are not heard of: together where the reason is the same.

use super::{Found, Kind, Severity, cut, short};
use crate::fold::State;
use crate::records::Machine;
use crate::states::{Group, machine_words};
use crate::why::{reason, why};
use std::collections::{BTreeMap, BTreeSet};

/// A machine that waits for so long needs attention.
const WAITS: i64 = 600;
/// A step of a machine that takes so long needs attention.
const STEP: i64 = 3600;
/// Characters of a reason by which machines belong together.
const REASON: usize = 200;

const FAILED: Kind =
    Kind { name: "failed machines", many: "machines failed", link: "/vms?state=failed" };
const WAITING: Kind =
    Kind { name: "waiting machines", many: "machines found no place", link: "/vms?state=waits" };
const UNKNOWN: Kind = Kind {
    name: "unknown machines",
    many: "machines are not heard of",
    link: "/vms?state=unknown",
};
const MOVING: Kind = Kind {
    name: "moving machines",
    many: "machines have been in one step for more than an hour",
    link: "/vms?state=moves",
};

pub(super) fn machines(state: &State, lost: &BTreeSet<i32>, found: &mut Found) {
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
        together.entry((group, cut(&key, REASON))).or_default().push(machine);
    }
    for ((group, key), machines) in together {
        let since = machines.iter().map(|m| state.since_of(m)).min().unwrap_or(found.now);
        let (severity, what, cure) = trouble(state, group, &key, &machines);
        let link = match machines.as_slice() {
            [one] => format!("/vms/{}", one.id),
            _ => format!("/vms?state={}", group.word()),
        };
        let cause = format!("machines {} {key}", group.word());
        let kind = match group {
            Group::Failed => FAILED,
            Group::Unknown => UNKNOWN,
            Group::Waits => WAITING,
            _ => MOVING,
        };
        let concern = found.add(kind, cause, severity, what, cure, link);
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
    let told = why(first, &hosts).unwrap_or_default();
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
