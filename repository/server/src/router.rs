//! The contents page: every endpoint on one screen, then what happens around all of them.

use crate::app::App;
use crate::error::{ApiError, Cause};
use crate::handlers::{account, api, files, health, marketplace, people, tus};
use crate::metrics::RequestLabels;
use crate::who::Caller;
use crate::{assets, pages};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::any::Any;
use std::time::Instant;
use stratus_repository_api::problem::{Problem, ProblemKind};
use stratus_repository_api::route::{Route, RouteError};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

/// All the repository answers to.
pub fn router(app: App) -> Router {
    Router::new()
        // Pages for people.
        .route("/", get(people::catalogue))
        .route("/appliances/{*path}", get(people::appliance))
        .route("/upload", get(people::upload))
        .route("/login", get(account::form).post(account::login))
        .route("/logout", post(account::logout))
        .route("/account", get(account::show))
        .route("/account/tokens", post(account::make_token))
        .route("/account/tokens/revoke", post(account::revoke_token))
        .route("/assets/{name}", get(assets::serve))
        // A manifest's place, for the upload page.
        .route("/api/v1/place", post(api::place))
        // Everything that `stratus_repository_api::route` names, by its strict reading of the path.
        .fallback(dispatch)
        .layer(DefaultBodyLimit::disable())
        // Browsers may not be made to act here by other sites; programs send none of its headers.
        .layer(CsrfLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// The routes of the API, by path and method.
async fn dispatch(State(app): State<App>, request: Request) -> Response {
    let method = request.method().clone();
    let reads = method == Method::GET || method == Method::HEAD;
    let route = match Route::parse(request.uri().path()) {
        Ok(route) => route,
        Err(error) => return misread(&error, &request),
    };
    match route {
        Route::Health if reads => health::health(),
        Route::Ready if reads => health::ready(&app).await,
        Route::Metrics if reads => health::metrics(&app),
        Route::OpenApi if reads => api::openapi(),
        Route::Search if reads => api::search(app, request).await.into_response(),
        Route::Appliance(key) if reads => api::appliance(app, key, request).await.into_response(),
        Route::Folder(path) if reads => files::folder(app, path, request).await.into_response(),
        Route::File { appliance, kind } => {
            files::file(app, appliance, kind, request).await.into_response()
        }
        Route::Marketplace if reads => marketplace::list(app, request).await.into_response(),
        Route::MarketplaceAppliance(id) if reads => {
            marketplace::one(app, &id, request).await.into_response()
        }
        Route::MarketplaceDownload { id, file } if reads => {
            marketplace::download(app, &id, file, request).await.into_response()
        }
        Route::Uploads => tus::collection(app, request).await.into_response(),
        Route::Upload(id) => tus::upload(app, &id, request).await.into_response(),
        _ => not_allowed(&method).into_response(),
    }
}

fn misread(error: &RouteError, request: &Request) -> Response {
    match error {
        RouteError::Spelling { canonical } => {
            let query = request.uri().query().map(|q| format!("?{q}")).unwrap_or_default();
            Redirect::permanent(&format!("{canonical}{query}")).into_response()
        }
        RouteError::Unknown(_) => ApiError::public(ProblemKind::NotFound, error).into_response(),
        RouteError::Path(source) => ApiError::public(ProblemKind::BadPath, source).into_response(),
        RouteError::Encoding { .. } | RouteError::Key(_) => {
            ApiError::public(ProblemKind::BadPath, error).into_response()
        }
    }
}

pub(crate) fn not_allowed(method: &Method) -> ApiError {
    ApiError::public(ProblemKind::MethodNotAllowed, format!("{method} cannot be done here."))
        .header(header::ALLOW, HeaderValue::from_static("GET, HEAD, PUT"))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text =
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text");
    ApiError::internal(text).into_response()
}

/// Around every request: a number, the log line, the metrics, common headers, and errors as pages
/// for those who read pages.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    name_host(&mut request);
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let headers = request.headers().clone();
    let page = pages::wants_page(&headers) && method == Method::GET;
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        app.metrics.problem(problem.kind.name());
        response = with_problem(&app, response, problem, page, &path, &id);
    }
    let labels = RequestLabels {
        route: route_label(&path),
        method: method_label(&method),
        status: response.status().as_u16(),
    };
    log(&id, &method, &path, &response, begun);
    app.metrics.request(labels, begun.elapsed());
    let fixed = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        fixed.insert(HeaderName::from_static("x-request-id"), value);
    }
    fixed.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fixed.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if app.settings.tls.is_some() {
        let year = HeaderValue::from_static("max-age=31536000");
        fixed.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// HTTP/2 names the host in `:authority`, and that counts (RFC 9113 section 8.3.1).
fn name_host(request: &mut Request) {
    let authority = request.uri().authority().map(|a| HeaderValue::from_str(a.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Completes a problem with its place and number, as JSON or as a page.
fn with_problem(
    app: &App,
    response: Response,
    mut problem: Problem,
    page: bool,
    path: &str,
    id: &str,
) -> Response {
    problem.instance = Some(path.to_owned());
    problem.request_id = Some(id.to_owned());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let frame = app.frame(&Caller::nobody(), "");
    let shown = page.then(|| pages::problem(&frame, &problem).ok()).flatten();
    let body = if let Some(shown) = shown {
        let (page_parts, body) = shown.into_parts();
        parts.headers.extend(page_parts.headers);
        body
    } else {
        serde_json::to_vec(&problem).unwrap_or_default().into()
    };
    Response::from_parts(parts, body)
}

fn log(id: &str, method: &Method, path: &str, response: &Response, begun: Instant) {
    let status = response.status().as_u16();
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match response.extensions().get::<Cause>() {
        Some(Cause(cause)) => {
            tracing::error!(request = id, %method, path, status, millis, cause, "request failed");
        }
        None => tracing::info!(request = id, %method, path, status, millis, "request"),
    }
}

/// The kind of a path, so that metrics do not grow with the tree.
fn route_label(path: &str) -> &'static str {
    const KINDS: [&str; 12] = [
        "/images",
        "/api",
        "/uploads",
        "/appliances",
        "/appliance",
        "/healthz",
        "/readyz",
        "/metrics",
        "/login",
        "/account",
        "/assets",
        "/upload",
    ];
    KINDS.iter().find(|kind| path.starts_with(**kind)).copied().unwrap_or("/")
}

fn method_label(method: &Method) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
    METHODS.iter().find(|m| **m == method.as_str()).copied().unwrap_or("other")
}
