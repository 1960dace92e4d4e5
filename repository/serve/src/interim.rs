//! Interim responses (1xx, RFC 9110 section 15.2) before the final one, over HTTP/1.1.
//!
//! hyper's server cannot send them, so they go out below it: when hyper has flushed all it had, and
//! the response to the request at hand has not been given to it yet. Between those two moments
//! nothing of hyper's is on the way, and the final response waits until the last of them is written.

use std::{
    fmt::Write as _,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use http::{HeaderMap, StatusCode};
use tokio::io::AsyncWrite;

/// More than this waits for no client.
const WAITING_BYTES: usize = 64 << 10;

/// Sends interim responses to a request; an extension of every request over HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Interim {
    queue: Arc<Queue>,
    request: u64,
}

impl Interim {
    /// Sends one before the final response. Nothing is sent where that has begun, the client takes
    /// nothing, or the status is none of 102 to 199: hyper sends 100 itself, and 101 is no interim.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        if !(102..200).contains(&status.as_u16()) {
            return;
        }
        let head = head(status, headers);
        let mut notes = self.queue.notes();
        if notes.open == Some(self.request) && notes.bytes.len() + head.len() <= WAITING_BYTES {
            notes.bytes.extend(head);
            notes.waker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when nothing waits; then no more is taken, and the final response may go.
    pub(crate) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut notes = self.queue.notes();
        if notes.bytes.is_empty() {
            notes.open = None;
            return Poll::Ready(());
        }
        notes.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Wakes the connection when there is something to send.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        self.queue.notes().waker = Some(cx.waker().clone());
    }
}

fn head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Interim");
    let mut start = String::new();
    let _ = write!(start, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    let mut head = start.into_bytes();
    for (name, value) in headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}

/// What one connection has to send of them.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    requests: u64,
    /// The request whose final response has not begun.
    open: Option<u64>,
    bytes: Vec<u8>,
    /// How many of them are written.
    written: usize,
    waker: Option<Waker>,
}

impl Queue {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request; those before it can send nothing more.
    pub(crate) fn request(self: &Arc<Self>) -> Interim {
        let mut notes = self.notes();
        notes.requests += 1;
        notes.open = Some(notes.requests);
        Interim { queue: Arc::clone(self), request: notes.requests }
    }

    /// Writes what waits; to be called when hyper has flushed everything.
    pub(crate) fn poll_send(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut notes = self.notes();
        while notes.written < notes.bytes.len() {
            let sent =
                ready!(Pin::new(&mut *stream).poll_write(cx, &notes.bytes[notes.written..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            notes.written += sent;
        }
        if notes.written > 0 {
            notes.bytes.clear();
            notes.written = 0;
            notes.waker.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(()))
    }

    /// The same for one that is written in part: nothing else may come between.
    pub(crate) fn poll_rest(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.notes().written == 0 {
            return Poll::Ready(Ok(()));
        }
        self.poll_send(stream, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn the_final_response_waits_for_what_is_before_it() {
        let (queue, mut out) = (Arc::new(Queue::default()), Vec::new());
        let interim = queue.request();
        let link = [(http::header::LINK, "</a>".parse().unwrap())].into_iter().collect();
        interim.send(StatusCode::EARLY_HINTS, &link);
        assert!(interim.poll_over(&context()).is_pending());
        assert!(queue.poll_rest(&mut out, &mut context()).is_ready());
        assert!(out.is_empty(), "hyper may be in the middle of another response");
        assert!(queue.poll_send(&mut out, &mut context()).is_ready());
        assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        assert!(interim.poll_over(&context()).is_ready());
    }

    #[test]
    fn nothing_comes_late_or_for_another_request() {
        let queue = Arc::new(Queue::default());
        let first = queue.request();
        assert!(first.poll_over(&context()).is_ready());
        first.send(StatusCode::PROCESSING, &HeaderMap::new());
        let second = queue.request();
        first.send(StatusCode::PROCESSING, &HeaderMap::new());
        second.send(StatusCode::CONTINUE, &HeaderMap::new());
        second.send(StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new());
        assert!(queue.notes().bytes.is_empty());
    }
}
