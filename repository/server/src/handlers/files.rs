//! The tree: folders, images, manifests, checksum files; and which handler takes a write.

use crate::app::App;
use crate::error::ApiError;
use crate::handlers::{caller, caller_and_body, publish, text};
use crate::pages;
use crate::router::not_allowed;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::ops::Range;
use std::sync::Arc;
use stratus_model::{Algorithm, AppliancePath, Digest, FileKind, TreePath};
use stratus_repository_api::conditional::{
    self, Decision, EntityTag, Method as Access, Preconditions, Validators,
};
use stratus_repository_api::listing::{FileEntry, FolderEntry, Listing};
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::range::{self, RangeSet};
use stratus_repository_api::route::{Route, versionless};
use stratus_repository_api::{date, digest_header};
use stratus_serve::file_body::{FileBody, Part};
use stratus_store::{ImageSource, Record, UploadId};

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const BOUNDARY: &str = "stratus-byteranges-3d6b6a416f9b5";

/// `/images/…/`.
pub(crate) async fn folder(
    app: App,
    path: TreePath,
    request: Request,
) -> Result<Response, ApiError> {
    let canonical = Route::Folder(path.clone()).to_path();
    if request.uri().path() != canonical {
        return Ok(Redirect::permanent(&canonical).into_response());
    }
    let (caller, parts) = caller(&app, request).await?;
    caller.may_read(&app)?;
    let found = app.store.list(&path).ok_or_else(|| nothing(&path))?;
    let mut listing = Listing::of(&path);
    for name in found.folders {
        let inside = path.join(&name).map_err(ApiError::internal)?;
        listing.folders.push(FolderEntry { href: Route::Folder(inside).to_path(), name });
    }
    for entry in found.files {
        let sha256 = (entry.kind == FileKind::Image)
            .then(|| entry.record.sha256().map(Digest::to_hex))
            .flatten();
        listing.files.push(FileEntry::of(
            &entry.record.path,
            entry.kind,
            entry.bytes,
            entry.modified,
            sha256,
        ));
    }
    listing.sort();
    // A browser gets a page; `curl` and programs get data only if they ask for it.
    let json = text(&parts.headers, header::ACCEPT).is_some_and(|a| a.contains("application/json"));
    if json && !pages::wants_page(&parts.headers) {
        let body = serde_json::to_vec(&listing).map_err(ApiError::internal)?;
        return Ok(([(header::CONTENT_TYPE, "application/json"), (header::VARY, "Accept")], body)
            .into_response());
    }
    pages::files(&app.frame(&caller, "files"), &listing)
}

/// `/images/…`: one of an appliance's files.
pub(crate) async fn file(
    app: App,
    appliance: AppliancePath,
    kind: FileKind,
    request: Request,
) -> Result<Response, ApiError> {
    match (request.method().clone(), kind) {
        (Method::GET | Method::HEAD, _) => read(app, appliance, kind, request).await,
        (Method::PUT, FileKind::Image) => publish::image(app, appliance, request).await,
        (Method::PUT, FileKind::Manifest) => publish::manifest(app, appliance, request).await,
        (Method::PUT, FileKind::Deprecation) => publish::deprecation(app, appliance, request).await,
        (Method::DELETE, FileKind::Image | FileKind::Manifest) => {
            publish::delete(app, appliance, request).await
        }
        (other, _) => Err(not_allowed(&other)),
    }
}

async fn read(
    app: App,
    path: AppliancePath,
    kind: FileKind,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, parts, _) = caller_and_body(&app, request).await?;
    caller.may_read(&app)?;
    let Some(record) = app.record(&path).await? else {
        if let Some(inside) = versionless(&path).filter(|p| app.store.lookup(p).is_some()) {
            return Ok(Redirect::permanent(&Route::file(&inside, kind).to_path()).into_response());
        }
        if let (FileKind::Image, Some(person)) = (kind, &caller.person) {
            return unfinished(&app, &path, &person.login).await;
        }
        return Err(nothing(&path.file(kind)));
    };
    match kind {
        FileKind::Image => image(&app, &record, &parts.headers).await,
        FileKind::Manifest => {
            let bytes = app.store.manifest_bytes(&record).await.map_err(publish::store_error)?;
            Ok(document(&record, kind, &record.manifest.sha256, bytes, &parts.headers))
        }
        FileKind::Deprecation => {
            let facts = record.deprecation.as_ref().ok_or_else(|| nothing(&path.file(kind)))?;
            let bytes = app.store.deprecation_bytes(&record).await.map_err(publish::store_error)?;
            Ok(document(&record, kind, &facts.sha256, bytes, &parts.headers))
        }
        FileKind::Sha256Sums => sums(&app, &record, Algorithm::Sha256).await,
        FileKind::Sha512Sums => sums(&app, &record, Algorithm::Sha512).await,
    }
}

/// The owner of an upload that is not finished learns how far it came: 404, with the offset.
async fn unfinished(app: &App, path: &AppliancePath, login: &str) -> Result<Response, ApiError> {
    let missing = nothing(&path.file(FileKind::Image));
    let found = app.store.upload(&UploadId::of(path, login)).await.map_err(publish::store_error)?;
    let Some(upload) = found else { return Err(missing) };
    let mut error = missing.offset(upload.offset);
    if let Some(total) = upload.total {
        error = error.header(HeaderName::from_static("upload-length"), HeaderValue::from(total));
    }
    Err(error)
}

async fn image(app: &App, record: &Arc<Record>, headers: &HeaderMap) -> Result<Response, ApiError> {
    let sha256 = record
        .sha256()
        .ok_or_else(|| ApiError::internal(format!("{} has no digest", record.path)))?;
    let validators =
        Validators { etag: EntityTag::of_digest(sha256), modified: Some(record.published) };
    let asked = preconditions(headers);
    let mut response = match conditional::evaluate(&asked, Access::Read, Some(&validators)) {
        Decision::Failed => {
            return Err(ApiError::public(
                ProblemKind::PreconditionFailed,
                "The image is not the one you named.",
            ));
        }
        Decision::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Decision::Proceed => image_body(app, record, &validators, headers).await?,
    };
    let fixed = response.headers_mut();
    stamp(fixed, &validators);
    fixed.insert(header::CACHE_CONTROL, IMMUTABLE);
    fixed.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(digest) =
        digest_header::write(&record.compressed.digests).and_then(|d| HeaderValue::try_from(d).ok())
    {
        fixed.insert(HeaderName::from_static("repr-digest"), digest);
    }
    let manifest = Route::file(&record.path, FileKind::Manifest).to_path();
    link(fixed, &format!("<{manifest}>; rel=\"describedby\"; type=\"application/xml\""));
    Ok(response)
}

async fn image_body(
    app: &App,
    record: &Arc<Record>,
    validators: &Validators,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let source = app.store.open_image(record).await.map_err(publish::store_error)?;
    let length = source.len();
    let asked = text(headers, header::RANGE)
        .filter(|_| range::if_range_holds(text(headers, header::IF_RANGE), validators));
    let set = asked.map_or(RangeSet::Whole, |r| range::parse(r, length));
    match set {
        RangeSet::Unsatisfiable => {
            let unsatisfied =
                HeaderValue::try_from(range::unsatisfied(length)).map_err(ApiError::internal)?;
            let detail = format!("The file has {length} bytes.");
            Err(ApiError::public(ProblemKind::RangeNotSatisfiable, detail)
                .header(header::CONTENT_RANGE, unsatisfied))
        }
        RangeSet::Whole => {
            app.metrics.sent.inc_by(length);
            Ok(with_length(
                one(source, 0..length),
                StatusCode::OK,
                length,
                FileKind::Image.media_type(),
            ))
        }
        RangeSet::Single(r) => {
            let bytes = r.end - r.start;
            app.metrics.sent.inc_by(bytes);
            let content_range = range::content_range(&r, length);
            let mut response = with_length(
                one(source, r),
                StatusCode::PARTIAL_CONTENT,
                bytes,
                FileKind::Image.media_type(),
            );
            let value = HeaderValue::try_from(content_range).map_err(ApiError::internal)?;
            response.headers_mut().insert(header::CONTENT_RANGE, value);
            Ok(response)
        }
        RangeSet::Multi(ranges) => {
            app.metrics.sent.inc_by(ranges.iter().map(|r| r.end - r.start).sum());
            Ok(several(source, &ranges, length))
        }
    }
}

fn one(source: ImageSource, range: Range<u64>) -> Body {
    match source {
        ImageSource::File(file, _) => Body::new(FileBody::new(Arc::new(file), range)),
        remote @ ImageSource::Remote(_) => Body::from_stream(remote.stream(range)),
    }
}

/// `multipart/byteranges` (RFC 9110 section 14.6).
fn several(source: ImageSource, ranges: &[Range<u64>], length: u64) -> Response {
    let media_type = FileKind::Image.media_type();
    let head = |r: &Range<u64>| {
        format!(
            "\r\n--{BOUNDARY}\r\nContent-Type: {media_type}\r\nContent-Range: {}\r\n\r\n",
            range::content_range(r, length)
        )
    };
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let total = ranges.iter().map(|r| head(r).len() as u64 + r.end - r.start).sum::<u64>()
        + tail.len() as u64;
    let body = match source {
        ImageSource::File(file, _) => {
            let parts =
                ranges.iter().flat_map(|r| [Part::Bytes(head(r).into()), Part::File(r.clone())]);
            Body::new(FileBody::parts(Arc::new(file), parts.chain([Part::Bytes(tail.into())])))
        }
        ImageSource::Remote(remote) => {
            use futures_util::StreamExt;
            let parts: Vec<(String, Range<u64>)> =
                ranges.iter().map(|r| (head(r), r.clone())).collect();
            let stream = futures_util::stream::iter(parts).flat_map(move |(head, range)| {
                let head = futures_util::stream::once(async move { Ok(bytes::Bytes::from(head)) });
                head.chain(remote.stream(range))
            });
            Body::from_stream(
                stream
                    .chain(futures_util::stream::once(async move { Ok(bytes::Bytes::from(tail)) })),
            )
        }
    };
    with_length(
        body,
        StatusCode::PARTIAL_CONTENT,
        total,
        &format!("multipart/byteranges; boundary={BOUNDARY}"),
    )
}

fn with_length(body: Body, status: StatusCode, length: u64, media_type: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    (status, headers, body).into_response()
}

/// A manifest or a statement: the exact bytes that were signed.
fn document(
    record: &Record,
    kind: FileKind,
    sha256: &Digest,
    bytes: bytes::Bytes,
    headers: &HeaderMap,
) -> Response {
    let validators =
        Validators { etag: EntityTag::of_digest(sha256), modified: Some(record.manifest.modified) };
    let mut response =
        match conditional::evaluate(&preconditions(headers), Access::Read, Some(&validators)) {
            Decision::NotModified => StatusCode::NOT_MODIFIED.into_response(),
            Decision::Failed => {
                return ApiError::public(
                    ProblemKind::PreconditionFailed,
                    "The file is not the one you named.",
                )
                .into_response();
            }
            Decision::Proceed => with_length(
                bytes.clone().into(),
                StatusCode::OK,
                bytes.len() as u64,
                kind.media_type(),
            ),
        };
    let fixed = response.headers_mut();
    stamp(fixed, &validators);
    fixed.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let image = Route::file(&record.path, FileKind::Image).to_path();
    link(fixed, &format!("<{image}>; rel=\"describes\"; type=\"application/gzip\""));
    response
}

/// A checksum file as `sha256sum -c` reads it.
async fn sums(app: &App, record: &Arc<Record>, algorithm: Algorithm) -> Result<Response, ApiError> {
    let digest = match record.compressed.digest(algorithm) {
        Some(known) => known.clone(),
        None => app.sums.of(&app.store, record).await.map_err(publish::store_error)?,
    };
    let line = format!("{digest}  {}\n", record.path.file_name(FileKind::Image));
    let headers = [
        (header::CONTENT_TYPE, FileKind::Sha256Sums.media_type()),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, line).into_response())
}

fn preconditions(headers: &HeaderMap) -> Preconditions<'_> {
    Preconditions {
        if_match: text(headers, header::IF_MATCH),
        if_none_match: text(headers, header::IF_NONE_MATCH),
        if_modified_since: text(headers, header::IF_MODIFIED_SINCE),
        if_unmodified_since: text(headers, header::IF_UNMODIFIED_SINCE),
    }
}

fn stamp(headers: &mut HeaderMap, validators: &Validators) {
    if let Ok(etag) = HeaderValue::try_from(validators.etag.to_string()) {
        headers.insert(header::ETAG, etag);
    }
    let modified =
        validators.modified.map(date::format).and_then(|d| HeaderValue::try_from(d).ok());
    if let Some(modified) = modified {
        headers.insert(header::LAST_MODIFIED, modified);
    }
}

fn link(headers: &mut HeaderMap, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(header::LINK, value);
    }
}

fn nothing(path: &TreePath) -> ApiError {
    ApiError::public(ProblemKind::NotFound, format!("There is nothing at /images/{path}."))
}
