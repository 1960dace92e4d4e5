//! Starting, looking after and stopping the service.

use crate::alerts::Alerts;
use crate::collector::{Collector, wait};
use crate::diary::Diary;
use crate::history::{self, History};
use crate::hub::{Hub, Silenced};
use crate::probes::Probes;
use crate::settings::Settings;
use crate::status::{self, Overview};
use crate::web::{App, Parts, router};
use jiff::Timestamp;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stratus_identity::{Identities, SetupError, TokenError, Tokens};
use stratus_login::session;
use stratus_monitor_state::{State, Viewer, changes, fold};
use stratus_serve::{BindError, Bound, Limits, Listen, ServeError, TlsError, TlsFiles, serve};
use stratus_terminal::{Failure, read_secret_file};
use tokio::sync::{Semaphore, watch};

/// A monitor that is ready to serve.
pub struct Service {
    app: App,
    bound: Vec<Bound>,
    tls: Option<Arc<TlsFiles>>,
    collector: Collector,
    alerts: Option<Alerts>,
    closing: watch::Sender<bool>,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// OpenNebula's credentials cannot be read.
    #[error("OpenNebula's credentials cannot be read")]
    Credentials(#[from] Failure),
    /// The collector cannot be set up.
    #[error("the collector cannot be set up")]
    Collector(#[from] stratus_opennebula::Error),
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
    /// Alerts cannot be set up.
    #[error("alerts cannot be set up")]
    Alerts(#[from] reqwest::Error),
    /// Serving failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Service {
    /// Opens everything and takes the addresses, without serving or looking yet.
    pub fn open(settings: Settings) -> Result<Self, StartError> {
        let tls = settings
            .tls
            .as_ref()
            .map(|(certificate, key)| TlsFiles::load(certificate, key, None))
            .transpose()?;
        let bound = bind(&settings, tls.as_ref())?;
        let collector = collector(&settings)?;
        let base = settings.url.as_ref().map(|u| u.as_str().trim_end_matches('/').to_owned());
        let alerts = settings.alerts.clone();
        let alerts = alerts.map(|a| Alerts::new(a, base.unwrap_or_default())).transpose()?;
        let closing = watch::Sender::new(false);
        let app = open_app(settings, closing.subscribe())?;
        Ok(Self { app, bound, tls, collector, alerts, closing })
    }

    /// The addresses, with the ports that the system chose.
    pub fn urls(&self) -> Vec<String> {
        let url = |b: &Bound| {
            let scheme = if b.is_tls() { "https" } else { "http" };
            format!("{scheme}://{}", b.local_addr())
        };
        self.bound.iter().map(url).collect()
    }

    /// What SIGHUP does: reads the certificate again.
    pub fn reloader(&self) -> impl Fn() + Send + 'static {
        let tls = self.tls.clone();
        move || {
            if let Some(Err(error)) = tls.as_ref().map(|t| t.reload()) {
                tracing::error!(%error, "the certificate was not exchanged");
            }
        }
    }

    /// Serves and looks until `shutdown`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let limits = Limits {
            max_connections: self.app.settings.connections,
            drain_timeout: Duration::from_secs(10),
            ..Limits::default()
        };
        let Self { app, bound, collector, alerts, closing, .. } = self;
        let looks = tokio::spawn(look_after(app.clone(), collector, alerts));
        let shutdown = async move {
            shutdown.await;
            // Pages that are kept up to date would hold their connections for ever.
            closing.send_replace(true);
        };
        let drained = serve(bound, router(app), limits, shutdown).await;
        looks.abort();
        let drained = drained?;
        tracing::info!(finished = drained.finished, cut = drained.cut, "stopped");
        Ok(())
    }
}

/// The collector that the settings ask for.
pub(crate) fn collector(settings: &Settings) -> Result<Collector, StartError> {
    let credentials = read_secret_file(&settings.auth_file)?;
    let mut places = settings.places.clone();
    places.certificates.extend(settings.tls.iter().map(|(certificate, _)| certificate.clone()));
    places.disks.push(settings.data.clone());
    let ca = settings.services_ca.as_deref();
    let probes = Probes::new(places, ca).map_err(|source| StartError::File {
        path: ca.map(PathBuf::from).unwrap_or_default(),
        source,
    })?;
    Ok(Collector::new(&settings.oned, &credentials, probes)?)
}

fn open_app(settings: Settings, closing: watch::Receiver<bool>) -> Result<App, StartError> {
    let file = |name: &str| settings.data.join(name);
    let told = |path: PathBuf| move |source| StartError::File { path, source };
    std::fs::create_dir_all(&settings.data).map_err(told(settings.data.clone()))?;
    let retention = i64::try_from(settings.retention.as_secs()).unwrap_or(i64::MAX);
    let now = Timestamp::now().as_second();
    let diary = Diary::open(&settings.data, retention, now).map_err(told(file("events.jsonl")))?;
    // Without history the rest works on, and says so.
    let history = History::open(&history::folder(&settings.data), retention)
        .map_err(|error| format!("{}: {error}", settings.data.display()));
    let tokens = Arc::new(Tokens::open(&file("tokens.json"))?);
    let session_key = session::key(&file("session.key")).map_err(told(file("session.key")))?;
    let identities = Identities::new(settings.identity.clone(), Arc::clone(&tokens))?;
    let begin = status::begin(&settings.data);
    let hub = Hub::new(begin, diary, history, Silenced::open(&settings.data));
    Ok(App::new(Parts {
        viewers: Arc::new(Semaphore::new(settings.viewers)),
        settings,
        hub,
        identities,
        tokens,
        session_key,
        closing,
    }))
}

/// Sockets that systemd passed win over the addresses of the settings.
fn bind(settings: &Settings, tls: Option<&Arc<TlsFiles>>) -> Result<Vec<Bound>, StartError> {
    let inherited = Bound::inherited(|_| tls.cloned())?;
    if !inherited.is_empty() {
        return Ok(inherited);
    }
    let bind = |address| Bound::bind(&Listen { address, tls: tls.cloned() });
    Ok(settings.listen.iter().copied().map(bind).collect::<Result<_, _>>()?)
}

/// One look after another, for ever.
async fn look_after(app: App, mut collector: Collector, mut alerts: Option<Alerts>) {
    let mut failures = 0;
    let mut history_fault = None;
    loop {
        let before = app.hub.state();
        let mut seen = collector.look(&before, Timestamp::now().as_second()).await;
        seen.history_fault = history_fault.take();
        match &seen.fault {
            Some(fault) => {
                failures += 1;
                tracing::warn!(failures, fault, "OpenNebula was not read");
            }
            None => failures = 0,
        }
        // Folding 20,000 machines takes some milliseconds: not on a thread that serves.
        let keeper = app.clone();
        let work = tokio::task::spawn_blocking(move || keep(&keeper, &before, seen));
        if let Ok((state, fault)) = work.await {
            history_fault = fault;
            if let Some(alerts) = &mut alerts {
                let silent = |cause: &_| app.hub.silenced.until(cause, state.at).is_some();
                alerts.tell(&state.concerns, state.at, silent).await;
            }
        }
        let pause = wait(app.settings.interval, failures, rand::random());
        tokio::time::sleep(pause).await;
    }
}

/// Folds a look into the state, and writes down what follows from it. Answers why history could not
/// be written.
fn keep(
    app: &App,
    before: &State,
    seen: stratus_monitor_state::Observation,
) -> (Arc<State>, Option<String>) {
    let well = seen.fault.is_none();
    let state = Arc::new(fold(before, seen));
    let events = changes(before, &state);
    app.hub.publish(Arc::clone(&state));
    let data = app.settings.data.display();
    let mut fault = app.hub.diary.add(&events).err().map(|e| format!("{data}: {e}"));
    match &app.hub.history {
        Ok(history) if well => {
            fault = fault.or(history.record(&state).err().map(|e| format!("{data}: {e}")));
        }
        Ok(_) => {}
        Err(error) => fault = Some(error.clone()),
    }
    let overview = Overview::of(&state, &app.hub.diary, &Viewer::Administrator);
    // A full disk is told of above.
    if let Err(error) = status::keep(&app.settings.data, &overview) {
        tracing::debug!(%error, "the status was not written");
    }
    if let Some(fault) = &fault {
        tracing::warn!(fault, "history was not written");
    }
    (state, fault)
}
