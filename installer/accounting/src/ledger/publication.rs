//! What has been published of each machine and month.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use super::row::first_eight;
use super::{Ledger, LedgerError};
use crate::record::MachineKey;

/// What a published record is about: a machine and the number of a month.
pub type PublishedKey = (MachineKey, i64);

/// What a run of publication did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishedRun {
    /// Files.
    pub messages: u64,
    /// Records in them.
    pub records: u64,
    /// Those among them that take the place of an earlier one.
    pub replaced: u64,
}

impl Ledger {
    /// What has been published: for each key a number that stands for the text.
    pub async fn published(&self) -> Result<HashMap<PublishedKey, i64>, LedgerError> {
        let rows: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as("SELECT vm, born, month, digest FROM published")
                .fetch_all(&self.pool)
                .await
                .map_err(self.fail())?;
        let rows = rows.into_iter();
        Ok(rows.map(|(id, born, month, d)| ((MachineKey { id, born }, month), d)).collect())
    }

    /// The number that stands for a text in [`Ledger::published`].
    pub fn publication_digest(text: &str) -> i64 {
        first_eight(&Sha256::digest(text.as_bytes()))
    }

    /// Notes records of one message as published.
    pub async fn note_published(&self, records: &[(PublishedKey, i64)]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut query =
            QueryBuilder::new("INSERT OR REPLACE INTO published (vm, born, month, digest) ");
        query.push_values(records, |mut row, ((machine, month), digest)| {
            row.push_bind(machine.id).push_bind(machine.born).push_bind(*month).push_bind(*digest);
        });
        query.build().execute(&self.pool).await.map(drop).map_err(self.fail())
    }

    /// Notes the end of a run.
    pub async fn note_run(&self, at: i64, run: PublishedRun) -> Result<(), LedgerError> {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        sqlx::query("INSERT INTO publication (at, messages, records, replaced) VALUES (?, ?, ?, ?)")
            .bind(at)
            .bind(count(run.messages))
            .bind(count(run.records))
            .bind(count(run.replaced))
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(self.fail())
    }
}
