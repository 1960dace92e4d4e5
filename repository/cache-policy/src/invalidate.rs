//! Which stored responses an unsafe request makes invalid (RFC 9111 section 4.4).

use crate::message::Response;
use http::{HeaderName, Method, Uri, header, uri::PathAndQuery};

/// The URIs whose responses must not be used any more: the request's own, and those of `Location`
/// and `Content-Location` if they have the same origin. `target` is the whole URI of the request.
pub fn invalidated(method: &Method, target: &Uri, response: &Response<'_>) -> Vec<Uri> {
    let failed = response.status.is_client_error() || response.status.is_server_error();
    // A method that we do not know may change anything.
    if is_safe(method) || failed || response.status.is_informational() {
        return vec![];
    }
    let mut found = vec![target.clone()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let other = named(response, &name, target).filter(|uri| same_origin(uri, target));
        found.extend(other.filter(|uri| uri != target));
    }
    found
}

/// RFC 9110 section 9.2.1.
fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

fn named(response: &Response<'_>, name: &HeaderName, target: &Uri) -> Option<Uri> {
    let text = response.headers.get(name)?.to_str().ok()?;
    resolve(text.trim().split('#').next()?, target)
}

/// RFC 3986 section 5.2.2, for a base that has an authority.
fn resolve(reference: &str, base: &Uri) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    if has_scheme(reference) {
        return reference.parse().ok();
    }
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}").parse().ok();
    }
    let (path, query) = reference.split_once('?').map_or((reference, None), |(p, q)| (p, Some(q)));
    let (path, query) = match path {
        "" => (base.path().to_owned(), query.or(base.query())),
        absolute if absolute.starts_with('/') => (without_dots(absolute), query),
        relative => {
            let folder = base.path().rfind('/').map_or("/", |end| &base.path()[..=end]);
            (without_dots(&format!("{folder}{relative}")), query)
        }
    };
    let text = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']).filter(|at| reference[*at..].starts_with(':'));
    end.is_some_and(|at| at > 0 && reference.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// RFC 9110 section 4.3.1: scheme, host and port, where a port that is not written is the scheme's.
fn same_origin(one: &Uri, other: &Uri) -> bool {
    origin(one).is_some_and(|found| Some(found) == origin(other))
}

fn origin(uri: &Uri) -> Option<(String, String, Option<u16>)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let host = uri.host()?.to_ascii_lowercase();
    Some((scheme, host, uri.port_u16().or(usual)))
}
