//! The overlay by WireGuard: keys instead of certificates, peers instead of clients.
//!
//! | module | what | pure |
//! |---|---|---|
//! | [`register`] | who may join, by which key | yes |
//! | [`dump`] | what the running interface says about itself | yes |
//! | [`report()`] | both together | yes |
//! | [`Overlay`] | the folder on disk: lock, register, keys, the server's files | |
//! | [`running`] | the running interface, by wg(8) | |
//!
//! The register is a file of its own beside OpenVPN's: neither of the two has anything that the other
//! could use, and a site that changes its mode finds its nodes again when it changes back.

pub mod dump;
mod keys;
mod overlay;
pub mod register;
mod report;
pub mod running;

pub use keys::{KeyPair, NoKey, PublicKey, key_pair};
pub use overlay::{Added, Form, Overlay};
pub use report::{LATELY, is_connected, report};
