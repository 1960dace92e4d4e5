//! What a page's form sends; one that cannot be understood is told as every other problem is.

use crate::error::ApiError;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use stratus_repository_api::problem::ProblemKind;

/// The fields of a form.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = axum::extract::Form::<T>::from_request(request, state).await;
        read.map(|axum::extract::Form(fields)| Self(fields)).map_err(|rejection| {
            let kind = match &rejection {
                FormRejection::InvalidFormContentType(_) => ProblemKind::UnsupportedMediaType,
                rejection if rejection.status().as_u16() == ProblemKind::TooLarge.status() => {
                    ProblemKind::TooLarge
                }
                _ => ProblemKind::BadRequest,
            };
            ApiError::public(kind, rejection.body_text())
        })
    }
}
