//! The first screen, and silencing what is on it.

use super::App;
use super::caller::Caller;
use super::chart::{Chart, Wanted, charts, count, percent, span};
use super::fault::Fault;
use super::render::show as render;
use crate::history::Series;
use crate::status::Overview;
use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stratus_monitor_state::Cause;

/// Longest silence, in hours.
const HOURS: i64 = 24 * 30;

const CHARTS: [Wanted; 2] = [
    Wanted {
        title: "Machines",
        lines: &[(0, "run"), (1, "wait"), (2, "failed or unknown")],
        least: 4.0,
        unit: count,
    },
    Wanted { title: "Memory given", lines: &[(3, "percent of all")], least: 100.0, unit: percent },
];

#[derive(Serialize)]
struct Screen {
    #[serde(flatten)]
    overview: Overview,
    /// The ends of silences, by cause.
    silenced: BTreeMap<String, String>,
    charts: Vec<Chart>,
    span: String,
}

/// `?span=`: how far back charts go.
#[derive(Deserialize)]
pub(crate) struct Spanned {
    #[serde(default)]
    pub(crate) span: String,
}

impl Spanned {
    /// The word of the span, one of three.
    pub(crate) fn word(&self) -> &'static str {
        match self.span.as_str() {
            "month" => "month",
            "year" => "year",
            _ => "day",
        }
    }
}

/// `GET /`.
pub(super) async fn show(
    axum::extract::State(app): State<App>,
    caller: Caller,
    Query(spanned): Query<Spanned>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let viewer = caller.viewer()?;
    let state = app.hub.state();
    let overview = Overview::of(&state, &app.hub.diary, &viewer);
    let until = |c: &crate::status::Shown| {
        let until = app.hub.silenced.until(&Cause(c.cause.clone()), state.at)?;
        Some((c.cause.clone(), crate::figures::moment(until)))
    };
    let silenced = overview.concerns.iter().filter_map(until).collect();
    let word = spanned.word();
    let charts = if viewer.sees_all() {
        charts(&app, Series::Site, span(word), &CHARTS)
    } else {
        Vec::new()
    };
    let screen = Screen { overview, silenced, charts, span: word.to_owned() };
    render(&app, &caller, &headers, ("overview", "overview.html"), &screen)
}

/// The form that silences a cause; 0 hours let it be heard again.
#[derive(Deserialize)]
pub(crate) struct Silence {
    cause: String,
    hours: i64,
}

/// `POST /silence`: no alert for a while. It stays on the page.
pub(super) async fn silence(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<Silence>,
) -> Result<Response, Fault> {
    let person = caller.administrator()?;
    let now = Timestamp::now().as_second();
    let known = app.hub.state().concerns.iter().any(|c| c.cause.0 == form.cause);
    if !known && form.hours > 0 {
        return Err(Fault::missing("There is no such concern any more."));
    }
    let end = now + form.hours.clamp(0, HOURS) * 3600;
    app.hub.silenced.set(&form.cause, end, now).map_err(Fault::internal)?;
    tracing::info!(login = person.login, cause = form.cause, hours = form.hours, "silenced");
    Ok(Redirect::to("/").into_response())
}
