//! What a client may take: time, connections, header bytes.

use std::time::Duration;

/// Limits of the connections of one [`serve`](crate::serve) call.
///
/// Every limit that is about time punishes only a client that stands still. A handler may think
/// as long as it likes, and a slow but moving transfer is never cut.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first byte of a request head to its last, and from a new connection to its first
    /// byte. HTTP/1 only: over HTTP/2 a connection without a request counts as idle.
    pub header_timeout: Duration,
    /// A connection without a request in progress is closed after this time.
    pub idle_timeout: Duration,
    /// A body that makes no progress for this long because of the client (an upload that sends
    /// nothing, a download that takes nothing) ends: HTTP/1 closes the connection, HTTP/2 resets
    /// the stream. Over HTTP/2 a download must take one piece of its body (of a file: 64 KiB) in
    /// this time to count as moving.
    pub body_idle_timeout: Duration,
    /// From the accepted connection to the end of its TLS handshake.
    pub handshake_timeout: Duration,
    /// How long requests in progress may still take after the shutdown began.
    pub drain_timeout: Duration,
    /// How long a refused upload is still read (and thrown away) after its response, so that the
    /// client gets to see the response instead of a reset connection.
    pub linger_timeout: Duration,
    /// Connections at one time, over all listeners; further ones wait in the listen backlog.
    /// Keep it some hundreds below the process's limit of open files (`LimitNOFILE=`): each
    /// connection is one descriptor, and each download one more.
    pub max_connections: usize,
    /// Request line and header fields together; more is answered with 431.
    pub max_header_bytes: usize,
    /// HTTP/2 streams at one time on one connection.
    pub max_streams: u32,
    /// How often the certificate files are looked at for changes.
    pub tls_refresh: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_idle_timeout: Duration::from_mins(1),
            handshake_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(5),
            max_connections: 4096,
            max_header_bytes: 32 << 10,
            max_streams: 100,
            tls_refresh: Duration::from_secs(3),
        }
    }
}
