//! What the crate promises about bytes: what is refused, what comes back, what others read.

mod interop;
mod round_trip;
mod support;
mod zoo;
