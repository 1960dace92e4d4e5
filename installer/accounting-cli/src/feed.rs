//! Reading oned once into the ledger.

use std::collections::BTreeSet;

use stratus_accounting::ledger::{Fed, Feed, Origin};
use stratus_accounting::{Ledger, LedgerError, ReadError, Window, read_records};
use stratus_opennebula::{Client, Error, Limits};

/// Bytes of an answer with the records of all users. Where it is longer, users are asked one by
/// one, so that memory stays within a few times this.
const ALL: usize = 64 * 1024 * 1024;
/// Bytes of an answer with the records of one user.
const ONE: usize = 1024 * 1024 * 1024;
/// A feed asks again for this many seconds before the last one: clocks of two hosts differ.
const OVERLAP: i64 = 3600;
/// After so many seconds a feed asks for everything again, because oned's window leaves out what was
/// corrected in older records. A little less than a day, so that it stays at its hour.
const WHOLE: i64 = 84_600;

/// Why the ledger was not fed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// oned did not answer, or refused.
    #[error("OpenNebula cannot be asked for its history")]
    OpenNebula(#[source] Error),
    /// The answer is no history.
    #[error("the history at {endpoint} cannot be read; nothing of this feed was noted")]
    Answer {
        /// Where oned is.
        endpoint: String,
        /// What is wrong.
        #[source]
        source: ReadError,
    },
    /// The user may not see other people's machines, so most would seem to be gone.
    #[error("the OpenNebula user `{0}` is no administrator and sees only part of the history")]
    Rights(String),
    /// The ledger cannot take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Asks oned for what may have changed since the last feed, or for everything, and notes it.
/// `now` is the present, seconds since 1970.
pub async fn feed(
    client: &Client,
    ledger: &Ledger,
    now: i64,
    everything: bool,
) -> Result<Fed, FeedError> {
    let caller = client.user(None).await.map_err(FeedError::OpenNebula)?;
    if caller.group.0 != 0 && !caller.groups.iter().any(|group| group.0 == 0) {
        return Err(FeedError::Rights(caller.name));
    }
    let last = ledger.last_feed().await?.map(|feed| feed.at);
    let from = if everything { None } else { begin(last, ledger.last_whole_feed().await?, now) };
    // The clock may have gone back.
    let window = Window { from: from.unwrap_or(0), to: now.max(from.unwrap_or(0)) };
    let mut feed = ledger.feed(now, window).await?;
    let limited =
        |answer_bytes| client.clone().with_limits(Limits { answer_bytes, ..Limits::default() });
    match limited(ALL).accounting(-2, from, None).await {
        Ok(text) => take(&mut feed, client, &text).await?,
        Err(error) if error.is_too_long() => {
            for user in users(client, ledger).await? {
                let text = limited(ONE).accounting(user, from, None).await;
                take(&mut feed, client, &text.map_err(FeedError::OpenNebula)?).await?;
            }
        }
        Err(error) => return Err(FeedError::OpenNebula(error)),
    }
    Ok(feed.finish().await?)
}

/// From when on oned is asked, by the times of the last feed and of the last one that asked for
/// everything; `None` for everything.
fn begin(last: Option<i64>, last_whole: Option<i64>, now: i64) -> Option<i64> {
    let recent = last_whole.is_some_and(|at| now - at < WHOLE);
    last.filter(|_| recent).map(|at| (at.min(now) - OVERLAP).max(0))
}

async fn take(feed: &mut Feed, client: &Client, text: &str) -> Result<(), FeedError> {
    let mut records = Vec::new();
    read_records(text, &mut |record| records.push(record))
        .map_err(|source| FeedError::Answer { endpoint: client.endpoint().to_owned(), source })?;
    feed.page(Origin::Accounting, &records).await?;
    Ok(())
}

/// Every user that may have records: those of the pool and of the ledger, and every number below
/// the highest of them, for users that were deleted.
async fn users(client: &Client, ledger: &Ledger) -> Result<BTreeSet<i32>, FeedError> {
    let pool = client.users().await.map_err(FeedError::OpenNebula)?;
    let known = ledger.users().await?;
    let highest = pool.iter().map(|user| user.id.0).chain(known).max().unwrap_or(0);
    Ok((0..=highest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_day_everything_is_asked_for() {
        let now = 1_800_000_000;
        assert_eq!(begin(None, None, now), None, "the first time");
        assert_eq!(begin(Some(now - 10), Some(now - 10), now), Some(now - 10 - OVERLAP));
        assert_eq!(begin(Some(now - 3600), Some(now - 84_599), now), Some(now - 7200));
        assert_eq!(begin(Some(now - 3600), Some(now - 84_600), now), None);
        assert_eq!(begin(Some(now - 900_000), Some(now - 900_000), now), None);
        // The clock went back.
        assert_eq!(begin(Some(now + 900), Some(now + 900), now), Some(now - OVERLAP));
    }
}
