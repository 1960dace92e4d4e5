//! How `stratus-cache status` and its like speak to the service: HTTP and JSON over a socket in the
//! cache's directory, which only its owner can open.

mod client;

pub use client::{Client, ControlError};

use crate::named;
use crate::object::{Object, Standing};
use crate::proxy::Cache;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tokio::net::UnixListener;

/// The socket of a cache's directory.
pub(crate) fn socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

/// What the whole cache is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Objects in the store.
    pub objects: u64,
    /// Bytes in the store.
    pub occupied: u64,
    /// Bytes that it may take.
    pub size: u64,
    /// Bytes served from the store since the start.
    pub served: u64,
    /// Bytes received from upstreams for the store since the start.
    pub received: u64,
    /// Objects that had to go since the start.
    pub evicted: u64,
    /// Requests by what became of them since the start.
    pub requests: Vec<(String, u64)>,
}

/// A stored object, for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its URL at the upstream.
    pub url: String,
    /// Its size, where it is known.
    pub total: Option<u64>,
    /// Bytes that are there.
    pub bytes: u64,
    /// `partial`, `filling`, `complete` or `verified`.
    pub state: String,
    /// Whether an administrator wants it to stay.
    pub pinned: bool,
    /// When it was last asked for.
    pub used: Timestamp,
    /// How often since the start.
    pub uses: u32,
    /// Who reads it now.
    pub readers: u64,
    /// Its SHA-256, where it is known.
    pub sha256: Option<String>,
}

/// What a comparison of everything found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Objects that were read.
    pub objects: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that had changed; they are fetched again when somebody wants them.
    pub wrong: u64,
}

impl Listed {
    pub(crate) fn of(object: &Object) -> Self {
        let state = match object.standing() {
            Standing::Partial => "partial",
            Standing::Filling => "filling",
            Standing::Complete => "complete",
            Standing::Verified => "verified",
        };
        Self {
            url: object.key.to_string(),
            total: object.total(),
            bytes: object.bytes(),
            state: state.to_owned(),
            pinned: object.is_pinned(),
            used: object.used(),
            uses: object.uses(),
            readers: object.readers() as u64,
            sha256: object.promise.sha256.clone(),
        }
    }
}

/// The numbers of a cache.
pub(crate) fn status(cache: &Cache) -> Status {
    const RESULTS: [&str; 7] =
        ["hit", "miss", "collapsed", "revalidated", "stale", "pass", "failed"];
    let count = |result: &&'static str| ((*result).to_owned(), cache.metrics.requests(result));
    Status {
        objects: cache.spool.len() as u64,
        occupied: cache.spool.occupied(),
        size: cache.spool.room().size,
        served: cache.metrics.served.load(Ordering::Relaxed),
        received: cache.metrics.received.load(Ordering::Relaxed),
        evicted: cache.spool.evicted.load(Ordering::Relaxed),
        requests: RESULTS.iter().map(count).collect(),
    }
}

/// Compares everything stored with its checksums.
pub(crate) async fn scrub(cache: &Cache) -> Scrubbed {
    let mut report = Scrubbed::default();
    for object in cache.spool.all() {
        let compared = tokio::task::spawn_blocking(move || object.scrub()).await;
        if let Ok((bytes, wrong)) = compared {
            report.objects += 1;
            report.bytes += bytes;
            report.wrong += wrong;
        }
    }
    report
}

/// The socket, taken.
pub(crate) struct Control(UnixListener);

impl Control {
    /// Takes the socket; one that was left behind is replaced, because the directory is locked.
    pub(crate) fn bind(cache: &Cache) -> std::io::Result<Self> {
        let path = socket(cache.spool.directory());
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, only_owner)?;
        Ok(Self(listener))
    }

    pub(crate) async fn run(self, cache: Cache) {
        let router = Router::new()
            .route("/status", get(async |State(cache): State<Cache>| Json(status(&cache))))
            .route("/objects", get(list))
            .route("/prefetch", post(prefetch))
            .route("/pin", post(pin))
            .route("/purge", post(purge))
            .route("/scrub", post(async |State(cache): State<Cache>| Json(scrub(&cache).await)))
            .with_state(cache);
        if let Err(error) = axum::serve(self.0, router).await {
            tracing::error!(%error, "the control socket failed");
        }
    }
}

#[derive(Deserialize)]
struct Which {
    path: String,
    #[serde(default)]
    off: bool,
}

type Refusal = (StatusCode, String);

impl Which {
    /// What is meant of what may be stored: the files of an appliance, or what is at a path.
    fn keys(&self, cache: &Cache) -> Result<Vec<String>, Refusal> {
        if named::is_name(&self.path) {
            return Ok(named::stored(cache, &self.path));
        }
        let found = crate::prefetch::locate(cache, &self.path);
        let reason = || format!("no upstream is set up for `{}`", self.path);
        found.map(|(_, key)| vec![key.to_string()]).ok_or_else(|| (StatusCode::NOT_FOUND, reason()))
    }
}

async fn list(State(cache): State<Cache>) -> Json<Vec<Listed>> {
    Json(cache.spool.all().iter().map(|object| Listed::of(object)).collect())
}

/// Brings an object here, whole.
async fn prefetch(
    State(cache): State<Cache>,
    Query(which): Query<Which>,
) -> Result<Json<Listed>, Refusal> {
    let brought = crate::prefetch::bring(&cache, &which.path).await;
    brought.map(|object| Json(Listed::of(&object))).map_err(|why| (StatusCode::BAD_GATEWAY, why))
}

/// Lets an object stay whatever comes, or not any longer.
async fn pin(
    State(cache): State<Cache>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Listed>>, Refusal> {
    let keys = which.keys(&cache)?;
    let objects: Vec<_> = keys.iter().flat_map(|key| cache.spool.variants(key)).collect();
    if objects.is_empty() {
        let named = keys.first().unwrap_or(&which.path);
        return Err((StatusCode::NOT_FOUND, format!("`{named}` is not stored; prefetch it first")));
    }
    for object in &objects {
        object.pin(!which.off);
    }
    Ok(Json(objects.iter().map(|object| Listed::of(object)).collect()))
}

/// Takes an object away.
async fn purge(
    State(cache): State<Cache>,
    Query(which): Query<Which>,
) -> Result<Json<usize>, Refusal> {
    Ok(Json(which.keys(&cache)?.iter().map(|key| cache.spool.purge(key)).sum()))
}
