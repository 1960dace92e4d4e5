//! What a handler gives up with: a public part for the reader, a private part for the log.

use super::render;
use super::{App, caller::Caller};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use stratus_identity::Refusal;
use stratus_login::NotIdentified;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Fault {
    told: Box<Told>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is told of it; the cause only in the log.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    status: StatusCode,
    title: &'static str,
    pub(crate) detail: String,
    pub(crate) cause: Option<String>,
}

/// As RFC 9457 has it.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Fault {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        let told = Box::new(Told { status, title, detail: detail.into(), cause: None });
        Self { told, headers: Vec::new() }
    }

    pub(crate) fn missing(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Not understood", detail)
    }

    pub(crate) fn forbidden() -> Self {
        let detail = "This page is for administrators. You see your own machines.";
        Self::new(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    pub(crate) fn login(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"Stratus\", charset=\"UTF-8\"");
        let mut fault = Self::new(StatusCode::UNAUTHORIZED, "Log in", detail);
        fault.headers.push((header::WWW_AUTHENTICATE, challenge));
        fault
    }

    pub(crate) fn busy(detail: &str, seconds: u64) -> Self {
        let mut fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, "Try again later", detail);
        fault.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        fault
    }

    /// The same, and the connection ends with the answer: whoever is refused is to take no place.
    pub(crate) fn closing(mut self) -> Self {
        self.headers.push((header::CONNECTION, HeaderValue::from_static("close")));
        self
    }

    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        let detail = "The monitor could not do this. Its log says why.";
        let mut fault = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed", detail);
        fault.told.cause = Some(cause.to_string());
        fault
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.told.status
    }

    pub(crate) fn sentence(&self) -> &str {
        &self.told.detail
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong => Self::login("The login or the password is wrong."),
            Refusal::Limited { retry_after } => {
                let detail = "Too many wrong passwords. Wait, then try again.";
                let mut fault =
                    Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", detail);
                let seconds = HeaderValue::from(retry_after.as_secs() + 1);
                fault.headers.push((header::RETRY_AFTER, seconds));
                fault
            }
            Refusal::Away { retry_after, detail } => {
                let sentence = "No login server answers. Try again in a moment.";
                let mut fault = Self::busy(sentence, retry_after.as_secs() + 1);
                fault.told.cause = Some(detail);
                fault
            }
            Refusal::NotAllowed { reason } => {
                Self::new(StatusCode::FORBIDDEN, "Not allowed", reason)
            }
        }
    }
}

impl From<NotIdentified> for Fault {
    fn from(reason: NotIdentified) -> Self {
        match reason {
            NotIdentified::Header => Self::login(&reason.to_string()),
            NotIdentified::Refused(refusal) => refusal.into(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Told { status, title, detail, .. } = &*self.told;
        let problem = Problem { title, status: status.as_u16(), detail };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (*status, media_type, body).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().extend(self.headers);
        response.extensions_mut().insert(*self.told);
        response
    }
}

impl Told {
    /// The fault as a page; for somebody who has to log in, the way there.
    pub(super) fn page(
        &self,
        app: &App,
        response: Response,
        path: &str,
        query: Option<&str>,
    ) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            let here = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
            let here = url::form_urlencoded::byte_serialize(here.as_bytes()).collect::<String>();
            return Redirect::to(&format!("/login?next={here}")).into_response();
        }
        let data = serde_json::json!({ "title": self.title, "detail": self.detail });
        let frame = render::Frame::of(app, &Caller::nobody(), "");
        let Ok(shown) = render::page(&frame, "problem.html", &data) else { return response };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        let (page, body) = shown.into_parts();
        parts.headers.extend(page.headers);
        Response::from_parts(parts, body)
    }
}
