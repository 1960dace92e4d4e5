//! HTTP/2 streams: the tasks hyper starts for them, and their end when the client takes no data.
//!
//! An HTTP/2 client limits each stream by flow control (RFC 9113, section 5.2). One that opens no
//! window holds a response for ever, while the connection itself is fine. hyper asks a body for its
//! next piece only when there is window, so a stream that waits after it got a piece waits for the
//! client. The task of such a stream is dropped after the limit, which resets the stream.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use crate::{serve::Signal, stall::StallTimer};

tokio::task_local! {
    /// Of the HTTP/2 stream whose task is being polled.
    static TAKEN: Arc<AtomicU64>;
}

/// The counter holds twice the number of pieces, plus one while the client owes us window.
const PIECE: u64 = 2;
const OWED: u64 = 1;

/// The response body gave a piece: what follows depends on the client.
pub(crate) fn piece_given() {
    let _ = TAKEN.try_with(|taken| {
        taken.store((taken.load(Ordering::Relaxed) + PIECE) | OWED, Ordering::Relaxed);
    });
}

/// The response body is thinking: what follows depends on us.
pub(crate) fn piece_awaited() {
    let _ = TAKEN.try_with(|taken| taken.fetch_and(!OWED, Ordering::Relaxed));
}

/// Starts the tasks of HTTP/2 streams.
#[derive(Clone)]
pub(crate) struct StreamExecutor {
    pub(crate) limit: Duration,
    pub(crate) cut: Signal,
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (limit, cut) = (self.limit, self.cut.clone());
        let taken = Arc::new(AtomicU64::new(0));
        tokio::spawn(TAKEN.scope(Arc::clone(&taken), async move {
            let mut stream = pin!(stream);
            let mut cut = cut.watch();
            let mut timer = StallTimer::new(limit);
            let mut seen = 0;
            poll_fn(|cx| {
                if stream.as_mut().poll(cx).is_ready() || cut.poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let now = taken.load(Ordering::Relaxed);
                if now != seen || now & OWED == 0 {
                    timer.moved();
                    seen = now;
                }
                if now & OWED == 0 {
                    return Poll::Pending;
                }
                timer.poll_stalled(cx).map(|()| {
                    tracing::debug!("an HTTP/2 stream was reset: the client took no data");
                })
            })
            .await;
        }));
    }
}
