//! Ports of servers that must know theirs before they listen, or that come back to it.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Below what Linux gives to whoever asks for any port (`net.ipv4.ip_local_port_range`): the
/// thousands of connections that tests open take none of these while their server is away.
const PORTS: std::ops::Range<u16> = 10_000..32_768;

/// A port of 127.0.0.1 that nobody listens on.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let mut candidates = (0..100_u8).map(|_| {
        let random = RandomState::new().hash_one(()) % u64::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(random).expect("a port")
    });
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

/// Waits until somebody listens at a port of 127.0.0.1, at most half a minute. There is no event to
/// wait for: what a server says of its start may come before it listens.
///
/// # Panics
/// Nobody does.
pub fn await_listener(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    while let Err(error) = TcpStream::connect(address) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody listens at {address}: {error}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
