//! The pages: catalogue, appliance, upload.

use crate::app::App;
use crate::error::ApiError;
use crate::handlers::api;
use crate::pages::{self, Catalogue};
use crate::who::Caller;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use stratus_model::AppliancePath;
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::search::SearchQuery;

/// `/`: the catalogue.
pub(crate) async fn catalogue(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.may_read(&app)?;
    // An empty field of the form is a field that was not filled in.
    let filled: Vec<&str> =
        query.as_deref().unwrap_or_default().split('&').filter(|p| !p.ends_with('=')).collect();
    let (query, fault) = match SearchQuery::parse(&filled.join("&")) {
        Ok(query) => (query, None),
        Err(error) => (SearchQuery::default(), Some(error.to_string())),
    };
    let page = api::page(&app, &query);
    let frame = app.frame(&caller, "catalogue");
    pages::catalogue(&frame, &Catalogue { query: &query, page: &page, fault })
}

/// `/appliances/{path}`.
pub(crate) async fn appliance(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    caller.may_read(&app)?;
    let nothing =
        || ApiError::public(ProblemKind::NotFound, "There is no appliance at this place.");
    let path = AppliancePath::parse(&path).map_err(|_| nothing())?;
    let record = app.record(&path).await?.ok_or_else(nothing)?;
    let frame = app.frame(&caller, "catalogue");
    pages::appliance(&frame, &api::detail(&app, &record), record.damaged.is_some())
}

/// `/upload`.
pub(crate) async fn upload(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    pages::upload(&app.frame(&caller, "upload"))
}
