//! File bodies: the right bytes on every kind of connection, and nothing worse than a broken
//! transfer when something breaks.

use std::{
    fs::File,
    io::Write,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use rustix::fs::{Advice, fadvise};
use stratus_serve::{
    Limits,
    file_body::{FileBody, FileBodyError, Part},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

use crate::support::{Pki, Running, file, pattern, read_to_end, send, soon};

const LENGTH: usize = (9 << 20) + 12_345;

fn router(file: Arc<File>) -> Router {
    Router::new()
        .route("/{start}/{end}", get(one_range))
        .route("/parts/{ranges}", get(several))
        .with_state(file)
}

async fn one_range(
    State(file): State<Arc<File>>,
    Path((start, end)): Path<(u64, u64)>,
) -> Response {
    Response::new(FileBody::new(file, start..end).into())
}

/// `a-b,c-d`, each range with a line before it.
async fn several(State(file): State<Arc<File>>, Path(ranges): Path<String>) -> Response {
    let parts = ranges.split(',').flat_map(|range| {
        let (start, end) = range.split_once('-').expect("a range");
        let range = start.parse().expect("a number")..end.parse().expect("a number");
        [Part::Bytes(Bytes::from(format!("--{}\n", range.start))), Part::File(range)]
    });
    let parts = parts.chain([Part::Bytes(Bytes::from_static(b"--end\n"))]);
    Response::new(FileBody::parts(file, parts).into())
}

/// The three ways to us: plain HTTP/1.1, HTTP/1.1 over TLS, HTTP/2 over TLS.
fn ways(pki: &Pki, server: &Running) -> [(&'static str, reqwest::Client, String); 3] {
    let client = |builder: reqwest::ClientBuilder| builder.build().expect("a client");
    [
        ("plain", client(pki.client()), server.plain_url("")),
        ("TLS, HTTP/1.1", client(pki.client().http1_only()), server.tls_url("")),
        ("TLS, HTTP/2", client(pki.client()), server.tls_url("")),
    ]
}

async fn bytes(client: &reqwest::Client, url: &str) -> (u64, Bytes) {
    let response = client.get(url).send().await.expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    let length = response.headers()[header::CONTENT_LENGTH].to_str().expect("digits");
    let length = length.parse().expect("a number");
    (length, response.bytes().await.expect("the whole body"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_arrive_byte_for_byte_on_every_kind_of_connection() {
    let (pki, content) = (Pki::new(), pattern(LENGTH));
    let server = Running::start(router(file(&content)), Limits::default(), pki.files());
    let window = 4 << 20;
    let ranges: [Range<usize>; 9] = [
        0..LENGTH,
        0..1,
        LENGTH - 1..LENGTH,
        0..65_535,
        1..65_537,
        window - 1..window + 1,
        4095..window + 4097,
        777..2 * window + 3,
        5000..5000,
    ];
    for (name, client, url) in ways(&pki, &server) {
        for range in &ranges {
            let (length, body) =
                bytes(&client, &format!("{url}/{}/{}", range.start, range.end)).await;
            assert_eq!(length, range.len() as u64, "{name} {range:?}");
            assert!(body == content[range.clone()], "{name} {range:?} differs");
        }
    }
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_in_memory_arrives_all_the_same() {
    let (pki, content) = (Pki::new(), pattern(LENGTH));
    // On disk: the usual directory for temporary files may be memory.
    let mut cold = tempfile::tempfile_in("/var/tmp").expect("a temporary file");
    cold.write_all(&content).and_then(|()| cold.sync_all()).expect("on disk");
    let cold = Arc::new(cold);
    let server = Running::start(router(Arc::clone(&cold)), Limits::default(), pki.files());
    for (name, client, url) in ways(&pki, &server) {
        fadvise(&cold, 0, None, Advice::DontNeed).expect("forgotten");
        let (_, body) = bytes(&client, &format!("{url}/3/{LENGTH}")).await;
        assert!(body == content[3..], "{name} differs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_parts_arrive_with_what_is_between_them() {
    let (pki, content) = (Pki::new(), pattern(LENGTH));
    let server = Running::start(router(file(&content)), Limits::default(), pki.files());
    let ranges = [10..20, 0..5_000_000, 100..100, 8_000_000..8_200_000];
    let mut expected = Vec::new();
    for range in &ranges {
        expected.extend_from_slice(format!("--{}\n", range.start).as_bytes());
        expected.extend_from_slice(&content[range.clone()]);
    }
    expected.extend_from_slice(b"--end\n");
    for (name, client, url) in ways(&pki, &server) {
        let (length, body) =
            bytes(&client, &format!("{url}/parts/10-20,0-5000000,100-100,8000000-8200000")).await;
        assert_eq!(length, expected.len() as u64, "{name}");
        assert!(body == expected, "{name} differs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ranges_at_once_do_not_mix() {
    let (pki, content) = (Pki::new(), Arc::new(pattern(LENGTH)));
    let server = Running::start(router(file(&content)), Limits::default(), pki.files());
    let mut readers = tokio::task::JoinSet::new();
    for (name, client, url) in ways(&pki, &server) {
        for reader in 0..12_usize {
            let (client, url, content) = (client.clone(), url.clone(), Arc::clone(&content));
            readers.spawn(async move {
                for round in 0..25_usize {
                    let start = (reader * 7919 + round * 104_729) % (LENGTH - 300_000);
                    let range = start..start + 1 + (reader * 31 + round * 9973) % 300_000;
                    let (_, body) =
                        bytes(&client, &format!("{url}/{}/{}", range.start, range.end)).await;
                    assert!(body == content[range.clone()], "{name} {range:?} differs");
                }
            });
        }
    }
    while let Some(reader) = soon("all readers", readers.join_next()).await {
        reader.expect("every range is right");
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order_from_the_file() {
    let (pki, content) = (Pki::new(), pattern(LENGTH));
    let server = Running::start(router(file(&content)), Limits::default(), pki.files());
    let request = |start: usize, end: usize, close: &str| {
        format!("GET /{start}/{end} HTTP/1.1\r\nHost: a\r\n{close}\r\n")
    };
    let both = request(100, 200_100, "") + &request(5, 100_005, "Connection: close\r\n");
    let answer = read_to_end(send(server.plain, &both).await).await;
    let heads = answer.windows(4).enumerate().filter(|(_, bytes)| bytes == b"\r\n\r\n");
    let first = heads.map(|(at, _)| at + 4).next().expect("a head");
    assert!(answer[first..first + 200_000] == content[100..200_100]);
    assert!(answer.ends_with(&content[5..100_005]));
}

/// Tells when the body is dropped.
struct Noticed<B>(B, #[expect(dead_code, reason = "its drop is the message")] oneshot::Sender<()>);

impl<B: http_body::Body<Data = Bytes, Error = FileBodyError> + Unpin> http_body::Body
    for Noticed<B>
{
    type Data = Bytes;
    type Error = FileBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FileBodyError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A router that serves all of `file` once, and tells when that is over.
fn once(file: Arc<File>) -> (Router, oneshot::Receiver<()>) {
    let (dropped, over) = oneshot::channel();
    let dropped = Arc::new(Mutex::new(Some(dropped)));
    let handler = async move || {
        let length = file.metadata().expect("its length").len();
        let body = FileBody::new(Arc::clone(&file), 0..length);
        match dropped.lock().expect("no panic").take() {
            Some(dropped) => Response::new(Body::new(Noticed(body, dropped))),
            None => Response::new(body.into()),
        }
    };
    (Router::new().route("/", get(handler)), over)
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_transfer_and_harms_nobody() {
    let (pki, large) = (Pki::new(), file(&[]));
    large.set_len(1 << 30).expect("a sparse file");
    for encrypted in [false, true] {
        let (router, over) = once(Arc::clone(&large));
        let server = Running::start(router, Limits::default(), pki.files());
        if encrypted {
            let client = pki.client().build().expect("a client");
            let mut response = client.get(server.tls_url("/")).send().await.expect("a response");
            response.chunk().await.expect("a chunk").expect("some bytes");
        } else {
            let mut socket = send(server.plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            socket.read_exact(&mut vec![0; 100_000]).await.expect("some bytes");
        }
        assert!(soon("the end of the body", over).await.is_err(), "the sender is dropped");
        let client = pki.client().build().expect("a client");
        let head = client.head(server.plain_url("/")).send().await.expect("still serving");
        assert_eq!(head.headers()[header::CONTENT_LENGTH], "1073741824");
    }
}

#[tokio::test]
async fn a_file_cut_short_breaks_the_transfer_and_not_the_server() {
    let pki = Pki::new();
    for encrypted in [false, true] {
        let large = file(&[]);
        large.set_len(256 << 20).expect("a sparse file");
        let server = Running::start(router(Arc::clone(&large)), Limits::default(), pki.files());
        let path = format!("/0/{}", 256 << 20);
        if encrypted {
            for client in [pki.client(), pki.client().http1_only()] {
                large.set_len(256 << 20).expect("made long again");
                let client = client.build().expect("a client");
                let request = client.get(server.tls_url(&path));
                let mut response = request.send().await.expect("a response");
                response.chunk().await.expect("a chunk").expect("some bytes");
                large.set_len(1 << 20).expect("cut short");
                response.bytes().await.expect_err("the promised length never comes");
            }
        } else {
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut socket = send(server.plain, &head).await;
            socket.read_exact(&mut vec![0; 100_000]).await.expect("some bytes");
            large.set_len(1 << 20).expect("cut short");
            let rest = read_to_end(socket).await;
            assert!(rest.len() < 200 << 20, "{} bytes came", rest.len());
        }
        let client = pki.client().build().expect("a client");
        let after = bytes(&client, &server.plain_url("/0/5")).await;
        assert_eq!(after, (5, Bytes::from_static(&[0; 5])));
    }
}

#[tokio::test]
async fn a_range_past_the_end_of_the_file_breaks_off() {
    let pki = Pki::new();
    let server = Running::start(router(file(&vec![1; 100_000])), Limits::default(), pki.files());
    for (name, client, url) in ways(&pki, &server) {
        for path in ["/0/100001", "/0/50000000", "/200000/300000", "/99999/100001"] {
            let outcome = match client.get(format!("{url}{path}")).send().await {
                Ok(response) => response.bytes().await,
                Err(error) => Err(error),
            };
            assert!(outcome.is_err(), "{name} {path}");
        }
    }
}

/// Outside of our connections a body reads; it must give the same bytes there.
#[tokio::test]
async fn a_body_read_by_anybody_else_gives_the_same_bytes() {
    let content = pattern(300_000);
    let body = FileBody::new(file(&content), 10..250_000);
    assert_eq!((body.remaining(), body.size_hint().exact()), (249_990, Some(249_990)));
    let all = axum::body::to_bytes(body.into(), usize::MAX).await.expect("all of it");
    assert!(all == content[10..250_000]);
}

#[tokio::test]
async fn small_and_large_answers_share_a_connection() {
    let (pki, content) = (Pki::new(), pattern(LENGTH));
    let server = Running::start(router(file(&content)), Limits::default(), pki.files());
    let mut socket = send(server.plain, "").await;
    for (start, end) in [(0, 5_000_000), (3, 10), (0, 4 << 20), (70, 200_000)] {
        let request = format!("GET /{start}/{end} HTTP/1.1\r\nHost: a\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 0];
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(socket.read_u8().await.expect("a head"));
        }
        let mut body = vec![0; end - start];
        soon("the body", socket.read_exact(&mut body)).await.expect("the body");
        assert!(body == content[start..end], "{start} to {end} differs");
    }
}
