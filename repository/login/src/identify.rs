//! Who a request comes from.

use crate::session;
use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::Key;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr};
use stratus_identity::{Identities, Person, Refusal, is_token};
use stratus_serve::Peer;
use stratus_x509::Certificate;

/// Why a proof that was given does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIdentified {
    /// The `Authorization` header cannot be read.
    #[error("The Authorization header is neither Basic nor Bearer.")]
    Header,
    /// The proof was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What an `Authorization` header holds.
#[derive(Debug)]
pub enum Proof {
    /// Basic: a login with a password, or with a token in its place.
    Password {
        /// The login.
        login: String,
        /// The password.
        password: SecretString,
    },
    /// Bearer: a token.
    Token(SecretString),
}

/// Who a request comes from; `None` for somebody who proves nothing.
///
/// # Errors
/// A proof was given and does not count, or no directory answers.
pub async fn identify(
    headers: &HeaderMap,
    peer: Option<&Peer>,
    identities: &Identities,
    key: &Key,
    now: Timestamp,
) -> Result<Option<Person>, NotIdentified> {
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |p| p.address.ip());
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let person = match authorization(given.as_bytes())? {
            Proof::Token(token) => identities.by_token(&token, from, now).await,
            Proof::Password { login, password } if is_token(&password) => {
                let person = identities.by_token(&password, from, now).await;
                // A token given with somebody else's name is nobody's proof.
                person.and_then(|p| if p.login == login { Ok(p) } else { Err(Refusal::Wrong) })
            }
            Proof::Password { login, password } => {
                identities.by_password(&login, &password, from, now).await
            }
        };
        return Ok(Some(person?));
    }
    if let Some(login) = session::login_of(headers, key, now) {
        // The session says who; the directory still says what they may do, and whether they exist.
        return match identities.person(&login, now).await {
            Ok(person) => Ok(Some(person)),
            Err(Refusal::Wrong | Refusal::NotAllowed { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        };
    }
    let Some(der) = peer.and_then(|p| p.client_certificate.as_ref()) else { return Ok(None) };
    let Ok(certificate) = Certificate::from_der(der) else { return Ok(None) };
    match identities.by_certificate(certificate.subject(), now).await {
        Ok(person) => Ok(Some(person)),
        // A certificate that nobody is bound to is an anonymous visitor.
        Err(Refusal::Wrong) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Reads `Authorization` (RFC 7617 Basic in UTF-8, RFC 6750 Bearer).
///
/// # Errors
/// It is neither.
pub fn authorization(value: &[u8]) -> Result<Proof, NotIdentified> {
    let wrong = || NotIdentified::Header;
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
    fn what_is_no_proof_is_refused() {
        for value in ["Basic", "Basic !!!", "Basic YWJj", "Digest x=y", ""] {
            let refused = authorization(value.as_bytes()).err();
            assert_eq!(refused, Some(NotIdentified::Header), "{value}");
        }
    }
}
