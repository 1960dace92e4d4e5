//! Whether the steps of a plan can be carried out at all: none waits for itself round a circle.

use std::collections::BTreeMap;
use stratus_plan::plan::Plan;
use stratus_site::HostName;

type Name<'a> = (&'a HostName, &'a str);

/// The steps that wait for each other, if there are any.
pub(super) fn circle(plan: &Plan) -> Option<String> {
    let mut waits: BTreeMap<Name<'_>, Vec<Name<'_>>> = BTreeMap::new();
    for host in &plan.hosts {
        let Ok(steps) = &host.steps else { continue };
        let mut before: Option<Name<'_>> = None;
        for planned in steps {
            let name = (&host.host, planned.id.as_str());
            if waits.contains_key(&name) {
                return Some(format!("{}: {} is there twice", name.0, name.1));
            }
            let after = planned.after.iter().map(|(h, id)| (h, id.as_str()));
            waits.insert(name, after.chain(before).collect());
            before = Some(name);
        }
    }
    // Take away what waits for nothing, until nothing is left or nothing can go.
    let mut open: BTreeMap<Name<'_>, usize> = BTreeMap::new();
    let mut followers: BTreeMap<Name<'_>, Vec<Name<'_>>> = BTreeMap::new();
    for (name, after) in &waits {
        let known: Vec<_> = after.iter().filter(|a| waits.contains_key(*a)).collect();
        open.insert(*name, known.len());
        for first in known {
            followers.entry(*first).or_default().push(*name);
        }
    }
    let mut free: Vec<Name<'_>> = open.iter().filter(|(_, n)| **n == 0).map(|(k, _)| *k).collect();
    while let Some(name) = free.pop() {
        open.remove(&name);
        for follower in followers.remove(&name).unwrap_or_default() {
            if let Some(count) = open.get_mut(&follower) {
                *count -= 1;
                if *count == 0 {
                    free.push(follower);
                }
            }
        }
    }
    if open.is_empty() {
        return None;
    }
    let names: Vec<String> = open.keys().take(6).map(|(h, id)| format!("{h}: {id}")).collect();
    Some(format!("these steps wait for each other: {}", names.join(", ")))
}
