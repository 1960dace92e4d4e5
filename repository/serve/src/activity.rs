//! What a connection is doing, and until when it may go on doing it.
//!
//! The connection's I/O and its requests note what happens; [`deadline`] is the whole policy, as a
//! function of the phase.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{Limits, interim::Queue};

/// The idle timeout while connections wait for a place.
pub(crate) const CROWDED_IDLE: Duration = Duration::from_secs(5);

/// The phases of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Open, and nothing has come yet.
    New { since: Instant },
    /// A request head is coming in.
    Head { since: Instant },
    /// At least one request is being answered.
    Busy,
    /// All requests are answered.
    Idle { since: Instant },
}

/// What happens at the deadline of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No further requests: close when nothing is left to send.
    WindDown,
    /// Close now.
    Cut,
}

/// The version decides whether bytes without a request are a slow head: HTTP/2 has other frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// When the connection's time is up, and what then; `None` while it is working.
///
/// `winding_since` is when it was told to wind down. HTTP/1 closes by itself then. An HTTP/2 client
/// can keep a connection open by answering pings and taking no data, so that has an end, too.
pub(crate) fn deadline(
    phase: Phase,
    version: Version,
    winding_since: Option<Instant>,
    crowded: bool,
    limits: &Limits,
) -> Option<(Instant, Verdict)> {
    let idle = if crowded { limits.idle_timeout.min(CROWDED_IDLE) } else { limits.idle_timeout };
    match (phase, version, winding_since) {
        (Phase::Busy, _, _) | (Phase::Idle { .. }, Version::Http1, Some(_)) => None,
        (Phase::Head { since } | Phase::New { since }, Version::Http1, _) => {
            Some((since + limits.header_timeout, Verdict::Cut))
        }
        (
            Phase::Idle { since } | Phase::New { since } | Phase::Head { since },
            Version::Http2,
            Some(winding),
        ) => Some((since.max(winding) + limits.body_idle_timeout, Verdict::Cut)),
        (Phase::Idle { since } | Phase::New { since } | Phase::Head { since }, _, None) => {
            Some((since + idle, Verdict::WindDown))
        }
    }
}

/// The notes of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    notes: Mutex<Notes>,
    interim: Arc<Queue>,
}

#[derive(Debug)]
struct Notes {
    phase: Phase,
    open: usize,
    unread_upload: bool,
}

impl Activity {
    pub(crate) fn new() -> Arc<Activity> {
        let phase = Phase::New { since: Instant::now() };
        let notes = Mutex::new(Notes { phase, open: 0, unread_upload: false });
        Arc::new(Activity { notes, interim: Arc::default() })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Interim responses that wait.
    pub(crate) fn interim(&self) -> &Arc<Queue> {
        &self.interim
    }

    pub(crate) fn phase(&self) -> Phase {
        self.notes().phase
    }

    /// A request is complete up to its body. It counts until the returned guard is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> OpenRequest {
        let mut notes = self.notes();
        notes.open += 1;
        notes.phase = Phase::Busy;
        drop(notes);
        OpenRequest(Arc::clone(self))
    }

    fn bytes_came(&self) {
        let mut notes = self.notes();
        if matches!(notes.phase, Phase::New { .. } | Phase::Idle { .. }) {
            notes.phase = Phase::Head { since: Instant::now() };
        }
    }

    /// A request's body was dropped before its end.
    pub(crate) fn upload_left_unread(&self) {
        self.notes().unread_upload = true;
    }

    /// Whether the client is still sending something that nobody wants.
    pub(crate) fn has_unread_upload(&self) -> bool {
        self.notes().unread_upload
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<Activity>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut notes = self.0.notes();
        notes.open -= 1;
        if notes.open == 0 {
            notes.phase = Phase::Idle { since: Instant::now() };
        }
    }
}

/// A stream that notes when bytes come in, and sends interim responses. For HTTP/1, above TLS.
pub(crate) struct Noted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Noted<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Noted<S> {
        Noted { stream, activity }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.bytes_came();
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.activity.interim.poll_rest(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.activity.interim.poll_rest(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.activity.interim.poll_send(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase::*, Verdict::*, Version::*, *};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn limits() -> Limits {
        Limits {
            header_timeout: seconds(10),
            idle_timeout: seconds(70),
            body_idle_timeout: seconds(40),
            ..Limits::default()
        }
    }

    #[test]
    fn a_working_connection_has_no_deadline() {
        for version in [Http1, Http2] {
            assert_eq!(deadline(Busy, version, Some(Instant::now()), true, &limits()), None);
        }
    }

    #[test]
    fn a_slow_head_is_cut_and_an_idle_connection_winds_down() {
        let since = Instant::now();
        let of = |phase, version| deadline(phase, version, None, false, &limits());
        assert_eq!(of(New { since }, Http1), Some((since + seconds(10), Cut)));
        assert_eq!(of(Head { since }, Http1), Some((since + seconds(10), Cut)));
        assert_eq!(of(Idle { since }, Http1), Some((since + seconds(70), WindDown)));
        assert_eq!(of(New { since }, Http2), Some((since + seconds(70), WindDown)));
        assert_eq!(of(Idle { since }, Http2), Some((since + seconds(70), WindDown)));
    }

    #[test]
    fn idle_connections_make_room_when_others_wait() {
        let since = Instant::now();
        let crowded = deadline(Idle { since }, Http1, None, true, &limits());
        assert_eq!(crowded, Some((since + CROWDED_IDLE, WindDown)));
        let slow = deadline(Head { since }, Http1, None, true, &limits());
        assert_eq!(slow, Some((since + seconds(10), Cut)), "a request in progress is not hurried");
    }

    #[test]
    fn winding_down_has_an_end_over_http2_and_closes_by_itself_over_http1() {
        let since = Instant::now();
        let winding = Some(since + seconds(5));
        assert_eq!(deadline(Idle { since }, Http1, winding, false, &limits()), None);
        let cut = Some((since + seconds(45), Cut));
        assert_eq!(deadline(Idle { since }, Http2, winding, false, &limits()), cut);
    }

    #[test]
    fn a_connection_is_busy_until_its_last_request_is_answered() {
        let activity = Activity::new();
        assert!(matches!(activity.phase(), New { .. }));
        activity.bytes_came();
        assert!(matches!(activity.phase(), Head { .. }));
        let (first, second) = (activity.request(), activity.request());
        activity.bytes_came();
        drop(first);
        assert_eq!(activity.phase(), Busy);
        drop(second);
        assert!(matches!(activity.phase(), Idle { .. }));
    }
}
