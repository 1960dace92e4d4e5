//! `stratus-cache`: an image crosses the wide-area network once.
//!
//! ```text
//! request   which upstream, which key                                proxy
//! decide    serve, ask, join, pass                                   stratus_cache_policy, proxy
//! fetch     one request upstream for everybody who waits for it      fetch, joins
//! object    a file that fills: runs bring bytes, readers wait        object, fill, gather, source
//! answer    head, ranges, a body that follows the filling file       answer, body
//! around    bytes for a reader that the disk does not take             around
//! spool     what is stored, within a budget; found again at start    spool
//! ```
//!
//! What never happens: a reader gets a wrong byte and a clean end. Bytes of two versions are never
//! joined (strong validators), bytes that have a digest are compared with it before all of them have
//! gone out, and bytes from before a restart are compared with their checksums before they are
//! served again.

mod answer;
mod around;
mod body;
mod client;
pub mod control;
mod fetch;
mod fill;
mod gather;
mod joins;
mod metrics;
mod named;
mod object;
mod page;
mod pass;
mod prefetch;
mod problem;
mod promise;
mod proxy;
mod service;
pub mod settings;
mod source;
mod spool;
mod upstream;

pub use service::{Service, StartError};
pub use settings::Settings;
