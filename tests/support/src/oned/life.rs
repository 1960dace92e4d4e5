//! What oned does by itself, when it is due.

use stratus_opennebula::{Attribute, MachineState};

use super::networks::insert_range;
use super::settings::{Delays, Settings};
use super::state::{Kind, Object, State, Stay};

/// Does what is due. Says whether anything changed.
///
/// `probed` are the hosts that a probe found well; `None` if hosts need no probe.
pub(super) fn step(
    state: &mut State,
    settings: &Settings,
    now: i64,
    probed: Option<&[String]>,
) -> bool {
    let delays = &settings.delays;
    let due = |object: &Object| object.due != 0 && object.due <= now;
    let mut changed = false;
    for kind in [Kind::Host, Kind::Network, Kind::Image] {
        if kind == Kind::Image && settings.drivers {
            continue;
        }
        let pool = state.pool(kind);
        let before = pool.objects.len();
        pool.objects.retain(|_, object| !(object.leaving && due(object)));
        changed |= pool.objects.len() != before;
        for object in pool.objects.values_mut().filter(|object| due(object)) {
            if kind == Kind::Host && probed.is_some_and(|well| !well.contains(&object.name)) {
                continue;
            }
            object.due = 0;
            changed = true;
            match kind {
                Kind::Network => take_ranges(object),
                Kind::Host => monitored(object),
                _ => object.state = 1,
            }
        }
    }
    let by_drivers = |m: &Object| {
        settings.drivers && (m.leaving || MachineState::from(m.state) == MachineState::Active)
    };
    let machines = state.objects(Kind::Machine).filter(|m| due(m) && !by_drivers(m));
    let machines: Vec<_> = machines.map(|m| m.id).collect();
    for id in machines {
        changed = true;
        machine(state, delays, now, id);
    }
    changed
}

/// A new network's ranges leave its template; wrong ones are dropped without a word.
fn take_ranges(network: &mut Object) {
    let ranges: Vec<_> = network.attributes.values("AR").cloned().collect();
    network.attributes.remove("AR");
    for range in ranges {
        if let Attribute::Vector(members) = range {
            let _dropped_without_a_word = insert_range(network, &members);
        }
    }
    network.state = 1;
}

fn monitored(host: &mut Object) {
    host.state = 2;
    for (name, text) in [("HOSTNAME", host.name.clone()), ("HYPERVISOR", "kvm".to_owned())] {
        host.attributes.set(name, Attribute::Text(text));
    }
}

fn machine(state: &mut State, delays: &Delays, now: i64, id: i32) {
    let wish = state
        .get(Kind::Machine, id)
        .and_then(|machine| machine.user_attributes.text("SCHED_REQUIREMENTS").map(str::to_owned));
    let place = free_host(state, &wish.unwrap_or_default());
    let later = now + i64::try_from(delays.machine.as_millis()).unwrap_or(0).max(1);
    let Some(machine) = state.get_mut(Kind::Machine, id) else { return };
    machine.due = 0;
    if machine.leaving {
        return ended(state, id, now);
    }
    match (MachineState::from(machine.state), place) {
        (MachineState::Pending, Some((host, host_name))) => {
            (machine.state, machine.lcm_state, machine.due) = (3, 1, later);
            machine.history.push(Stay { host, host_name, started: now / 1000, ended: 0 });
            machine.user_attributes.remove("SCHED_MESSAGE");
        }
        (MachineState::Pending, None) => {
            let message = "[HOST] No hosts enabled to run VMs".to_owned();
            machine.user_attributes.set("SCHED_MESSAGE", Attribute::Text(message));
            machine.due = later;
        }
        (MachineState::Active, _) => {
            machine.lcm_state = 3;
            machine.fields.insert("DEPLOY_ID".to_owned(), format!("one-{id}"));
        }
        _ => {}
    }
}

/// A machine is done, and its addresses are free.
pub(super) fn ended(state: &mut State, id: i32, now: i64) {
    let Some(machine) = state.get_mut(Kind::Machine, id) else { return };
    (machine.state, machine.lcm_state, machine.ended) = (6, 0, now / 1000);
    machine.leaving = false;
    if let Some(stay) = machine.history.last_mut() {
        stay.ended = now / 1000;
    }
    for network in state.pool(Kind::Network).objects.values_mut() {
        for range in &mut network.ranges {
            range.leases.retain(|_, holder| *holder != id);
        }
    }
}

/// The monitored host with the fewest machines, if it is what the machine requires.
fn free_host(state: &State, wish: &str) -> Option<(i32, String)> {
    let load = |host: i32| {
        let on = |m: &&Object| m.state == 3 && m.history.last().is_some_and(|s| s.host == host);
        state.objects(Kind::Machine).filter(on).count()
    };
    state
        .objects(Kind::Host)
        .filter(|host| host.state == 2 && !host.leaving && fits(host, wish))
        .min_by_key(|host| (load(host.id), host.id))
        .map(|host| (host.id, host.name.clone()))
}

/// Requirements as far as tests need them: `ID=3` or `NAME=\"node1\"`, nothing else.
fn fits(host: &Object, wish: &str) -> bool {
    let plain: String = wish.chars().filter(|c| !matches!(c, ' ' | '"')).collect();
    match plain.split_once('=') {
        Some(("ID", id)) => host.id.to_string() == id,
        Some(("NAME", name)) => host.name == name,
        _ => true,
    }
}
