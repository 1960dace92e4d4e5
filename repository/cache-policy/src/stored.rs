//! What is kept of a response for the rules.

use crate::options::Options;
use crate::policy::Policy;
use crate::vary::{self, Selecting};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use std::sync::{Arc, OnceLock};

mod wire;

pub use wire::WireError;

/// Most field lines of a stored response.
pub const FIELD_LIMIT: usize = 512;
/// Most bytes in the names and values of a stored response, those of the selecting fields included.
pub const BYTE_LIMIT: usize = 128 * 1024;

/// When a request was sent and when its response head arrived (RFC 9111 section 4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// `request_time`.
    pub requested_at: Timestamp,
    /// `response_time`.
    pub received_at: Timestamp,
}

/// A stored response without its content: status, end-to-end fields, the request fields that `Vary`
/// names, and the times from which the age follows.
///
/// Written to a sidecar file with serde, fields as `[name, value]`. A byte of a value is written as
/// the character of the same number, so that none is lost. What is read is as bounded as what is
/// written ([`FIELD_LIMIT`], [`BYTE_LIMIT`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "wire::Wire", into = "wire::Wire")]
pub struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) selecting: Vec<Selecting>,
    pub(crate) exchange: Exchange,
    pub(crate) date: Timestamp,
    pub(crate) memo: Memo,
}

/// What the fields say, read once for all the requests that they answer. A copy begins without it:
/// its fields may be about to change.
#[derive(Debug, Default)]
pub(crate) struct Memo(OnceLock<(Vec<HeaderName>, Arc<Policy>)>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// It follows from the rest.
impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

impl Stored {
    /// Stands for a head that was stored and cannot be read any more: a failure of long ago without
    /// any field, so that it is never the answer to anything.
    pub fn lost() -> Self {
        let never = Timestamp::UNIX_EPOCH;
        Self {
            status: StatusCode::BAD_GATEWAY,
            headers: HeaderMap::new(),
            selecting: Vec::new(),
            exchange: Exchange { requested_at: never, received_at: never },
            date: never,
            memo: Memo::default(),
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The end-to-end fields, with `Date`, and with `Age` as it came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When the origin made the response: `Date`, or the time of arrival if that was not a date
    /// (RFC 9110 section 6.6.1).
    pub fn date(&self) -> Timestamp {
        self.date
    }

    /// When the request was sent.
    pub fn requested_at(&self) -> Timestamp {
        self.exchange.requested_at
    }

    /// When the head of the response, or of the last 304 for it, arrived.
    pub fn received_at(&self) -> Timestamp {
        self.exchange.received_at
    }

    /// The directives in force.
    pub(crate) fn policy(&self, options: &Options) -> Arc<Policy> {
        let read = || Arc::new(Policy::of(&self.headers, options));
        let (targeted, policy) = self.memo.0.get_or_init(|| (options.targeted.clone(), read()));
        if *targeted == options.targeted { Arc::clone(policy) } else { read() }
    }

    /// Whether the request selects this response (RFC 9111 section 4.1).
    pub fn matches(&self, request: &HeaderMap) -> bool {
        self.selecting.iter().all(|(name, value)| vary::normalised(request, name) == *value)
    }

    /// Whether both are answers to the same selecting fields: then the newer takes the place of the
    /// older.
    pub fn same_variant(&self, other: &Self) -> bool {
        self.selecting == other.selecting
    }

    /// Whether it fits into [`FIELD_LIMIT`] and [`BYTE_LIMIT`].
    pub(crate) fn fits(&self) -> bool {
        let fields: usize = self.headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        let selecting: usize = self
            .selecting
            .iter()
            .map(|(n, v)| n.as_str().len() + v.as_ref().map_or(0, Vec::len))
            .sum();
        self.headers.len() + self.selecting.len() <= FIELD_LIMIT && fields + selecting <= BYTE_LIMIT
    }
}
