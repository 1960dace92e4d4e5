//! The threads that work on one image, and knowing when all of them are gone.

use crate::ImageError;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

/// Stack of each thread. Only touched pages are real memory; nothing here recurses.
const STACK: usize = 256 * 1024;

/// Counts running threads. Clones are the same crew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    gone: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waker: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running thread, counted until it ends in whichever way.
struct Member(Arc<Shared>);

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        if state.running > 0 {
            return;
        }
        let waker = state.waker.take();
        drop(state);
        self.0.gone.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Crew {
    /// Starts a thread. `name` has at most 15 bytes, as the kernel shows it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        self.0.lock().running += 1;
        let member = Member(Arc::clone(&self.0));
        thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
            let _member = member;
            work()
        })
    }

    /// Ready when no thread of the crew runs any more.
    pub(crate) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.running == 0 {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits until no thread of the crew runs any more; `false` if that takes longer than `limit`.
    #[cfg(test)]
    pub(crate) fn wait_gone(&self, limit: std::time::Duration) -> bool {
        let state = self.0.lock();
        let waited = self.0.gone.wait_timeout_while(state, limit, |state| state.running > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// A thread that ended in no proper way.
pub(crate) fn broken() -> ImageError {
    ImageError::Threads(io::Error::other("a thread broke"))
}

/// Puts the results of the writing and the reading half together. Where both failed, one of them
/// because of the other, the caller hears the cause. `whole` says that no thread between them broke.
pub(crate) fn both<W, R>(
    written: Result<W, ImageError>,
    read: Result<R, ImageError>,
    whole: bool,
) -> Result<(W, R), ImageError> {
    match (written, read) {
        (Ok(written), Ok(read)) => Ok((written, read)),
        (Err(ImageError::Ended) | Ok(_), Err(error)) if !matches!(error, ImageError::Ended) => {
            Err(error)
        }
        (Err(ImageError::Ended), _) if !whole => Err(broken()),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}
