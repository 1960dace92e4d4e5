//! The commands `token create|list|revoke` of a service. A running service takes each change over at
//! once.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use stratus_identity::{Identities, Refusal, Scopes, Settings, Token, Tokens};
use stratus_terminal::{Exit, Failure, note, print_json, print_line, warn};

/// A token that somebody asks for.
pub struct Wanted {
    /// Login that it acts for.
    pub owner: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Days until it ends.
    pub days: u16,
    /// What it is for.
    pub note: String,
}

/// Makes a token in `file` and prints it, this once.
///
/// # Errors
/// The owner is nobody there, or may not log in; the file cannot be used.
pub async fn create(file: &Path, people: &Settings, wanted: &Wanted, json: bool) -> Result<Exit> {
    let tokens = Arc::new(Tokens::open(file)?);
    let now = Timestamp::now();
    known(people, &tokens, &wanted.owner, now).await?;
    let ends = now + SignedDuration::from_hours(24 * i64::from(wanted.days));
    let scopes = wanted.scopes.clone();
    let made = tokens.create(&wanted.owner, scopes, Some(ends), &wanted.note, now)?;
    let token = made.secret.expose_secret();
    if json {
        print_json(&json!({ "id": made.id, "token": token, "expires": ends }))?;
    } else {
        print_line(token)?;
    }
    Ok(Exit::Done)
}

/// A token of somebody who is nobody here would be refused at its first use.
async fn known(people: &Settings, tokens: &Arc<Tokens>, owner: &str, now: Timestamp) -> Result<()> {
    let identities = Identities::new(people.clone(), Arc::clone(tokens))?;
    match identities.person(owner, now).await {
        Ok(_) => Ok(()),
        Err(Refusal::Away { detail, .. }) => {
            warn(&format!("nobody could say whether `{owner}` is a login: {detail}"));
            Ok(())
        }
        Err(Refusal::NotAllowed { reason }) => Err(Failure::new(Exit::Denied, reason).into()),
        Err(_) => Err(Failure::usage(format!("`{owner}` is no login here, so its token would be refused"))
            .hint("a token acts for a login: name one of the password file or the directory, or make one for the robot there")
            .into()),
    }
}

/// Prints the tokens of `file`.
///
/// # Errors
/// It cannot be used.
pub fn list(file: &Path, json: bool) -> Result<Exit> {
    let tokens = Tokens::open(file)?.list();
    if json {
        print_json(&tokens.iter().map(shown).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    for token in tokens {
        let ends = token.expires.map_or_else(|| "never".to_owned(), |t| t.to_string());
        let (id, owner, scopes) = (&token.id, &token.owner, &token.scopes);
        print_line(&format!("{id}\t{owner}\t{scopes}\tends {ends}\t{}", token.note))?;
    }
    Ok(Exit::Done)
}

fn shown(token: &Token) -> serde_json::Value {
    json!({
        "id": token.id, "owner": token.owner, "scopes": token.scopes.to_string(),
        "created": token.created, "expires": token.expires, "note": token.note,
    })
}

/// Ends a token.
///
/// # Errors
/// There is none of that name; the file cannot be used.
pub fn revoke(file: &Path, id: &str) -> Result<Exit> {
    Tokens::open(file)?.revoke(id)?;
    note(&format!("`{id}` is ended"));
    Ok(Exit::Done)
}
