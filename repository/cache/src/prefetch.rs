//! Bringing objects here before anybody asks: on command, and by rules at a time of day.

use crate::named;
use crate::object::Object;
use crate::proxy::{Asked, Cache, url};
use crate::settings::{Prefetch, Wanted};
use crate::upstream::{Upstream, pieces};
use axum::body::Body;
use futures_util::StreamExt;
use http::{HeaderMap, Method, StatusCode, Version};
use http_body_util::BodyExt;
use jiff::civil::Time;
use jiff::{ToSpan, Zoned};
use std::sync::Arc;
use std::time::Duration;
use stratus_repository_api::route::Route;
use stratus_repository_api::search::{ApplianceSummary, Page};

/// Largest answer to a search that is read, in bytes.
const ANSWER_LIMIT: usize = 8 << 20;

/// The upstream of a path, whichever host it is for, and the key of what is there.
pub(crate) fn locate(cache: &Cache, path: &str) -> Option<(Arc<Upstream>, Arc<str>)> {
    let target = format!("/{}", path.trim_start_matches('/'));
    let hosts = cache.upstreams.iter().filter_map(|upstream| upstream.host.as_deref());
    std::iter::once("").chain(hosts).find_map(|host| cache.locate(host, &target))
}

/// Brings an object here, whole, as a client would: the image with this name, or what is at the path.
pub(crate) async fn bring(cache: &Cache, wanted: &str) -> Result<Arc<Object>, String> {
    if named::is_name(wanted) {
        let path = named::image(cache, wanted).await?;
        return bring_path(cache, &path).await;
    }
    bring_path(cache, wanted).await
}

async fn bring_path(cache: &Cache, path: &str) -> Result<Arc<Object>, String> {
    let (upstream, key) =
        locate(cache, path).ok_or_else(|| format!("no upstream is set up for `{path}`"))?;
    let asked = Asked {
        method: Method::GET,
        headers: Arc::default(),
        version: Version::HTTP_11,
        interim: None,
        key: Arc::clone(&key),
        upstream,
    };
    let response = cache.cached(&asked, Body::empty()).await;
    let code = response.status();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| error.to_string())?;
    }
    let object = cache.spool.variants(&key).into_iter().next().filter(|_| code.is_success());
    object.ok_or_else(|| format!("`{key}` answered {code}, which is not stored"))
}

/// Follows every rule, for ever.
pub(crate) async fn by_rules(cache: Cache) {
    let rules = cache.settings.prefetch.clone();
    let each = rules.into_iter().map(|rule| follow(cache.clone(), rule));
    futures_util::future::join_all(each).await;
}

async fn follow(cache: Cache, rule: Prefetch) {
    loop {
        let now = Zoned::now();
        tokio::time::sleep(until(&now, rule.at)).await;
        let paths = match &rule.wanted {
            Wanted::Paths(paths) => paths.clone(),
            Wanted::Search { prefix, query } => match search(&cache, prefix, query).await {
                Ok(found) => paths(prefix, &found),
                Err(reason) => {
                    tracing::error!(query, %reason, "a prefetch rule found nothing out");
                    continue;
                }
            },
        };
        for path in paths {
            match bring(&cache, &path).await {
                Ok(object) => tracing::info!(path, bytes = object.bytes(), "prefetched"),
                Err(reason) => tracing::error!(path, %reason, "not prefetched"),
            }
        }
    }
}

/// From now to the next time that it is so late, here.
fn until(now: &Zoned, at: Time) -> Duration {
    let next = |days: i32| {
        let day = now.date().checked_add(days.days()).ok()?;
        let then = day.to_datetime(at).to_zoned(now.time_zone().clone()).ok()?;
        let wait = Duration::try_from(now.duration_until(&then)).ok()?;
        (!wait.is_zero()).then_some(wait)
    };
    next(0).or_else(|| next(1)).unwrap_or(Duration::from_hours(24))
}

/// The paths of the images of appliances, below the prefix of their upstream.
fn paths(prefix: &str, found: &[ApplianceSummary]) -> Vec<String> {
    let prefix = prefix.trim_end_matches('/');
    found.iter().map(|found| format!("{prefix}{}", found.links.image)).collect()
}

/// What a search of the repository finds.
pub(crate) async fn search(
    cache: &Cache,
    prefix: &str,
    query: &str,
) -> Result<Vec<ApplianceSummary>, String> {
    let path = format!("{}{}?{query}", prefix.trim_end_matches('/'), Route::Search.to_path());
    let (upstream, key) =
        locate(cache, &path).ok_or_else(|| format!("no upstream is set up for `{path}`"))?;
    let url = url(&key);
    let sent = upstream.send(Method::GET, &url, HeaderMap::new(), None).await;
    let response = sent.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("`{url}` answered {}", response.status()));
    }
    let mut text = Vec::new();
    let mut stream = pieces(response);
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        if text.len() > ANSWER_LIMIT {
            return Err(format!("`{url}` answered more than {ANSWER_LIMIT} bytes"));
        }
    }
    let page: Page = serde_json::from_slice(&text)
        .map_err(|error| format!("`{url}` is not the search of a repository ({error})"))?;
    Ok(page.appliances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_waits_for_its_time_of_day() {
        let now: Zoned = "2026-11-21T10:00:00[Europe/Zurich]".parse().unwrap();
        let wait = |text: &str| until(&now, text.parse().unwrap()).as_secs();
        assert_eq!(wait("10:30"), 30 * 60);
        assert_eq!(wait("02:00"), 16 * 3600);
        assert_eq!(wait("10:00"), 24 * 3600);
        // The night in which the clocks go forward has an hour less.
        let now: Zoned = "2026-03-28T12:00:00[Europe/Zurich]".parse().unwrap();
        assert_eq!(until(&now, "12:00".parse().unwrap()).as_secs(), 23 * 3600);
    }
}
