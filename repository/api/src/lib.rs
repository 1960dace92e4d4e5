//! The repository over HTTP as values: routes, ranges, error bodies, search, marketplace.
//!
//! Server and client share this crate, so that each header and each body is written and read by one
//! piece of code. Nothing here opens a socket, reads a file or looks at a clock: every function is a
//! decision over text and numbers that a stranger may have chosen, with a limit on each.
//!
//! | module | what it decides | source |
//! |---|---|---|
//! | [`route`] | which endpoint a request path means | RFC 3986 |
//! | [`range`] | which bytes a `Range` asks for, how a `Content-Range` upload goes on | RFC 9110 section 14 |
//! | [`conditional`] | entity tags and preconditions | RFC 9110 sections 8.8 and 13 |
//! | [`date`] | HTTP dates | RFC 9110 section 5.6.7 |
//! | [`problem`] | error bodies | RFC 9457 |
//! | [`digest_header`] | `Repr-Digest` and `Want-Repr-Digest` | RFC 9530, RFC 8941 |
//! | [`listing`] | what a folder contains | |
//! | [`search`] | the search query, its cursor, its answers | |
//! | [`marketplace`] | what OpenNebula's `one` market driver reads | |
//! | [`tus`] | the headers of resumable uploads | tus 1.0.0 |

pub mod conditional;
pub mod date;
pub mod digest_header;
pub mod listing;
pub mod marketplace;
pub mod problem;
pub mod range;
pub mod route;
pub mod search;
pub mod tus;

mod text;
