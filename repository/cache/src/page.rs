//! Health, metrics, and a page for people, below `/-/cache/`.

use crate::control::{Listed, Status, status};
use crate::proxy::Cache;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;
use stratus_model::ByteCount;

/// Most objects on the page.
const ROWS: usize = 500;

pub(crate) fn router() -> Router<Cache> {
    Router::new()
        .route("/-/cache/", get(page))
        .route("/-/cache/status.json", get(async |State(c): State<Cache>| axum::Json(status(&c))))
        .route("/-/cache/healthz", get(async || ([(header::CACHE_CONTROL, "no-store")], "ok\n")))
        .route("/-/cache/metrics", get(metrics))
}

async fn metrics(State(cache): State<Cache>) -> Response {
    match cache.metrics.render(&cache.spool) {
        Ok(text) => {
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn page(State(cache): State<Cache>) -> Response {
    let mut objects = cache.spool.all();
    objects.sort_by_key(|object| std::cmp::Reverse(object.used()));
    let count = objects.len();
    let shown: Vec<Listed> = objects.iter().take(ROWS).map(|object| Listed::of(object)).collect();
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")];
    (headers, Html(render(&status(&cache), &shown, count))).into_response()
}

fn render(status: &Status, objects: &[Listed], count: usize) -> String {
    let mut rows = String::new();
    for object in objects {
        let total =
            object.total.map_or_else(|| "?".to_owned(), |total| ByteCount(total).to_string());
        let pinned = if object.pinned { ", pinned" } else { "" };
        let _ = write!(
            rows,
            "<tr><th scope=row>{}</th><td>{} of {total}</td><td>{}{pinned}</td><td>{}</td><td>{:.0}</td></tr>",
            escape(&object.url),
            ByteCount(object.bytes),
            escape(&object.state),
            object.uses,
            object.used,
        );
    }
    let mut requests = String::new();
    for (result, number) in &status.requests {
        let _ = write!(requests, "<div><dt>{}</dt><dd>{number}</dd></div>", escape(result));
    }
    let more = if count > objects.len() {
        format!("<p>The {} used last of {count} are shown.</p>", objects.len())
    } else {
        String::new()
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Cache</title><style>{STYLE}</style><main><h1>Cache</h1>\
         <dl><div><dt>stored</dt><dd>{} of {}</dd></div><div><dt>objects</dt><dd>{}</dd></div>\
         <div><dt>served</dt><dd>{}</dd></div><div><dt>received</dt><dd>{}</dd></div>\
         <div><dt>evicted</dt><dd>{}</dd></div></dl><h2>Requests</h2><dl>{requests}</dl>\
         <h2>Objects</h2>{more}<div class=wide tabindex=0 role=region aria-label=\"Stored objects\"><table>\
         <thead><tr><th scope=col>URL</th><th scope=col>bytes</th><th scope=col>state</th>\
         <th scope=col>uses</th><th scope=col>last used</th></tr></thead><tbody>{rows}</tbody></table></div></main></html>",
        ByteCount(status.occupied),
        ByteCount(status.size),
        status.objects,
        ByteCount(status.served),
        ByteCount(status.received),
        status.evicted,
    )
}

const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
    body{margin:0}main{max-width:72rem;margin:auto;padding:1rem}\
    dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem}dt{opacity:.85}dd{margin:0;font-size:1.25rem}\
    .wide{overflow-x:auto}table{border-collapse:collapse;width:100%}\
    th,td{text-align:start;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8888;white-space:nowrap}\
    tbody th{font-weight:normal}";

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}
