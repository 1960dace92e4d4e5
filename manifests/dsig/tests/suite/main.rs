//! The promises of this crate, against attackers and beside the programs everybody else uses.

mod attacks;
mod interop;
mod limits;
mod workshop;
