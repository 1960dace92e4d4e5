//! Logging in to pages: what services with pages share between HTTP and [`stratus_identity`].
//!
//! [`identify`] says who a request comes from, in this order: an `Authorization` header (Basic with
//! a password or a token, Bearer with a token), the pages' cookie, a client certificate. A header
//! that is wrong ends the request; it never falls through to a weaker proof.
//!
//! [`session`] is that cookie, [`settings`] reads the section `[identity]` of the site file, and
//! [`tokens`] are the commands for tokens.

pub mod session;
pub mod settings;
pub mod tokens;

mod identify;

pub use identify::{NotIdentified, Proof, authorization, identify};
