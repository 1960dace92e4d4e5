//! The overlay of burst nodes: its authority, its register of clients, its running server.
//!
//! | module | what | pure |
//! |---|---|---|
//! | [`register`] | who may join, with which certificates; every decision about them | yes |
//! | [`tls_crypt`] | keys of OpenVPN's control channel (tls-crypt-v2) | yes |
//! | [`token`] | join tokens: used once, by one machine | yes |
//! | [`host_key`] | the keys of the nodes' ssh servers | yes |
//! | [`status`] | what the server says about itself, and its errors in plain words | yes |
//! | [`derived`] | the server's files as they follow from the register | yes |
//! | [`Overlay`] | the folder on disk: lock, register, keys | |
//! | [`management`] | the socket of the running server | |
//! | [`joined`] | what the server asks when a machine joins | |
//! | [`wireguard`] | the same overlay by WireGuard: its own register, keys and server | |
//!
//! The register is the truth: it is written last, at once, and durably, after every key that it
//! names. The server's files are made from it, and put right by whatever runs next.

pub mod derived;
mod folder;
pub mod host_key;
pub mod joined;
pub mod management;
mod overlay;
pub mod register;
mod serial;
pub mod status;
pub mod tls_crypt;
pub mod token;
pub mod wireguard;

pub use folder::FolderError;
pub use overlay::{Added, Bundle, Error, Form, Overlay, Renewed, Rotated};
pub use serial::Serial;

/// Fills bytes with randomness; tests give their own.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// The system's randomness.
///
/// # Panics
/// The system has none, and then nothing may be made.
pub fn system_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
}
