//! Who asks, and what they may see.

use super::App;
use super::fault::Fault;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr};
use stratus_identity::{Person, Via};
use stratus_login::identify;
use stratus_monitor_state::Viewer;
use stratus_serve::Peer;

/// The person behind a request, if any.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) person: Option<Person>,
    pub(crate) from: IpAddr,
}

impl Caller {
    /// Somebody about whom nothing was asked.
    pub(crate) fn nobody() -> Self {
        Self { person: None, from: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }

    /// The person, or 401.
    pub(crate) fn required(&self) -> Result<&Person, Fault> {
        self.person.as_ref().ok_or_else(|| Fault::login("Log in to see the site."))
    }

    /// What they may see.
    pub(crate) fn viewer(&self) -> Result<Viewer, Fault> {
        let person = self.required()?;
        Ok(if person.administrator {
            Viewer::Administrator
        } else {
            Viewer::Own(person.login.clone())
        })
    }

    /// Ends the request of somebody who is no administrator.
    pub(crate) fn administrator(&self) -> Result<&Person, Fault> {
        let person = self.required()?;
        if person.administrator { Ok(person) } else { Err(Fault::forbidden()) }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let peer = parts.extensions.get::<Peer>();
        let from = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |p| p.address.ip());
        let now = Timestamp::now();
        let found = identify(&parts.headers, peer, &app.identities, &app.session_key, now).await?;
        let mut person = found;
        // A token acts for nobody; but it reads what its owner reads, and here is only reading.
        if let Some(found) = person.as_mut().filter(|p| matches!(p.via, Via::Token { .. })) {
            found.administrator = app.identities.person(&found.login, now).await?.administrator;
        }
        Ok(Self { person, from })
    }
}
