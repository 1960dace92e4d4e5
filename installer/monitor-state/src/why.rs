//! Why a machine waits or failed, in one sentence.

use crate::records::{Host, Machine};
use crate::states::{Group, machine_words};
use std::collections::BTreeMap;
use stratus_opennebula::{LcmState, MachineState};

/// The sentence for a machine that waits, failed or is not heard; `None` for one that is well.
pub fn why(machine: &Machine, hosts: &BTreeMap<i32, &Host>) -> Option<String> {
    let place = machine.place.as_ref().map(|p| p.name.as_str()).filter(|n| !n.is_empty());
    match Group::of(machine) {
        Group::Failed => {
            let (what, told) = (failure(machine), plain(&machine.error));
            let place = place.map(|host| format!(" on {host}")).unwrap_or_default();
            let told = if told.is_empty() {
                "oned gave no reason; its log and the machine's log on the front-end have more"
                    .to_owned()
            } else {
                told
            };
            Some(format!("{what}{place}: {told}."))
        }
        Group::Unknown => {
            let host = place.unwrap_or("its host");
            Some(format!("{host} has not told of it; it may run, and nobody knows."))
        }
        Group::Waits => Some(waiting(machine, hosts)),
        Group::Held => Some("It is on hold; release it to have it placed.".to_owned()),
        _ => None,
    }
}

fn waiting(machine: &Machine, hosts: &BTreeMap<i32, &Host>) -> String {
    let told = plain(&machine.waits);
    if told.is_empty() {
        return "The scheduler has not looked at it yet.".to_owned();
    }
    let told = told.strip_prefix("[HOST] ").unwrap_or(&told);
    let Some((what, ids)) = told.split_once(" on hosts: ") else {
        return format!("It waits: {}.", lower(told.trim_end_matches('.')));
    };
    let ids: Vec<i32> = ids.split(',').filter_map(|id| id.trim().parse().ok()).collect();
    let names: Vec<String> = ids
        .iter()
        .map(|id| hosts.get(id).map_or_else(|| format!("host {id}"), |host| host.name.clone()))
        .collect();
    let what = lower(what);
    match names.len() {
        0 => format!("It waits: {what} on any host."),
        1..=3 => format!("It waits: {what} on {}.", names.join(", ")),
        many => format!("It waits: {what} on any of {many} hosts."),
    }
}

/// What machines share that wait or failed together: the step and oned's words without the date,
/// numbers and names of their own.
pub fn reason(machine: &Machine) -> String {
    match Group::of(machine) {
        Group::Waits => {
            let told = plain(&machine.waits);
            let told = told.split(" on hosts: ").next().unwrap_or_default();
            if told.is_empty() {
                "the scheduler has not looked".to_owned()
            } else {
                told.to_owned()
            }
        }
        _ => {
            let mut told = plain(&machine.error);
            for own in [machine.name.as_str(), &machine.id.to_string()] {
                if own.len() > 2 {
                    told = told.replace(own, "…");
                }
            }
            if let Some(place) = machine.place.as_ref().filter(|place| !place.name.is_empty()) {
                told = told.replace(&place.name, "…");
            }
            format!("{} {}", machine_words(machine), general(&told))
        }
    }
}

/// A text without its numbers, the same as long as only they change.
pub(crate) fn general(text: &str) -> String {
    let mut general = String::with_capacity(text.len());
    let mut number = false;
    for c in text.chars() {
        if !c.is_ascii_digit() {
            general.push(c);
        } else if !number {
            general.push('#');
        }
        number = c.is_ascii_digit();
    }
    general
}

fn failure(machine: &Machine) -> &'static str {
    if MachineState::from(machine.state) == MachineState::CloningFailure {
        return "Its images could not be cloned";
    }
    match LcmState::from(machine.lcm_state) {
        LcmState::PrologFailure => "Its disks could not be copied to the host",
        LcmState::PrologMigrateFailure
        | LcmState::PrologResumeFailure
        | LcmState::PrologUndeployFailure => "Its disks could not be copied to the new host",
        LcmState::BootFailure | LcmState::BootStoppedFailure | LcmState::BootUndeployFailure => {
            "The hypervisor did not start it"
        }
        LcmState::BootMigrateFailure => "The hypervisor did not start it after the migration",
        LcmState::EpilogFailure | LcmState::EpilogStopFailure | LcmState::EpilogUndeployFailure => {
            "Its disks could not be copied back"
        }
        _ => "A step failed",
    }
}

/// oned's words without the date in front: `Sat Nov 21 00:17:33 2026: DEPLOY: …`.
fn plain(told: &str) -> String {
    let dated = told.get(..24).is_some_and(|date| {
        date.is_ascii() && date[20..].bytes().all(|b| b.is_ascii_digit()) && &date[13..14] == ":"
    });
    let rest = if dated { told.get(24..).unwrap_or_default() } else { told };
    rest.trim_start_matches([':', ' ']).trim().trim_end_matches('.').to_owned()
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|c| c.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Place;

    fn machine(state: i32, lcm_state: i32) -> Machine {
        Machine { name: "web".into(), state, lcm_state, ..Machine::default() }
    }

    #[test]
    fn a_failed_boot_says_where_and_what_oned_said() {
        let error = "Sat Nov 21 00:17:23 2026: DEPLOY: node1:fails-to-boot:dummy".to_owned();
        let place = Some(Place { name: "node1".into(), ..Place::default() });
        let failed = Machine { place, error, ..machine(3, 36) };
        let told = why(&failed, &BTreeMap::new()).unwrap();
        let wanted = "The hypervisor did not start it on node1: DEPLOY: node1:fails-to-boot:dummy.";
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_waiting_machine_says_what_lacks() {
        let waits =
            "Sat Nov 21 00:18:48 2026: [HOST] Not enough CPU on hosts: 0,1,2,4,5".to_owned();
        let pending = Machine { waits, ..machine(1, 0) };
        let told = why(&pending, &BTreeMap::new()).unwrap();
        assert_eq!(told, "It waits: not enough CPU on any of 5 hosts.");
        let host = Host { id: 7, name: "node7".into(), ..Host::default() };
        let waits = "[HOST] Not enough memory on hosts: 7".to_owned();
        let told = why(&Machine { waits, ..machine(1, 0) }, &BTreeMap::from([(7, &host)]));
        assert_eq!(told.unwrap(), "It waits: not enough memory on node7.");
    }

    #[test]
    fn failures_of_one_kind_share_a_reason() {
        let failed = |id: i32, host: &str| Machine {
            id,
            name: format!("worker-{id}"),
            error: format!("Sat Nov 21 00:17:23 2026: DEPLOY: {host}:worker-{id}: no such file"),
            place: Some(Place { name: host.into(), ..Place::default() }),
            ..machine(3, 36)
        };
        assert_eq!(reason(&failed(1, "node1")), reason(&failed(2201, "node22")));
    }

    #[test]
    fn what_runs_needs_no_sentence() {
        assert_eq!(why(&machine(3, 3), &BTreeMap::new()), None);
    }

    #[test]
    fn odd_texts_are_left_as_they_are() {
        for told in ["", "é", "Sat Nov 21", "Samstag, 21. November 2026 é: x", "::: "] {
            let _ = plain(told);
        }
        assert_eq!(plain("no date here"), "no date here");
    }
}
