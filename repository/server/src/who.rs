//! Who a request comes from.
//!
//! In this order: an `Authorization` header (Basic with a password or a token, Bearer with a token),
//! the pages' cookie, a client certificate. A header that is wrong ends the request; it never falls
//! through to a weaker proof.

use crate::app::App;
use crate::error::ApiError;
use crate::session;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr};
use stratus_identity::{Person, Refusal, is_token};
use stratus_repository_api::problem::ProblemKind;
use stratus_serve::Peer;
use stratus_x509::Certificate;

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
        let person = identify(&parts.headers, peer, from, app).await?;
        let base_url = app.base_url(&parts.headers, peer.is_some_and(|p| p.tls));
        Ok(Self { person, from, base_url })
    }
}

async fn identify(
    headers: &HeaderMap,
    peer: Option<&Peer>,
    from: IpAddr,
    app: &App,
) -> Result<Option<Person>, ApiError> {
    let now = Timestamp::now();
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let person = match authorization(given.as_bytes())? {
            Proof::Token(token) => app.identities.by_token(&token, from, now).await,
            Proof::Password { login, password } if is_token(&password) => {
                let person = app.identities.by_token(&password, from, now).await;
                // A token given with somebody else's name is nobody's proof.
                person.and_then(|p| if p.login == login { Ok(p) } else { Err(Refusal::Wrong) })
            }
            Proof::Password { login, password } => {
                app.identities.by_password(&login, &password, from, now).await
            }
        };
        return person.map(Some).map_err(refused);
    }
    if let Some(login) = session::login_of(headers, &app.session_key, now) {
        // The session says who; the directory still says what they may do, and whether they exist.
        return match app.identities.person(&login, now).await {
            Ok(person) => Ok(Some(person)),
            Err(Refusal::Wrong | Refusal::NotAllowed { .. }) => Ok(None),
            Err(other) => Err(refused(other)),
        };
    }
    let Some(der) = peer.and_then(|p| p.client_certificate.as_ref()) else { return Ok(None) };
    let Ok(certificate) = Certificate::from_der(der) else { return Ok(None) };
    match app.identities.by_certificate(certificate.subject(), now).await {
        Ok(person) => Ok(Some(person)),
        // A certificate that nobody is bound to is an anonymous visitor.
        Err(Refusal::Wrong) => Ok(None),
        Err(other) => Err(refused(other)),
    }
}

enum Proof {
    Password { login: String, password: SecretString },
    Token(SecretString),
}

/// Reads `Authorization` (RFC 7617 Basic in UTF-8, RFC 6750 Bearer).
fn authorization(value: &[u8]) -> Result<Proof, ApiError> {
    let wrong = || ApiError::login("The Authorization header is neither Basic nor Bearer.");
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Proof::Token(SecretString::from(rest.trim().to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| wrong())?;
    let pair = String::from_utf8(decoded).map_err(|_| wrong())?;
    let (login, password) = pair.split_once(':').ok_or_else(wrong)?;
    Ok(Proof::Password {
        login: login.to_owned(),
        password: SecretString::from(password.to_owned()),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_password_may_hold_colons_and_other_alphabets() {
        let value = format!("Basic {}", STANDARD.encode("jörg:a:b é"));
        let Ok(Proof::Password { login, password }) = authorization(value.as_bytes()) else {
            panic!("not read as a password");
        };
        assert_eq!((login.as_str(), password.expose_secret()), ("jörg", "a:b é"));
    }

    #[test]
    fn what_is_no_proof_is_a_401() {
        for value in ["Basic", "Basic !!!", "Basic YWJj", "Digest x=y", ""] {
            let error = authorization(value.as_bytes()).err().map(|e| e.kind());
            assert_eq!(error, Some(ProblemKind::NotAuthenticated), "{value}");
        }
    }
}
