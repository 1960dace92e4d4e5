//! What happened.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{short, show};
use crate::status::EventLine;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stratus_monitor_state::EventKind;

/// Events on a page.
const PAGE: usize = 100;

/// Which events are wanted.
#[derive(Deserialize)]
pub(super) struct Wants {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    page: usize,
}

#[derive(Serialize)]
struct List {
    kind: String,
    kinds: Vec<(&'static str, &'static str)>,
    events: Vec<EventLine>,
    total: usize,
    page: usize,
    pages: usize,
}

const KINDS: [(&str, &str, EventKind); 5] = [
    ("trouble", "began to need attention", EventKind::Trouble),
    ("relief", "needs no attention any more", EventKind::Relief),
    ("machine", "machines", EventKind::Machine),
    ("host", "hosts", EventKind::Host),
    ("monitor", "the monitor itself", EventKind::Monitor),
];

/// `GET /events`.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wants): Query<Wants>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let viewer = caller.viewer()?;
    let kind = KINDS.iter().find(|(word, ..)| *word == wants.kind).map(|(_, _, kind)| *kind);
    let page = wants.page.clamp(1, 1000);
    let (events, total) = app.hub.diary.newest(&viewer, kind, (page - 1) * PAGE, PAGE);
    let pages = total.div_ceil(PAGE).max(1);
    let list = List {
        kind: short(&wants.kind, 20),
        kinds: KINDS.iter().map(|(word, says, _)| (*word, *says)).collect(),
        events: events.iter().map(EventLine::of).collect(),
        total,
        page,
        pages,
    };
    show(&app, &caller, &headers, ("events", "events.html"), &list)
}
