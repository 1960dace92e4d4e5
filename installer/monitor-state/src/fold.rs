//! What was known and what was read, folded into what is known.

use crate::capacity::{Capacity, capacity};
use crate::concern::{self, Concern};
use crate::records::{
    Certificate, Datastore, Disk, Host, Image, Machine, Network, Service, Stay, User, Vpn,
};
use crate::states::Group;
use crate::usage::Usage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pool as it was read: `None` where it was not asked for, or could not be read.
pub type Reading<T> = Option<Vec<T>>;

/// A pool as it is known, in the order of identifiers.
pub type Pool<T> = Arc<Vec<T>>;

/// What one look at the site brought.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// When, by the wall clock, seconds since 1970.
    pub at: i64,
    /// Whether the wall clock went as the steady one did since the last look.
    pub clock_is_steady: bool,
    /// Why OpenNebula could not be read, if so.
    pub fault: Option<String>,
    /// `one.hostpool.info`.
    pub hosts: Reading<Host>,
    /// `one.vmpool.info`, all pages together.
    pub machines: Reading<Machine>,
    /// Stays of some machines.
    pub stays: Vec<(i32, Vec<Stay>)>,
    /// `one.vnpool.info`.
    pub networks: Reading<Network>,
    /// `one.datastorepool.info`.
    pub datastores: Reading<Datastore>,
    /// `one.imagepool.info`.
    pub images: Reading<Image>,
    /// `one.userpool.info`.
    pub users: Reading<User>,
    /// The site's own services.
    pub services: Reading<Service>,
    /// Certificates that end one day.
    pub certificates: Reading<Certificate>,
    /// File systems of the monitor's host.
    pub disks: Reading<Disk>,
    /// The overlay of burst nodes, where there is one.
    pub vpn: Option<Vpn>,
    /// What was used, as accounting told last.
    pub usage: Option<Arc<Usage>>,
    /// Why accounting's report cannot be read, if so.
    pub usage_fault: Option<String>,
    /// Why history could not be written, if so.
    pub history_fault: Option<String>,
}

/// Whether OpenNebula is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing was read yet.
    #[default]
    Starting,
    /// The last look was good.
    Well,
    /// The last look failed.
    Away {
        /// Since when.
        since: i64,
        /// Why.
        fault: String,
    },
}

/// When a machine came into its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entered {
    state: (i32, i32),
    at: i64,
    /// Whether we saw it come; otherwise it was so when we first looked.
    seen: bool,
}

/// Everything that is known of a site.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// When the last look was.
    pub at: i64,
    /// When OpenNebula was last read well; 0 for never.
    pub read_at: i64,
    /// Whether OpenNebula is read.
    pub health: Health,
    /// Whether the wall clock can be compared with times of hosts.
    pub clock_is_steady: bool,
    /// Hosts.
    pub hosts: Pool<Host>,
    /// Machines that have not ended.
    pub machines: Pool<Machine>,
    /// Stays of machines, as far as they were asked for.
    pub stays: Arc<BTreeMap<i32, Vec<Stay>>>,
    /// Networks.
    pub networks: Pool<Network>,
    /// Datastores.
    pub datastores: Pool<Datastore>,
    /// Images.
    pub images: Pool<Image>,
    /// Users.
    pub users: Pool<User>,
    /// The site's own services.
    pub services: Pool<Service>,
    /// Certificates.
    pub certificates: Pool<Certificate>,
    /// File systems of the monitor's host.
    pub disks: Pool<Disk>,
    /// The overlay of burst nodes, where there is one.
    pub vpn: Option<Arc<Vpn>>,
    /// What was used, as accounting told last; `None` where it never did.
    pub usage: Option<Arc<Usage>>,
    /// Why accounting's report cannot be read.
    pub usage_fault: Option<String>,
    /// Why history is not kept.
    pub history_fault: Option<String>,
    /// Pools that were not believed this time, a sentence each.
    pub doubts: Vec<String>,
    /// What needs attention, most urgent first.
    pub concerns: Vec<Concern>,
    /// Capacity of each cluster.
    pub capacity: Vec<Capacity>,
    /// How many machines are in each group.
    pub counts: BTreeMap<Group, usize>,
    doubted: BTreeSet<&'static str>,
    entered: Arc<BTreeMap<i32, Entered>>,
    /// How machines were when their stays were asked for.
    asked: Arc<BTreeMap<i32, Form>>,
}

impl State {
    /// Nothing is known but since when what needed attention did.
    pub fn beginning(concerns: Vec<Concern>) -> Self {
        Self { concerns, ..Self::default() }
    }

    /// When a machine came into its state, as well as it is known.
    pub fn since_of(&self, machine: &Machine) -> i64 {
        let entered = self.entered.get(&machine.id);
        if let Some(entered) = entered.filter(|e| e.seen) {
            return entered.at;
        }
        let last = self.stays.get(&machine.id).and_then(|stays| stays.last());
        let step = last.map_or(0, |stay| {
            let ends = [stay.stay, stay.prolog, stay.running, stay.epilog];
            ends.into_iter().flat_map(|(from, to)| [from, to]).max().unwrap_or(0)
        });
        match (step, Group::of(machine)) {
            (1.., _) => step,
            (_, Group::Waits | Group::Held) => machine.made,
            _ => entered.map_or(self.at, |e| e.at),
        }
    }

    /// The hosts by identifier.
    pub fn hosts_by_id(&self) -> BTreeMap<i32, &Host> {
        self.hosts.iter().map(|host| (host.id, host)).collect()
    }

    /// A machine.
    pub fn machine(&self, id: i32) -> Option<&Machine> {
        find(&self.machines, id, |m| m.id)
    }

    /// A host.
    pub fn host(&self, id: i32) -> Option<&Host> {
        find(&self.hosts, id, |h| h.id)
    }

    /// A network.
    pub fn network(&self, id: i32) -> Option<&Network> {
        find(&self.networks, id, |n| n.id)
    }

    /// How many machines are in a group.
    pub fn count(&self, group: Group) -> usize {
        self.counts.get(&group).copied().unwrap_or(0)
    }

    /// The machine that has waited longest, and since when.
    pub fn waits_longest(&self) -> Option<(&Machine, i64)> {
        let waiting = self.machines.iter().filter(|m| Group::of(m) == Group::Waits);
        waiting.map(|m| (m, self.since_of(m))).min_by_key(|(_, since)| *since)
    }

    /// A host's state in a word; `silent` where it is on and not heard.
    pub fn host_condition(&self, host: &Host) -> &'static str {
        concern::host_condition(host, self.clock_is_steady, self.read_at)
    }

    /// Machines whose stays are worth asking for, at most so many: those in trouble first, whose pages
    /// are looked at; of each of them once, and again when it changed.
    pub fn stays_to_ask(&self, most: usize) -> Vec<i32> {
        let unknown = |m: &&Machine| m.place.is_some() && self.asked.get(&m.id) != Some(&form(m));
        let mut wanted: Vec<&Machine> = self.machines.iter().filter(unknown).collect();
        wanted.sort_by_key(|m| Group::of(m));
        wanted.into_iter().map(|m| m.id).take(most).collect()
    }
}

/// What changes when a machine's stays change.
fn form(machine: &Machine) -> Form {
    (machine.state, machine.lcm_state, machine.place.as_ref().map_or(-1, |p| p.sequence))
}

type Form = (i32, i32, i32);

fn find<T>(pool: &[T], id: i32, of: impl Fn(&T) -> i32) -> Option<&T> {
    pool.binary_search_by_key(&id, of).ok().map(|at| &pool[at])
}

/// Folds one look into what was known.
pub fn fold(before: &State, seen: Observation) -> State {
    let mut believing = Believing { before, doubts: Vec::new(), doubted: BTreeSet::new() };
    let hosts = believing.pool("hosts", &before.hosts, seen.hosts, |h| h.id);
    let machines = believing.pool("machines", &before.machines, seen.machines, |m| m.id);
    let networks = believing.pool("networks", &before.networks, seen.networks, |n| n.id);
    let datastores = believing.pool("datastores", &before.datastores, seen.datastores, |d| d.id);
    let images = believing.pool("images", &before.images, seen.images, |i| i.id);
    let users = believing.pool("users", &before.users, seen.users, |u| u.id);
    let Believing { doubts, doubted, .. } = believing;
    let health = match seen.fault {
        None => Health::Well,
        Some(fault) => {
            let since = match &before.health {
                Health::Away { since, .. } => *since,
                _ => seen.at,
            };
            Health::Away { since, fault }
        }
    };
    let mut state = State {
        at: seen.at,
        read_at: if health == Health::Well { seen.at } else { before.read_at },
        clock_is_steady: seen.clock_is_steady,
        asked: asked(before, &seen.stays, &machines),
        stays: stays(before, seen.stays, &machines),
        entered: entered(before, &machines, seen.at),
        counts: counts(&machines),
        capacity: capacity(&hosts),
        services: taken(&before.services, seen.services),
        certificates: taken(&before.certificates, seen.certificates),
        disks: taken(&before.disks, seen.disks),
        vpn: vpn(before, seen.vpn),
        // A report that cannot be read leaves the one before.
        usage: seen.usage.or_else(|| before.usage.clone()),
        usage_fault: seen.usage_fault,
        history_fault: seen.history_fault,
        concerns: Vec::new(),
        health,
        hosts,
        machines,
        networks,
        datastores,
        images,
        users,
        doubts,
        doubted,
    };
    state.concerns = concern::concerns(&state, &before.concerns, seen.at);
    state
}

struct Believing<'a> {
    before: &'a State,
    doubts: Vec<String>,
    doubted: BTreeSet<&'static str>,
}

impl Believing<'_> {
    /// The pool to go on with. One that shrank to nothing is believed the second time: a user whose
    /// rights were taken gets an empty pool instead of an error.
    fn pool<T: Clone>(
        &mut self,
        name: &'static str,
        known: &Pool<T>,
        reading: Reading<T>,
        id: impl Fn(&T) -> i32,
    ) -> Pool<T> {
        let Some(mut read) = reading else {
            if self.before.doubted.contains(name) {
                self.doubted.insert(name);
            }
            return Arc::clone(known);
        };
        if read.is_empty() && !known.is_empty() && !self.before.doubted.contains(name) {
            self.doubted.insert(name);
            self.doubts.push(format!(
                "OpenNebula told of no {name} at all, where there were {}; they are still shown",
                known.len()
            ));
            return Arc::clone(known);
        }
        read.sort_by_key(&id);
        // Pages may overlap where objects came or went between two of them.
        read.dedup_by_key(|object| id(object));
        Arc::new(read)
    }
}

fn taken<T>(known: &Pool<T>, reading: Reading<T>) -> Pool<T> {
    reading.map_or_else(|| Arc::clone(known), Arc::new)
}

/// The overlay as it is now. Nodes that a report named are shown until another one names them anew.
fn vpn(before: &State, seen: Option<Vpn>) -> Option<Arc<Vpn>> {
    let Some(mut seen) = seen else { return before.vpn.clone() };
    if let (Some(_), Some(known)) = (&seen.fault, &before.vpn) {
        (seen.at, seen.nodes) = (known.at, known.nodes.clone());
    }
    Some(Arc::new(seen))
}

fn stays(
    before: &State,
    read: Vec<(i32, Vec<Stay>)>,
    machines: &[Machine],
) -> Arc<BTreeMap<i32, Vec<Stay>>> {
    let gone = |id: &i32| find(machines, *id, |m| m.id).is_none();
    if read.is_empty() && !before.stays.keys().any(gone) {
        return Arc::clone(&before.stays);
    }
    let mut stays = (*before.stays).clone();
    // A pool tells the last stay only; those before it are kept as they were told.
    for (id, read) in read {
        let known: &mut Vec<Stay> = stays.entry(id).or_default();
        known.retain(|stay| read.iter().all(|new| new.sequence != stay.sequence));
        known.extend(read);
        known.sort_by_key(|stay| stay.sequence);
    }
    stays.retain(|id, _| !gone(id));
    Arc::new(stays)
}

fn asked(
    before: &State,
    read: &[(i32, Vec<Stay>)],
    machines: &[Machine],
) -> Arc<BTreeMap<i32, Form>> {
    if read.is_empty() {
        return Arc::clone(&before.asked);
    }
    let mut asked = (*before.asked).clone();
    let known = |id: i32| find(machines, id, |m| m.id);
    asked.extend(read.iter().filter_map(|(id, _)| Some((*id, form(known(*id)?)))));
    asked.retain(|id, _| known(*id).is_some());
    Arc::new(asked)
}

fn entered(before: &State, machines: &[Machine], at: i64) -> Arc<BTreeMap<i32, Entered>> {
    let first_look = before.read_at == 0;
    let of = |machine: &Machine| {
        let state = (machine.state, machine.lcm_state);
        let entered = match before.entered.get(&machine.id) {
            Some(known) if known.state == state => *known,
            Some(_) => Entered { state, at, seen: true },
            // A machine that is new to us after the first look came in between.
            None => Entered { state, at, seen: !first_look },
        };
        (machine.id, entered)
    };
    Arc::new(machines.iter().map(of).collect())
}

fn counts(machines: &[Machine]) -> BTreeMap<Group, usize> {
    let mut counts = BTreeMap::new();
    for machine in machines {
        *counts.entry(Group::of(machine)).or_insert(0) += 1;
    }
    counts
}
