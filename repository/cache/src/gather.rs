//! What a transfer brings, in batches that are worth a write.
//!
//! Writing, and waking readers, costs more than the bytes of a packet. So what comes within a moment
//! is taken together, and a batch ends where the file's next one begins: the kernel then keeps it in
//! large pieces, which are cheaper to write and to send.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of a batch.
const MOST: usize = 1 << 20;
const LEAST: usize = 64 << 10;
/// Bytes that all transfers together may gather: the more there are, the smaller are their batches.
const ALL: usize = 16 << 20;
/// How long a batch may take.
const PATIENCE: Duration = Duration::from_millis(5);

/// Transfers under way.
static TRANSFERS: AtomicUsize = AtomicUsize::new(0);

/// The batches of one transfer.
pub(crate) struct Gather<S> {
    stream: S,
    /// Where the next byte goes.
    at: u64,
    /// Bytes that come again before it.
    skip: u64,
    /// What came with the last batch and belongs to the next.
    rest: Bytes,
    patience: Duration,
}

/// Some bytes, and why there are no more.
pub(crate) struct Batch {
    pub(crate) parts: Vec<Bytes>,
    pub(crate) end: Option<Result<(), reqwest::Error>>,
}

impl<S> Gather<S>
where
    S: Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
{
    /// Of a stream that begins at `from`, the bytes from `at` on.
    pub(crate) fn new(stream: S, from: u64, at: u64) -> Self {
        TRANSFERS.fetch_add(1, Ordering::Relaxed);
        let skip = at.saturating_sub(from);
        // The first bytes are waited for.
        Self { stream, at, skip, rest: Bytes::new(), patience: Duration::ZERO }
    }

    /// At least one part, and those that come soon after it.
    pub(crate) async fn next(&mut self) -> Batch {
        let mut room = room(self.at, TRANSFERS.load(Ordering::Relaxed));
        let mut parts = Vec::new();
        let mut until = None;
        let end = loop {
            let mut part = std::mem::take(&mut self.rest);
            if part.is_empty() {
                part = match self.more(until).await {
                    Some(Ok(part)) => part,
                    Some(Err(end)) => break Some(end),
                    None => break None,
                };
            }
            self.rest = part.split_off(part.len().min(room));
            room -= part.len();
            self.at += part.len() as u64;
            if !part.is_empty() {
                parts.push(part);
                until.get_or_insert_with(|| Instant::now() + self.patience);
            }
            if room == 0 {
                break None;
            }
        };
        self.patience = PATIENCE;
        Batch { parts, end }
    }

    /// What comes next, or how the stream ended; `None` if it takes too long.
    async fn more(&mut self, until: Option<Instant>) -> Option<Result<Bytes, EndOf>> {
        let next = match until {
            None => self.stream.next().await,
            Some(until) => timeout_at(until, self.stream.next()).await.ok()?,
        };
        Some(match next {
            Some(Ok(mut part)) => {
                let unwanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(part.len());
                self.skip -= unwanted as u64;
                Ok(part.split_off(unwanted))
            }
            Some(Err(error)) => Err(Err(error.without_url())),
            None => Err(Ok(())),
        })
    }
}

type EndOf = Result<(), reqwest::Error>;

impl<S> Drop for Gather<S> {
    fn drop(&mut self) {
        TRANSFERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of a batch that begins at `at`, while there are so many transfers.
fn room(at: u64, transfers: usize) -> usize {
    let share = (ALL / transfers.max(1)).clamp(LEAST, MOST);
    // A power of two divides the file evenly.
    let size = 1 << share.ilog2();
    size - usize::try_from(at % size as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn parts(lengths: &[usize]) -> impl Stream<Item = Result<Bytes, reqwest::Error>> + Unpin {
        let parts: Vec<_> = lengths.iter().map(|len| Ok(Bytes::from(vec![7; *len]))).collect();
        stream::iter(parts)
    }

    fn length(batch: &Batch) -> usize {
        batch.parts.iter().map(Bytes::len).sum()
    }

    #[tokio::test]
    async fn a_batch_ends_where_the_next_of_the_file_begins() {
        let at = MOST as u64 - 10;
        let mut gather = Gather::new(parts(&[0, 30, MOST]), at - 5, at);
        let first = gather.next().await;
        assert_eq!((length(&first), first.end.is_none()), (10, true));
        let second = gather.next().await;
        assert_eq!((length(&second), second.end.is_none()), (MOST, true));
        let last = gather.next().await;
        assert_eq!((length(&last), last.end.is_some()), (15, true));
    }

    #[test]
    fn many_transfers_make_small_batches() {
        assert_eq!(room(0, 1), MOST);
        assert_eq!(room(3 * MOST as u64 + 1, 1), MOST - 1);
        assert_eq!(room(0, 100), 128 << 10);
        assert_eq!(room(LEAST as u64 + 1, 100_000), LEAST - 1);
    }
}
