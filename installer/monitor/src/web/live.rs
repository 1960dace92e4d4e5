//! Open pages hear of each new state: server-sent events, for a bounded number of them.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// A silent stream is told that it lives.
const ALIVE: Duration = Duration::from_secs(20);

struct Open {
    turns: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// `/live`: an event `state` with its time for each new state. The page then reads itself again.
pub(super) async fn stream(State(app): State<App>, caller: Caller) -> Result<Response, Fault> {
    caller.required()?;
    let place = Arc::clone(&app.viewers).try_acquire_owned().map_err(|_| {
        let told = "As many pages as allowed are kept up to date; this one is read by hand.";
        Fault::busy(told, 60).closing()
    })?;
    let open = Open { turns: app.hub.turns(), closing: app.closing.clone(), _place: place };
    let events = stream::unfold((app, open), async |(app, mut open)| {
        tokio::select! {
            turn = open.turns.changed() => turn.ok()?,
            _ = open.closing.wait_for(|closing| *closing) => return None,
        }
        let event = Event::default().event("state").data(app.hub.state().at.to_string());
        Some((Ok::<_, Infallible>(event), (app, open)))
    });
    let mut response =
        Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(ALIVE)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
