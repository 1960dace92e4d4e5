//! Requests that the cache only passes on.

use crate::fetch::as_it_comes;
use crate::problem::problem;
use crate::proxy::{Asked, Cache};
use crate::upstream::UpstreamError;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body::Body as _;
use jiff::Timestamp;
use stratus_cache_policy::{
    CacheStatus, Exchange, Forward, HeadOutcome, after_head, from_upstream, invalidated,
    outgoing::one_hop_less, to_upstream,
};
use url::Url;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Passes a request on, with its body, and the answer back.
pub(crate) async fn pass(cache: &Cache, asked: &Asked, body: Body, why: Forward) -> Response {
    let mut headers = to_upstream(&asked.headers, asked.version, &cache.name);
    headers.remove(header::HOST);
    one_hop_less(&asked.method, &mut headers);
    let has_body = !body.is_end_stream();
    let exact = body.size_hint().exact();
    if has_body && let Some(length) = exact {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let body = has_body.then(|| reqwest::Body::wrap_stream(body.into_data_stream()));
    let requested_at = Timestamp::now();
    let sent = asked
        .upstream
        .send_for(asked.interim.as_ref(), asked.method.clone(), &asked.url(), headers, body)
        .await;
    let response = match sent {
        Ok(response) => response,
        Err(error) => return failed(cache, &error),
    };
    let exchange = Exchange { requested_at, received_at: Timestamp::now() };
    look(cache, asked, &response, exchange);
    let mut status = CacheStatus::forwarded(cache.name.as_str(), why);
    status.forward_status = Some(response.status());
    passed_on(cache, as_it_comes(response), exchange.received_at, &status)
}

/// What the answer says about what is stored.
fn look(cache: &Cache, asked: &Asked, response: &reqwest::Response, exchange: Exchange) {
    let head =
        stratus_cache_policy::Response { status: response.status(), headers: response.headers() };
    if let Ok(target) = asked.key.parse::<Uri>() {
        for uri in invalidated(&asked.method, &target, &head) {
            // Spelled as keys are.
            if let Ok(url) = Url::parse(&uri.to_string()) {
                cache.spool.purge(url.as_str());
            }
        }
    }
    if asked.method != Method::HEAD {
        return;
    }
    for object in cache.spool.variants(&asked.key) {
        let stored = object.head();
        if !stored.matches(&asked.headers) {
            continue;
        }
        let options = &cache.settings.options;
        let said =
            after_head(&stored, head.status, head.headers, &asked.headers, exchange, options);
        match said {
            HeadOutcome::Unchanged => {}
            HeadOutcome::Updated(updated) if updated.keep => object.set_head(updated.stored),
            HeadOutcome::Updated(_) | HeadOutcome::Invalidated => cache.spool.remove(&object),
        }
    }
}

/// An answer of the upstream, for one client.
pub(crate) fn passed_on(
    cache: &Cache,
    response: http::Response<Body>,
    received: Timestamp,
    status: &CacheStatus,
) -> Response {
    let code = response.status();
    let version = response.version();
    let mut headers = from_upstream(response.headers(), version, received, status, &cache.name);
    headers.insert(X_CACHE, HeaderValue::from_static("PASS"));
    let mut answer = Response::new(response.into_body());
    *answer.status_mut() = code;
    *answer.headers_mut() = headers;
    answer
}

/// No answer came.
pub(crate) fn failed(cache: &Cache, error: &UpstreamError) -> Response {
    tracing::warn!(%error, "an upstream failed");
    let status = match error {
        UpstreamError::Silent { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    problem(cache.name.as_str(), status, "upstream-failed", &error.to_string())
}
