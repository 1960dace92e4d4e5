//! What a handler gives up with: a public part for the client, a private part for the log.
//!
//! Whatever was not made public on purpose becomes a bare `internal` problem; its text goes to the
//! log line of the request only.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use stratus_repository_api::problem::{MEDIA_TYPE, Problem, ProblemKind};

/// A failed request.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    problem: Problem,
    cause: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The private part of a failure, carried on the response for the log line.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

impl ApiError {
    fn of(problem: Problem) -> Self {
        Self(Box::new(Parts { problem, cause: None, headers: Vec::new() }))
    }

    /// A failure whose whole story may be told.
    pub(crate) fn public(kind: ProblemKind, detail: impl std::fmt::Display) -> Self {
        Self::of(Problem::new(kind).detail(detail))
    }

    /// A failure with a list of sentences.
    pub(crate) fn with_reasons(kind: ProblemKind, detail: &str, reasons: Vec<String>) -> Self {
        let mut problem = Problem::new(kind).detail(detail);
        problem.reasons = reasons;
        Self::of(problem)
    }

    /// A failure that only the log may explain.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        let detail = "The server could not do this. Its log says why, under the request's number.";
        Self::public(ProblemKind::Internal, detail).because(cause)
    }

    /// A login is needed, and this is how to give it.
    pub(crate) fn login(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"Stratus\", charset=\"UTF-8\"");
        Self::public(ProblemKind::NotAuthenticated, detail)
            .header(header::WWW_AUTHENTICATE, challenge)
    }

    /// Adds what only the log sees.
    pub(crate) fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        // Whole seconds, rounded up: the header has no fractions.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.0.problem.retry_after = Some(seconds);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Says where an upload goes on.
    pub(crate) fn offset(mut self, offset: u64) -> Self {
        self.0.problem.offset = Some(offset);
        self.header(HeaderName::from_static("upload-offset"), HeaderValue::from(offset))
    }

    /// The sentences a person should read.
    pub(crate) fn sentence(&self) -> String {
        self.0.problem.detail.clone().unwrap_or_else(|| self.0.problem.title.clone())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.problem.status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0.problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.0.headers {
            response.headers_mut().insert(name, value);
        }
        if let Some(cause) = self.0.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response.extensions_mut().insert(self.0.problem);
        response
    }
}
