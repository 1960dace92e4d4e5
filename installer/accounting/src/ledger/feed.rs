//! Feeding: pages of records in, what is new or different noted, all of a feed or nothing.

use std::collections::HashSet;

use sqlx::{QueryBuilder, Sqlite, Transaction};

use super::row::{COLUMNS, digest, numbers, texts};
use super::{Ledger, LedgerError};
use crate::record::{MachineKey, Record};
use crate::usage::Window;

/// Records in one statement: 30 values each, and SQLite takes 32,766.
const BATCH: usize = 500;

/// Where records came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `one.vmpool.accounting`: each record with the sizes that it had.
    Accounting,
    /// `one.vmpool.infoextended`: the last record of each machine, with what the machine is now.
    /// It adds records and ends; it does not correct what the ledger has of a record that did not
    /// change.
    Pool,
}

/// What a page added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Records that were new.
    pub new: u64,
    /// Records that were known otherwise: later versions of them, ends among them.
    pub restated: u64,
}

/// What a feed did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Records that were read.
    pub records: u64,
    /// What was noted.
    pub added: Added,
    /// Machines that ran and that oned no longer shows.
    pub vanished: u64,
    /// Machines that had vanished and are back.
    pub returned: u64,
}

/// A feed under way. Dropped before [`Feed::finish`], nothing of it counts.
#[derive(Debug)]
pub struct Feed {
    transaction: Transaction<'static, Sqlite>,
    ledger: Ledger,
    id: i64,
    at: i64,
    window: Window,
    fed: Fed,
    seen: HashSet<MachineKey>,
}

/// A version that the ledger has.
struct Known {
    entry: i64,
    digest: i64,
    ended: bool,
    /// RSTIME, RETIME, ETIME and ACTION.
    course: [i64; 4],
}

/// Place in the batch, entry, digest, RSTIME, RETIME, ETIME, ACTION.
type KnownRow = (i64, i64, i64, i64, i64, i64, i64);

impl Ledger {
    /// Begins a feed: what oned shows at the time `at` of the window. A machine whose record is
    /// open and that no page shows has vanished, so the pages must be the whole answer. Another
    /// feed waits until this one is finished or dropped.
    pub async fn feed(&self, at: i64, window: Window) -> Result<Feed, LedgerError> {
        let fail = self.fail();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(&fail)?;
        let id: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM feed")
            .fetch_one(&mut *transaction)
            .await
            .map_err(&fail)?;
        // Its row comes at the end, with the counts; entries may name it before.
        sqlx::query("PRAGMA defer_foreign_keys = ON")
            .execute(&mut *transaction)
            .await
            .map_err(&fail)?;
        let ledger = self.clone();
        let (fed, seen) = (Fed::default(), HashSet::new());
        Ok(Feed { transaction, ledger, id, at, window, fed, seen })
    }
}

impl Feed {
    /// Takes a page of records, in any order.
    pub async fn page(&mut self, origin: Origin, records: &[Record]) -> Result<Added, LedgerError> {
        let mut sorted: Vec<&Record> = records.iter().collect();
        // Of a record that is in the page twice, the version with an end counts.
        sorted
            .sort_by_key(|r| (r.machine, r.sequence, r.times.end, r.times.running_end, digest(r)));
        let mut unique: Vec<&Record> = Vec::with_capacity(sorted.len());
        for record in sorted {
            match unique.last_mut() {
                Some(last)
                    if (last.machine, last.sequence) == (record.machine, record.sequence) =>
                {
                    *last = record;
                }
                _ => unique.push(record),
            }
        }
        let mut added = Added::default();
        for batch in unique.chunks(BATCH) {
            let some = self.batch(origin, batch).await.map_err(self.ledger.fail())?;
            added.new += some.new;
            added.restated += some.restated;
        }
        self.seen.extend(records.iter().map(|r| r.machine));
        self.fed.records += records.len() as u64;
        self.fed.added.new += added.new;
        self.fed.added.restated += added.restated;
        Ok(added)
    }

    async fn batch(&mut self, origin: Origin, batch: &[&Record]) -> Result<Added, sqlx::Error> {
        let known = self.known(batch).await?;
        let mut added = Added::default();
        let mut wanted: Vec<(&Record, i64, Option<i64>)> = Vec::new();
        for (record, known) in batch.iter().zip(known) {
            let digest = digest(record);
            match known {
                None => {
                    added.new += 1;
                    wanted.push((record, digest, None));
                }
                Some(known) if supersedes(origin, record, digest, &known) => {
                    added.restated += 1;
                    wanted.push((record, digest, Some(known.entry)));
                }
                Some(_) => {}
            }
        }
        if !wanted.is_empty() {
            self.insert(&wanted).await?;
        }
        Ok(added)
    }

    /// The versions that hold, one for each record.
    async fn known(&mut self, batch: &[&Record]) -> Result<Vec<Option<Known>>, sqlx::Error> {
        let mut query = QueryBuilder::new("WITH wanted (place, vm, born, seq) AS (");
        let places = batch.iter().zip(0_i64..);
        query.push_values(places, |mut row, (record, place)| {
            let key = [place, record.machine.id, record.machine.born, record.sequence];
            for number in key {
                row.push_bind(number);
            }
        });
        query.push(
            ") SELECT place, id, digest, rstime, retime, etime, action FROM wanted
               JOIN entry e USING (vm, born, seq)
               WHERE NOT EXISTS (SELECT 1 FROM entry n WHERE n.supersedes = e.id)",
        );
        let rows: Vec<KnownRow> = query.build_query_as().fetch_all(&mut *self.transaction).await?;
        let mut known: Vec<Option<Known>> = batch.iter().map(|_| None).collect();
        for (place, entry, digest, rstime, retime, etime, action) in rows {
            let course = [rstime, retime, etime, action];
            let place = usize::try_from(place).ok().and_then(|place| known.get_mut(place));
            if let Some(place) = place {
                *place = Some(Known { entry, digest, ended: etime > 0, course });
            }
        }
        Ok(known)
    }

    async fn insert(&mut self, wanted: &[(&Record, i64, Option<i64>)]) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new("INSERT INTO entry (feed, supersedes, digest, ");
        query.push(COLUMNS).push(") ");
        let feed = self.id;
        query.push_values(wanted, |mut row, (record, digest, superseded)| {
            row.push_bind(feed).push_bind(*superseded).push_bind(*digest);
            for number in numbers(record) {
                row.push_bind(number);
            }
            for text in texts(record) {
                row.push_bind(text.to_owned());
            }
        });
        query.build().execute(&mut *self.transaction).await.map(drop)
    }

    /// Notes the feed, the machines that vanished and those that are back; all of it counts now.
    pub async fn finish(mut self) -> Result<Fed, LedgerError> {
        let fail = self.ledger.fail();
        self.mark().await.map_err(&fail)?;
        sqlx::query(
            "INSERT INTO feed (id, at, window_from, window_to, records) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(self.id)
        .bind(self.at)
        .bind(self.window.from)
        .bind(self.window.to)
        .bind(i64::try_from(self.fed.records).unwrap_or(i64::MAX))
        .execute(&mut *self.transaction)
        .await
        .map_err(&fail)?;
        self.transaction.commit().await.map_err(&fail)?;
        Ok(self.fed)
    }

    async fn mark(&mut self) -> Result<(), sqlx::Error> {
        // The last record of a machine, where it is open, and what was marked last.
        const OPEN: &str = "SELECT e.vm, e.born, coalesce((SELECT m.vanished FROM mark m
                WHERE m.vm = e.vm AND m.born = e.born ORDER BY m.id DESC LIMIT 1), 0)
            FROM entry e WHERE e.retime = 0 AND e.rstime > 0 AND e.etime = 0
            AND NOT EXISTS (SELECT 1 FROM entry n WHERE n.supersedes = e.id)
            AND NOT EXISTS (SELECT 1 FROM entry l
                WHERE l.vm = e.vm AND l.born = e.born AND l.seq > e.seq)";
        let before: Option<i64> =
            sqlx::query_scalar("SELECT at FROM feed ORDER BY id DESC LIMIT 1")
                .fetch_optional(&mut *self.transaction)
                .await?;
        let open: Vec<(i64, i64, i64)> =
            sqlx::query_as(OPEN).fetch_all(&mut *self.transaction).await?;
        for (id, born, marked) in open {
            let seen = self.seen.contains(&MachineKey { id, born });
            let at = match (seen, marked != 0, before) {
                (true, true, _) => {
                    self.fed.returned += 1;
                    self.at
                }
                (false, false, Some(before)) => {
                    self.fed.vanished += 1;
                    before
                }
                _ => continue,
            };
            sqlx::query("INSERT INTO mark (feed, vm, born, vanished, at) VALUES (?, ?, ?, ?, ?)")
                .bind(self.id)
                .bind(id)
                .bind(born)
                .bind(i64::from(!seen))
                .bind(at)
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }
}

/// Whether a version takes the place of the one that the ledger has.
fn supersedes(origin: Origin, record: &Record, digest: i64, known: &Known) -> bool {
    let t = &record.times;
    let course = [t.running_start, t.running_end, t.end, record.action];
    if digest == known.digest {
        return false;
    }
    // A stay that ended does not begin anew: this page is older than what is known.
    if known.ended && t.end == 0 && t.running_start == known.course[0] {
        return false;
    }
    origin == Origin::Accounting || course != known.course
}
