//! Steps as programs, run in a scratch root with stand-ins for the programs of a system.
//!
//! What must hold for each: a second run changes nothing; killed at any point and run again, the
//! tree is the same; undone, it is as before.

#![expect(clippy::unwrap_used, reason = "what a test needs must be there, or the test fails")]

mod bench;
mod files;
mod killed;
mod network;
mod system;
