//! Logging in and out, and a person's own tokens.

use super::App;
use super::caller::Caller;
use super::fault::Fault;
use super::render::{Frame, page};
use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use stratus_identity::{Person, Scopes, Via};
use stratus_login::session;

/// `?next=`: where to go after logging in.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The login form.
#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(rename = "login")]
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Serialize)]
struct LoginPage<'a> {
    next: &'a str,
    fault: Option<&'a str>,
}

/// `GET /login`.
pub(super) async fn form(
    State(app): State<App>,
    caller: Caller,
    Query(next): Query<Next>,
) -> Result<Response, Fault> {
    let frame = Frame::of(&app, &caller, "login");
    page(&frame, "login.html", &LoginPage { next: local(&next.next), fault: None })
}

/// `POST /login`.
pub(super) async fn login(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<Login>,
) -> Result<Response, Fault> {
    let now = Timestamp::now();
    let next = local(&form.next);
    let password = SecretString::from(form.password);
    let person = match app.identities.by_password(&form.name, &password, caller.from, now).await {
        Ok(person) => person,
        Err(refusal) => {
            let fault = Fault::from(refusal);
            let frame = Frame::of(&app, &Caller::nobody(), "login");
            let shown = LoginPage { next, fault: Some(fault.sentence()) };
            let mut response = page(&frame, "login.html", &shown)?;
            *response.status_mut() = fault.status();
            return Ok(response);
        }
    };
    tracing::info!(login = person.login, from = %caller.from, "logged in");
    let tls = app.settings.tls.is_some();
    let cookie = session::begin(&person.login, &app.session_key, now, app.settings.session, tls)
        .ok_or_else(|| Fault::internal("the session cookie could not be made"))?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

/// `POST /logout`.
pub(super) async fn logout(State(app): State<App>) -> Response {
    let cookie = session::end(app.settings.tls.is_some());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

/// A place on this server, or the first page.
fn local(next: &str) -> &str {
    let plain = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if plain { next } else { "/" }
}

#[derive(Serialize)]
struct Account {
    groups: String,
    sees: &'static str,
    tokens: Vec<TokenRow>,
    /// A token just made; shown this once.
    secret: Option<String>,
}

#[derive(Serialize)]
struct TokenRow {
    id: String,
    note: String,
    expires: String,
}

/// `GET /account`.
pub(super) async fn show(State(app): State<App>, caller: Caller) -> Result<Response, Fault> {
    let person = caller.required()?;
    account(&app, &caller, person, None)
}

fn account(
    app: &App,
    caller: &Caller,
    person: &Person,
    secret: Option<String>,
) -> Result<Response, Fault> {
    let tokens = app.tokens.list().into_iter().filter(|t| t.owner == person.login);
    let account = Account {
        groups: person.groups.iter().cloned().collect::<Vec<_>>().join(", "),
        sees: if person.administrator { "everything" } else { "your own machines" },
        tokens: tokens
            .map(|t| TokenRow {
                id: t.id,
                note: t.note,
                expires: t.expires.map_or_else(
                    || "never".to_owned(),
                    |at| crate::figures::moment(at.as_second()),
                ),
            })
            .collect(),
        secret,
    };
    page(&Frame::of(app, caller, "account"), "account.html", &account)
}

/// The form for a new token.
#[derive(Deserialize)]
pub(super) struct NewToken {
    note: String,
    days: u16,
}

/// `POST /account/tokens`.
pub(super) async fn make_token(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<NewToken>,
) -> Result<Response, Fault> {
    let person = by_password(&caller)?;
    let now = Timestamp::now();
    let ends = now + SignedDuration::from_hours(24 * i64::from(form.days.clamp(1, 366)));
    let note: String = form.note.chars().filter(|c| !c.is_control()).take(100).collect();
    let made = app
        .tokens
        .create(&person.login, Scopes::reading(), Some(ends), &note, now)
        .map_err(Fault::internal)?;
    tracing::info!(login = person.login, token = made.id, "a token was made");
    account(&app, &caller, person, Some(made.secret.expose_secret().to_owned()))
}

/// The form that ends one.
#[derive(Deserialize)]
pub(super) struct OldToken {
    id: String,
}

/// `POST /account/tokens/revoke`.
pub(super) async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<OldToken>,
) -> Result<Response, Fault> {
    let person = by_password(&caller)?;
    let own = app.tokens.list().into_iter().any(|t| t.id == form.id && t.owner == person.login);
    if !own {
        return Err(Fault::missing("You have no such token."));
    }
    app.tokens.revoke(&form.id).map_err(Fault::internal)?;
    tracing::info!(login = person.login, token = form.id, "a token was ended");
    Ok(Redirect::to("/account").into_response())
}

/// Tokens are not made with tokens.
fn by_password(caller: &Caller) -> Result<&Person, Fault> {
    let person = caller.required()?;
    if matches!(person.via, Via::Token { .. }) {
        return Err(Fault::bad("Log in with your password to change tokens."));
    }
    Ok(person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_login_nobody_is_sent_elsewhere() {
        assert_eq!(local("/vms?q=x"), "/vms?q=x");
        for elsewhere in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\nb"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
