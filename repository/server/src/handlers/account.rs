//! Logging in and out on the pages, and a person's own tokens.

use crate::app::App;
use crate::audit::Action;
use crate::error::ApiError;
use crate::form::Form;
use crate::pages::{self, Account, TokenRow};
use crate::who::{Caller, refused};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stratus_identity::{Person, Scopes, TokenError, Via};
use stratus_login::session;
use stratus_repository_api::problem::ProblemKind;

/// `?next=`: where to go after logging in.
#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// The login form.
#[derive(Deserialize)]
pub(crate) struct Login {
    #[serde(rename = "login")]
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The form for a new token.
#[derive(Deserialize)]
pub(crate) struct NewToken {
    note: String,
    paths: String,
    days: u16,
}

/// The form that ends one.
#[derive(Deserialize)]
pub(crate) struct OldToken {
    id: String,
}

/// `GET /login`.
pub(crate) async fn form(
    State(app): State<App>,
    caller: Caller,
    Query(next): Query<Next>,
) -> Result<Response, ApiError> {
    let frame = app.frame(&caller, "login");
    pages::login(&frame, local(&next.next), None)
}

/// `POST /login`.
pub(crate) async fn login(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<Login>,
) -> Result<Response, ApiError> {
    let now = Timestamp::now();
    let next = local(&form.next);
    let password = SecretString::from(form.password);
    let person = match app.identities.by_password(&form.name, &password, caller.from, now).await {
        Ok(person) => person,
        Err(refusal) => {
            let error = refused(refusal);
            let sentence = error.sentence();
            let frame = app.frame(&Caller { person: None, ..caller }, "login");
            let mut response = pages::login(&frame, next, Some(&sentence))?;
            *response.status_mut() = error.into_response().status();
            return Ok(response);
        }
    };
    app.audit(caller.from, &person, Action::Login, "", None, None).await?;
    let tls = app.settings.tls.is_some();
    let cookie =
        session::begin(&person.login, &app.session_key, now, app.settings.limits.session, tls)
            .ok_or_else(|| ApiError::internal("the session cookie could not be made"))?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

/// `POST /logout`.
pub(crate) async fn logout(State(app): State<App>) -> Response {
    let cookie = session::end(app.settings.tls.is_some());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// `GET /account`.
pub(crate) async fn show(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    match &caller.person {
        Some(person) => account(&app, &caller, person, None, None),
        None => Ok(Redirect::to("/login?next=/account").into_response()),
    }
}

/// `POST /account/tokens`.
pub(crate) async fn make_token(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<NewToken>,
) -> Result<Response, ApiError> {
    let person = with_password(&caller)?;
    let paths: Vec<String> =
        form.paths.split([',', ' ']).filter(|p| !p.is_empty()).map(str::to_owned).collect();
    let scopes = match Scopes::publishing(paths) {
        Ok(scopes) => scopes,
        Err(fault) => return account(&app, &caller, person, None, Some(fault.to_string())),
    };
    let now = Timestamp::now();
    let ends = now + SignedDuration::from_hours(24 * i64::from(form.days.clamp(1, 366)));
    let note: String = form.note.chars().filter(|c| !c.is_control()).take(100).collect();
    let made = app
        .tokens
        .create(&person.login, scopes, Some(ends), &note, now)
        .map_err(ApiError::internal)?;
    app.audit(caller.from, person, Action::TokenMade, &made.id, None, None).await?;
    account(&app, &caller, person, Some(made.secret.expose_secret().to_owned()), None)
}

/// `POST /account/tokens/revoke`.
pub(crate) async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<OldToken>,
) -> Result<Response, ApiError> {
    let person = with_password(&caller)?;
    let own = app.tokens.list().into_iter().any(|t| t.id == form.id && t.owner == person.login);
    if !own && !person.administrator {
        return Err(ApiError::public(ProblemKind::NotFound, "You have no such token."));
    }
    app.tokens.revoke(&form.id).map_err(|error| match error {
        // Ended meanwhile, by the command or in another window.
        TokenError::Unknown(_) => {
            ApiError::public(ProblemKind::NotFound, "There is no such token.")
        }
        other => ApiError::internal(other),
    })?;
    app.audit(caller.from, person, Action::TokenRevoked, &form.id, None, None).await?;
    Ok(Redirect::to("/account").into_response())
}

/// A token may not make tokens: a leaked one would live for ever.
fn with_password(caller: &Caller) -> Result<&Person, ApiError> {
    let person = caller.required()?;
    match person.via {
        Via::Token { .. } => Err(ApiError::public(
            ProblemKind::NotAllowed,
            "A token cannot make or end tokens; log in.",
        )),
        _ => Ok(person),
    }
}

fn account(
    app: &App,
    caller: &Caller,
    person: &Person,
    secret: Option<String>,
    fault: Option<String>,
) -> Result<Response, ApiError> {
    let or_none =
        |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let day = |t: Timestamp| t.strftime("%Y-%m-%d").to_string();
    let tokens = app.tokens.list().into_iter().filter(|t| t.owner == person.login);
    let shown = Account {
        groups: or_none(person.groups.iter().cloned().collect()),
        subjects: if person.subjects.is_empty() && !app.identities.binds_subjects() {
            "every signer that the rules of this site allow".to_owned()
        } else {
            or_none(person.subjects.iter().map(ToString::to_string).collect())
        },
        tokens: tokens
            .map(|t| TokenRow {
                id: t.id,
                note: t.note,
                scopes: t.scopes.to_string(),
                expires: t.expires.map_or_else(|| "never".to_owned(), day),
                used: t.last_used.map_or_else(|| "never".to_owned(), day),
            })
            .collect(),
        secret,
        fault,
    };
    let frame = app.frame(caller, "account");
    pages::account(&frame, &shown)
}

/// Only a path of this server, so that a link cannot send people elsewhere after their login.
fn local(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n'])
        && HeaderValue::from_str(next).is_ok();
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_login_leads_nowhere_else() {
        for next in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "",
            "javascript:x",
            "/a\r\nb",
        ] {
            assert_eq!(local(next), "/", "{next}");
        }
        assert_eq!(local("/upload?x=1"), "/upload?x=1");
    }
}
