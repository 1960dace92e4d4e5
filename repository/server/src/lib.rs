//! The appliance repository: an HTTP service over the store.
//!
//! Read [`router`] first: every endpoint on one screen. A request goes through
//!
//! ```text
//! stratus-serve   accept, TLS, time limits
//! router          number, log line, metrics, cross-site protection
//! route           the path, read strictly, once                    (stratus-repository-api)
//! who             who is asking                                    (stratus-identity)
//! handlers        read the request, call one decision, show the result
//! admission       may this document be published here, by this person?
//! store           stage, verify, publish                           (stratus-store)
//! ```
//!
//! An error is public only where a handler says so; see `error`.

mod admission;
mod app;
mod assets;
mod audit;
mod error;
mod form;
mod handlers;
mod metrics;
mod pages;
mod reading;
mod router;
mod service;
pub mod settings;
mod sums;
mod views;
mod who;

pub use router::router;
pub use service::{Service, StartError, reindex, scrub};
pub use settings::Settings;
