//! What status codes mean to a cache (RFC 9110 section 15, RFC 9111 section 3).

use http::StatusCode;

/// Codes that may be given a lifetime by guess (RFC 9110 section 15.1).
pub(crate) fn is_heuristic(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Errors that may be remembered for a short time: those that may be given a lifetime by guess.
pub(crate) fn is_negative(status: StatusCode) -> bool {
    is_heuristic(status) && (status.is_client_error() || status.is_server_error())
}

/// Codes whose rules for caches this crate follows, which `must-understand` asks for (RFC 9111
/// section 5.2.2.3).
pub(crate) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=303 | 307 | 308 | 400..=411 | 413..=415 | 417 | 421 | 422 | 426 | 451
            | 500..=505
    )
}

/// Codes that say something about one request only: about its conditions or its range, of which the
/// cache key knows nothing.
pub(crate) fn is_about_the_request(status: StatusCode) -> bool {
    matches!(status.as_u16(), 304 | 412 | 416)
}

/// Errors for which a stale response may stand in (RFC 5861 section 4).
pub(crate) fn is_origin_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
