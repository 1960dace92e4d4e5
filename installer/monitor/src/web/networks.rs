//! The networks, and the addresses of one as a map.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{short, show};
use crate::figures::percent;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use std::net::Ipv4Addr;
use stratus_monitor_state::{Network, Range, State as Site};

/// Cells of a map; a range of more addresses has several in each.
const CELLS: u64 = 512;
/// Leases in the table behind the map.
const LEASES: usize = 500;

#[derive(Serialize)]
struct List {
    networks: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: i32,
    name: String,
    bridge: String,
    good: bool,
    state: String,
    error: String,
    size: u64,
    used: u64,
    free: u64,
    percent: u32,
    first: String,
}

/// `GET /networks`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let list = List { networks: state.networks.iter().map(row).collect() };
    show(&app, &caller, &headers, ("networks", "networks.html"), &list)
}

fn row(network: &Network) -> Row {
    let sum = |of: fn(&Range) -> u64| network.ranges.iter().map(of).fold(0, u64::saturating_add);
    let (size, used) = (sum(|r| r.size), sum(|r| r.used));
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Row {
        id: network.id,
        name: short(&network.name, 80),
        bridge: network.bridge.clone(),
        good: network.state == 1,
        state: stratus_opennebula::NetworkState::from(network.state).to_string(),
        error: network.error.clone(),
        size,
        used,
        free: size.saturating_sub(used),
        percent: percent(number(used), number(size)),
        first: network.ranges.first().map(|r| r.first.clone()).unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct One {
    row: Row,
    ranges: Vec<Map>,
    leases: Vec<LeaseRow>,
    more: usize,
}

#[derive(Serialize)]
struct Map {
    first: String,
    size: u64,
    used: u64,
    /// Addresses in a cell.
    each: u64,
    /// The drawing; made of numbers only.
    svg: String,
}

#[derive(Serialize)]
struct LeaseRow {
    address: String,
    machine: Option<i32>,
    name: String,
    user: String,
}

/// `GET /networks/{id}`.
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i32>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let network = state.network(id).ok_or_else(|| Fault::missing("There is no such network."))?;
    let leases = network.ranges.iter().flat_map(|range| &range.leases);
    let total = leases.clone().count();
    let one = One {
        row: row(network),
        ranges: network.ranges.iter().map(map).collect(),
        leases: leases.take(LEASES).map(|lease| lease_row(&state, lease)).collect(),
        more: total.saturating_sub(LEASES),
    };
    show(&app, &caller, &headers, ("networks", "network.html"), &one)
}

fn lease_row(state: &Site, lease: &stratus_monitor_state::Lease) -> LeaseRow {
    let machine = state.machine(lease.machine);
    LeaseRow {
        address: lease.address.clone(),
        machine: machine.map(|m| m.id),
        name: match machine {
            Some(machine) => short(&machine.name, 80),
            None if lease.machine < 0 => "held, for no machine".to_owned(),
            None => format!("machine {}, which is not known", lease.machine),
        },
        user: machine.map(|m| short(&m.user, 60)).unwrap_or_default(),
    }
}

/// The addresses of a range as squares: taken, in part, free.
fn map(range: &Range) -> Map {
    use std::fmt::Write;
    const ACROSS: u64 = 32;
    let each = range.size.div_ceil(CELLS).max(1);
    let cells = range.size.div_ceil(each);
    let mut taken = vec![0_u64; usize::try_from(cells).unwrap_or(0)];
    let first: Option<u32> = range.first.parse::<Ipv4Addr>().ok().map(u32::from);
    for lease in &range.leases {
        let address = lease.address.parse::<Ipv4Addr>().ok().map(u32::from);
        let offset = first.zip(address).and_then(|(first, a)| a.checked_sub(first));
        let cell = offset.map(|offset| u64::from(offset) / each);
        if let Some(count) =
            cell.and_then(|cell| usize::try_from(cell).ok()).and_then(|cell| taken.get_mut(cell))
        {
            *count += 1;
        }
    }
    let rows = cells.div_ceil(ACROSS).max(1);
    let mut svg = format!(
        "<svg class=\"map\" viewBox=\"0 0 {} {}\" aria-hidden=\"true\" focusable=\"false\">",
        ACROSS * 10,
        rows * 10
    );
    for (place, count) in (0_u64..).zip(&taken) {
        let (x, y) = (place % ACROSS * 10, place / ACROSS * 10);
        let class = match count {
            0 => "free",
            all if *all >= each => "taken",
            _ => "part",
        };
        let _infallible =
            write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"8\"/>");
    }
    svg.push_str("</svg>");
    Map { first: range.first.clone(), size: range.size, used: range.used, each, svg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_monitor_state::Lease;

    fn range(size: u64, addresses: &[&str]) -> Range {
        let lease = |a: &&str| Lease { address: (*a).to_owned(), machine: 1 };
        let leases = addresses.iter().map(lease).collect();
        Range { first: "10.0.0.2".into(), size, used: 0, leases }
    }

    #[test]
    fn each_address_has_its_square() {
        let drawn = map(&range(250, &["10.0.0.2", "10.0.0.251", "192.0.2.1", "fe80::1"]));
        assert_eq!(drawn.svg.matches("<rect").count(), 250);
        assert_eq!(drawn.svg.matches("\"taken\"").count(), 2);
    }

    #[test]
    fn a_large_range_is_a_bounded_drawing() {
        let drawn = map(&range(u64::MAX, &["10.0.0.2"]));
        assert!(drawn.svg.matches("<rect").count() <= 512);
        assert_eq!(drawn.svg.matches("\"part\"").count(), 1);
        assert_eq!(map(&range(0, &["10.0.0.2"])).svg.matches("<rect").count(), 0);
    }
}
