//! The contents page: every address on one screen, then what happens around all of them.

mod account;
mod assets;
mod burst;
mod caller;
mod chart;
mod events;
mod fault;
mod hosts;
mod live;
mod machines;
mod metrics;
mod months;
mod networks;
mod overview;
mod people;
mod render;
mod storage;
mod usage;

use crate::hub::Hub;
use crate::settings::Settings;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::Key;
use fault::{Fault, Told};
use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;
use stratus_identity::{Identities, Tokens};
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

/// Most bytes of a form.
const FORM: usize = 16 << 10;

/// What every handler can reach; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) hub: Hub,
    pub(crate) identities: Identities,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) session_key: Key,
    /// One for each page that is kept up to date.
    pub(crate) viewers: Arc<Semaphore>,
    /// Becomes true when the service is to stop.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// All the monitor answers to.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{id}", get(hosts::one))
        .route("/vms", get(machines::list))
        .route("/vms/{id}", get(machines::one))
        .route("/networks", get(networks::list))
        .route("/networks/{id}", get(networks::one))
        .route("/images", get(storage::list))
        .route("/burst", get(burst::list))
        .route("/users", get(people::users))
        .route("/usage", get(usage::usage))
        .route("/events", get(events::list))
        .route("/silence", post(overview::silence))
        .route("/login", get(account::form).post(account::login))
        .route("/logout", post(account::logout))
        .route("/account", get(account::show))
        .route("/account/tokens", post(account::make_token))
        .route("/account/tokens/revoke", post(account::revoke_token))
        .route("/live", get(live::stream))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(metrics::health))
        .route("/readyz", get(metrics::ready))
        .route("/assets/{name}", get(assets::serve))
        .fallback(async || Fault::missing("There is no such page."))
        .layer(DefaultBodyLimit::max(FORM))
        // Browsers may not be made to act here by other sites; programs send none of its headers.
        .layer(CsrfLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text =
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text");
    Fault::internal(text).into_response()
}

/// Around every request: the log line, common headers, and faults as pages for those who read pages.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().map(str::to_owned);
    let page = render::wants_fault_page(request.headers());
    let mut response = next.run(request).await;
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        if let Some(cause) = &told.cause {
            tracing::error!(%method, path, cause, "request failed");
        }
        if page && method == Method::GET {
            response = told.page(&app, response, &path, query.as_deref());
        }
    }
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(%method, path, status = response.status().as_u16(), millis, "request");
    let fixed = response.headers_mut();
    fixed.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fixed.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if app.settings.tls.is_some() {
        let year = HeaderValue::from_static("max-age=31536000");
        fixed.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
