//! What is doubtful: times without a feed, machines that vanished, records that do not fit.

use sqlx::Row as _;

use super::{Ledger, LedgerError};
use crate::doubt::{Doubt, doubts};
use crate::record::{MachineKey, Record};
use sqlx::FromRow;

/// A time in which the ledger was not fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfed {
    /// The feed before it.
    pub from: i64,
    /// The feed after it.
    pub to: i64,
    /// Whether that feed asked for all of it, so that only what oned forgot meanwhile is missing.
    pub covered: bool,
}

/// A machine that ran and that oned no longer shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanished {
    /// The machine.
    pub machine: MachineKey,
    /// Its name.
    pub name: String,
    /// Its owner's name.
    pub user: String,
    /// The last feed that saw it; its usage counts until then.
    pub seen: i64,
}

/// A record that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// The machine.
    pub machine: MachineKey,
    /// Its name.
    pub name: String,
    /// The record.
    pub sequence: i64,
    /// What is wrong.
    pub doubt: Doubt,
}

/// Everything that a person should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Times without a feed, oldest first.
    pub unfed: Vec<Unfed>,
    /// Machines that vanished.
    pub vanished: Vec<Vanished>,
    /// Records that do not fit.
    pub doubtful: Vec<Doubtful>,
}

impl Gaps {
    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.unfed.is_empty() && self.vanished.is_empty() && self.doubtful.is_empty()
    }
}

impl Ledger {
    /// What is doubtful; times without a feed count from `longest` seconds, and the time between
    /// the last feed and `now` is one too.
    pub async fn gaps(&self, longest: i64, now: i64) -> Result<Gaps, LedgerError> {
        let unfed = self.unfed(longest, now).await?;
        let vanished = self.vanished().await?;
        let doubtful = self.doubtful().await?;
        Ok(Gaps { unfed, vanished, doubtful })
    }

    async fn unfed(&self, longest: i64, now: i64) -> Result<Vec<Unfed>, LedgerError> {
        let feeds: Vec<(i64, i64)> = sqlx::query_as("SELECT at, window_from FROM feed ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(self.fail())?;
        let next = feeds.iter().skip(1).map(|(at, from)| (*at, Some(*from)));
        let pairs = feeds.iter().map(|(at, _)| *at).zip(next.chain([(now, None)]));
        let unfed = pairs.filter(|(from, (to, _))| to - from > longest.max(0)).map(
            |(from, (to, asked))| Unfed { from, to, covered: asked.is_some_and(|a| a <= from) },
        );
        Ok(unfed.collect())
    }

    async fn vanished(&self) -> Result<Vec<Vanished>, LedgerError> {
        // The last mark of each machine, where its last record is still open.
        const SQL: &str = "SELECT e.vm, e.born, e.name, e.user, m.at FROM mark m
            JOIN entry e ON e.vm = m.vm AND e.born = m.born AND e.retime = 0 AND e.etime = 0
                AND e.rstime > 0
            WHERE m.vanished
            AND NOT EXISTS (SELECT 1 FROM mark l WHERE l.vm = m.vm AND l.born = m.born AND l.id > m.id)
            AND NOT EXISTS (SELECT 1 FROM entry s WHERE s.supersedes = e.id)
            AND NOT EXISTS (SELECT 1 FROM entry l
                WHERE l.vm = e.vm AND l.born = e.born AND l.seq > e.seq)
            ORDER BY e.vm, e.born";
        let rows: Vec<(i64, i64, String, String, i64)> =
            sqlx::query_as(SQL).fetch_all(&self.pool).await.map_err(self.fail())?;
        let rows = rows.into_iter().map(|(id, born, name, user, seen)| Vanished {
            machine: MachineKey { id, born },
            name,
            user,
            seen,
        });
        Ok(rows.collect())
    }

    async fn doubtful(&self) -> Result<Vec<Doubtful>, LedgerError> {
        use futures_util::TryStreamExt;
        const SQL: &str = "SELECT e.*, f.at AS fed_at FROM entry e JOIN feed f ON f.id = e.feed
            WHERE NOT EXISTS (SELECT 1 FROM entry s WHERE s.supersedes = e.id)
            ORDER BY e.vm, e.born, e.seq";
        let mut found = Vec::new();
        let mut machine: Vec<(Record, i64)> = Vec::new();
        let mut rows = sqlx::query(SQL).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(self.fail())? {
            let record = Record::from_row(&row).map_err(self.fail())?;
            let fed: i64 = row.try_get("fed_at").map_err(self.fail())?;
            if machine.first().is_some_and(|(first, _)| first.machine != record.machine) {
                judge(&machine, &mut found);
                machine.clear();
            }
            machine.push((record, fed));
        }
        judge(&machine, &mut found);
        Ok(found)
    }
}

fn judge(machine: &[(Record, i64)], found: &mut Vec<Doubtful>) {
    for (place, doubt) in doubts(machine) {
        let record = &machine[place].0;
        found.push(Doubtful {
            machine: record.machine,
            name: record.name.clone(),
            sequence: record.sequence,
            doubt,
        });
    }
}
