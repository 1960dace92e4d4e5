//! The hosts: all as a grid and a table, and one by itself.

use super::App;
use super::caller::Caller;
use super::chart::{Chart, Wanted, charts, percent as percents, span};
use super::fault::Fault;
use super::overview::Spanned;
use super::render::{short, show};
use crate::figures::{cores, kib, lasts, mib, moment, percent};
use crate::history::Series;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stratus_monitor_state::capacity::{SIZES, room};
use stratus_monitor_state::{Group, Host, Query as Machines, State as Site, Viewer, machine_words};

/// Hosts in the table.
const PAGE: usize = 50;
/// Hosts in the grid; a site of more sees the table only.
const GRID: usize = 2000;
/// Machines on a host's page.
const MACHINES: usize = 50;

/// What hosts are wanted.
#[derive(Deserialize)]
pub(super) struct Wants {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: usize,
}

#[derive(Serialize)]
struct List {
    q: String,
    state: String,
    sort: String,
    conditions: Vec<&'static str>,
    grid: Vec<Cell>,
    hosts: Vec<Row>,
    total: usize,
    page: usize,
    pages: usize,
    /// The query without its page, to put one behind.
    query: String,
}

#[derive(Serialize)]
struct Cell {
    id: i32,
    name: String,
    condition: &'static str,
    /// Quarters of the fuller of processors and memory, 0 to 4.
    level: u32,
}

#[derive(Serialize)]
struct Row {
    id: i32,
    name: String,
    cluster: String,
    condition: &'static str,
    machines: usize,
    cpu: String,
    cpu_percent: u32,
    memory: String,
    memory_percent: u32,
    used_percent: Option<u32>,
    heard: String,
    fits: [i64; 3],
}

/// `GET /hosts`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wants): Query<Wants>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let needle = wants.q.trim().to_lowercase();
    let fits = |h: &&Host| {
        (wants.state.is_empty() || state.host_condition(h) == wants.state)
            && (needle.is_empty()
                || h.name.to_lowercase().contains(&needle)
                || h.cluster.to_lowercase().contains(&needle))
    };
    let mut found: Vec<&Host> = state.hosts.iter().filter(fits).collect();
    let full = |h: &Host| fullness(h);
    match wants.sort.as_str() {
        "full" => found.sort_by_key(|h| (std::cmp::Reverse(full(h)), h.id)),
        "free" => found.sort_by_key(|h| (full(h), h.id)),
        "machines" => found.sort_by_key(|h| (std::cmp::Reverse(h.machines.len()), h.id)),
        _ => found.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    let grid = if found.len() > GRID { Vec::new() } else { cells(&state, &found) };
    let (total, pages) = (found.len(), found.len().div_ceil(PAGE).max(1));
    let page = wants.page.clamp(1, pages);
    let shown = found.into_iter().skip((page - 1) * PAGE).take(PAGE);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("q", &wants.q), ("state", &wants.state), ("sort", &wants.sort)])
        .finish();
    let list = List {
        query,
        q: short(wants.q.trim(), 100),
        state: short(&wants.state, 20),
        sort: short(&wants.sort, 20),
        conditions: vec!["on", "error", "silent", "drains", "drained", "offline", "starts"],
        grid,
        hosts: shown.map(|h| row(&state, h)).collect(),
        total,
        page,
        pages,
    };
    show(&app, &caller, &headers, ("hosts", "hosts.html"), &list)
}

fn fullness(host: &Host) -> u32 {
    percent(host.cpu_given, host.cpu_max).max(percent(host.memory_given_kib, host.memory_max_kib))
}

fn cells(state: &Site, hosts: &[&Host]) -> Vec<Cell> {
    let cell = |host: &&Host| Cell {
        id: host.id,
        name: short(&host.name, 60),
        condition: state.host_condition(host),
        level: (fullness(host) / 25).min(4),
    };
    hosts.iter().map(cell).collect()
}

fn row(state: &Site, host: &Host) -> Row {
    Row {
        id: host.id,
        name: short(&host.name, 80),
        cluster: short(&host.cluster, 60),
        condition: state.host_condition(host),
        machines: host.machines.len(),
        cpu: format!("{} of {}", cores(host.cpu_given), cores(host.cpu_max.max(0))),
        cpu_percent: percent(host.cpu_given, host.cpu_max),
        memory: format!("{} of {}", kib(host.memory_given_kib), kib(host.memory_max_kib)),
        memory_percent: percent(host.memory_given_kib, host.memory_max_kib),
        used_percent: host.load.map(|load| percent(load.cpu_used, host.cpu_max)),
        heard: heard(state, host),
        fits: SIZES.map(|size| room(host, &size)),
    }
}

fn heard(state: &Site, host: &Host) -> String {
    host.load
        .map_or_else(|| "never".to_owned(), |load| format!("{} ago", lasts(state.at - load.at)))
}

#[derive(Serialize)]
struct One {
    row: Row,
    error: String,
    hypervisor: String,
    version: String,
    last: String,
    stores: Vec<StoreRow>,
    machines: Vec<MachineRow>,
    more: usize,
    charts: Vec<Chart>,
    span: &'static str,
}

#[derive(Serialize)]
struct StoreRow {
    datastore: i32,
    name: String,
    free: String,
    total: String,
    percent: u32,
}

#[derive(Serialize)]
struct MachineRow {
    id: i32,
    name: String,
    user: String,
    state: String,
    group: Group,
}

const CHARTS: [Wanted; 2] = [
    Wanted {
        title: "Processors",
        lines: &[(0, "given"), (1, "at work")],
        least: 100.0,
        unit: percents,
    },
    Wanted { title: "Memory", lines: &[(2, "given"), (3, "in use")], least: 100.0, unit: percents },
];

/// `GET /hosts/{id}`.
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i32>,
    Query(spanned): Query<Spanned>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let host = state.host(id).ok_or_else(|| Fault::missing("There is no such host."))?;
    let query = Machines { host: Some(id), page: 1, ..Machines::default() };
    let found = query.run(&state, &Viewer::Administrator);
    let machines = found.machines.iter().take(MACHINES).map(|m| MachineRow {
        id: m.id,
        name: short(&m.name, 80),
        user: short(&m.user, 60),
        state: machine_words(m),
        group: Group::of(m),
    });
    let store = |s: &stratus_monitor_state::StoreSpace| {
        let named = state.datastores.iter().find(|d| d.id == s.datastore);
        let used = s.total_mib.saturating_sub(s.free_mib);
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        StoreRow {
            datastore: s.datastore,
            name: named.map_or_else(String::new, |d| short(&d.name, 60)),
            free: mib(s.free_mib),
            total: mib(s.total_mib),
            percent: percent(number(used), number(s.total_mib)),
        }
    };
    let one = One {
        row: row(&state, host),
        error: host.error.clone(),
        hypervisor: host.hypervisor.clone(),
        version: host.version.clone(),
        last: host.load.map_or_else(String::new, |load| moment(load.at)),
        stores: host.stores.iter().map(store).collect(),
        more: found.total.saturating_sub(MACHINES),
        machines: machines.collect(),
        charts: charts(&app, Series::Host(id), span(spanned.word()), &CHARTS),
        span: spanned.word(),
    };
    show(&app, &caller, &headers, ("hosts", "host.html"), &one)
}
