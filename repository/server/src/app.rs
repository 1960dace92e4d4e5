//! What every handler can reach.

use crate::admission::Site;
use crate::audit::{Action, Audit, Entry};
use crate::error::ApiError;
use crate::handlers::publish::store_error;
use crate::metrics::Metrics;
use crate::pages::Frame;
use crate::settings::Settings;
use crate::sums::Sums;
use crate::who::Caller;
use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::Key;
use jiff::Timestamp;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use stratus_anchors::Anchors;
use stratus_identity::{Identities, Person, Tokens};
use stratus_manifest::Policy;
use stratus_model::AppliancePath;
use stratus_store::{Record, Store};
use stratus_x509::TrustStore;

/// The service's state; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts.
pub struct Parts {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) identities: Identities,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) anchors: Option<Arc<Anchors>>,
    pub(crate) policy: Policy,
    pub(crate) audit: Audit,
    pub(crate) metrics: Metrics,
    pub(crate) session_key: Key,
    pub(crate) sums: Sums,
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

    /// The trust anchors of now.
    pub(crate) fn trust(&self) -> Option<Arc<TrustStore>> {
        self.anchors.as_ref().map(|a| a.store())
    }

    /// What an admission is decided by.
    pub(crate) fn site<'a>(&'a self, trust: Option<&'a TrustStore>) -> Site<'a> {
        Site {
            trust,
            policy: &self.policy,
            layout: &self.settings.layout,
            unbound_may_publish: !self.identities.binds_subjects(),
            now: Timestamp::now(),
        }
    }

    /// What is published at a place, by this server or by another one at the same bucket.
    pub(crate) async fn record(
        &self,
        path: &AppliancePath,
    ) -> Result<Option<Arc<Record>>, ApiError> {
        self.store.resolve(path).await.map_err(store_error)
    }

    /// The server as people reach it, without a slash at the end: what the site says, or else what
    /// this request was sent to.
    pub(crate) fn base_url(&self, headers: &HeaderMap, tls: bool) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let scheme = if tls { "https" } else { "http" };
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        // A name that is no host name is not repeated into links.
        let plain = |h: &&str| {
            h.len() <= 255 && h.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
        };
        host.filter(plain).map(|host| format!("{scheme}://{host}")).unwrap_or_default()
    }

    /// What a page shows around its content.
    pub(crate) fn frame(&self, caller: &Caller, here: &'static str) -> Frame {
        Frame {
            site: self.settings.title.clone(),
            login: caller.person.as_ref().map(|p| p.login.clone()),
            here,
            base_url: caller.base_url.clone(),
        }
    }

    /// Puts an action on record, before it is acknowledged.
    pub(crate) async fn audit(
        &self,
        from: IpAddr,
        person: &Person,
        action: Action,
        object: &str,
        sha256: Option<String>,
        endorser: Option<String>,
    ) -> Result<(), ApiError> {
        let (audit, login, via, object) = (
            self.audit.clone(),
            person.login.clone(),
            format!("{:?}", person.via),
            object.to_owned(),
        );
        let write = move || {
            audit.record(&Entry {
                at: Timestamp::now(),
                action,
                login: &login,
                via,
                from,
                object: &object,
                sha256,
                endorser: endorser.as_deref(),
            })
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(ApiError::internal)?;
        written.map_err(|error| {
            ApiError::internal(format!("the audit log cannot be written: {error}"))
        })
    }
}
