//! What a site may choose where RFC 9111 leaves a choice.

use http::HeaderName;
use std::time::Duration;

/// The fields that a cache in front of an origin obeys before `Cache-Control` (RFC 9213 section 3.1).
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// A site's choices. [`Options::default`] is what the RFCs recommend, and where they recommend
/// nothing what suits large files that never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much of the time since `Last-Modified` a response without a lifetime stays fresh, in
    /// percent (RFC 9111 section 4.2.2). Default: 10, as the RFC suggests. 0: never.
    pub heuristic_percent: u32,
    /// Longest lifetime so guessed. Default: 24 hours.
    pub heuristic_cap: Duration,
    /// How long after its lifetime a response may be served because the origin fails, where the
    /// response itself does not say (RFC 5861 section 4). Default: 24 hours. Zero: only where the
    /// response says so.
    pub stale_if_error: Duration,
    /// How long 404, 405, 410, 414 and 501 stay fresh where the origin gives no lifetime. Default:
    /// none, the heuristic applies.
    pub negative_lifetime: Option<Duration>,
    /// Whether a client may force us to ask the origin with `no-cache`, `max-age`, `min-fresh` and
    /// `Pragma` (RFC 9111 section 5.2.1). Default: yes.
    pub honour_reload: bool,
    /// Whether responses with `Set-Cookie` are stored. Default: yes, by RFC 9111 section 7.3 the
    /// origin has to forbid it.
    pub store_set_cookie: bool,
    /// Whether a response that varies by `Accept-Language` also answers a request that prefers the
    /// response's `Content-Language` to all others. The origin might have answered otherwise, and
    /// RFC 9111 section 4.1 does not provide for it. Default: no.
    pub select_by_language: bool,
    /// Targeted fields in the order in which they are looked at (RFC 9213 section 2.2). Default:
    /// `CDN-Cache-Control`.
    pub targeted: Vec<HeaderName>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heuristic_percent: 10,
            heuristic_cap: Duration::from_hours(24),
            stale_if_error: Duration::from_hours(24),
            negative_lifetime: None,
            honour_reload: true,
            store_set_cookie: true,
            select_by_language: false,
            targeted: vec![CDN_CACHE_CONTROL],
        }
    }
}
