//! Search, one appliance, a manifest's place, and the document that describes all of it.

use crate::admission;
use crate::app::App;
use crate::error::ApiError;
use crate::handlers::{caller, document};
use crate::views;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stratus_model::FileKind;
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::route::{ApplianceKey, Route};
use stratus_repository_api::search::{ApplianceDetail, Page, SearchQuery};
use stratus_store::Record;

/// `/api/v1/appliances`.
pub(crate) async fn search(app: App, request: Request) -> Result<Response, ApiError> {
    let (caller, parts) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let query = SearchQuery::parse(parts.uri.query().unwrap_or_default())
        .map_err(|error| ApiError::public(ProblemKind::BadQuery, error))?;
    Ok(json(&page(&app, &query)))
}

/// A page of a search, as the API and the catalogue show it.
pub(crate) fn page(app: &App, query: &SearchQuery) -> Page {
    let now = Timestamp::now();
    let found = app.store.search(query, now);
    Page {
        total: found.total,
        appliances: found.records.iter().map(|r| views::summary(r, now)).collect(),
        next: found.next.map(|cursor| cursor.to_string()),
    }
}

/// What `/api/v1/appliances/{key}` may be asked with.
#[derive(Deserialize)]
struct Which {
    path: Option<String>,
}

/// `/api/v1/appliances/{key}`: the newest that has this identifier or digest; with `path` the one of
/// them that is there, since several appliances may have the same image.
pub(crate) async fn appliance(
    app: App,
    key: ApplianceKey,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, parts) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let Query(Which { path }) = Query::try_from_uri(&parts.uri)
        .map_err(|error| ApiError::public(ProblemKind::BadQuery, error.body_text()))?;
    let found = app.store.find(&key.to_string());
    let is_meant = |record: &&Arc<Record>| path.as_ref().is_none_or(|p| record.path.as_str() == p);
    let record = found.iter().find(is_meant).ok_or_else(|| {
        let there = path.as_ref().map(|path| format!(" at `{path}`")).unwrap_or_default();
        ApiError::public(ProblemKind::NotFound, format!("No appliance here has `{key}`{there}."))
    })?;
    Ok(json(&detail(&app, record)))
}

/// A record with its other versions.
pub(crate) fn detail(app: &App, record: &Arc<Record>) -> ApplianceDetail {
    let same = |r: &&Arc<Record>| {
        let (a, b) = (&r.labels, &record.labels);
        (&a.kind, &a.os, &a.osversion, &a.arch) == (&b.kind, &b.os, &b.osversion, &b.arch)
    };
    let all = app.store.all();
    let family: Vec<Arc<Record>> = all.iter().filter(same).cloned().collect();
    views::detail(record, &family, Timestamp::now())
}

/// Where an appliance goes.
#[derive(Serialize)]
struct Place {
    name: String,
    image: String,
    manifest: String,
    page: String,
}

/// `POST /api/v1/place`: where an appliance with this manifest would be published. Decides nothing.
pub(crate) async fn place(State(app): State<App>, body: Body) -> Result<Response, ApiError> {
    let bytes = document(body).await?;
    let unverified = stratus_manifest::read(&bytes).map_err(|error| {
        let reasons = error.problems().iter().map(stratus_manifest::Problem::sentence).collect();
        ApiError::with_reasons(ProblemKind::BadManifest, "The document cannot be used.", reasons)
    })?;
    let path = admission::place(&unverified.into_unverified_manifest(), &app.settings.layout)?;
    Ok(json(&Place {
        name: path.name().to_owned(),
        image: Route::file(&path, FileKind::Image).to_path(),
        manifest: Route::file(&path, FileKind::Manifest).to_path(),
        page: format!("/appliances/{path}"),
    }))
}

/// `/api/v1/openapi.json`.
pub(crate) fn openapi() -> Response {
    const DOCUMENT: &str = include_str!("../../assets/openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

fn json(data: &impl Serialize) -> Response {
    match serde_json::to_vec(data) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => ApiError::internal(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_describes_every_route() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../assets/openapi.json")).unwrap();
        let paths = document["paths"].as_object().unwrap();
        for route in [
            Route::Health,
            Route::Ready,
            Route::Metrics,
            Route::Search,
            Route::OpenApi,
            Route::Marketplace,
            Route::Uploads,
        ] {
            assert!(paths.contains_key(&route.to_path()), "{}", route.to_path());
        }
        for kind in stratus_repository_api::problem::ProblemKind::ALL {
            assert!(kind.status() >= 400);
        }
    }
}
