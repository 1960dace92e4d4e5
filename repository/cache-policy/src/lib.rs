//! All caching decisions as pure functions: what is stored, what is served, what is asked upstream.
//!
//! For one request a proxy calls, in this order: [`is_loop`], [`decide()`], then [`from_store`], or
//! [`to_upstream`] and with the answer [`store()`] or [`identified_by_304`] and [`freshen`], with a
//! failure [`on_error`], with an unsafe method [`invalidated`]. Nothing here opens a file or a socket
//! or looks at a clock: time is an argument. Each function takes fields as a stranger sent them and
//! has an answer for all of them.
//!
//! The cache is a shared one, in front of an origin. Responses are stored whole or in parts; which
//! bytes are there is not asked here.
//!
//! ```
//! use http::{HeaderMap, Method, StatusCode};
//! use stratus_cache_policy::{Decision, Exchange, Options, Request, Response, Storing, decide, store};
//!
//! let options = Options::default();
//! let asked = HeaderMap::new();
//! let request = Request { method: &Method::GET, headers: &asked };
//!
//! let mut came = HeaderMap::new();
//! came.insert("cache-control", "max-age=60".parse()?);
//! let response = Response { status: StatusCode::OK, headers: &came };
//! let at = |text: &str| text.parse::<jiff::Timestamp>();
//! let exchange =
//!     Exchange { requested_at: at("2026-11-20T10:00:00Z")?, received_at: at("2026-11-20T10:00:01Z")? };
//! let Storing::Store(stored) = store(&request, &response, exchange, &options) else { panic!() };
//!
//! let later = decide(&[&stored], &request, at("2026-11-20T10:00:31Z")?, &options);
//! let Decision::Serve(serve) = later else { panic!() };
//! // One second on the way, thirty with us.
//! assert_eq!((serve.age.as_secs(), serve.ttl_seconds), (31, 29));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it decides | source |
//! |---|---|---|
//! | [`mod@decide`] | what to do with a request | RFC 9111 section 4, RFC 9211 section 2.2 |
//! | [`mod@store`] | whether a response is stored | RFC 9111 section 3 |
//! | [`stored`] | what is kept of it, and how that is written | RFC 9111 section 3.1 |
//! | [`policy`], [`cache_control`] | which directives are in force | RFC 9213, RFC 9111 section 5.2.2 |
//! | [`request_directives`] | what the client wants | RFC 9111 sections 5.2.1 and 5.4 |
//! | [`freshness`] | lifetime and age | RFC 9111 section 4.2 |
//! | [`partial`] | which bytes a 206 brings, and what it may be combined with | RFC 9111 section 3.4 |
//! | [`update`] | what a 304 or a HEAD changes | RFC 9111 sections 3.2, 4.3.4, 4.3.5 |
//! | [`stale`] | stale responses in place of errors | RFC 9111 section 4.2.4, RFC 5861 |
//! | [`invalidate`] | what an unsafe request makes invalid | RFC 9111 section 4.4 |
//! | [`hop`], [`outgoing`] | fields of what is sent | RFC 9110 section 7.6, RFC 8586 |
//! | [`cache_status`] | what the client is told about it | RFC 9211 |
//! | [`options`] | what a site may choose | |
//! | [`spans`], [`flight`] | which bytes are there, and which transfers to start for the others | |
//! | [`evict`] | what goes when room is needed | |

pub mod cache_control;
pub mod cache_status;
pub mod decide;
pub mod evict;
pub mod flight;
pub mod freshness;
pub mod hop;
pub mod invalidate;
pub mod message;
pub mod options;
pub mod outgoing;
pub mod partial;
pub mod policy;
pub mod request_directives;
pub mod spans;
pub mod stale;
pub mod store;
pub mod stored;
pub mod update;

mod field;
mod http_date;
mod status;
mod structured;
mod validator;
mod vary;

pub use cache_status::CacheStatus;
pub use decide::{
    Answer, Conditions, Decision, Forward, Serve, State, decide, may_be_shared, serve_validated,
};
pub use invalidate::invalidated;
pub use message::{Request, Response};
pub use options::Options;
pub use outgoing::{Pseudonym, from_store, from_upstream, is_loop, to_upstream};
pub use stale::{Failure, on_error};
pub use store::{Refusal, Storing, store};
pub use stored::{Exchange, Stored};
pub use update::{HeadOutcome, Updated, after_head, freshen, identified_by_304};
pub use validator::{not_modified, preconditions_hold};
