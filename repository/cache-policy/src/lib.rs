//! The decisions of the cache, as values: what to keep, serve, ask for, and throw away.
//!
//! Nothing here does anything: no files, sockets, clock or tasks. Time is an argument.

pub mod evict;
pub mod flight;
pub mod spans;
