//! Real sockets on loopback: what clients see, good ones and bad ones.

mod drain;
mod files;
mod known;
mod limits;
mod support;
mod tls;
