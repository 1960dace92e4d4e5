//! Answers from the store: the head, the ranges, and a body that follows the file.

use crate::body::{Part, SpoolBody};
use crate::object::{Object, Standing};
use crate::proxy::{Asked, Cache};
use crate::source::Origin;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::ops::Range;
use std::sync::Arc;
use stratus_cache_policy::{Answer, CacheStatus, Serve, Stored, from_store, partial};
use stratus_repository_api::range::{self, RangeSet};

/// Between the parts of an answer to several ranges. No image has it: it would have to be found
/// behind a line break and two dashes.
const BOUNDARY: &str = "stratus-part-6f2a9c81d4e7";

/// For people; programs read `Cache-Status`.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Answers a request from an object. An error means that its file is gone.
pub(crate) fn answer(
    cache: &Cache,
    object: &Arc<Object>,
    serve: &Serve,
    mut status: CacheStatus,
    asked: &Asked,
) -> std::io::Result<Response> {
    let head = object.head();
    let total = object.total();
    let set = match serve.answer {
        Answer::Full => ranges(&head, total, asked),
        Answer::NotModified => RangeSet::Whole,
    };
    if status.hit && !has_all(object, &set, total) {
        status.detail = Some("filling".to_owned());
    }
    let hit = status.hit;
    let (code, mut headers) = from_store(&head, serve, &status, &cache.name);
    headers.insert(X_CACHE, HeaderValue::from_static(if hit { "HIT" } else { "MISS" }));
    headers.remove(header::CONTENT_LENGTH);
    if set == RangeSet::Unsatisfiable {
        about_the_range(&mut headers);
    }
    if serve.answer == Answer::NotModified {
        return Ok(respond(code, headers, Body::empty()));
    }
    if total.is_some() && code == StatusCode::OK {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    let (code, parts, length) = laid_out(&set, code, &mut headers, total);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let has_none = asked.method == Method::HEAD
        || matches!(code, StatusCode::NO_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
    if has_none {
        return Ok(respond(code, headers, Body::empty()));
    }
    let origin = Origin::of(asked, cache);
    let served = Arc::clone(&cache.metrics.served);
    let body = SpoolBody::new(Arc::clone(object), origin, parts, served)?;
    Ok(respond(code, headers, Body::new(body)))
}

fn respond(code: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    response
}

/// A 416 has no content, and says nothing about the next request.
fn about_the_range(headers: &mut HeaderMap) {
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::EXPIRES] {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Which bytes to send.
fn ranges(head: &Stored, total: Option<u64>, asked: &Asked) -> RangeSet {
    let (Some(total), Some(text)) = (total, asked.headers.get(header::RANGE)) else {
        return RangeSet::Whole;
    };
    let same = match asked.headers.get(header::IF_RANGE) {
        None => true,
        Some(validator) => partial::if_range_holds(head, validator),
    };
    let honoured = asked.method == Method::GET && head.status() == StatusCode::OK && same;
    match text.to_str() {
        Ok(text) if honoured => range::parse(text, total),
        _ => RangeSet::Whole,
    }
}

/// Of what this answer needs, the first bytes that are neither there nor on their way.
pub(crate) fn missing(object: &Object, serve: &Serve, asked: &Asked) -> Option<Range<u64>> {
    let total = object.total()?;
    let has_body = serve.answer == Answer::Full && asked.method == Method::GET;
    if !has_body || object.standing() != Standing::Partial {
        return None;
    }
    let whole = 0..total;
    let wanted = match ranges(&object.head(), Some(total), asked) {
        RangeSet::Whole => vec![whole],
        RangeSet::Single(range) => vec![range],
        RangeSet::Multi(ranges) => ranges,
        RangeSet::Unsatisfiable => return None,
    };
    wanted.into_iter().find_map(|range| object.gap(&range))
}

/// Whether everything that is asked for is there.
fn has_all(object: &Object, set: &RangeSet, total: Option<u64>) -> bool {
    match set {
        RangeSet::Whole => object.is_whole(),
        RangeSet::Single(range) => object.covers(range),
        RangeSet::Multi(ranges) => ranges.iter().all(|range| object.covers(range)),
        RangeSet::Unsatisfiable => total.is_some(),
    }
}

/// Status, parts and length of the body; sets the fields that say so.
fn laid_out(
    set: &RangeSet,
    code: StatusCode,
    headers: &mut HeaderMap,
    total: Option<u64>,
) -> (StatusCode, Vec<Part>, Option<u64>) {
    let text = |text: String| HeaderValue::try_from(text).ok();
    match (set, total) {
        (RangeSet::Single(range), Some(total)) => {
            if let Some(value) = text(range::content_range(range, total)) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            let length = range.end - range.start;
            (StatusCode::PARTIAL_CONTENT, vec![Part::Range(range.clone())], Some(length))
        }
        (RangeSet::Multi(ranges), Some(total)) => {
            let (parts, length) = several(ranges, total, headers.get(header::CONTENT_TYPE));
            let media_type = format!("multipart/byteranges; boundary={BOUNDARY}");
            if let Some(value) = text(media_type) {
                headers.insert(header::CONTENT_TYPE, value);
            }
            (StatusCode::PARTIAL_CONTENT, parts, Some(length))
        }
        (RangeSet::Unsatisfiable, Some(total)) => {
            if let Some(value) = text(range::unsatisfied(total)) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, vec![], Some(0))
        }
        (_, Some(total)) => (code, vec![Part::Range(0..total)], Some(total)),
        (_, None) => (code, vec![Part::ToTheEnd], None),
    }
}

/// `multipart/byteranges` (RFC 9110 section 14.6).
fn several(ranges: &[Range<u64>], total: u64, media: Option<&HeaderValue>) -> (Vec<Part>, u64) {
    let media = media.and_then(|value| value.to_str().ok());
    let media = media.map(|media| format!("Content-Type: {media}\r\n")).unwrap_or_default();
    let mut parts = Vec::new();
    for range in ranges {
        let said = range::content_range(range, total);
        let head = format!("\r\n--{BOUNDARY}\r\n{media}Content-Range: {said}\r\n\r\n");
        parts.extend([Part::Bytes(head.into()), Part::Range(range.clone())]);
    }
    parts.push(Part::Bytes(format!("\r\n--{BOUNDARY}--\r\n").into()));
    let length = parts.iter().map(|part| match part {
        Part::Bytes(bytes) => bytes.len() as u64,
        Part::Range(range) => range.end - range.start,
        Part::ToTheEnd => 0,
    });
    let length = length.sum();
    (parts, length)
}
