//! Reports and gaps as tables, CSV and JSON.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use stratus_accounting::ledger::Gaps;
use stratus_accounting::{By, Row, Totals, Window};
use stratus_model::text::printable;

use crate::time::shown;

/// Characters of a name in a table.
const NAME: usize = 60;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; hours.
    Table,
    /// RFC 4180; seconds.
    Csv,
    /// Seconds.
    Json,
}

/// What a report is of.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// What rows are made of.
    pub by: By,
    /// The time.
    pub window: Window,
    /// The last feed: machines that run count until then.
    pub fed_at: Option<i64>,
}

/// A report as text, without the line end at its end.
pub fn report(query: &Query, rows: &[Row], format: Format) -> String {
    match format {
        Format::Table => table(query, rows),
        Format::Csv => csv(query.by, rows).trim_end().to_owned(),
        Format::Json => json_report(query, rows).to_string(),
    }
}

fn word(by: By) -> &'static str {
    match by {
        By::User => "user",
        By::Group => "group",
        By::Machine => "vm",
    }
}

/// A number of thousandths as a decimal number.
fn thousandths(number: i128) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

/// So many parts of an hour as hours with two decimals, rounded.
fn hours(number: i128, parts: i128) -> String {
    let hundredths = (number * 100 + parts / 2) / parts;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn table(query: &Query, rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let name = match query.by {
        By::User => vec!["user"],
        By::Group => vec!["group"],
        By::Machine => vec!["vm", "name", "user", "group"],
    };
    let names = name.len();
    let heads = ["machines", "hours", "core hours", "GiB hours", "disk GiB hours"];
    table.set_header(name.into_iter().chain(heads));
    let mut all = Totals::default();
    let mut machines = 0;
    for row in rows {
        all.add_all(&row.totals);
        machines += row.machines;
        let plain = |text: &str| printable(text, NAME);
        let name = match &row.machine {
            Some((key, name)) => vec![
                key.id.to_string(),
                plain(name),
                plain(&row.owner.user),
                plain(&row.owner.group),
            ],
            None if query.by == By::Group => vec![plain(&row.owner.group)],
            None => vec![plain(&row.owner.user)],
        };
        table.add_row(name.into_iter().chain(figures(row.machines, &row.totals)));
    }
    let blank = std::iter::repeat_n(String::new(), names - 1);
    table.add_row(std::iter::once("all".to_owned()).chain(blank).chain(figures(machines, &all)));
    for column in table.column_iter_mut().skip(names) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let until = query.fed_at.map_or_else(|| "never fed".to_owned(), shown);
    format!(
        "{} to {} (UTC; machines that run count until the last feed: {until})\n{}",
        shown(query.window.from),
        shown(query.window.to),
        table.trim_fmt()
    )
}

fn figures(machines: u64, totals: &Totals) -> [String; 5] {
    [
        machines.to_string(),
        hours(i128::from(totals.wall_seconds), 3600),
        hours(totals.cpu_core_milliseconds, 3_600_000),
        hours(totals.memory_mib_seconds, 3600 * 1024),
        hours(totals.disk_mib_seconds, 3600 * 1024),
    ]
}

fn csv(by: By, rows: &[Row]) -> String {
    let names = match by {
        By::User => "user_id,user",
        By::Group => "group_id,group",
        By::Machine => "vm,made,name,user_id,user,group_id,group",
    };
    let mut text = format!(
        "{names},machines,wall_seconds,cpu_core_seconds,memory_mib_seconds,disk_mib_seconds\r\n"
    );
    for row in rows {
        let owner = &row.owner;
        let (user, group) = (quoted(&owner.user), quoted(&owner.group));
        let _ = match (&row.machine, by) {
            (Some((key, name)), _) => write!(
                text,
                "{},{},{},{},{user},{},{group}",
                key.id,
                shown(key.born),
                quoted(name),
                owner.user_id,
                owner.group_id
            ),
            (None, By::Group) => write!(text, "{},{group}", owner.group_id),
            (None, _) => write!(text, "{},{user}", owner.user_id),
        };
        let t = &row.totals;
        let _ = write!(
            text,
            ",{},{},{},{},{}\r\n",
            row.machines,
            t.wall_seconds,
            thousandths(t.cpu_core_milliseconds),
            t.memory_mib_seconds,
            t.disk_mib_seconds
        );
    }
    text
}

/// A field of CSV. What a spreadsheet would take for a formula gets an apostrophe in front.
fn quoted(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

fn json_report(query: &Query, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let (owner, t) = (&row.owner, &row.totals);
            let mut value = match query.by {
                By::User => json!({ "user_id": owner.user_id, "user": owner.user }),
                By::Group => json!({ "group_id": owner.group_id, "group": owner.group }),
                By::Machine => json!({
                    "vm": row.machine.as_ref().map(|(key, _)| key.id),
                    "made": row.machine.as_ref().map(|(key, _)| shown(key.born)),
                    "name": row.machine.as_ref().map(|(_, name)| name),
                    "user_id": owner.user_id, "user": owner.user,
                    "group_id": owner.group_id, "group": owner.group,
                }),
            };
            // Sums beyond 64 bits do not happen: it would be a thousand sites for a thousand years.
            let whole = |n: i128| i64::try_from(n).unwrap_or(i64::MAX);
            value["machines"] = json!(row.machines);
            value["wall_seconds"] = json!(t.wall_seconds);
            value["cpu_core_milliseconds"] = json!(whole(t.cpu_core_milliseconds));
            value["memory_mib_seconds"] = json!(whole(t.memory_mib_seconds));
            value["disk_mib_seconds"] = json!(whole(t.disk_mib_seconds));
            value
        })
        .collect();
    json!({
        "by": word(query.by),
        "from": shown(query.window.from),
        "to": shown(query.window.to),
        "fed_at": query.fed_at.map(shown),
        "rows": rows,
    })
}

/// What is doubtful, a line each.
pub fn gaps_text(gaps: &Gaps) -> String {
    let mut text = String::new();
    for gap in &gaps.unfed {
        let what = if gap.covered {
            "not fed; the next feed asked for all of it, so only what OpenNebula forgot is missing"
        } else {
            "not fed"
        };
        let _ = writeln!(text, "{} to {}: {what}", shown(gap.from), shown(gap.to));
    }
    for lost in &gaps.vanished {
        let _ = writeln!(
            text,
            "VM {} `{}` of `{}`: ran when it was last seen, {}, and is gone; it counts until then",
            lost.machine.id,
            printable(&lost.name, NAME),
            printable(&lost.user, NAME),
            shown(lost.seen)
        );
    }
    for odd in &gaps.doubtful {
        let name = printable(&odd.name, NAME);
        let _ = writeln!(
            text,
            "VM {} `{name}`, record {}: {}",
            odd.machine.id, odd.sequence, odd.doubt
        );
    }
    text.trim_end().to_owned()
}

/// The same as data.
pub fn gaps_json(gaps: &Gaps) -> Value {
    let unfed = gaps
        .unfed
        .iter()
        .map(|gap| json!({ "from": shown(gap.from), "to": shown(gap.to), "covered": gap.covered }));
    let vanished = gaps.vanished.iter().map(|lost| {
        json!({
            "vm": lost.machine.id, "name": lost.name, "user": lost.user, "seen": shown(lost.seen),
        })
    });
    let doubtful = gaps.doubtful.iter().map(|odd| {
        json!({
            "vm": odd.machine.id, "name": odd.name, "record": odd.sequence,
            "doubt": odd.doubt.to_string(),
        })
    });
    json!({
        "unfed": unfed.collect::<Vec<_>>(),
        "vanished": vanished.collect::<Vec<_>>(),
        "doubtful": doubtful.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_accounting::{MachineKey, Owner};

    fn rows() -> Vec<Row> {
        let totals = Totals {
            wall_seconds: 5400,
            cpu_core_milliseconds: 2_700_500,
            memory_mib_seconds: 5400 * 512,
            disk_mib_seconds: 0,
        };
        let owner = Owner {
            user_id: 2,
            user: "=cmd|'x'!A1,\"quoted\"".to_owned(),
            group_id: 100,
            group: "stratus".to_owned(),
        };
        let machine = Some((MachineKey { id: 7, born: 0 }, "web\u{202e}\u{1b}[31m".to_owned()));
        vec![Row { machine, owner, machines: 1, totals }]
    }

    #[test]
    fn a_hostile_name_stays_in_its_cell() {
        let text = csv(By::Machine, &rows());
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains(",\"'=cmd|'x'!A1,\"\"quoted\"\"\",100,stratus,1,5400,2700.500,"));
        let window = Window::new(0, 86_400).unwrap();
        let query = Query { by: By::Machine, window, fed_at: Some(80_000) };
        let shown = report(&query, &rows(), Format::Table);
        assert!(!shown.contains(['\u{202e}', '\u{1b}']), "{shown}");
        assert!(shown.contains("1.50") && shown.contains("0.75"), "{shown}");
        let data: Value = serde_json::from_str(&report(&query, &rows(), Format::Json)).unwrap();
        assert_eq!(data["rows"][0]["cpu_core_milliseconds"], 2_700_500);
        assert_eq!(data["rows"][0]["name"], "web\u{202e}\u{1b}[31m", "data is as it is");
    }
}
