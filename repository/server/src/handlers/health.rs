//! Is it alive, can it work, what has it counted.

use crate::app::App;
use crate::error::ApiError;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use stratus_repository_api::problem::ProblemKind;

/// `/healthz`: the process answers.
pub(crate) fn health() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// `/readyz`: the store answers, too.
pub(crate) async fn ready(app: &App) -> Response {
    match app.store.check().await {
        Ok(()) => ([(header::CACHE_CONTROL, "no-store")], "ready\n").into_response(),
        Err(error) => ApiError::public(ProblemKind::Busy, "The storage does not answer.")
            .because(error)
            .into_response(),
    }
}

/// `/metrics`.
pub(crate) fn metrics(app: &App) -> Response {
    let staged = app.store.staged_bytes();
    match app.metrics.render(app.store.len(), staged) {
        Ok(text) => {
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Err(error) => ApiError::internal(error).into_response(),
    }
}
