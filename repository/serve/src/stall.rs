//! Clients that stand still: a timer that runs only while nothing moves, and a stream that fails
//! when its peer takes nothing for too long.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Measures how long something has been standing still.
///
/// It is asked on every wait and told of every movement, so both are cheap: the runtime's timer is
/// set at most once per limit, not once per wait. It then fires early, and is set again for the
/// rest.
#[derive(Debug)]
pub(crate) struct StallTimer {
    limit: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl StallTimer {
    pub(crate) fn new(limit: Duration) -> StallTimer {
        StallTimer { limit, since: None, sleep: None }
    }

    /// Something moved.
    pub(crate) fn moved(&mut self) {
        self.since = None;
    }

    /// Nothing moves now. Ready when that has been so for the whole limit.
    pub(crate) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// A stream whose writes fail with `TimedOut` when the peer takes no byte for the limit.
pub(crate) struct StallStream<S> {
    stream: S,
    writing: StallTimer,
}

impl<S> StallStream<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> StallStream<S> {
        StallStream { stream, writing: StallTimer::new(limit) }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.writing.moved();
            return done;
        }
        self.writing.poll_stalled(cx).map(|()| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing for too long"))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, done)
    }
}
