//! Taking in: images, manifests, deprecations; and taking out, where the site allows it.

use crate::admission;
use crate::app::App;
use crate::audit::Action;
use crate::error::ApiError;
use crate::handlers::{caller, caller_and_body, document, text};
use crate::who::Caller;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use stratus_identity::Person;
use stratus_model::{AppliancePath, Digest, FileKind};
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::range::{ContentRange, Resume, continue_at};
use stratus_repository_api::route::Route;
use stratus_store::{Outcome, Staged, StoreError, UploadId};

/// What an upload became.
#[derive(Debug, Serialize)]
pub(crate) struct Accepted {
    state: &'static str,
    path: String,
}

/// PUT of an image, whole or a part with `Content-Range`.
pub(crate) async fn image(
    app: App,
    path: AppliancePath,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, parts, body) = caller_and_body(&app, request).await?;
    let person = may_publish(&caller, &path)?.clone();
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "Send the gzip file as it is, without Content-Encoding.";
        return Err(ApiError::public(ProblemKind::UnsupportedMediaType, detail));
    }
    let length = content_length(&parts.headers);
    if let Some(record) = app.record(&path).await? {
        return same_again(&app, &record, length, body, &path).await;
    }
    let staged = begin(&app, &path, &person.login, &parts.headers, length).await?;
    let last = receive(&app, staged, body).await?;
    match last {
        Received::Complete(staged) => {
            let finished = staged.finish().await.map_err(store_error)?;
            conclude(&app, &caller, &person, &path, finished.outcome).await
        }
        Received::Part(staged) => {
            let upload = staged.pause().await.map_err(store_error)?;
            let accepted = Accepted { state: "waiting-for-image", path: path.to_string() };
            let mut response = (StatusCode::ACCEPTED, axum::Json(accepted)).into_response();
            response.headers_mut().insert("upload-offset", HeaderValue::from(upload.offset));
            Ok(response)
        }
    }
}

/// PUT of a manifest: the gate. Whatever passes here and fits its image is published.
pub(crate) async fn manifest(
    app: App,
    path: AppliancePath,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, _, body) = caller_and_body(&app, request).await?;
    let person = may_publish(&caller, &path)?.clone();
    let bytes = document(body).await?;
    if let Some(record) = app.record(&path).await? {
        let same = sha256(&bytes) == record.manifest.sha256;
        return if same { Ok(already(&path)) } else { Err(taken(&path)) };
    }
    let trust = app.trust();
    let admitted = admission::manifest(&bytes, &path, &person, &app.site(trust.as_deref()))?;
    tracing::debug!(%path, endorser = ?admitted.endorser, title = ?admitted.manifest.title, "manifest admitted");
    let outcome =
        app.store.stage_manifest(&path, &person.login, bytes).await.map_err(store_error)?;
    conclude(&app, &caller, &person, &path, outcome).await
}

/// PUT of a signed statement that an appliance should no longer be used.
pub(crate) async fn deprecation(
    app: App,
    path: AppliancePath,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, _, body) = caller_and_body(&app, request).await?;
    let person = caller.required()?.clone();
    if !person.scopes.may_deprecate(&path) {
        return Err(ApiError::public(
            ProblemKind::NotAllowed,
            "This login may not deprecate here.",
        ));
    }
    let bytes = document(body).await?;
    let record = app.record(&path).await?.ok_or_else(|| missing(&path))?;
    let trust = app.trust();
    let site = app.site(trust.as_deref());
    let (statement, signer) =
        admission::deprecation(&bytes, record.endorser.as_ref(), &person, &site)?;
    let named = statement.name == record.name() || statement.name == path.as_str();
    let identified = statement.identifier.is_none() || statement.identifier == record.identifier;
    if !named || !identified {
        let detail =
            format!("The statement is about `{}`, not about this appliance.", statement.name);
        return Err(ApiError::public(ProblemKind::BadManifest, detail));
    }
    let digest = sha256(&bytes);
    app.store.put_deprecation(&path, bytes).await.map_err(|error| match &error {
        StoreError::Conflict { .. } => {
            let reason = record.deprecated.as_ref().map_or("", |d| d.reason.as_str());
            let detail = format!(
                "It is deprecated already (\"{reason}\"), and that statement stays as it was signed."
            );
            ApiError::public(ProblemKind::Conflict, detail)
        }
        _ => store_error(error),
    })?;
    let signer = signer.map(|s| s.to_string());
    app.audit(
        caller.from,
        &person,
        Action::Deprecate,
        path.as_str(),
        Some(digest.to_hex()),
        signer,
    )
    .await?;
    Ok((StatusCode::CREATED, axum::Json(Accepted { state: "deprecated", path: path.to_string() }))
        .into_response())
}

/// DELETE of an appliance.
pub(crate) async fn delete(
    app: App,
    path: AppliancePath,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, _) = caller(&app, request).await?;
    let person = caller.required()?.clone();
    if !app.settings.delete {
        let detail = "Appliances are not deleted here; deprecate it instead.";
        return Err(ApiError::public(ProblemKind::NotAllowed, detail));
    }
    if !(person.administrator && person.scopes.may_delete(&path)) {
        return Err(ApiError::public(
            ProblemKind::NotAllowed,
            "Only administrators can delete an appliance.",
        ));
    }
    let record = app.record(&path).await?.ok_or_else(|| missing(&path))?;
    app.audit(
        caller.from,
        &person,
        Action::Delete,
        path.as_str(),
        Some(record.manifest.sha256.to_hex()),
        None,
    )
    .await?;
    app.store.delete(&path).await.map_err(store_error)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Whether the caller may publish at this place, as far as the login alone tells.
pub(crate) fn may_publish<'a>(
    caller: &'a Caller,
    path: &AppliancePath,
) -> Result<&'a Person, ApiError> {
    let person = caller.required()?;
    if person.scopes.may_publish(path) {
        return Ok(person);
    }
    Err(ApiError::public(
        ProblemKind::NotAllowed,
        format!("This login may not publish at /images/{path}."),
    ))
}

/// Answers what came of a complete half, and puts a publication on record.
pub(crate) async fn conclude(
    app: &App,
    caller: &Caller,
    person: &Person,
    path: &AppliancePath,
    outcome: Outcome,
) -> Result<Response, ApiError> {
    let accepted = |state| Accepted { state, path: path.to_string() };
    match outcome {
        Outcome::Published(record) => {
            let endorser = record.endorser.as_ref().map(ToString::to_string);
            let digest = Some(record.manifest.sha256.to_hex());
            app.audit(caller.from, person, Action::Publish, path.as_str(), digest, endorser)
                .await?;
            app.metrics.published.inc();
            let place = Route::file(path, FileKind::Image).to_path();
            let headers = [(header::LOCATION, place)];
            Ok((StatusCode::CREATED, headers, axum::Json(accepted("published"))).into_response())
        }
        Outcome::AlreadyPublished(_) => Ok(already(path)),
        Outcome::NeedsManifest => {
            Ok((StatusCode::ACCEPTED, axum::Json(accepted("waiting-for-manifest"))).into_response())
        }
        Outcome::NeedsImage => {
            Ok((StatusCode::ACCEPTED, axum::Json(accepted("waiting-for-image"))).into_response())
        }
    }
}

async fn begin(
    app: &App,
    path: &AppliancePath,
    login: &str,
    headers: &HeaderMap,
    length: Option<u64>,
) -> Result<Staged, ApiError> {
    let Some(given) = text(headers, header::CONTENT_RANGE) else {
        return app.store.begin_again(path, login, length).await.map_err(store_error);
    };
    let part =
        ContentRange::parse(given).map_err(|e| ApiError::public(ProblemKind::BadRequest, e))?;
    if length.is_some_and(|l| l != part.length()) {
        return Err(ApiError::public(
            ProblemKind::BadRequest,
            "Content-Length and Content-Range do not agree.",
        ));
    }
    let known = app.store.upload(&UploadId::of(path, login)).await.map_err(store_error)?;
    let (have, announced) = known.as_ref().map_or((0, None), |u| (u.offset, u.total));
    let total = match part {
        ContentRange::Part { total, .. } => total,
        ContentRange::Question { total } => Some(total),
    };
    let resumed = continue_at(have, announced, &part)
        .map_err(|e| ApiError::public(ProblemKind::ResumeAt, e).offset(e.offset()))?;
    match (resumed, known) {
        (Resume::Append, Some(upload)) => {
            app.store.resume(&upload.id, login).await.map_err(store_error)
        }
        (Resume::Append, None) | (Resume::Restart, _) => {
            app.store.begin_again(path, login, total).await.map_err(store_error)
        }
    }
}

/// How a body ended.
pub(crate) enum Received {
    /// Everything that was announced is there.
    Complete(Staged),
    /// This part is there, and more is to come.
    Part(Staged),
}

/// Streams a body into an upload.
pub(crate) async fn receive(
    app: &App,
    mut staged: Staged,
    body: Body,
) -> Result<Received, ApiError> {
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        // The bytes that came are kept: `staged` notes how far it is when it is dropped.
        let piece: Bytes = piece.map_err(|error| {
            ApiError::public(
                ProblemKind::BadRequest,
                "The connection broke; go on from where it stopped.",
            )
            .because(error)
        })?;
        app.metrics.received.inc_by(piece.len() as u64);
        staged.append(piece).await.map_err(store_error)?;
    }
    let complete = staged.total().is_none_or(|total| staged.offset() == total);
    Ok(if complete { Received::Complete(staged) } else { Received::Part(staged) })
}

/// A second PUT of a published image: the same bytes are fine, others are not.
async fn same_again(
    app: &App,
    record: &stratus_store::Record,
    length: Option<u64>,
    body: Body,
    path: &AppliancePath,
) -> Result<Response, ApiError> {
    if length.is_some_and(|l| l != record.compressed.bytes) {
        return Err(taken(path));
    }
    let mut repeat = app.store.repeat(record);
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| {
            ApiError::public(ProblemKind::BadRequest, "The body broke off.").because(e)
        })?;
        repeat.append(&piece).map_err(store_error)?;
    }
    repeat.finish().map_err(store_error)?;
    Ok(already(path))
}

fn already(path: &AppliancePath) -> Response {
    (StatusCode::OK, axum::Json(Accepted { state: "already-published", path: path.to_string() }))
        .into_response()
}

fn taken(path: &AppliancePath) -> ApiError {
    let detail = format!(
        "/images/{path} is published with other bytes, which never change; choose another version."
    );
    ApiError::public(ProblemKind::Conflict, detail)
}

fn missing(path: &AppliancePath) -> ApiError {
    ApiError::public(ProblemKind::NotFound, format!("There is no appliance at /images/{path}."))
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH).and_then(|l| l.parse().ok())
}

/// What a failure of the store means to a client.
pub(crate) fn store_error(error: StoreError) -> ApiError {
    let causes = causes(&error);
    match &error {
        StoreError::Conflict { .. } | StoreError::Superseded => {
            ApiError::public(ProblemKind::Conflict, &error)
        }
        StoreError::NoUpload => ApiError::public(ProblemKind::UploadExpired, &error),
        StoreError::NotPublished { .. } => ApiError::public(ProblemKind::NotFound, &error),
        StoreError::Offset { offset }
        | StoreError::Total { offset, .. }
        | StoreError::Incomplete { offset, .. } => {
            ApiError::public(ProblemKind::ResumeAt, &error).offset(*offset)
        }
        StoreError::NoSpace { .. } => {
            let detail = "The disk of the repository is full. What was sent is kept; go on when there is room.";
            ApiError::public(ProblemKind::NoSpace, detail).because(causes)
        }
        StoreError::StagingFull { .. } => ApiError::public(ProblemKind::NoSpace, &error),
        StoreError::TooLarge { .. } => ApiError::public(ProblemKind::TooLarge, &error),
        StoreError::TooManyUploads { .. } => ApiError::public(ProblemKind::TooManyAttempts, &error)
            .retry_after(Duration::from_mins(1)),
        StoreError::Image(source) => {
            let too_large = matches!(source, stratus_image::ImageError::TooLarge { .. });
            let kind = if too_large { ProblemKind::TooLarge } else { ProblemKind::NotAnImage };
            ApiError::with_reasons(kind, "The image is refused.", vec![source.to_string()])
        }
        StoreError::Mismatch(mismatches) => {
            let reasons = mismatches.0.iter().map(ToString::to_string).collect();
            ApiError::with_reasons(
                ProblemKind::DigestMismatch,
                "The image is not what its manifest says.",
                reasons,
            )
        }
        StoreError::Manifest { reason } => ApiError::public(ProblemKind::BadManifest, reason),
        StoreError::Damaged { .. } => {
            let detail = "The stored file no longer matches its manifest and is not served.";
            ApiError::public(ProblemKind::Damaged, detail).because(causes)
        }
        StoreError::Bucket { .. } => {
            let busy =
                ApiError::public(ProblemKind::Busy, "The storage does not answer.").because(causes);
            busy.retry_after(Duration::from_secs(10))
        }
        _ => ApiError::internal(causes),
    }
}

fn causes(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
