//! Plans carried out on simulated hosts: broken, silent, waiting for each other, and many.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

mod goes_wrong;
mod lock;
mod many;
mod simulated;
