//! The shutdown: what works may finish, what idles goes, what hangs is cut.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use stratus_serve::{Drained, Limits};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{Notify, mpsc},
};

use crate::support::{Pki, Running, read_to_end, send, soon};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// `/` answers at once; `/slow` says that it started and answers when told.
fn router() -> (Router, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let (started, starts) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let slow = async move || {
        started.send(()).expect("the test listens");
        told.notified().await;
        "slow"
    };
    let router = Router::new().route("/", get(async || "hello")).route("/slow", get(slow));
    (router, starts, go)
}

#[tokio::test]
async fn requests_in_progress_finish_and_idle_connections_close_at_once() {
    let pki = Pki::new();
    let (router, mut starts, go) = router();
    let mut server = Running::start(router, Limits::default(), pki.files());
    let mut idle = send(server.plain, GET).await;
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.expect("an answer");
    let fresh = TcpStream::connect(server.plain).await.expect("a connection");
    let working = send(server.plain, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let client = pki.client().build().expect("a client");
    let request = tokio::spawn(client.get(server.tls_url("/slow")).send());
    for _ in 0..2 {
        soon("both requests start", starts.recv()).await.expect("a start");
    }

    let started = Instant::now();
    server.begin_shutdown();
    assert!(read_to_end(idle).await.ends_with(b"hello"));
    read_to_end(fresh).await;
    assert!(started.elapsed() < Limits::default().header_timeout, "at once");
    // Its socket is closed: the last idle connection went after that.
    soon("the address is given up", async {
        while TcpStream::connect(server.plain).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    go.notify_waiters();
    let answer = read_to_end(working).await;
    assert!(answer.ends_with(b"slow"), "{}", String::from_utf8_lossy(&answer));
    let answer = soon("the HTTP/2 answer", request).await.expect("no panic").expect("an answer");
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.text().await.expect("its body"), "slow");
    let drained = soon("the end", server.task).await.expect("no panic").expect("it ran");
    assert_eq!(drained.cut, 0);
    assert!(drained.finished >= 3, "{drained:?}");
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let pki = Pki::new();
    let (router, mut starts, _go) = router();
    let limits = Limits { drain_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(router, limits, pki.files());
    let working = send(server.plain, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let client = pki.client().build().expect("a client");
    let request = tokio::spawn(client.get(server.tls_url("/slow")).send());
    for _ in 0..2 {
        soon("both requests start", starts.recv()).await.expect("a start");
    }
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 2 });
    assert_eq!(read_to_end(working).await, b"");
    soon("the HTTP/2 request fails", request).await.expect("no panic").expect_err("cut");
}

#[tokio::test]
async fn an_idle_http2_connection_is_told_to_go_away() {
    let pki = Pki::new();
    let (router, _starts, _go) = router();
    let server = Running::start(router, Limits::default(), pki.files());
    let client = pki.client().build().expect("a client");
    let answer = client.get(server.tls_url("/")).send().await.expect("an answer");
    assert_eq!(answer.version(), http::Version::HTTP_2);
    drop(answer);
    // The client keeps the connection; only GOAWAY makes both sides close it before the limit.
    assert_eq!(server.stop().await, Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn dropping_the_server_cuts_its_connections() {
    let (router, mut starts, _go) = router();
    let server = Running::start(router, Limits::default(), Pki::new().files());
    let working = send(server.plain, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    soon("the request starts", starts.recv()).await.expect("a start");
    server.task.abort();
    assert_eq!(read_to_end(working).await, b"");
}

#[tokio::test]
async fn nothing_to_listen_on_is_an_error() {
    let served = stratus_serve::serve(vec![], Router::new(), Limits::default(), async {}).await;
    assert!(served.expect_err("no listener").to_string().contains("listen"));
}
