//! Who uses the site.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{short, show};
use crate::figures::{cores, hundredths, mib};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use std::collections::BTreeMap;
use stratus_monitor_state::{Group, Machine, State as Site};

/// Users on the page: those who use most.
const MOST: usize = 500;

#[derive(Serialize)]
struct Users {
    users: Vec<Row>,
    more: usize,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// The name as it is in addresses.
    link: String,
    group: String,
    driver: String,
    enabled: bool,
    machines: usize,
    running: usize,
    failed: usize,
    cpu: String,
    memory: String,
    disk: String,
}

#[derive(Default)]
struct Use {
    machines: usize,
    running: usize,
    failed: usize,
    cpu: i64,
    memory_mib: u64,
    disk_mib: u64,
}

/// `GET /users`.
pub(super) async fn users(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let mut rows = rows(&state);
    let more = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    show(&app, &caller, &headers, ("users", "users.html"), &Users { users: rows, more })
}

fn rows(state: &Site) -> Vec<Row> {
    let mut used = BTreeMap::<&str, Use>::new();
    for machine in state.machines.iter() {
        used.entry(&machine.user).or_default().add(machine);
    }
    let known = state.users.iter().map(|u| (u.name.as_str(), Some(u)));
    let mut all: BTreeMap<&str, _> = used.keys().map(|name| (*name, None)).collect();
    all.extend(known);
    let mut rows: Vec<(u64, Row)> = all
        .into_iter()
        .map(|(name, user)| {
            let nothing = Use::default();
            let used = used.get(name).unwrap_or(&nothing);
            let link = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let row = Row {
                name: short(name, 80),
                link,
                group: user.map(|u| short(&u.group, 60)).unwrap_or_default(),
                driver: user.map(|u| u.driver.clone()).unwrap_or_default(),
                enabled: user.is_none_or(|u| u.enabled),
                machines: used.machines,
                running: used.running,
                failed: used.failed,
                cpu: cores(used.cpu),
                memory: mib(used.memory_mib),
                disk: mib(used.disk_mib),
            };
            (used.memory_mib, row)
        })
        .collect();
    rows.sort_by_key(|(memory, _)| std::cmp::Reverse(*memory));
    rows.into_iter().map(|(_, row)| row).collect()
}

impl Use {
    fn add(&mut self, machine: &Machine) {
        self.machines += 1;
        match Group::of(machine) {
            Group::Runs => self.running += 1,
            Group::Failed => self.failed += 1,
            _ => {}
        }
        // Machines that are off or wait take their disks only.
        if machine.place.is_some() && Group::of(machine) != Group::Off {
            self.cpu = self.cpu.saturating_add(hundredths(machine.cpu));
            self.memory_mib = self.memory_mib.saturating_add(machine.memory_mib);
        }
        self.disk_mib = self.disk_mib.saturating_add(machine.disk_mib);
    }
}
