//! The client against servers that are good, tired, broken and evil.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod commands;
mod download;
mod support;
mod upload;
