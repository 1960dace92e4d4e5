//! The server as a whole: listeners in, connections out, and the shutdown.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

use crate::{Answers, Bound, Limits, TlsFiles, accept};

/// The read buffer of an HTTP/1 connection grows to this while an upload comes in.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// How the connections ended that were open when the shutdown began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Ended by themselves, or were idle.
    pub finished: usize,
    /// Were still working after [`Limits::drain_timeout`] and were cut.
    pub cut: usize,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No socket was given.
    #[error("there is no address to listen on")]
    NothingToListenOn,
    /// The runtime refused a socket.
    #[error("cannot accept connections on {address}")]
    Listener {
        /// The socket's address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Serves `service` on all `listeners` until `shutdown` is ready, then drains: the sockets close,
/// idle connections close, requests in progress get [`Limits::drain_timeout`] to finish.
///
/// Every request has a [`Peer`](crate::Peer) extension. Certificates are reloaded when their files
/// change. Dropping the returned future cuts all connections.
pub async fn serve(
    listeners: Vec<Bound>,
    service: impl Into<Answers>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<Drained, ServeError> {
    if listeners.is_empty() {
        return Err(ServeError::NothingToListenOn);
    }
    let shared = Shared::new(service.into(), limits);
    let _cut_when_dropped = CutGuard(shared.cut.clone());
    let mut tasks = JoinSet::new();
    for Bound { listener, address, tls } in listeners {
        let listener = TcpListener::from_std(listener)
            .map_err(|source| ServeError::Listener { address, source })?;
        if let Some(files) = &tls {
            tasks.spawn(refresh(Arc::clone(files), shared.limits.tls_refresh));
        }
        tasks.spawn(accept::accept(listener, tls, Arc::clone(&shared)));
    }
    shutdown.await;
    let open = shared.connections.len();
    shared.draining.raise();
    tasks.shutdown().await; // closes the sockets
    let cut = shared.drain().await;
    Ok(Drained { finished: open.saturating_sub(cut), cut })
}

async fn refresh(files: Arc<TlsFiles>, every: Duration) {
    loop {
        sleep(every).await;
        let task = Arc::clone(&files);
        let certificate = files.certificate().display();
        match tokio::task::spawn_blocking(move || task.refresh()).await {
            Ok(Ok(true)) => tracing::info!(%certificate, "the certificate was reloaded"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the changed certificate is not usable, the old one stays in use"
            ),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) answers: Answers,
    pub(crate) http1: http1::Builder,
    /// No new requests.
    pub(crate) draining: Signal,
    /// No more time.
    pub(crate) cut: Signal,
    pub(crate) connections: TaskTracker,
    places: Arc<Semaphore>,
    crowded: AtomicBool,
}

impl Shared {
    fn new(answers: Answers, limits: Limits) -> Arc<Shared> {
        let mut http1 = http1::Builder::new();
        // The time for a head is kept by `activity`, which tells it from an idle connection.
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(READ_BUFFER_BYTES.max(limits.max_header_bytes));
        Arc::new(Shared {
            places: Arc::new(Semaphore::new(
                limits.max_connections.clamp(1, Semaphore::MAX_PERMITS),
            )),
            limits,
            // Makes the router's routes ready once, instead of for each request.
            answers: Answers { router: answers.router.with_state(()), ..answers },
            http1,
            draining: Signal::default(),
            cut: Signal::default(),
            connections: TaskTracker::new(),
            crowded: AtomicBool::new(false),
        })
    }

    /// Waits until there is room for another connection.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.crowded.store(false, Ordering::Relaxed);
            return place;
        }
        if !self.is_crowded() {
            let limit = self.limits.max_connections;
            tracing::warn!(limit, "all places for connections are taken, new ones wait");
        }
        self.crowd();
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// From now on, until there is room again, idle connections close early.
    pub(crate) fn crowd(&self) {
        self.crowded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Waits for the connections, and says how many had to be cut.
    async fn drain(&self) -> usize {
        self.connections.close();
        let cut = match timeout(self.limits.drain_timeout, self.connections.wait()).await {
            Ok(()) => 0,
            Err(_) => self.connections.len(),
        };
        self.cut.raise();
        self.connections.wait().await;
        cut
    }
}

struct CutGuard(Signal);

impl Drop for CutGuard {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Something that happens once and that every connection waits for.
#[derive(Clone, Default)]
pub(crate) struct Signal {
    raised: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Signal {
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.token.cancel();
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch {
            raised: Arc::clone(&self.raised),
            waiting: Box::pin(self.token.clone().cancelled_owned()),
            registered: false,
        }
    }
}

/// Waits for a [`Signal`] beside other work, for use within one task.
///
/// The token's own future takes a lock that all connections share, at every poll. A task's waker
/// stays the same from poll to poll, so it is enough to leave it there once; later polls look at
/// the flag.
pub(crate) struct Watch {
    raised: Arc<AtomicBool>,
    waiting: Pin<Box<WaitForCancellationFutureOwned>>,
    registered: bool,
}

impl Watch {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.registered && !self.raised.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.registered = true;
        self.waiting.as_mut().poll(cx)
    }
}
