//! Connections: accept, TLS with reload, time limits, draining, and file bodies that cost little.
//!
//! The services of Stratus are [`axum::Router`]s; this crate is what stands between them and the
//! sockets. A service builds its router, binds its listeners and calls [`serve`]:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use stratus_serve::{Bound, Limits, Listen, TlsFiles, serve};
//!
//! let tls = TlsFiles::load("server.crt".as_ref(), "server.key".as_ref(), None)?;
//! let bound = Bound::bind(&Listen { address: "[::]:8443".parse()?, tls: Some(tls) })?;
//! let router = axum::Router::new();
//! let drained = serve(vec![bound], router, Limits::default(), async {
//!     let _ = tokio::signal::ctrl_c().await;
//! })
//! .await?;
//! assert_eq!(drained.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! What a connection goes through, and the module that decides:
//!
//! ```text
//! accept    a place under max_connections, else the backlog waits      accept
//! TLS       handshake within handshake_timeout, ALPN h2 or http/1.1    tls, connection
//! head      whole head within header_timeout, max_header_bytes         activity, connection
//! request   Peer added; a silent upload fails, it does not hang        request
//! response  a client that takes nothing is cut; files go by sendfile   stall, streams, file_body
//! idle      closed after idle_timeout, sooner when places run out      activity
//! shutdown  idle closed now, requests finish, the rest is cut          serve
//! ```
//!
//! Out of scope: routing, and what a request means. HTTP heads, keep-alive and framing are
//! hyper's. HTTP/2 is offered over TLS only (RFC 9113, section 3.2: by ALPN).

mod accept;
mod activity;
mod connection;
pub mod file_body;
mod interim;
mod limits;
mod listen;
mod raw;
mod request;
mod serve;
mod stall;
mod streams;
mod tls;

pub use interim::Interim;
pub use limits::Limits;
pub use listen::{BindError, Bound, Listen};
pub use request::{Answers, AtOnce, Peer, RequestBodyError};
pub use serve::{Drained, ServeError, serve};
pub use tls::{TlsError, TlsFiles};
