//! Stale responses in place of errors (RFC 9111 section 4.2.4, RFC 5861 section 4).

use crate::decide::{Serve, State, serve};
use crate::freshness::Freshness;
use crate::message::Request;
use crate::options::Options;
use crate::policy::Policy;
use crate::request_directives::RequestDirectives;
use crate::status;
use crate::stored::Stored;
use http::StatusCode;
use jiff::Timestamp;

/// How the origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer came: refused, cut, too late.
    Network,
    /// An answer with this status.
    Status(StatusCode),
}

/// The stored response in place of the failure, if it may be used; else the failure is the answer
/// (504 for [`Failure::Network`] where validation is a must, section 5.2.2.2).
pub fn on_error(
    which: usize,
    stored: &Stored,
    request: &Request<'_>,
    failure: Failure,
    now: Timestamp,
    options: &Options,
) -> Option<Serve> {
    let counts = match failure {
        Failure::Network => true,
        Failure::Status(status) => status::is_origin_failure(status),
    };
    let policy = stored.policy(options);
    // One error in place of another helps nobody.
    if !counts
        || status::is_origin_failure(stored.status())
        || policy.directives.no_cache.is_whole()
    {
        return None;
    }
    let freshness = Freshness::of(stored, &policy, now, options);
    // It is fresh if only the client's wish made us ask.
    let usable = freshness.is_fresh() || may_be_stale(&freshness, &policy, request, options);
    usable.then(|| serve(which, stored, request, &freshness, State::IfError))
}

fn may_be_stale(
    freshness: &Freshness,
    policy: &Policy,
    request: &Request<'_>,
    options: &Options,
) -> bool {
    let ours = policy.directives.stale_if_error.unwrap_or(options.stale_if_error);
    let theirs = RequestDirectives::of(request.headers).stale_if_error.unwrap_or_default();
    !policy.directives.forbids_stale() && freshness.staleness() < ours.max(theirs)
}
