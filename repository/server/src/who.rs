//! Who a request comes from; how that is found out is in `stratus_login`.

use crate::app::App;
use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr};
use stratus_identity::{Person, Refusal};
use stratus_login::{NotIdentified, identify};
use stratus_repository_api::problem::ProblemKind;
use stratus_serve::Peer;

/// The person behind a request, if any.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) person: Option<Person>,
    pub(crate) from: IpAddr,
    /// The server as this caller reaches it, without a slash at the end.
    pub(crate) base_url: String,
}

impl Caller {
    /// Somebody about whom nothing was asked.
    pub(crate) fn nobody() -> Self {
        Self { person: None, from: IpAddr::V4(Ipv4Addr::LOCALHOST), base_url: String::new() }
    }

    /// The person, or 401.
    pub(crate) fn required(&self) -> Result<&Person, ApiError> {
        self.person.as_ref().ok_or_else(|| ApiError::login("Log in to do this."))
    }

    /// Ends the request where reading needs a login and there is none.
    pub(crate) fn may_read(&self, app: &App) -> Result<(), ApiError> {
        if app.settings.anonymous_read || self.person.is_some() {
            return Ok(());
        }
        Err(ApiError::login("This repository is read by people who are logged in."))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Peer>();
        let from = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |p| p.address.ip());
        let person =
            identify(&parts.headers, peer, &app.identities, &app.session_key, Timestamp::now());
        let person = person.await.map_err(not_identified)?;
        let base_url = app.base_url(&parts.headers, peer.is_some_and(|p| p.tls));
        Ok(Self { person, from, base_url })
    }
}

/// How a proof that does not count is told.
fn not_identified(reason: NotIdentified) -> ApiError {
    match reason {
        NotIdentified::Header => ApiError::login(&reason.to_string()),
        NotIdentified::Refused(refusal) => refused(refusal),
    }
}

/// How a refused login is told.
pub(crate) fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Wrong => ApiError::login("The login or the password is wrong."),
        Refusal::Limited { retry_after } => {
            let detail = "Too many wrong passwords. Wait, then try again.";
            ApiError::public(ProblemKind::TooManyAttempts, detail).retry_after(retry_after)
        }
        Refusal::Away { retry_after, detail } => {
            let sentence = "No login server answers. Reading goes on; try again to publish.";
            ApiError::public(ProblemKind::DirectoryAway, sentence)
                .because(detail)
                .retry_after(retry_after)
        }
        Refusal::NotAllowed { reason } => ApiError::public(ProblemKind::NotAllowed, reason),
    }
}
