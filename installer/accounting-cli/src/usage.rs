//! What each user used, month by month, as a file for the monitor: it shows people their own usage,
//! and does not get at the ledger for that.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use stratus_accounting::{Ledger, LedgerError, Month, Row, Totals, give_to_its_folder};
use stratus_monitor_state::{Usage, Used, UserUsage};
use stratus_terminal::AtomicFile;

/// Months of the report before the present one: the same month of two years ago is in it.
const BEFORE: i64 = 24;

/// The usage that the ledger knows, with the month of `now` as the last one.
pub async fn usage(ledger: &Ledger, now: i64) -> Result<Usage, LedgerError> {
    let last = Month::of(now);
    let first = Month::from_number(last.number() - BEFORE);
    let months = ledger.months(first, last).await?;
    let fed_at = ledger.last_feed().await?.map_or(0, |feed| feed.at);
    Ok(by_name(fed_at, &months))
}

/// Writes it, whole or not at all. It names people: its owner and group may read it.
pub fn write_usage(file: &Path, usage: &Usage) -> io::Result<()> {
    let text = serde_json::to_vec(usage).map_err(io::Error::other)?;
    let mut out = AtomicFile::create_private(file)?;
    out.write_all(&text)?;
    out.as_file().set_permissions(PermissionsExt::from_mode(0o640))?;
    give_to_its_folder(out.as_file(), file)?;
    out.commit()
}

/// The months from the first in which something ran on. Somebody's months are all under the name
/// that they had last, which is the one that they log in with.
fn by_name(fed_at: i64, months: &[(Month, Vec<Row>)]) -> Usage {
    let begins = months.iter().position(|(_, rows)| !rows.is_empty()).unwrap_or(months.len());
    let months = &months[begins..];
    let rows = || months.iter().flat_map(|(_, rows)| rows);
    let names: BTreeMap<i64, &str> =
        rows().map(|row| (row.owner.user_id, row.owner.user.as_str())).collect();
    let mut users = BTreeMap::<&str, Vec<Used>>::new();
    for (place, (_, rows)) in months.iter().enumerate() {
        for row in rows {
            let Some(name) = names.get(&row.owner.user_id) else { continue };
            let used = users.entry(name).or_insert_with(|| vec![Used::default(); months.len()]);
            used[place].add(&of_row(row));
        }
    }
    let user = |(name, used): (&str, _)| UserUsage { user: name.to_owned(), used };
    Usage {
        fed_at,
        months: months.iter().map(|(month, _)| month.to_string()).collect(),
        users: users.into_iter().map(user).collect(),
    }
}

fn of_row(row: &Row) -> Used {
    let Totals { wall_seconds, cpu_core_milliseconds, memory_mib_seconds, disk_mib_seconds } =
        row.totals;
    // No cloud is so large that 64 bits do not hold its month.
    let sum = |sum: i128| u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
    Used {
        machines: row.machines,
        wall_seconds: sum(i128::from(wall_seconds)),
        cpu_core_milliseconds: sum(cpu_core_milliseconds),
        memory_mib_seconds: sum(memory_mib_seconds),
        disk_mib_seconds: sum(disk_mib_seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, chown};
    use stratus_accounting::Owner;

    fn row(user_id: i64, user: &str, wall_seconds: i64) -> Row {
        let group = String::new();
        let owner = Owner { user_id, user: user.to_owned(), group_id: 1, group };
        let totals = Totals { wall_seconds, ..Totals::default() };
        Row { machine: None, owner, machines: 1, totals }
    }

    #[test]
    fn months_follow_the_name_that_somebody_has_now() {
        let month = |number: i32| Month::from_number(2026 * 12 + i64::from(number));
        let months = [
            (month(7), vec![]),
            (month(8), vec![row(2, "maiden", 10), row(3, "bob", 5)]),
            (month(9), vec![]),
            (month(10), vec![row(2, "married", 30)]),
        ];
        let usage = by_name(99, &months);
        assert_eq!(usage.months, ["2026-09", "2026-10", "2026-11"]);
        let wall = |user: &str| -> Vec<u64> {
            usage.of(user).unwrap().iter().map(|used| used.wall_seconds).collect()
        };
        assert_eq!((wall("married"), wall("bob")), (vec![10, 0, 30], vec![5, 0, 0]));
        assert_eq!((usage.of("maiden"), usage.fault()), (None, None));
    }

    #[test]
    fn the_report_is_for_its_owner_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.json");
        write_usage(&file, &by_name(7, &[])).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let read: Usage = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!((read.fed_at, read.months.len(), read.users.len()), (7, 0, 0));
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(1), Some(2)).unwrap();
            write_usage(&file, &by_name(8, &[])).unwrap();
            let now = std::fs::metadata(&file).unwrap();
            assert_eq!((now.uid(), now.gid()), (1, 2), "a feed by root locks nobody out");
        }
    }
}
