//! Publishing: what APEL does not have yet, as messages in a folder.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use stratus_accounting::apel::{
    CloudRecord, MOST_RECORDS, Publisher, cloud_records, message, withdrawn,
};
use stratus_accounting::ledger::{MachineHistory, PublishedRun};
use stratus_accounting::{Ledger, LedgerError, MachineKey, Month};

use crate::queue::Queue;

/// Where messages go.
#[derive(Debug)]
pub enum Target<'a> {
    /// Into a queue; the ledger remembers them.
    Queue(&'a Queue),
    /// Nowhere: they are only told.
    Nowhere,
}

/// Why publication stopped. What was written before is remembered; the rest comes with the next
/// run.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A message cannot be written.
    #[error("a message cannot be written into the queue")]
    Queue(#[source] io::Error),
}

/// What was published, or would have been.
#[derive(Debug, Default)]
pub struct Published {
    /// How much.
    pub run: PublishedRun,
    /// The files.
    pub files: Vec<PathBuf>,
    /// The messages, where they went nowhere.
    pub messages: Vec<String>,
}

/// Publishes every record that is new or different since it was published last.
///
/// A message is written before the ledger remembers it: cut off in between, it is written once
/// more, and APEL puts it in its own place.
pub async fn publish(
    ledger: &Ledger,
    publisher: &Publisher,
    target: Target<'_>,
    now: i64,
) -> Result<Published, PublishError> {
    let mut before: HashMap<MachineKey, HashMap<i64, i64>> = HashMap::new();
    for ((machine, month), digest) in ledger.published().await? {
        before.entry(machine).or_default().insert(month, digest);
    }
    let mut due: Vec<(CloudRecord, i64)> = Vec::new();
    let mut run = PublishedRun::default();
    ledger
        .machines(|history| {
            let Some(machine) = history.records.first().map(|record| record.machine) else {
                return;
            };
            let known = before.remove(&machine).unwrap_or_default();
            for record in wanted(&history, publisher, &known) {
                let digest = Ledger::publication_digest(&record.text);
                let published = known.get(&record.month);
                if published != Some(&digest) {
                    run.replaced += u64::from(published.is_some());
                    due.push((record, digest));
                }
            }
        })
        .await?;
    let mut done = Published::default();
    for batch in due.chunks(MOST_RECORDS) {
        let text = message(batch.iter().map(|(record, _)| record));
        match target {
            Target::Nowhere => done.messages.push(text),
            Target::Queue(queue) => {
                let path = queue.add(&text, jiff::Timestamp::now, rand::random);
                done.files.push(path.map_err(PublishError::Queue)?);
                let noted: Vec<_> =
                    batch.iter().map(|(r, digest)| ((r.machine, r.month), *digest)).collect();
                ledger.note_published(&noted).await?;
            }
        }
        run.messages += 1;
        run.records += batch.len() as u64;
    }
    if matches!(target, Target::Queue(_)) && run.records > 0 {
        ledger.note_run(now, run).await?;
    }
    Ok(Published { run, ..done })
}

/// The records that hold, and those that empty a month that no longer has one.
fn wanted(
    history: &MachineHistory,
    publisher: &Publisher,
    known: &HashMap<i64, i64>,
) -> Vec<CloudRecord> {
    let mut records = cloud_records(history, publisher);
    let mut empty: Vec<i64> =
        known.keys().filter(|m| records.iter().all(|r| r.month != **m)).copied().collect();
    empty.sort_unstable();
    let months = empty.into_iter().map(Month::from_number);
    records.extend(months.filter_map(|month| withdrawn(history, publisher, month)));
    records
}
