//! What happened between two looks: the site's diary.

use crate::concern::{Concern, SENTENCE, cut};
use crate::fold::{Health, State};
use crate::records::{Host, Machine};
use crate::states::Group;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Something began to need attention.
    Trouble,
    /// Something needs no attention any more.
    Relief,
    /// A machine came, went or changed.
    Machine,
    /// A host changed.
    Host,
    /// The monitor itself.
    Monitor,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was noticed.
    pub at: i64,
    /// What kind of thing.
    pub kind: EventKind,
    /// What, a sentence.
    pub what: String,
    /// Login of the one whom it concerns; `None` for administrators only.
    pub user: Option<String>,
    /// Where the monitor shows more.
    pub link: String,
    /// Whether administrators have it in an event about all owners together.
    #[serde(default, skip_serializing_if = "is_false")]
    pub summed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// More machines than these that do the same in one look are one event.
const FOLD: usize = 5;
/// Owners who hear of one thing in one look, each of their own machines. Where there are more, only
/// administrators do: the diary is bounded, and one bad minute must not push all else out of it.
const OWNERS: usize = 200;

/// What happened between two looks, in order of importance.
pub fn changes(before: &State, after: &State) -> Vec<Event> {
    let mut diary = Diary { at: after.at, events: Vec::new() };
    diary.health(before, after);
    if before.read_at == 0 {
        return diary.events;
    }
    diary.concerns(&before.concerns, &after.concerns);
    diary.hosts(before, after);
    diary.machines(before, after);
    diary.events
}

/// A sentence, and the machine that it is about.
type Changed<'a> = (String, &'a Machine);

struct Diary {
    at: i64,
    events: Vec<Event>,
}

impl Diary {
    fn add(&mut self, kind: EventKind, what: String, user: Option<&str>, link: String) {
        let (what, user) = (cut(&what, SENTENCE), user.map(str::to_owned));
        self.events.push(Event { at: self.at, kind, what, user, link, summed: false });
    }

    fn health(&mut self, before: &State, after: &State) {
        if before.clock_is_steady && !after.clock_is_steady {
            let what = "The clock of the monitor's host was set.".to_owned();
            self.add(EventKind::Monitor, what, None, "/events".to_owned());
        }
        if before.read_at == 0 && after.health == Health::Well {
            let (hosts, machines) = (after.hosts.len(), after.machines.len());
            let what = format!("The monitor began: {hosts} hosts, {machines} machines.");
            self.add(EventKind::Monitor, what, None, "/".to_owned());
        }
    }

    fn concerns(&mut self, before: &[Concern], after: &[Concern]) {
        let without = |all: &[Concern], other: &[Concern]| -> Vec<Concern> {
            let known = |c: &&Concern| !other.iter().any(|o| o.cause == c.cause);
            all.iter().filter(known).cloned().collect()
        };
        for concern in without(after, before) {
            self.add(EventKind::Trouble, concern.what, None, concern.link);
        }
        for concern in without(before, after) {
            let what = format!("No more: {}", concern.what);
            self.add(EventKind::Relief, what, None, concern.link);
        }
    }

    fn hosts(&mut self, before: &State, after: &State) {
        let known = before.hosts_by_id();
        // What happened to hosts, in words that those to whom it happened share.
        let mut alike: BTreeMap<String, Vec<&Host>> = BTreeMap::new();
        for host in after.hosts.iter() {
            let now = after.host_condition(host);
            let verb = match known.get(&host.id).map(|was| before.host_condition(was)) {
                None => "added".to_owned(),
                Some(was) if was != now => format!("{now}; before: {was}"),
                Some(_) => continue,
            };
            alike.entry(verb).or_default().push(host);
        }
        let gone = before.hosts.iter().filter(|host| after.host(host.id).is_none());
        for host in gone {
            alike.entry("removed".to_owned()).or_default().push(host);
        }
        for (verb, hosts) in alike {
            if hosts.len() > FOLD {
                let what = format!("{} hosts: {verb}.", hosts.len());
                self.add(EventKind::Host, what, None, "/hosts".to_owned());
                continue;
            }
            for host in hosts {
                let what = format!("Host {}: {verb}.", host.name);
                self.add(EventKind::Host, what, None, format!("/hosts/{}", host.id));
            }
        }
    }

    fn machines(&mut self, before: &State, after: &State) {
        let mut alike = BTreeMap::<(&'static str, Option<Group>), Vec<Changed<'_>>>::new();
        for machine in after.machines.iter() {
            let now = Group::of(machine);
            match before.machine(machine.id) {
                None => {
                    let what = format!("{} was made by {}.", title(machine), machine.user);
                    alike.entry(("were made", None)).or_default().push((what, machine));
                }
                Some(was) if Group::of(was) != now => {
                    let what = sentence(machine, now);
                    alike.entry(("", Some(now))).or_default().push((what, machine));
                }
                Some(was) => {
                    if let Some(what) = moved(was, machine) {
                        alike.entry(("changed host", None)).or_default().push((what, machine));
                    }
                }
            }
        }
        for machine in before.machines.iter().filter(|m| after.machine(m.id).is_none()) {
            let what = format!("{} ended.", title(machine));
            alike.entry(("ended", None)).or_default().push((what, machine));
        }
        for ((verb, group), events) in alike {
            self.folded(verb, group, events);
        }
    }

    /// One event each for a few, one for all of many, by owner so that each sees their own.
    fn folded(&mut self, verb: &str, group: Option<Group>, events: Vec<Changed<'_>>) {
        if events.len() <= FOLD {
            for (what, machine) in events {
                let link = format!("/vms/{}", machine.id);
                self.add(EventKind::Machine, what, Some(&machine.user), link);
            }
            return;
        }
        let mut owners = BTreeMap::<&str, usize>::new();
        for (_, machine) in &events {
            *owners.entry(&machine.user).or_default() += 1;
        }
        let state = group.map(|g| format!("are in state “{}” now", g.word()));
        let verb = state.as_deref().unwrap_or(verb);
        let link = group.map_or_else(|| "/vms".to_owned(), |g| format!("/vms?state={}", g.word()));
        let summed = owners.len() > FOLD;
        if summed {
            let what = format!("{} machines of {} people {verb}.", events.len(), owners.len());
            self.add(EventKind::Machine, what, None, link.clone());
        }
        let told = if owners.len() > OWNERS { 0 } else { owners.len() };
        for (user, count) in owners.into_iter().take(told) {
            let what = match count {
                1 => format!("1 machine of {user}: {verb}."),
                many => format!("{many} machines of {user} {verb}."),
            };
            self.add(EventKind::Machine, what, Some(user), link.clone());
            if let Some(last) = self.events.last_mut() {
                last.summed = summed;
            }
        }
    }
}

fn title(machine: &Machine) -> String {
    let mut name: String = machine.name.chars().take(60).collect();
    if name.len() < machine.name.len() {
        name.push('…');
    }
    format!("Machine {} ({name})", machine.id)
}

fn sentence(machine: &Machine, now: Group) -> String {
    let title = title(machine);
    let place = machine.place.as_ref().map(|p| format!(" on {}", p.name)).unwrap_or_default();
    match now {
        Group::Runs => format!("{title} runs{place}."),
        Group::Failed => format!("{title} failed{place}."),
        Group::Unknown => format!("{title} is not heard of{place}."),
        Group::Waits => format!("{title} waits for a host."),
        Group::Moves => format!("{title} is on its way{place}."),
        Group::Held => format!("{title} is held."),
        Group::Off => format!("{title} is off."),
        Group::Done => format!("{title} ended."),
    }
}

fn moved(was: &Machine, is: &Machine) -> Option<String> {
    let (from, to) = (was.place.as_ref()?, is.place.as_ref()?);
    (from.host != to.host).then(|| format!("{} went from {} to {}.", title(is), from.name, to.name))
}
