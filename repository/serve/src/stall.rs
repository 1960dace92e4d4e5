//! Clients that stand still: a timer that runs only while nothing moves, and a stream that fails
//! when its peer takes nothing for too long.

use std::{
    ffi::c_int,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::raw;

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

    /// Whether it has been asked since the last movement.
    fn is_waiting(&self) -> bool {
        self.since.is_some()
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
///
/// "Takes" is what the peer's TCP acknowledged. That a write can go on says less: the kernel wakes
/// writers only when a third of the send buffer is free, which can be megabytes.
pub(crate) struct StallStream<S> {
    stream: S,
    writing: StallTimer,
    /// What the peer had not taken when the writing began to wait.
    untaken: Option<c_int>,
}

/// A stream with a TCP socket at its bottom.
pub(crate) trait Socket {
    /// The socket.
    fn socket(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl<S> StallStream<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> StallStream<S> {
        StallStream { stream, writing: StallTimer::new(limit), untaken: None }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Socket> StallStream<S> {
    fn watch<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.writing.moved();
            return done;
        }
        if !self.writing.is_waiting() {
            self.untaken = raw::unacknowledged(self.stream.socket());
        }
        while self.writing.poll_stalled(cx).is_ready() {
            let untaken = raw::unacknowledged(self.stream.socket());
            if untaken >= self.untaken {
                let message = "the client took nothing for too long";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)));
            }
            self.untaken = untaken;
            self.writing.moved();
        }
        Poll::Pending
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

impl<S: AsyncWrite + Socket + Unpin> AsyncWrite for StallStream<S> {
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
