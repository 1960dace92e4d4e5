//! Uploads by the tus 1.0 protocol: core, creation, checksum, expiration, termination.
//!
//! A tus upload is the same staged upload that a plain PUT makes; only the way of asking differs. The
//! metadata `path` names the image's place: `/images/….img.gz`, or the same without `/images/`.

use crate::app::App;
use crate::error::ApiError;
use crate::handlers::publish::{Received, conclude, may_publish, receive, store_error};
use crate::handlers::{caller_and_body, text};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stratus_identity::Person;
use stratus_model::{Algorithm, AppliancePath, Digest, FileKind, TreePath};
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::route::{Route, Token};
use stratus_repository_api::tus::{self, Metadata, TusError};
use stratus_store::{Staged, Upload, UploadId};

/// `/uploads`: what is spoken, and new uploads.
pub(crate) async fn collection(app: App, request: Request) -> Result<Response, ApiError> {
    match *request.method() {
        Method::OPTIONS => Ok(options(&app)),
        Method::POST => create(app, request).await,
        ref other => Err(crate::router::not_allowed(other)),
    }
}

/// `/uploads/{id}`: how far, more bytes, the end.
pub(crate) async fn upload(app: App, id: &Token, request: Request) -> Result<Response, ApiError> {
    let method = request.method().clone();
    if method == Method::OPTIONS {
        return Ok(options(&app));
    }
    let (caller, parts, body) = caller_and_body(&app, request).await?;
    let person = caller.required()?.clone();
    version(&parts.headers)?;
    let upload = own(&app, id, &person).await?;
    match method {
        Method::HEAD => {
            let mut response = StatusCode::OK.into_response();
            progress(response.headers_mut(), &upload);
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Method::PATCH => {
            may_publish(&caller, &upload.path)?;
            match append(&app, &upload, &parts.headers, body).await? {
                Appended::More(upload) => Ok(no_content(upload.offset, Some(&upload))),
                Appended::Finished(offset, outcome) => {
                    // The protocol knows one answer to a good PATCH; what became of the image is
                    // told by the manifest's PUT, or is on record.
                    conclude(&app, &caller, &person, &upload.path, outcome).await?;
                    Ok(no_content(offset, None))
                }
            }
        }
        Method::DELETE => {
            app.store.cancel(&upload.id).await.map_err(store_error)?;
            Ok(spoken(StatusCode::NO_CONTENT.into_response()))
        }
        other => Err(crate::router::not_allowed(&other)),
    }
}

async fn create(app: App, request: Request) -> Result<Response, ApiError> {
    let (caller, parts, body) = caller_and_body(&app, request).await?;
    version(&parts.headers)?;
    let path = place(&parts.headers)?;
    let person = may_publish(&caller, &path)?.clone();
    if app.record(&path).await?.is_some() {
        let detail = format!("/images/{path} is published already; choose another version.");
        return Err(ApiError::public(ProblemKind::Conflict, detail));
    }
    let length = header_text(&parts.headers, tus::header::LENGTH);
    let length = tus::upload_length(length).map_err(refused)?;
    let staged =
        app.store.begin_again(&path, &person.login, Some(length)).await.map_err(store_error)?;
    let id = staged.id().clone();
    let with_bytes = header_text(&parts.headers, "content-type") == Some(tus::MEDIA_TYPE);
    let upload = if with_bytes {
        match receive(&app, staged, body).await? {
            Received::Complete(staged) => {
                let finished = staged.finish().await.map_err(store_error)?;
                conclude(&app, &caller, &person, &path, finished.outcome).await?;
                None
            }
            Received::Part(staged) => Some(staged.pause().await.map_err(store_error)?),
        }
    } else {
        Some(staged.pause().await.map_err(store_error)?)
    };
    let mut response = StatusCode::CREATED.into_response();
    // Relative: right behind any proxy.
    let place = format!("/uploads/{id}");
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::try_from(place).map_err(ApiError::internal)?);
    match &upload {
        Some(upload) => progress(response.headers_mut(), upload),
        None => offset(response.headers_mut(), length),
    }
    Ok(spoken(response))
}

/// What came of a PATCH.
enum Appended {
    More(Upload),
    Finished(u64, stratus_store::Outcome),
}

async fn append(
    app: &App,
    upload: &Upload,
    headers: &HeaderMap,
    body: Body,
) -> Result<Appended, ApiError> {
    if header_text(headers, "content-type") != Some(tus::MEDIA_TYPE) {
        let detail = format!("PATCH takes {}.", tus::MEDIA_TYPE);
        return Err(ApiError::public(ProblemKind::UnsupportedMediaType, detail));
    }
    let at = tus::upload_offset(header_text(headers, tus::header::OFFSET)).map_err(refused)?;
    let staged = app.store.resume(&upload.id, &upload.owner).await.map_err(store_error)?;
    staged.expect_offset(at).map_err(store_error)?;
    let expected = header_text(headers, tus::header::CHECKSUM)
        .map(tus::upload_checksum)
        .transpose()
        .map_err(refused)?;
    let received = match expected {
        Some(expected) => receive_checked(app, staged, body, &expected).await?,
        None => receive(app, staged, body).await?,
    };
    match received {
        Received::Complete(staged) => {
            let offset = staged.offset();
            let finished = staged.finish().await.map_err(store_error)?;
            Ok(Appended::Finished(offset, finished.outcome))
        }
        Received::Part(staged) => Ok(Appended::More(staged.pause().await.map_err(store_error)?)),
    }
}

/// Appends a part whose checksum came with it; a wrong one takes the part back.
async fn receive_checked(
    app: &App,
    staged: Staged,
    body: Body,
    expected: &Digest,
) -> Result<Received, ApiError> {
    use futures_util::StreamExt;
    let begun = staged.offset();
    let mut hash = PartHash::new(expected.algorithm());
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, axum::Error>>(1);
    let feed = async {
        let mut stream = body.into_data_stream();
        while let Some(piece) = stream.next().await {
            if let Ok(piece) = &piece {
                hash.update(piece);
            }
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let pieces =
        futures_util::stream::unfold(
            receiver,
            |mut r| async move { r.recv().await.map(|p| (p, r)) },
        );
    let ((), received) = futures_util::join!(feed, receive(app, staged, Body::from_stream(pieces)));
    let (Received::Complete(mut staged) | Received::Part(mut staged)) = received?;
    if hash.finish() == expected.bytes() {
        let complete = staged.total().is_none_or(|total| staged.offset() == total);
        return Ok(if complete { Received::Complete(staged) } else { Received::Part(staged) });
    }
    let offset = staged.rewind(begun).await.map_err(store_error)?;
    staged.pause().await.map_err(store_error)?;
    let detail = "The part does not have its checksum and was thrown away; send it again.";
    Err(ApiError::public(ProblemKind::ChecksumMismatch, detail).offset(offset))
}

enum PartHash {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Md5(md5::Md5),
}

impl PartHash {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::default()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::default()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::default()),
            Algorithm::Sha256 | Algorithm::Sha384 => Self::Sha256(sha2::Sha256::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        match self {
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        use sha2::Digest as _;
        match self {
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
            Self::Md5(hash) => hash.finalize().to_vec(),
        }
    }
}

/// The upload, if it is this person's; another's is as if there were none.
async fn own(app: &App, id: &Token, person: &Person) -> Result<Upload, ApiError> {
    let missing =
        || ApiError::public(ProblemKind::NotFound, "There is no such upload; begin it again.");
    let id: UploadId = id.as_str().parse().map_err(|_| missing())?;
    let upload = app.store.upload(&id).await.map_err(store_error)?;
    upload.filter(|u| u.owner == person.login).ok_or_else(missing)
}

/// The place that the metadata name.
fn place(headers: &HeaderMap) -> Result<AppliancePath, ApiError> {
    let wrong = |detail: String| ApiError::public(ProblemKind::BadRequest, detail);
    let metadata = header_text(headers, tus::header::METADATA).unwrap_or_default();
    let metadata = Metadata::parse(metadata).map_err(refused)?;
    let path = metadata.text("path").ok_or_else(|| {
        wrong(
            "Upload-Metadata needs `path`: where the image goes, such as /images/base/….img.gz."
                .to_owned(),
        )
    })?;
    if path.starts_with('/') {
        return match Route::parse(path) {
            Ok(Route::File { appliance, kind: FileKind::Image }) => Ok(appliance),
            _ => {
                Err(ApiError::public(ProblemKind::BadPath, "`path` is not the place of an image."))
            }
        };
    }
    let file = TreePath::parse(path).and_then(|p| AppliancePath::of_file(&p));
    match file.map_err(|e| ApiError::public(ProblemKind::BadPath, e))? {
        (appliance, FileKind::Image) => Ok(appliance),
        _ => Err(ApiError::public(ProblemKind::BadPath, "`path` is not the place of an image.")),
    }
}

fn version(headers: &HeaderMap) -> Result<(), ApiError> {
    tus::check_version(header_text(headers, tus::header::RESUMABLE)).map_err(|error| {
        ApiError::public(ProblemKind::PreconditionFailed, error).header(
            HeaderName::from_static(tus::header::VERSION),
            HeaderValue::from_static(tus::VERSION),
        )
    })
}

fn refused(error: TusError) -> ApiError {
    ApiError::public(ProblemKind::BadRequest, error)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    text(headers, HeaderName::from_static(name))
}

fn options(app: &App) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (tus::header::VERSION, tus::VERSION),
        (tus::header::EXTENSION, tus::EXTENSIONS),
        (tus::header::CHECKSUM_ALGORITHM, tus::CHECKSUM_ALGORITHMS),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let largest = HeaderValue::from(app.settings.limits.image.0);
    headers.insert(HeaderName::from_static(tus::header::MAX_SIZE), largest);
    spoken(response)
}

fn no_content(at: u64, upload: Option<&Upload>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    match upload {
        Some(upload) => progress(response.headers_mut(), upload),
        None => offset(response.headers_mut(), at),
    }
    spoken(response)
}

fn offset(headers: &mut HeaderMap, at: u64) {
    headers.insert(HeaderName::from_static(tus::header::OFFSET), HeaderValue::from(at));
    headers.insert(
        HeaderName::from_static(tus::header::RESUMABLE),
        HeaderValue::from_static(tus::VERSION),
    );
}

fn progress(headers: &mut HeaderMap, upload: &Upload) {
    offset(headers, upload.offset);
    if let Some(total) = upload.total {
        headers.insert(HeaderName::from_static(tus::header::LENGTH), HeaderValue::from(total));
    }
    if let Ok(expires) = HeaderValue::try_from(tus::upload_expires(upload.expires)) {
        headers.insert(HeaderName::from_static(tus::header::EXPIRES), expires);
    }
}

fn spoken(mut response: Response) -> Response {
    let version = HeaderValue::from_static(tus::VERSION);
    response.headers_mut().insert(HeaderName::from_static(tus::header::RESUMABLE), version);
    response
}
