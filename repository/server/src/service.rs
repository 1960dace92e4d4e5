//! Starting, looking after and stopping the service.

use crate::app::{App, Parts};
use crate::audit::Audit;
use crate::metrics::Metrics;
use crate::reading::Reader;
use crate::router;
use crate::settings::{S3, Settings};
use crate::sums::Sums;
use jiff::Timestamp;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stratus_anchors::{Anchors, AnchorsError};
use stratus_identity::{Identities, SetupError, TokenError, Tokens};
use stratus_login::session;
use stratus_manifest::Policy;
use stratus_serve::{BindError, Bound, Limits, Listen, ServeError, TlsError, TlsFiles, serve};
use stratus_store::{Bucket, Credentials, Place, ScrubReport, Store, StoreError};

/// How often trust anchors, staging and a shared bucket are looked at.
const ROUND: Duration = Duration::from_secs(30);

/// A repository that is ready to serve.
pub struct Service {
    app: App,
    bound: Vec<Bound>,
    tls: Option<Arc<TlsFiles>>,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The trust anchors cannot be read.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// The storage cannot be opened.
    #[error("the storage cannot be opened")]
    Store(#[from] StoreError),
    /// Logins cannot be set up.
    #[error("logins cannot be set up")]
    Identity(#[from] SetupError),
    /// The tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file cannot be used.
    #[error("cannot use `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file with the bucket's keys is not two lines.
    #[error("`{0}` must have two lines: access key id, secret access key")]
    Credentials(PathBuf),
    /// Serving failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Service {
    /// Opens everything and takes the addresses, without serving yet.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let tls = settings
            .tls
            .as_ref()
            .map(|t| TlsFiles::load(&t.certificate, &t.key, t.client_ca.as_deref()))
            .transpose()?;
        let bound = bind(&settings, tls.as_ref())?;
        Ok(Self { app: open_app(settings).await?, bound, tls })
    }

    /// The addresses, with the ports that the system chose.
    pub fn urls(&self) -> Vec<String> {
        let url = |b: &Bound| {
            let scheme = if b.is_tls() { "https" } else { "http" };
            format!("{scheme}://{}", b.local_addr())
        };
        self.bound.iter().map(url).collect()
    }

    /// What SIGHUP does: reads certificates and trust anchors again.
    pub fn reloader(&self) -> impl Fn() + Send + 'static {
        let (tls, anchors) = (self.tls.clone(), self.app.anchors.clone());
        move || {
            if let Some(Err(error)) = tls.as_ref().map(|t| t.reload()) {
                tracing::error!(%error, "the certificate was not exchanged");
            }
            if let Some(Err(error)) = anchors.as_ref().map(|a| a.refresh()) {
                tracing::error!(%error, "the trust anchors were not read again");
            }
        }
    }

    /// Serves until `shutdown`, then lets running transfers finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let limits = &self.app.settings.limits;
        let limits = Limits {
            body_idle_timeout: limits.idle,
            max_connections: limits.connections,
            drain_timeout: limits.drain,
            ..Limits::default()
        };
        let rounds = tokio::spawn(look_after(self.app.clone()));
        let drained = serve(self.bound, router(self.app), limits, shutdown).await;
        rounds.abort();
        let drained = drained?;
        tracing::info!(finished = drained.finished, cut = drained.cut, "stopped");
        Ok(())
    }
}

/// Opens the store alone, for commands that look after it.
pub(crate) async fn open_store(settings: &Settings) -> Result<Store, StartError> {
    let anchors = settings.trust.as_deref().map(Anchors::load).transpose()?.map(Arc::new);
    Ok(Store::open(store_settings(settings)?, reader(settings, anchors)).await?)
}

/// Re-reads every published byte; `told` hears how many were read.
pub async fn scrub(
    settings: &Settings,
    mut told: impl FnMut(u64) + Send,
) -> Result<ScrubReport, StartError> {
    let store = open_store(settings).await?;
    let report = store.scrub(|bytes| {
        told(bytes);
        std::ops::ControlFlow::Continue(())
    });
    Ok(report.await?)
}

/// Makes the index anew from the tree; answers how many appliances there are, and what could not be
/// read.
pub async fn reindex(settings: &Settings) -> Result<(usize, Vec<String>), StartError> {
    let store = open_store(settings).await?;
    let found = store.rebuild().await?;
    let unreadable = found.unreadable.iter().map(|(path, why)| format!("{path}: {why}")).collect();
    Ok((store.len(), unreadable))
}

fn policy(settings: &Settings) -> Policy {
    Policy {
        endorsers: settings.endorsers.clone(),
        accept_weak: settings.accept_weak,
        ..Policy::default()
    }
}

fn reader(settings: &Settings, anchors: Option<Arc<Anchors>>) -> Arc<Reader> {
    Arc::new(Reader { anchors, policy: policy(settings) })
}

async fn open_app(settings: Settings) -> Result<App, StartError> {
    let anchors = settings.trust.as_deref().map(Anchors::load).transpose()?.map(Arc::new);
    let store = Store::open(store_settings(&settings)?, reader(&settings, anchors.clone())).await?;
    let file = |name: &str| settings.data.join(name);
    let tokens = Arc::new(Tokens::open(&file("tokens.json"))?);
    let session_key = session::key(&file("session.key"))
        .map_err(|source| StartError::File { path: file("session.key"), source })?;
    Ok(App::new(Parts {
        identities: Identities::new(settings.identity.clone(), Arc::clone(&tokens))?,
        audit: Audit::new(file("audit.log")),
        metrics: Metrics::new(),
        policy: policy(&settings),
        store,
        tokens,
        anchors,
        session_key,
        sums: Sums::new(),
        settings,
    }))
}

fn store_settings(settings: &Settings) -> Result<stratus_store::Settings, StartError> {
    let limits = &settings.limits;
    Ok(stratus_store::Settings {
        data: settings.data.clone(),
        place: settings.s3.as_ref().map_or(Ok(Place::Tree), bucket)?,
        limits: stratus_store::Limits {
            image: limits.image.0,
            content: limits.content.0,
            staging: limits.staging.0,
            uploads_per_owner: limits.uploads_per_person,
            upload_age: limits.staging_age,
        },
    })
}

pub(crate) fn bucket(s3: &S3) -> Result<Place, StartError> {
    let credentials = s3.credentials_file.as_ref().map(|path| {
        let text = std::fs::read_to_string(path)
            .map_err(|source| StartError::File { path: path.clone(), source })?;
        let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(id), Some(secret), None) => Ok(Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: secret.to_owned(),
            }),
            _ => Err(StartError::Credentials(path.clone())),
        }
    });
    Ok(Place::Bucket(Box::new(Bucket {
        name: s3.bucket.clone(),
        prefix: s3.prefix.trim_matches('/').to_owned(),
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        credentials: credentials.transpose()?,
    })))
}

/// Sockets that systemd passed win over the addresses of the settings.
fn bind(settings: &Settings, tls: Option<&Arc<TlsFiles>>) -> Result<Vec<Bound>, StartError> {
    let inherited = Bound::inherited(|name| tls.filter(|_| name != "plain").cloned())?;
    if !inherited.is_empty() {
        return Ok(inherited);
    }
    let bind = |address: &SocketAddr, tls: Option<Arc<TlsFiles>>| {
        Bound::bind(&Listen { address: *address, tls })
    };
    let main = settings.listen.iter().map(|address| bind(address, tls.cloned()));
    let plain = settings.listen_plain.iter().map(|address| bind(address, None));
    Ok(main.chain(plain).collect::<Result<_, _>>()?)
}

/// What is done every now and then while the service runs. A failure is told and tried again.
async fn look_after(app: App) {
    let mut ticks = tokio::time::interval(ROUND);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(Err(error)) = app.anchors.as_ref().map(|a| a.refresh()) {
            tracing::error!(%error, "the trust anchors were not read again");
        }
        match app.store.sweep(Timestamp::now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "unfinished uploads were taken away"),
            Err(error) => tracing::error!(%error, "unfinished uploads were not looked at"),
        }
        if app.settings.s3.is_some()
            && let Err(error) = app.store.refresh().await
        {
            tracing::error!(%error, "the bucket was not looked at");
        }
    }
}
