//! Running out of file descriptors; in a process of its own, because the limit is the process's.

use std::{fs::File, net::TcpStream, os::unix::fs::FileExt, time::Duration};

use axum::{Router, routing::get};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stratus_serve::{Bound, Limits, Listen, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// User and system time of this process, from its `/proc/self/stat` (100 ticks a second), which
/// must be open already: later there is no descriptor for it.
fn cpu(stat: &File) -> Duration {
    let mut text = [0; 1024];
    let length = stat.read_at(&mut text, 0).expect("the kernel tells");
    let text = String::from_utf8_lossy(&text[..length]);
    let (_, fields) = text.rsplit_once(')').expect("the name is in parentheses");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::test]
async fn without_descriptors_new_connections_wait_and_the_processor_rests() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let bound = Bound::bind(&Listen { address, tls: None }).expect("a free port");
    let address = bound.local_addr();
    let router = Router::new().route("/", get(async || "hello"));
    let server =
        tokio::spawn(serve(vec![bound], router, Limits::default(), std::future::pending()));

    // The client's socket is made while there is still a descriptor; then all others are taken.
    let stat = File::open("/proc/self/stat").expect("proc is mounted");
    let client = tokio::net::TcpSocket::new_v4().expect("a socket");
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), ..limit }).expect("lowered");
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let mut client = client.connect(address).await.expect("the backlog takes it");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");

    let before = cpu(&stat);
    let mut answer = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(400), client.read_exact(&mut answer));
    early.await.expect_err("nobody can accept it yet");
    let used = cpu(&stat).saturating_sub(before);
    assert!(used < Duration::from_millis(100), "{used:?} spent in 400 ms of waiting");

    drop(taken);
    let answered = tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut answer));
    answered.await.expect("served at last").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    setrlimit(Resource::Nofile, limit).expect("restored");
    TcpStream::connect(address).expect("and so are the next ones");
    server.abort();
}
