//! Who used how much, month by month, as accounting told with its last feed.

use super::App;
use super::caller::Caller;
use super::chart::Chart;
use super::fault::Fault;
use super::months::months;
use super::render::{short, show};
use crate::figures::{grouped, moment};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stratus_monitor_state::{Usage, Used, Viewer};

/// Users on a page.
const PAGE: usize = 50;

/// What is wanted of it.
#[derive(Deserialize)]
pub(super) struct Wants {
    /// One user; all where it is empty.
    #[serde(default)]
    user: String,
    #[serde(default)]
    month: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: usize,
}

/// The page of all.
#[derive(Serialize)]
struct List<'a> {
    /// The last feed; `None` where there was none.
    fed_at: Option<i64>,
    fed: String,
    month: &'a str,
    months: Vec<&'a str>,
    q: String,
    sort: &'static str,
    users: Vec<Row>,
    all: Figures,
    charts: Vec<Chart>,
    /// All users together, newest first.
    by_month: Vec<Month<'a>>,
    total: usize,
    page: usize,
    pages: usize,
    /// The query without its page, to put one behind.
    query: String,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// The name as it is in addresses.
    link: String,
    #[serde(flatten)]
    figures: Figures,
}

/// The page of one.
#[derive(Serialize)]
struct One<'a> {
    user: String,
    link: String,
    /// Whether it is the reader's own.
    own: bool,
    fed_at: Option<i64>,
    fed: String,
    /// Newest first.
    months: Vec<Month<'a>>,
    charts: Vec<Chart>,
}

#[derive(Serialize)]
struct Month<'a> {
    month: &'a str,
    #[serde(flatten)]
    figures: Figures,
}

/// What was used: exactly for programs, in hours for people.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    used: Used,
    hours: String,
    core_hours: String,
    memory_gib_hours: String,
    disk_gib_hours: String,
}

/// How lists are ordered: word, and what is compared.
type Order = (&'static str, fn(&Used) -> u64);
const ORDERS: [Order; 4] = [
    ("cores", |used| used.cpu_core_milliseconds),
    ("memory", |used| used.memory_mib_seconds),
    ("disk", |used| used.disk_mib_seconds),
    ("machines", |used| used.machines),
];

/// `GET /usage`: of all for administrators, of themselves for everybody else.
pub(super) async fn usage(
    State(app): State<App>,
    caller: Caller,
    Query(wants): Query<Wants>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let state = app.hub.state();
    let nothing = Usage::default();
    let known = state.usage.as_deref().unwrap_or(&nothing);
    let user = match caller.viewer()? {
        Viewer::Administrator if wants.user.is_empty() => {
            let list = list(known, &wants)?;
            return show(&app, &caller, &headers, ("usage", "usage.html"), &list);
        }
        Viewer::Administrator => wants.user,
        Viewer::Own(login) if wants.user.is_empty() || wants.user == login => login,
        Viewer::Own(_) => return Err(unknown()),
    };
    let own = caller.required()?.login == user;
    let used = known.of(&user);
    if used.is_none() && !own && state.users.iter().all(|known| known.name != user) {
        return Err(unknown());
    }
    let one = one(known, used.unwrap_or_default(), &user, own);
    show(&app, &caller, &headers, ("usage", "usage_user.html"), &one)
}

fn unknown() -> Fault {
    Fault::missing("No usage of such a user is known.")
}

fn list<'a>(known: &'a Usage, wants: &Wants) -> Result<List<'a>, Fault> {
    let place = match known.months.iter().position(|month| *month == wants.month) {
        Some(place) => place,
        None if wants.month.is_empty() => known.months.len().saturating_sub(1),
        None => return Err(Fault::bad("Of that month no usage is known.")),
    };
    let needle = wants.q.trim().to_lowercase();
    let used = |used: &[Used]| used.get(place).copied().unwrap_or_default();
    let mut found: Vec<(&str, Used)> = known
        .users
        .iter()
        .map(|user| (user.user.as_str(), used(&user.used)))
        .filter(|(name, used)| used.machines > 0 && name.to_lowercase().contains(&needle))
        .collect();
    let order = ORDERS.iter().find(|(word, _)| *word == wants.sort).copied();
    let (sort, of) = order.unwrap_or(ORDERS[0]);
    if wants.sort != "name" {
        found.sort_by_key(|(_, used)| std::cmp::Reverse(of(used)));
    }
    let (total, pages) = (found.len(), found.len().div_ceil(PAGE).max(1));
    let page = wants.page.clamp(1, pages);
    let row = |(name, used): (&str, Used)| Row {
        name: short(name, 80),
        link: link(name),
        figures: Figures::of(used),
    };
    let all = known.all();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("month", &wants.month), ("q", &wants.q), ("sort", &wants.sort)])
        .finish();
    Ok(List {
        fed_at: fed_at(known),
        fed: fed(known),
        month: known.months.get(place).map_or("", String::as_str),
        months: known.months.iter().rev().map(String::as_str).collect(),
        q: short(wants.q.trim(), 100),
        sort: if wants.sort == "name" { "name" } else { sort },
        users: found.into_iter().skip((page - 1) * PAGE).take(PAGE).map(row).collect(),
        all: Figures::of(used(&all)),
        charts: charts(known, &all),
        by_month: by_month(known, &all),
        total,
        page,
        pages,
        query,
    })
}

fn one<'a>(known: &'a Usage, used: &[Used], user: &str, own: bool) -> One<'a> {
    One {
        user: short(user, 80),
        link: link(user),
        own,
        fed_at: fed_at(known),
        fed: fed(known),
        months: by_month(known, used),
        charts: charts(known, used),
    }
}

fn by_month<'a>(known: &'a Usage, used: &[Used]) -> Vec<Month<'a>> {
    let months = known.months.iter().zip(used).rev();
    months.map(|(month, used)| Month { month, figures: Figures::of(*used) }).collect()
}

fn charts(known: &Usage, used: &[Used]) -> Vec<Chart> {
    if used.is_empty() {
        return Vec::new();
    }
    let chart = |title, of: fn(&Used) -> u64, unit| {
        months(title, &known.months, &used.iter().map(of).collect::<Vec<_>>(), unit)
    };
    vec![
        chart("Core hours", |used| used.cpu_core_milliseconds, core_hours),
        chart("GiB hours of memory", |used| used.memory_mib_seconds, gib_hours),
        chart("GiB hours of disk", |used| used.disk_mib_seconds, gib_hours),
    ]
}

fn link(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

fn fed_at(known: &Usage) -> Option<i64> {
    Some(known.fed_at).filter(|at| *at > 0)
}

fn fed(known: &Usage) -> String {
    fed_at(known).map(moment).unwrap_or_default()
}

impl Figures {
    fn of(used: Used) -> Self {
        Self {
            hours: hours(used.wall_seconds, 3600),
            core_hours: core_hours(used.cpu_core_milliseconds),
            memory_gib_hours: gib_hours(used.memory_mib_seconds),
            disk_gib_hours: gib_hours(used.disk_mib_seconds),
            used,
        }
    }
}

fn core_hours(milliseconds: u64) -> String {
    hours(milliseconds, 3_600_000)
}

fn gib_hours(mib_seconds: u64) -> String {
    hours(mib_seconds, 3600 * 1024)
}

/// So many parts of an hour as hours, rounded to hundredths as the tables of `stratus-accounting`.
fn hours(number: u64, parts: u64) -> String {
    let hundredths = (u128::from(number) * 100 + u128::from(parts) / 2) / u128::from(parts);
    let whole = usize::try_from(hundredths / 100).unwrap_or(usize::MAX);
    format!("{}.{:02}", grouped(whole), hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_monitor_state::UserUsage;

    #[test]
    fn hours_are_rounded_as_in_reports() {
        assert_eq!([hours(0, 3600), hours(17, 3600), hours(18, 3600)], ["0.00", "0.00", "0.01"]);
        assert_eq!(core_hours(1_234_567 * 3_600_000), "1,234,567.00");
        assert_eq!(gib_hours(u64::MAX).len(), "5,003,999,585,967.22".len());
    }

    #[test]
    fn a_list_is_of_one_month_and_in_the_order_asked_for() {
        let used = |machines, cpu_core_milliseconds| Used {
            machines,
            cpu_core_milliseconds,
            ..Used::default()
        };
        let user = |user: &str, used| UserUsage { user: user.to_owned(), used };
        let known = Usage {
            fed_at: 1,
            months: vec!["2026-10".to_owned(), "2026-11".to_owned()],
            users: vec![
                user("alice", vec![used(1, 5), used(9, 10)]),
                user("bob", vec![used(0, 0), used(1, 20)]),
            ],
        };
        let names = |month: &str, sort: &str, q: &str| -> Option<Vec<String>> {
            let [month, sort, q] = [month, sort, q].map(str::to_owned);
            let wants = Wants { user: String::new(), month, q, sort, page: 7 };
            let list = list(&known, &wants).ok()?;
            Some(list.users.into_iter().map(|row| row.name).collect())
        };
        let some = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(names("", "", ""), some(&["bob", "alice"]));
        assert_eq!(names("", "machines", ""), some(&["alice", "bob"]));
        assert_eq!(names("", "name", ""), some(&["alice", "bob"]));
        assert_eq!(names("2026-10", "", ""), some(&["alice"]));
        assert_eq!(names("", "", "BO"), some(&["bob"]));
        assert_eq!(names("2025-01", "", ""), None);
    }
}
