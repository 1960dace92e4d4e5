//! The machines: a list that is searched, sorted and paged here, and one by itself.

use super::App;
use super::caller::Caller;
use super::chart::{Chart, Wanted, charts, percent as percents, rate, span};
use super::fault::Fault;
use super::overview::Spanned;
use super::render::{short, show};
use crate::figures::{bytes, cores, hundredths, lasts, mib, moment};
use crate::history::Series;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use stratus_monitor_state::{
    Group, Machine, Order, Query as Machines, State as Site, Stay, Viewer, machine_words, why,
};

#[derive(Serialize)]
struct List {
    q: String,
    state: &'static str,
    user: String,
    host: Option<i32>,
    sort: &'static str,
    states: Vec<Choice>,
    sorts: Vec<(&'static str, &'static str)>,
    machines: Vec<Row>,
    total: usize,
    page: usize,
    pages: usize,
    /// The query without its page, to put one behind.
    query: String,
    administrator: bool,
    fault: String,
}

#[derive(Serialize)]
struct Choice {
    word: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct Row {
    id: i32,
    name: String,
    user: String,
    group: Group,
    state: String,
    host: String,
    host_id: Option<i32>,
    address: String,
    cpu: String,
    memory: String,
    cpu_percent: Option<String>,
    since: String,
    why: String,
}

/// `GET /vms`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let viewer = caller.viewer()?;
    let state = app.hub.state();
    let read = Machines::parse(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let (query, fault) = match read {
        Ok(query) => (query, String::new()),
        Err(error) if super::render::wants_page(&headers) => {
            (Machines { page: 1, ..Machines::default() }, error.to_string())
        }
        Err(error) => return Err(Fault::bad(error.to_string())),
    };
    let found = query.run(&state, &viewer);
    let hosts = state.hosts_by_id();
    let list = List {
        q: query.search.clone(),
        state: query.group.map_or("", Group::word),
        user: query.user.clone(),
        host: query.host,
        sort: query.order.word(),
        states: choices(&state, &viewer),
        sorts: Order::ALL.iter().map(|(_, word, says)| (*word, *says)).collect(),
        machines: found.machines.iter().map(|m| row(&state, m, &hosts)).collect(),
        total: found.total,
        page: found.page,
        pages: found.pages,
        query: written(&query),
        administrator: viewer.sees_all(),
        fault,
    };
    show(&app, &caller, &headers, ("vms", "vms.html"), &list)
}

fn choices(state: &Site, viewer: &Viewer) -> Vec<Choice> {
    let count = |group| match viewer {
        Viewer::Administrator => state.count(group),
        Viewer::Own(_) => {
            let mine = |m: &&Machine| viewer.may_see(m) && Group::of(m) == group;
            state.machines.iter().filter(mine).count()
        }
    };
    Group::SHOWN.map(|group| Choice { word: group.word(), count: count(group) }).into()
}

/// The query as in an address, without its page.
fn written(query: &Machines) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    if !query.search.is_empty() {
        out.append_pair("q", &query.search);
    }
    if let Some(group) = query.group {
        out.append_pair("state", group.word());
    }
    if !query.user.is_empty() {
        out.append_pair("user", &query.user);
    }
    if let Some(host) = query.host {
        out.append_pair("host", &host.to_string());
    }
    out.append_pair("sort", query.order.word());
    out.finish()
}

type Hosts<'a> = std::collections::BTreeMap<i32, &'a stratus_monitor_state::Host>;

fn row(state: &Site, machine: &Machine, hosts: &Hosts<'_>) -> Row {
    Row {
        id: machine.id,
        name: short(&machine.name, 80),
        user: short(&machine.user, 60),
        group: Group::of(machine),
        state: machine_words(machine),
        host: machine.place.as_ref().map(|p| short(&p.name, 60)).unwrap_or_default(),
        host_id: machine.place.as_ref().map(|p| p.host),
        address: machine.nics.first().map(|nic| nic.address.clone()).unwrap_or_default(),
        cpu: cores(hundredths(machine.cpu)),
        memory: mib(machine.memory_mib),
        cpu_percent: machine.load.map(|load| percents(load.cpu_percent)),
        since: lasts(state.at - state.since_of(machine)),
        why: why(machine, hosts).map(|why| short(&why, 300)).unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct One {
    row: Row,
    group_name: String,
    made: String,
    since: String,
    disk: String,
    images: Vec<String>,
    nics: Vec<(String, String)>,
    received: String,
    sent: String,
    stays: Vec<StayRow>,
    charts: Vec<Chart>,
    span: &'static str,
    administrator: bool,
}

#[derive(Serialize)]
struct StayRow {
    sequence: i32,
    host: String,
    from: String,
    to: String,
    prolog: String,
    boot: String,
    running: String,
    epilog: String,
    why_ended: &'static str,
}

const CHARTS: [Wanted; 2] = [
    Wanted {
        title: "Load",
        lines: &[(0, "processors"), (1, "memory")],
        least: 100.0,
        unit: percents,
    },
    Wanted { title: "Network", lines: &[(2, "received"), (3, "sent")], least: 1024.0, unit: rate },
];

/// `GET /vms/{id}`. Of somebody else's machine is not told that it exists.
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i32>,
    Query(spanned): Query<Spanned>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let viewer = caller.viewer()?;
    let state = app.hub.state();
    let machine = state.machine(id).filter(|m| viewer.may_see(m));
    let machine = machine.ok_or_else(|| {
        Fault::missing("There is no such machine; it may have ended. The events tell when.")
    })?;
    let hosts = state.hosts_by_id();
    let stays = state.stays.get(&id).map(Vec::as_slice).unwrap_or_default();
    let load = machine.load;
    let one = One {
        row: row(&state, machine, &hosts),
        group_name: short(&machine.group, 60),
        made: moment(machine.made),
        since: moment(state.since_of(machine)),
        disk: mib(machine.disk_mib),
        images: machine.images.iter().map(|image| short(image, 80)).collect(),
        nics: machine.nics.iter().map(|n| (short(&n.network, 60), n.address.clone())).collect(),
        received: load.map(|l| bytes(l.received)).unwrap_or_default(),
        sent: load.map(|l| bytes(l.sent)).unwrap_or_default(),
        stays: stays.iter().rev().take(100).map(|stay| stay_row(stay, state.at)).collect(),
        charts: charts(&app, Series::Machine(id), span(spanned.word()), &CHARTS),
        span: spanned.word(),
        administrator: viewer.sees_all(),
    };
    show(&app, &caller, &headers, ("vms", "vm.html"), &one)
}

/// The steps of a stay. oned counts booting as running: what is between the end of the prolog and
/// the beginning of running is the wait for the driver.
fn stay_row(stay: &Stay, now: i64) -> StayRow {
    let step = |(from, to): (i64, i64)| match (from, to) {
        (0, _) => "–".to_owned(),
        (from, 0) => format!("{} so far", lasts(now - from)),
        (from, to) => lasts(to - from),
    };
    let boot = match (stay.prolog.1, stay.running.0) {
        (0, _) | (_, 0) => "–".to_owned(),
        (copied, runs) => lasts(runs - copied),
    };
    StayRow {
        sequence: stay.sequence,
        host: short(&stay.host, 60),
        from: moment(stay.stay.0),
        to: if stay.stay.1 == 0 { "now".to_owned() } else { moment(stay.stay.1) },
        prolog: step(stay.prolog),
        boot,
        running: step(stay.running),
        epilog: step(stay.epilog),
        why_ended: action(stay),
    }
}

/// oned's number of why a stay ended, in a word.
fn action(stay: &Stay) -> &'static str {
    match stay.action {
        0 if stay.stay.1 == 0 => "",
        1 | 48 | 49 => "migrate",
        2 => "live-migrate",
        5 | 6 => "undeploy",
        9 => "stop",
        10 => "suspend",
        13 | 14 => "delete",
        17 => "resched",
        19 | 20 => "poweroff",
        21 => "disk-attach",
        22 => "disk-detach",
        23 => "nic-attach",
        24 => "nic-detach",
        27 | 28 => "terminate",
        29 => "disk-resize",
        33 => "updateconf",
        35 => "resize",
        36 => "update",
        42 | 43 => "recover",
        44 => "seen by monitoring",
        50 => "backup",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_as_it_went() {
        let pairs = [("q", "a&b=\"<"), ("state", "failed"), ("user", "älice"), ("sort", "cpu")];
        let query = Machines::parse(pairs).unwrap();
        let text = written(&query);
        let again: Vec<(String, String)> =
            url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let again = Machines::parse(again.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        assert_eq!(again.unwrap(), query);
    }

    #[test]
    fn steps_that_go_on_or_never_were_are_told_apart() {
        let stay =
            Stay { stay: (100, 0), prolog: (100, 105), running: (110, 0), ..Stay::default() };
        let row = stay_row(&stay, 200);
        assert_eq!(
            [&*row.prolog, &*row.boot, &*row.running, &*row.epilog],
            ["5 s", "5 s", "90 s so far", "–"]
        );
        assert_eq!((row.to.as_str(), row.why_ended), ("now", ""));
    }
}
