//! The list as OpenNebula's `one` market driver reads it.

use crate::app::App;
use crate::error::ApiError;
use crate::handlers::caller;
use crate::views;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use stratus_repository_api::marketplace::{MarketAppliance, MarketSettings, Marketplace};
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::route::Token;
use stratus_repository_api::search::Validity;
use stratus_store::Record;

/// `/appliance`: what should be used today.
pub(crate) async fn list(app: App, request: Request) -> Result<Response, ApiError> {
    let (caller, _) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let now = Timestamp::now();
    let records = app.store.all();
    let usable = records
        .iter()
        .filter(|r| views::validity(r, now) == Validity::Valid && r.damaged.is_none());
    let list = usable.map(|r| market(&app, r, &caller.base_url, now)).collect();
    Ok(json(Marketplace::new(list).to_json()))
}

/// `/appliance/{id}`; a browser is sent to the page.
pub(crate) async fn one(app: App, id: &Token, request: Request) -> Result<Response, ApiError> {
    let (caller, parts) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let record = find(&app, id)?;
    if crate::pages::wants_page(&parts.headers) {
        return Ok(Redirect::to(&format!("/appliances/{}", record.path)).into_response());
    }
    Ok(json(market(&app, &record, &caller.base_url, Timestamp::now()).to_json()))
}

/// `/appliance/{id}/download/{n}`: a redirect to the file.
pub(crate) async fn download(
    app: App,
    id: &Token,
    file: u16,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, _) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let record = find(&app, id)?;
    let appliance = market(&app, &record, &caller.base_url, Timestamp::now());
    let url = appliance.file_url(file).ok_or_else(|| nothing(id))?;
    // 302, as official marketplaces answer; they also tell the size of the image inside.
    let size = record.content.bytes.to_string();
    let headers =
        [(header::LOCATION.as_str(), url.to_owned()), ("opennebula-appmarket-size", size)];
    Ok((StatusCode::FOUND, headers).into_response())
}

fn market(app: &App, record: &Record, base_url: &str, now: Timestamp) -> MarketAppliance {
    let settings = MarketSettings { base_url, prefix: &app.settings.marketplace_prefix };
    let detail = views::detail(record, &[], now);
    MarketAppliance::new(
        &views::market_id(record),
        &detail,
        views::md5(record).as_deref(),
        &settings,
    )
}

fn find(app: &App, id: &Token) -> Result<Arc<Record>, ApiError> {
    let records = app.store.all();
    let found = records.iter().find(|r| views::market_id(r) == id.as_str());
    found.cloned().ok_or_else(|| nothing(id))
}

fn nothing(id: &Token) -> ApiError {
    ApiError::public(ProblemKind::NotFound, format!("There is no appliance `{id}`."))
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
