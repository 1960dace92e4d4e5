//! Images, datastores, the services that bring images, certificates, disks, and our own history.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{short, show};
use crate::figures::{bytes, mib, percent};
use crate::status::Overview;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stratus_monitor_state::{Image, Viewer, image_words};

/// Images on a page.
const PAGE: usize = 50;

/// Which images are wanted.
#[derive(Deserialize)]
pub(super) struct Wants {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: usize,
}

#[derive(Serialize)]
struct Storage {
    datastores: Vec<Space>,
    services: Vec<crate::status::ServiceLine>,
    certificates: Vec<crate::status::EndLine>,
    disks: Vec<Space>,
    history: String,
    q: String,
    /// The query without its page, to put one behind.
    query: String,
    images: Vec<Row>,
    total: usize,
    page: usize,
    pages: usize,
}

#[derive(Serialize)]
struct Space {
    name: String,
    kind: &'static str,
    free: String,
    total: String,
    percent: u32,
    images: usize,
}

#[derive(Serialize)]
struct Row {
    id: i32,
    name: String,
    user: String,
    state: String,
    failed: bool,
    size: String,
    datastore: String,
    running: i64,
    error: String,
}

/// `GET /images`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wants): Query<Wants>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    caller.administrator()?;
    let state = app.hub.state();
    let overview = Overview::of(&state, &app.hub.diary, &Viewer::Administrator);
    let needle = wants.q.trim().to_lowercase();
    let fits = |i: &&Image| {
        let has = |text: &str| text.to_lowercase().contains(&needle);
        needle.is_empty() || has(&i.name) || has(&i.user) || has(&i.datastore)
    };
    let mut found: Vec<&Image> = state.images.iter().filter(fits).collect();
    found.sort_by_key(|image| (image.state != 5, std::cmp::Reverse(image.id)));
    let (total, pages) = (found.len(), found.len().div_ceil(PAGE).max(1));
    let page = wants.page.clamp(1, pages);
    let storage = Storage {
        datastores: state.datastores.iter().map(datastore).collect(),
        services: overview.services,
        certificates: overview.certificates,
        disks: state.disks.iter().map(disk).collect(),
        history: history(&app),
        query: url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &wants.q)
            .finish(),
        q: short(wants.q.trim(), 100),
        images: found.into_iter().skip((page - 1) * PAGE).take(PAGE).map(row).collect(),
        total,
        page,
        pages,
    };
    show(&app, &caller, &headers, ("images", "images.html"), &storage)
}

fn history(app: &App) -> String {
    match (&app.hub.history, &app.hub.state().history_fault) {
        (Err(fault), _) | (_, Some(fault)) => format!("History is not being kept: {fault}."),
        (Ok(history), None) => format!("History takes {}.", bytes(history.bytes())),
    }
}

fn datastore(store: &stratus_monitor_state::Datastore) -> Space {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Space {
        name: short(&store.name, 80),
        kind: match store.kind {
            0 => "images",
            1 => "machines",
            2 => "files",
            3 => "backups",
            _ => "other",
        },
        free: mib(store.free_mib),
        total: mib(store.total_mib),
        percent: percent(
            number(store.total_mib.saturating_sub(store.free_mib)),
            number(store.total_mib),
        ),
        images: store.images,
    }
}

fn disk(disk: &stratus_monitor_state::Disk) -> Space {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Space {
        name: disk.path.clone(),
        kind: "disk",
        free: bytes(disk.free),
        total: bytes(disk.total),
        percent: percent(number(disk.total.saturating_sub(disk.free)), number(disk.total)),
        images: 0,
    }
}

fn row(image: &Image) -> Row {
    Row {
        id: image.id,
        name: short(&image.name, 80),
        user: short(&image.user, 60),
        state: image_words(image),
        failed: image.state == 5,
        size: mib(image.size_mib),
        datastore: short(&image.datastore, 60),
        running: image.running,
        error: short(&image.error, 300),
    }
}
