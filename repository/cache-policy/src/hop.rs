//! Fields that end at the next hop (RFC 9110 section 7.6.1, RFC 9111 section 3.1).

use crate::field::{self, Quoting};
use http::{HeaderMap, HeaderName, header};

/// Fields about the connection, and those for the proxy itself.
const HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-connection"),
];

/// Fields meant for everybody on the way, which no `Connection` may name (RFC 9110 section 7.6.1).
/// A client that names them wants the origin to see another request than we judge.
const FOR_EVERYBODY: [&str; 32] = [
    "age",
    "authorization",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "cdn-loop",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expires",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "pragma",
    "range",
    "repr-digest",
    "set-cookie",
    "vary",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Whether a field is always one of this hop.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Removes the fields of this hop, and those that `Connection` names.
pub fn strip(headers: &mut HeaderMap) {
    let named = field::combined(headers, &header::CONNECTION).unwrap_or_default();
    for name in field::members(&named, Quoting::Escapes).list {
        let name = HeaderName::from_bytes(name).ok();
        if let Some(name) = name.filter(|n| !FOR_EVERYBODY.contains(&n.as_str())) {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9111_3_1_fields_of_the_connection_go() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "a, B"),
            ("connection", "close, \"q\", host, cache-control"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("host", "h"),
            ("cache-control", "no-store"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authentication-info", "x"),
            ("proxy-authorization", "x"),
            ("proxy-connection", "close"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["c", "cache-control", "host"]);
    }
}
