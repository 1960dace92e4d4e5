//! What each endpoint does. A handler reads the request, calls one function that decides, and shows
//! the result.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod marketplace;
pub(crate) mod people;
pub(crate) mod publish;
pub(crate) mod tus;

use crate::app::App;
use crate::error::ApiError;
use crate::who::Caller;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use stratus_repository_api::problem::ProblemKind;

/// Who asks, and the head of the request.
async fn caller(app: &App, request: Request) -> Result<(Caller, Parts), ApiError> {
    let (caller, parts, _) = caller_and_body(app, request).await?;
    Ok((caller, parts))
}

/// Who asks, the head of the request, and its body.
async fn caller_and_body(app: &App, request: Request) -> Result<(Caller, Parts, Body), ApiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, app).await?;
    Ok((caller, parts, body))
}

/// A small body whole: a manifest or a statement.
async fn document(body: Body) -> Result<Bytes, ApiError> {
    let limit = stratus_manifest::SIZE_LIMIT;
    to_bytes(body, limit).await.map_err(|error| {
        let too_large = std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
        if too_large {
            ApiError::public(
                ProblemKind::TooLarge,
                format!("A manifest has at most {limit} bytes."),
            )
        } else {
            ApiError::public(ProblemKind::BadRequest, "The body broke off.").because(error)
        }
    })
}

/// A header as text, if it is there and is text.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
