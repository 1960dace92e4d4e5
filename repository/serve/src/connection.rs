//! One connection, from the accepted socket to its end.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    Peer, TlsFiles,
    activity::{Activity, CROWDED_IDLE, Noted, Phase, Verdict, Version, deadline},
    file_body::{FileStream, WINDOWS, Windows},
    request::Requests,
    serve::Shared,
    stall::StallStream,
    streams::StreamExecutor,
};

/// Encrypted bytes that wait in the TLS session for the socket.
const TLS_BUFFER_BYTES: usize = 128 << 10;

/// An idle HTTP/2 client is asked whether it is there, and cut when it does not answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves one connection until it ends or is cut.
pub(crate) async fn run(
    socket: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<TlsFiles>>,
    shared: Arc<Shared>,
) {
    let _ = socket.set_nodelay(true); // hyper gathers its writes itself
    match tls {
        None => plain(socket, address, &shared).await,
        Some(files) => {
            let mut cut = shared.cut.watch();
            let handshake = tokio::select! {
                handshake = handshake(socket, &files, &shared) => handshake,
                () = poll_fn(|cx| cut.poll(cx)) => None,
            };
            if let Some(stream) = handshake {
                encrypted(stream, address, &shared).await;
            }
        }
    }
}

type Encrypted = TlsStream<StallStream<TcpStream>>;

async fn handshake(socket: TcpStream, files: &TlsFiles, shared: &Shared) -> Option<Encrypted> {
    let socket = StallStream::new(socket, shared.limits.body_idle_timeout);
    let accept = TlsAcceptor::from(files.config()).accept(socket);
    match timeout(shared.limits.handshake_timeout, accept).await {
        Ok(Ok(mut stream)) => {
            stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES));
            Some(stream)
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn plain(socket: TcpStream, address: SocketAddr, shared: &Arc<Shared>) {
    let windows = Arc::new(Windows::default());
    let activity = Activity::new();
    let stream = FileStream::new(socket, Arc::clone(&windows));
    let stream = StallStream::new(stream, shared.limits.body_idle_timeout);
    let peer = Peer { address, tls: false, client_certificate: None };
    let served = WINDOWS.scope(windows, http1(stream, peer, &activity, shared)).await;
    if let Some(stream) = served {
        linger(stream.into_inner().into_socket(), shared).await;
    }
}

async fn encrypted(stream: Encrypted, address: SocketAddr, shared: &Arc<Shared>) {
    let session = stream.get_ref().1;
    let certificate = session.peer_certificates().and_then(<[_]>::first).map(|leaf| leaf.to_vec());
    let peer = Peer { address, tls: true, client_certificate: certificate };
    let activity = Activity::new();
    if session.alpn_protocol() == Some(b"h2") {
        http2(stream, peer, &activity, shared).await;
    } else if let Some(stream) = http1(stream, peer, &activity, shared).await {
        linger(stream.into_inner().0.into_inner(), shared).await;
    }
}

fn requests(peer: Peer, activity: &Arc<Activity>, shared: &Shared) -> Requests {
    Requests {
        answers: shared.answers.clone(),
        peer,
        activity: Arc::clone(activity),
        body_idle_timeout: shared.limits.body_idle_timeout,
        linger_timeout: shared.limits.linger_timeout,
    }
}

/// Gives the stream back if the client is still sending and should be let finish.
async fn http1<S>(
    stream: S,
    peer: Peer,
    activity: &Arc<Activity>,
    shared: &Arc<Shared>,
) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Noted::new(stream, Arc::clone(activity)));
    let mut connection = shared.http1.serve_connection(io, requests(peer, activity, shared));
    let end = drive(&mut connection, Version::Http1, activity, shared).await;
    let refused = matches!(&end, End::Closed(Err(error)) if error.is_parse());
    let closed = matches!(&end, End::Closed(_));
    end.log();
    (closed && (refused || activity.has_unread_upload()))
        .then(|| connection.into_parts().io.into_inner().into_inner())
}

async fn http2(stream: Encrypted, peer: Peer, activity: &Arc<Activity>, shared: &Arc<Shared>) {
    let limit = shared.limits.body_idle_timeout;
    let executor = StreamExecutor { limit, cut: shared.cut.clone() };
    let headers = u32::try_from(shared.limits.max_header_bytes).unwrap_or(u32::MAX);
    let mut connection = http2::Builder::new(executor)
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_header_list_size(headers)
        .max_concurrent_streams(shared.limits.max_streams)
        .serve_connection(TokioIo::new(stream), requests(peer, activity, shared));
    drive(&mut connection, Version::Http2, activity, shared).await.log();
}

/// Reads what a client still sends and throws it away, so that closing the socket does not destroy
/// the response on its way (RFC 9112, section 9.6: a close with unread input resets the
/// connection).
async fn linger(mut socket: TcpStream, shared: &Shared) {
    let mut scratch = vec![0; 64 << 10];
    let drained = async { while matches!(socket.read(&mut scratch).await, Ok(1..)) {} };
    let mut cut = shared.cut.watch();
    tokio::select! {
        _ = timeout(shared.limits.linger_timeout, drained) => {}
        () = poll_fn(|cx| cut.poll(cx)) => {}
    }
}

/// How a connection ended.
enum End {
    /// By itself, or with an error of the client's or the network's.
    Closed(hyper::Result<()>),
    /// By one of our limits.
    Cut(Phase),
    /// By the end of the draining time.
    Drained,
}

impl End {
    fn log(self) {
        match self {
            End::Closed(Ok(())) => {}
            End::Closed(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection failed");
            }
            End::Cut(phase) => tracing::debug!(?phase, "a connection was cut: out of time"),
            End::Drained => tracing::debug!("a connection was cut: out of time to drain"),
        }
    }
}

/// What the two HTTP versions have in common for [`drive`].
trait Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>>;
    fn wind_down(&mut self);
}

impl<S> Connection for http1::Connection<TokioIo<Noted<S>>, Requests>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Future::poll(Pin::new(self), cx)
    }

    fn wind_down(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

impl Connection for http2::Connection<TokioIo<Encrypted>, Requests, StreamExecutor> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Future::poll(Pin::new(self), cx)
    }

    fn wind_down(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

/// Runs a connection, and ends it when it is time.
async fn drive(
    connection: &mut impl Connection,
    version: Version,
    activity: &Activity,
    shared: &Shared,
) -> End {
    let mut draining = shared.draining.watch();
    let mut cut = shared.cut.watch();
    let mut alarm = Alarm::default();
    let mut winding_since = None;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.poll(cx) {
                return Poll::Ready(End::Closed(result));
            }
            if cut.poll(cx).is_ready() {
                return Poll::Ready(End::Drained);
            }
            if winding_since.is_none() && draining.poll(cx).is_ready() {
                connection.wind_down();
                winding_since = Some(Instant::now());
                continue;
            }
            let (phase, crowded) = (activity.phase(), shared.is_crowded());
            let deadline = deadline(phase, version, winding_since, crowded, &shared.limits);
            let Some((due, verdict)) = deadline else { return Poll::Pending };
            if alarm.poll(cx, due).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < due {
                continue; // woken to look around
            }
            match verdict {
                Verdict::Cut => return Poll::Ready(End::Cut(phase)),
                Verdict::WindDown => {
                    connection.wind_down();
                    winding_since = Some(Instant::now());
                }
            }
        }
    })
    .await
}

/// A timer for deadlines that move with every request. It is set again only when it would fire too
/// late; when it fires early, the caller looks at the deadline and comes back.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready at `due`, and now and then before, so that an idle connection notices a crowd.
    fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let wake = due.min(Instant::now() + CROWDED_IDLE);
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(wake)));
        if sleep.is_elapsed() || sleep.deadline() > wake {
            sleep.as_mut().reset(wake);
        }
        sleep.as_mut().poll(cx)
    }
}
