//! A client that costs little: what it reads is thrown away in the kernel (`MSG_TRUNC`).

use rustix::net::{RecvFlags, recv};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What one reader saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Bytes of the body.
    pub(crate) bytes: u64,
    /// From the request to the first byte of the body.
    pub(crate) first: Duration,
    /// From the request to the last.
    pub(crate) last: Duration,
}

/// Reads a path whole, or a range of it.
pub(crate) fn read(address: SocketAddr, path: &str, range: Option<(u64, u64)>) -> Seen {
    let range = range.map(|(from, to)| format!("Range: bytes={from}-{to}\r\n"));
    let range = range.unwrap_or_default();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{range}Connection: close\r\n\r\n");
    let started = Instant::now();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let (length, mut bytes) = head(&mut socket);
    let mut first = (bytes > 0).then(|| started.elapsed());
    let mut scratch = vec![0; 1 << 20];
    while bytes < length {
        let (_, got) = recv(&socket, &mut scratch[..], RecvFlags::TRUNC).unwrap();
        assert!(got > 0, "{path} broke off after {bytes} of {length} bytes");
        first.get_or_insert_with(|| started.elapsed());
        bytes += got as u64;
    }
    Seen { bytes, first: first.unwrap_or_default(), last: started.elapsed() }
}

/// Reads the head: the body's length, and how much of it came along.
fn head(socket: &mut TcpStream) -> (u64, u64) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "the head ends early");
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap().to_lowercase();
    assert!(text.starts_with("http/1.1 20"), "{text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (length.trim().parse().unwrap(), 0)
}

/// So many readers of one path at the same time.
pub(crate) fn crowd(count: usize, address: SocketAddr, path: &str) -> Vec<Seen> {
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..count).map(|_| scope.spawn(move || read(address, path, None))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}
