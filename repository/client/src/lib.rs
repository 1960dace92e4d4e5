//! Publish, find and pull appliances: resumes, verifies, places atomically.
//!
//! ```text
//! upload    check here -> ask how far -> PUT the image from there -> PUT the manifest
//! download  find -> manifest: signature, trust, rules -> image, piece by piece -> digests -> name
//! ```
//!
//! Decisions are pure and separate from the wire: [`retry`] (when to try again), [`pieces`] (which
//! bytes to ask for), [`wanted`] (what a person means). A [`Repository`] sends requests; [`fetch()`]
//! gets an image that a verified manifest describes. Nothing is ever placed under its final name
//! before both digests agree.

mod accept;
mod arrived;
mod deprecate;
mod download;
mod error;
mod fetch;
mod find;
mod partial;
pub mod pieces;
mod place;
mod publish;
mod repository;
pub mod retry;
mod transfer;
mod upload;
pub mod wanted;

pub use accept::{Accepted, Deprecated, Trust, accept_manifest, read_deprecation};
pub use deprecate::Withdrawal;
pub use download::{Download, Found};
pub use error::{ClientError, NotAccepted};
pub use fetch::{FetchOptions, fetch};
pub use place::Form;
pub use publish::Publication;
pub use repository::{Connection, Login, Repository};
pub use retry::Patience;
pub use upload::{Sent, Standing, Stored};
pub use wanted::{Wanted, WantedError};
