//! Asking: what a window adds up to, and whole machines.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::{FromRow, Row as _};

use super::{Ledger, LedgerError};
use crate::month::Month;
use crate::record::{MachineKey, Owner, Record, Sizes, Times};
use crate::report::{By, Row, Totals};
use crate::usage::{Span, Window, interval, spans};

/// When the ledger was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedTime {
    /// The time of the feed, seconds since 1970.
    pub at: i64,
    /// What it asked for.
    pub window: Window,
}

/// A machine with all its records, in order of sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineHistory {
    /// The records that hold.
    pub records: Vec<Record>,
    /// Until when an open record counts: the last feed that saw it.
    pub seen_until: i64,
}

impl MachineHistory {
    /// When it ran.
    pub fn spans(&self) -> Vec<Span> {
        let intervals: Vec<_> = self
            .records
            .iter()
            .enumerate()
            .map(|(place, record)| {
                let next = self.records.get(place + 1).map(|next| next.times.start);
                interval(&record.times, next, self.seen_until)
            })
            .collect();
        spans(&intervals)
    }
}

/// Part of a record: what a report needs.
struct Part {
    machine: MachineKey,
    name: String,
    owner: Owner,
    sizes: Sizes,
    interval: Option<(i64, i64)>,
}

// The records that may have run in a window: (from, to). An end that oned never wrote is looked up
// here, because the next record may be outside of the window.
const RUNNING: &str = "
    SELECT e.vm, e.born, e.name, e.uid, e.user, e.gid, e.grp, e.cpu_milli, e.memory_mib, e.disk_mib,
        e.rstime, e.retime, e.etime,
        CASE WHEN e.retime = 0 AND e.etime = 0 THEN
            (SELECT n.stime FROM entry n WHERE n.vm = e.vm AND n.born = e.born AND n.seq > e.seq
                AND NOT EXISTS (SELECT 1 FROM entry s WHERE s.supersedes = n.id)
                ORDER BY n.seq LIMIT 1)
        END AS next_start,
        CASE WHEN e.retime = 0 AND e.etime = 0 THEN
            (SELECT CASE WHEN m.vanished THEN m.at END FROM mark m
                WHERE m.vm = e.vm AND m.born = e.born ORDER BY m.id DESC LIMIT 1)
        END AS lost_at
    FROM entry e
    WHERE (e.retime > ?1 OR e.retime = 0) AND e.rstime > 0 AND e.rstime < ?2
        AND NOT EXISTS (SELECT 1 FROM entry s WHERE s.supersedes = e.id)
    ORDER BY e.vm, e.born, e.seq";

impl Ledger {
    /// When it was last fed from the beginning of time on.
    pub async fn last_whole_feed(&self) -> Result<Option<i64>, LedgerError> {
        sqlx::query_scalar("SELECT max(at) FROM feed WHERE window_from = 0")
            .fetch_one(&self.pool)
            .await
            .map_err(self.fail())
    }

    /// The last feed, if there was one.
    pub async fn last_feed(&self) -> Result<Option<FeedTime>, LedgerError> {
        let row: Option<(i64, i64, i64)> =
            sqlx::query_as("SELECT at, window_from, window_to FROM feed ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.pool)
                .await
                .map_err(self.fail())?;
        Ok(row.map(|(at, from, to)| FeedTime { at, window: Window { from, to } }))
    }

    /// Identifiers of every user that ever had a machine; those beyond 32 bits are nobody's.
    pub async fn users(&self) -> Result<Vec<i32>, LedgerError> {
        let all: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT uid FROM entry")
            .fetch_all(&self.pool)
            .await
            .map_err(self.fail())?;
        Ok(all.into_iter().filter_map(|id| i32::try_from(id).ok()).collect())
    }

    /// What a window adds up to. Rows are in order of use, most first; machines that did not run
    /// in it are left out.
    pub async fn report(&self, window: Window, by: By) -> Result<Vec<Row>, LedgerError> {
        let mut sums = Sums::new(window, by);
        self.running(window, |machine, spans| sums.add(machine, spans)).await?;
        let mut rows = sums.rows();
        rows.sort_by_key(|row| std::cmp::Reverse(row.totals.cpu_core_milliseconds));
        Ok(rows)
    }

    /// What each user used in each month from one to another, both included, in one pass. Months
    /// come in their order, those in which nothing ran too; users in the order of their identifiers.
    pub async fn months(
        &self,
        first: Month,
        last: Month,
    ) -> Result<Vec<(Month, Vec<Row>)>, LedgerError> {
        let numbers = first.number()..=last.number();
        let mut months: Vec<(Month, Sums)> = numbers
            .map(Month::from_number)
            .map(|month| (month, Sums::new(month.window(), By::User)))
            .collect();
        let window = Window { from: first.window().from, to: last.window().to };
        self.running(window, |machine, spans| {
            for (_, sums) in &mut months {
                sums.add(machine, spans);
            }
        })
        .await?;
        Ok(months.into_iter().map(|(month, sums)| (month, sums.rows())).collect())
    }

    /// Each machine that may have run in a window, with when it ran.
    async fn running(
        &self,
        window: Window,
        mut take: impl FnMut(&[Part], &[Span]),
    ) -> Result<(), LedgerError> {
        let seen_until = self.last_feed().await?.map_or(0, |feed| feed.at);
        let mut take = |machine: &[Part]| {
            let intervals: Vec<_> = machine.iter().map(|part| part.interval).collect();
            take(machine, &spans(&intervals));
        };
        let mut machine: Vec<Part> = Vec::new();
        let mut rows = sqlx::query(RUNNING).bind(window.from).bind(window.to).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(self.fail())? {
            let part = Part::read(&row, seen_until).map_err(self.fail())?;
            if machine.first().is_some_and(|first| first.machine != part.machine) {
                take(&machine);
                machine.clear();
            }
            machine.push(part);
        }
        take(&machine);
        Ok(())
    }

    /// Every machine, each with all its records, one after the other.
    pub async fn machines(&self, mut take: impl FnMut(MachineHistory)) -> Result<(), LedgerError> {
        const ALL: &str = "SELECT e.*,
                (SELECT CASE WHEN m.vanished THEN m.at END FROM mark m
                    WHERE m.vm = e.vm AND m.born = e.born ORDER BY m.id DESC LIMIT 1) AS lost_at
            FROM entry e WHERE NOT EXISTS (SELECT 1 FROM entry s WHERE s.supersedes = e.id)
            ORDER BY e.vm, e.born, e.seq";
        let last = self.last_feed().await?.map_or(0, |feed| feed.at);
        let mut history = MachineHistory { records: Vec::new(), seen_until: last };
        let mut rows = sqlx::query(ALL).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(self.fail())? {
            let record = Record::from_row(&row).map_err(self.fail())?;
            let lost: Option<i64> = row.try_get("lost_at").map_err(self.fail())?;
            if history.records.first().is_some_and(|first| first.machine != record.machine) {
                let records = std::mem::take(&mut history.records);
                take(MachineHistory { records, seen_until: history.seen_until });
            }
            history.seen_until = lost.unwrap_or(last);
            history.records.push(record);
        }
        if !history.records.is_empty() {
            take(history);
        }
        Ok(())
    }
}

impl Part {
    fn read(row: &sqlx::sqlite::SqliteRow, seen_until: i64) -> Result<Self, sqlx::Error> {
        let n = |place: usize| row.try_get::<i64, _>(place);
        let text = |place: usize| row.try_get::<String, _>(place);
        let times =
            Times { running_start: n(10)?, running_end: n(11)?, end: n(12)?, ..Times::default() };
        let next_start: Option<i64> = row.try_get(13)?;
        let lost_at: Option<i64> = row.try_get(14)?;
        Ok(Self {
            machine: MachineKey { id: n(0)?, born: n(1)? },
            name: text(2)?,
            owner: Owner { user_id: n(3)?, user: text(4)?, group_id: n(5)?, group: text(6)? },
            sizes: Sizes {
                cpu_milli: n(7)?,
                memory_mib: n(8)?,
                disk_mib: n(9)?,
                ..Sizes::default()
            },
            interval: interval(&times, next_start, lost_at.unwrap_or(seen_until)),
        })
    }
}

/// Rows under way, by what they are made of; with each the last second it counts, so that the
/// latest names are shown.
struct Sums {
    window: Window,
    by: By,
    rows: BTreeMap<(i64, i64), (i64, Row)>,
}

impl Sums {
    fn new(window: Window, by: By) -> Self {
        Self { window, by, rows: BTreeMap::new() }
    }

    fn rows(self) -> Vec<Row> {
        self.rows.into_values().map(|(_, row)| row).collect()
    }

    fn add(&mut self, machine: &[Part], spans: &[Span]) {
        let mut counted: Vec<(i64, i64)> = Vec::new();
        for span in spans {
            let seconds = self.window.seconds_of(span);
            let Some(part) = machine.get(span.record).filter(|_| seconds > 0) else { continue };
            let key = match self.by {
                By::User => (part.owner.user_id, 0),
                By::Group => (part.owner.group_id, 0),
                By::Machine => (part.machine.id, part.machine.born),
            };
            let named = (self.by == By::Machine).then(|| (part.machine, part.name.clone()));
            let (until, row) = self.rows.entry(key).or_insert_with(|| {
                let totals = Totals::default();
                (0, Row { machine: None, owner: part.owner.clone(), machines: 0, totals })
            });
            row.totals.add(seconds, &part.sizes);
            if !counted.contains(&key) {
                counted.push(key);
                row.machines += 1;
            }
            if span.to > *until {
                (*until, row.machine, row.owner) = (span.to, named, part.owner.clone());
            }
        }
    }
}
