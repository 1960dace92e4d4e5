//! Comparing passwords on a few threads of its own.
//!
//! One comparison takes 19 MiB of memory and a core for a moment, both on purpose. Two threads bound
//! that, and are the only ones whose allocator keeps such a piece for the next time.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;

/// Comparisons at once.
const THREADS: usize = 2;
/// Comparisons that may wait. More is answered as busy: whoever guesses shall not fill the memory.
const WAITING: usize = 256;

type Comparison = Box<dyn FnOnce() -> bool + Send>;
type Job = (Comparison, oneshot::Sender<bool>);

#[derive(Debug)]
pub(crate) struct Comparer(mpsc::SyncSender<Job>);

impl Comparer {
    /// Starts the threads; they end with this value.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel::<Job>(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..THREADS {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new().name("password".to_owned()).spawn(move || {
                loop {
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((compare, answer)) = next else { return };
                    // Nobody waits any more where the request was given up.
                    let _ = answer.send(compare());
                }
            })?;
        }
        Ok(Self(sender))
    }

    /// Whether they are equal; `None` when too many wait.
    pub(crate) async fn compare(
        &self,
        compare: impl FnOnce() -> bool + Send + 'static,
    ) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send((Box::new(compare), answer)).ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_comparison_gets_its_own_answer() {
        let comparer = Comparer::start().unwrap();
        for number in 0..20 {
            assert_eq!(comparer.compare(move || number % 3 == 0).await, Some(number % 3 == 0));
        }
    }

    #[tokio::test]
    async fn too_many_at_once_are_told() {
        let comparer = Comparer::start().unwrap();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let waiting: Vec<_> = (0..=WAITING + THREADS)
            .map(|_| {
                let gate = Arc::clone(&gate);
                let (answer, _) = oneshot::channel();
                comparer.0.try_send((Box::new(move || gate.lock().is_ok()), answer))
            })
            .collect();
        assert!(waiting.iter().any(Result::is_err), "none of {} was refused", waiting.len());
        drop(closed);
    }
}
