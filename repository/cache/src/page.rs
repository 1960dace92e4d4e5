//! Health, metrics, and a page for people, below `/-/cache/`.

use crate::control::{Listed, Status, status};
use crate::proxy::Cache;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::sync::LazyLock;
use stratus_model::ByteCount;
use tera::{Context, Tera};

/// What all its paths begin with.
pub(crate) const PREFIX: &str = "/-/cache/";

/// Most objects on the page.
const ROWS: usize = 500;

/// Nothing but the page itself.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.add_raw_templates([("cache.html", include_str!("../templates/cache.html"))])
        .expect("the template is part of the program and a test renders it");
    tera
});

pub(crate) fn router() -> Router<Cache> {
    Router::new()
        .route("/-/cache/", get(page))
        .route("/-/cache/status.json", get(async |State(c): State<Cache>| Json(status(&c))))
        .route("/-/cache/healthz", get(async || ([(header::CACHE_CONTROL, "no-store")], "ok\n")))
        .route("/-/cache/metrics", get(metrics))
}

async fn metrics(State(cache): State<Cache>) -> Response {
    match cache.metrics.render(&cache.spool, cache.joins.waiting()) {
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
    let hidden = objects.len().saturating_sub(ROWS);
    let shown: Vec<Listed> = objects.iter().take(ROWS).map(|object| Listed::of(object)).collect();
    match render(&status(&cache), &shown, hidden) {
        Ok(text) => {
            let policy = (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
            ([policy, (header::CACHE_CONTROL, "no-store")], Html(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the page cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn render(status: &Status, objects: &[Listed], hidden: usize) -> Result<String, tera::Error> {
    let size = |bytes: u64| ByteCount(bytes).to_string();
    let row = |object: &Listed| {
        let total = object.total.map_or_else(|| "?".to_owned(), size);
        let here = if object.total == Some(object.bytes) {
            total
        } else {
            format!("{} of {total}", size(object.bytes))
        };
        let pinned = if object.pinned { ", pinned" } else { "" };
        json!({
            "url": object.url,
            "here": here,
            "state": format!("{}{pinned}", object.state),
            "uses": object.uses,
            "used": format!("{:.0}", object.used),
        })
    };
    let requests =
        status.requests.iter().map(|(name, count)| json!({"name": name, "count": count}));
    let mut context = Context::new();
    context.insert("status", status);
    context.insert("occupied", &size(status.occupied));
    context.insert("size", &size(status.size));
    context.insert("percent", &(status.occupied.saturating_mul(100) / status.size.max(1)));
    context.insert("served", &size(status.served));
    context.insert("received", &size(status.received));
    context.insert("requests", &requests.collect::<Vec<_>>());
    context.insert("objects", &objects.iter().map(row).collect::<Vec<_>>());
    context.insert("hidden", &hidden);
    TEMPLATES.render("cache.html", &context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_named_is_shown_as_text() {
        let status = Status {
            objects: 1,
            occupied: 10,
            size: 100,
            served: 5,
            received: 5,
            evicted: 0,
            requests: vec![("hit".to_owned(), 3)],
        };
        let object = Listed {
            url: "http://h/<script>".to_owned(),
            total: Some(20),
            bytes: 10,
            state: "partial".to_owned(),
            pinned: true,
            used: jiff::Timestamp::UNIX_EPOCH,
            uses: 2,
            readers: 0,
            sha256: None,
        };
        let page = render(&status, &[object], 7).unwrap();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("10 B of 20 B") && page.contains("partial, pinned"), "{page}");
        assert!(page.contains("The 7 that"), "{page}");
        assert!(render(&status, &[], 0).unwrap().contains("Nothing is stored yet"));
    }
}
