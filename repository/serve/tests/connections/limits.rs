//! Clients that are slow, silent, too many or too loud.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use futures_util::StreamExt;
use stratus_serve::{Limits, Peer, RequestBodyError, file_body::FileBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::{Notify, mpsc},
};

use crate::support::{Pki, Running, file, read_to_end, send, soon};

const SHORT: Duration = Duration::from_millis(600);

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_cut() {
    let limits = Limits { header_timeout: SHORT, ..Limits::default() };
    let server = Running::start(hello(), limits, Pki::new().files());
    let (read, mut write) = send(server.plain, "GET / HTTP/1.1\r\n").await.into_split();
    let dripping = tokio::spawn(async move {
        let mut drip = tokio::time::interval(SHORT / 20);
        while write.write_all(b"X-A: b\r\n").await.is_ok() {
            drip.tick().await;
        }
    });
    let started = Instant::now();
    assert_eq!(read_to_end(read).await, b"", "no answer to half a request");
    assert!(started.elapsed() >= SHORT / 2, "not before its time");
    soon("the drip notices", dripping).await.expect("no panic");
}

#[tokio::test]
async fn a_silent_connection_is_cut_plain_and_encrypted() {
    let limits = Limits { header_timeout: SHORT, handshake_timeout: SHORT, ..Limits::default() };
    let server = Running::start(hello(), limits, Pki::new().files());
    for address in [server.plain, server.tls] {
        assert_eq!(read_to_end(send(address, "").await).await, b"");
    }
}

#[tokio::test]
async fn an_idle_connection_closes_after_its_time_and_not_before() {
    let limits = Limits { header_timeout: SHORT / 3, idle_timeout: SHORT, ..Limits::default() };
    let server = Running::start(hello(), limits, Pki::new().files());
    let socket = send(server.plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let started = Instant::now();
    let answer = read_to_end(socket).await;
    assert!(answer.ends_with(b"hello"));
    assert!(started.elapsed() >= SHORT, "closed after {:?}", started.elapsed());
}

/// A router with an endless answer, from memory or from a file, that tells when it is over.
fn endless() -> (Router, mpsc::UnboundedReceiver<&'static str>) {
    struct Told(&'static str, mpsc::UnboundedSender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }
    let (over, ends) = mpsc::unbounded_channel();
    let large = file(&[]);
    large.set_len(8 << 30).expect("a sparse file");
    let body = move |name: &'static str| {
        let told = Told(name, over.clone());
        let pieces = axum::body::Body::from(FileBody::new(Arc::clone(&large), 0..8 << 30));
        Body::from_stream(pieces.into_data_stream().map(move |piece| {
            let _alive = &told;
            piece
        }))
    };
    let other = body.clone();
    let router = hello()
        .route("/plain", get(async move || Response::new(body("plain"))))
        .route("/tls", get(async move || Response::new(other("tls"))));
    (router, ends)
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let pki = Pki::new();
    let (router, mut ends) = endless();
    let limits = Limits { body_idle_timeout: SHORT, ..Limits::default() };
    let server = Running::start(router, limits, pki.files());

    let plain = send(server.plain, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(soon("the plain one is cut", ends.recv()).await, Some("plain"));
    drop(plain);

    // reqwest reads ahead only as far as the buffers of its connection go.
    let client = pki.client().http1_only().build().expect("a client");
    let response = client.get(server.tls_url("/tls")).send().await.expect("a head");
    assert_eq!(soon("the encrypted one is cut", ends.recv()).await, Some("tls"));
    drop(response);
}

#[tokio::test]
async fn an_http2_stream_that_takes_nothing_is_reset_and_its_neighbours_go_on() {
    let pki = Pki::new();
    let (router, mut ends) = endless();
    let limits = Limits { body_idle_timeout: SHORT, ..Limits::default() };
    let server = Running::start(router, limits, pki.files());
    let client = pki.client().build().expect("a client");
    let stalled = client.get(server.tls_url("/tls")).send().await.expect("a head");
    assert_eq!(stalled.version(), http::Version::HTTP_2);
    assert_eq!(soon("the stream is reset", ends.recv()).await, Some("tls"));
    let neighbour = client.get(server.tls_url("/")).send().await.expect("a neighbour");
    assert_eq!(neighbour.text().await.expect("its body"), "hello");
    stalled.bytes().await.expect_err("a reset stream has no end");
}

#[tokio::test]
async fn a_slow_but_moving_download_is_not_cut() {
    let limits = Limits {
        body_idle_timeout: SHORT,
        header_timeout: SHORT,
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let length = 4 << 20;
    let large = file(&vec![7; length]);
    let handler = async move || {
        Response::new(Body::from(FileBody::new(Arc::clone(&large), 0..length as u64)))
    };
    let router = Router::new().route("/", get(handler));
    let server = Running::start(router, limits, Pki::new().files());
    // A client with small buffers, that reads 64 KiB seventeen times a second. The server's socket
    // holds much more than it takes in the time limit, so no write goes on in that time.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(32 << 10).expect("a small buffer");
    let mut socket = socket.connect(server.plain).await.expect("a connection");
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.expect("sent");
    let mut pace = tokio::time::interval(SHORT / 10);
    let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
    let started = Instant::now();
    loop {
        match socket.read(&mut buffer).await.expect("never reset") {
            0 => break,
            read => total += read,
        }
        pace.tick().await;
    }
    assert!(total > length, "all of it came: {total}");
    assert!(started.elapsed() > 3 * SHORT, "slowly: {:?}", started.elapsed());
}

/// Takes an upload; 408 when it stalls.
async fn upload(body: Body) -> Response {
    let mut pieces = body.into_data_stream();
    let mut total = 0;
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => total += piece.len(),
            Err(error) => {
                let source = std::error::Error::source(&error);
                let stalled = source.and_then(|source| source.downcast_ref());
                assert!(matches!(stalled, Some(RequestBodyError::Stalled { .. })), "{error:?}");
                return (StatusCode::REQUEST_TIMEOUT, format!("got {total}")).into_response();
            }
        }
    }
    format!("got {total}").into_response()
}

#[tokio::test]
async fn an_upload_that_stops_in_the_middle_fails_in_the_handler() {
    let limits = Limits { body_idle_timeout: SHORT, ..Limits::default() };
    let router = Router::new().route("/", put(upload));
    let server = Running::start(router, limits, Pki::new().files());
    let half = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello";
    let answer = read_to_end(send(server.plain, half).await).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.ends_with("got 5"), "{answer}");
}

#[tokio::test]
async fn a_handler_may_think_longer_than_any_limit() {
    let pki = Pki::new();
    let limits = Limits {
        header_timeout: SHORT / 3,
        idle_timeout: SHORT / 3,
        body_idle_timeout: SHORT / 3,
        ..Limits::default()
    };
    let think = async || {
        tokio::time::sleep(SHORT).await;
        let first = futures_util::stream::once(async { Ok::<_, std::io::Error>("well, ") });
        let second = futures_util::stream::once(async {
            tokio::time::sleep(SHORT).await;
            Ok("yes")
        });
        Response::new(Body::from_stream(first.chain(second)))
    };
    let server = Running::start(Router::new().route("/", get(think)), limits, pki.files());
    for client in [pki.client(), pki.client().http1_only()] {
        let client = client.build().expect("a client");
        let answer = client.get(server.tls_url("/")).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("its body"), "well, yes");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_431() {
    let limits = Limits { max_header_bytes: 16 << 10, ..Limits::default() };
    let pki = Pki::new();
    let server = Running::start(hello(), limits, pki.files());
    let request = |bytes: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: {}\r\n\r\n",
            "a".repeat(bytes)
        )
    };
    let good = read_to_end(send(server.plain, &request(15 << 10)).await).await;
    assert!(good.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&good));
    for bytes in [17 << 10, 2 << 20] {
        let mut socket = TcpStream::connect(server.plain).await.expect("a connection");
        let (mut read, mut write) = socket.split();
        let text = request(bytes);
        let (sent, answer) = tokio::join!(write.write_all(text.as_bytes()), read_to_end(&mut read));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431"), "{bytes} bytes, sent {sent:?}: {answer}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let limits = Limits { max_connections: 2, ..Limits::default() };
    let (started, mut starts) = mpsc::unbounded_channel();
    let (go, busy, most) =
        (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (release, most_seen) = (Arc::clone(&go), Arc::clone(&most));
    let handler = async move |Extension(peer): Extension<Peer>| {
        most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        started.send(peer.address).expect("the test listens");
        go.notified().await;
        busy.fetch_sub(1, Ordering::SeqCst);
        "done"
    };
    let router = Router::new().route("/", get(handler));
    let server = Running::start(router, limits, Pki::new().files());
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..5 {
        let socket = send(server.plain, request).await;
        clients.push((socket.local_addr().expect("an address"), socket));
    }
    for _ in 0..2 {
        soon("the first two", starts.recv()).await.expect("a start");
    }
    for _ in 0..5 {
        release.notify_one();
    }
    for _ in 0..3 {
        soon("the others", starts.recv()).await.expect("a start");
        release.notify_waiters();
        release.notify_one();
    }
    for (address, socket) in clients {
        release.notify_one();
        let answer = read_to_end(socket).await;
        assert!(answer.ends_with(b"done"), "{address}");
    }
    assert_eq!(most_seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn half_a_tls_handshake_is_cut_and_delays_nobody() {
    let pki = Pki::new();
    let limits = Limits { handshake_timeout: SHORT, ..Limits::default() };
    let server = Running::start(hello(), limits, pki.files());
    // A record header that promises 512 bytes of handshake, and then nothing.
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut socket = send(server.tls, "").await;
        socket.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.expect("sent");
        stuck.push(socket);
    }
    let client = pki.client().build().expect("a client");
    let answer = client.get(server.tls_url("/")).send().await.expect("an answer");
    assert_eq!(answer.text().await.expect("its body"), "hello");
    for socket in stuck {
        read_to_end(socket).await;
    }
}

#[tokio::test]
async fn a_refused_upload_still_gets_its_answer() {
    let pki = Pki::new();
    let router = Router::new().route("/", put(async || (StatusCode::UNAUTHORIZED, "who are you?")));
    let server = Running::start(router, Limits::default(), pki.files());
    for length in [1 << 20, 8 << 20] {
        let mut socket = send(
            server.plain,
            &format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"),
        )
        .await;
        // As simple clients do it: send everything, then read.
        socket.write_all(&vec![0; length]).await.expect("the server takes it");
        let answer = read_to_end(socket).await;
        assert!(answer.starts_with(b"HTTP/1.1 401") && answer.ends_with(b"who are you?"));
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Running::start(hello(), Limits::default(), Pki::new().files());
    for nonsense in ["\u{0}\u{1}\u{2}\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET\r\n\r\n"] {
        let answer = read_to_end(send(server.plain, nonsense).await).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}
