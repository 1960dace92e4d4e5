//! Starting, looking after and stopping the service.

use crate::control;
use crate::metrics::Metrics;
use crate::page;
use crate::prefetch;
use crate::proxy::Cache;
use crate::settings::Settings;
use crate::spool::{Spool, SpoolError};
use crate::upstream::{Upstream, UpstreamSetupError};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use stratus_cache_policy::outgoing::Pseudonym;
use stratus_serve::{
    Answers, BindError, Bound, Limits, Listen, ServeError, TlsError, TlsFiles, serve,
};

/// How often what is condemned is swept, and times of use are noted.
const ROUND: Duration = Duration::from_mins(1);

/// A cache that is ready to serve.
pub struct Service {
    cache: Cache,
    bound: Vec<Bound>,
    tls: Option<Arc<TlsFiles>>,
    control: control::Control,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Upstream(#[from] UpstreamSetupError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket cannot be made.
    #[error("cannot make the control socket")]
    Control(#[source] std::io::Error),
    /// Serving failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Service {
    /// Opens everything and takes the addresses, without serving yet.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let tls = settings.tls.as_ref();
        let tls = tls.map(|(chain, key)| TlsFiles::load(chain, key, None)).transpose()?;
        let mut bound = Vec::new();
        for address in &settings.listen {
            bound.push(Bound::bind(&Listen { address: *address, tls: tls.clone() })?);
        }
        let received = Arc::default();
        let upstreams = settings
            .upstreams
            .iter()
            .map(|upstream| Upstream::new(upstream, Arc::clone(&received)).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let (directory, room) = (settings.directory.clone(), settings.room);
        let spool = tokio::task::spawn_blocking(move || Spool::open(&directory, room));
        let spool = match spool.await {
            Ok(spool) => spool?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let cache = Cache::new(settings, spool, upstreams, pseudonym(), Metrics::new(received));
        let control = control::Control::bind(&cache).map_err(StartError::Control)?;
        Ok(Self { cache, bound, tls, control })
    }

    /// The addresses, with the ports that the system chose.
    pub fn urls(&self) -> Vec<String> {
        let url = |bound: &Bound| {
            let scheme = if bound.is_tls() { "https" } else { "http" };
            format!("{scheme}://{}", bound.local_addr())
        };
        self.bound.iter().map(url).collect()
    }

    /// What SIGHUP does: reads the certificate again.
    pub fn reloader(&self) -> impl Fn() + Send + 'static {
        let tls = self.tls.clone();
        move || {
            if let Some(Err(error)) = tls.as_ref().map(|tls| tls.reload()) {
                tracing::error!(%error, "the certificate was not exchanged");
            }
        }
    }

    /// Serves until `shutdown`, then lets running answers finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let settings = &self.cache.settings;
        let limits = Limits {
            body_idle_timeout: settings.idle,
            max_connections: settings.connections,
            drain_timeout: settings.drain,
            ..Limits::default()
        };
        let rounds = tokio::spawn(look_after(self.cache.clone()));
        let scrubs = tokio::spawn(scrub_at_times(self.cache.clone()));
        let prefetch = tokio::spawn(prefetch::by_rules(self.cache.clone()));
        let control = tokio::spawn(self.control.run(self.cache.clone()));
        let cache = self.cache.clone();
        let answers = Answers::at_once(router(cache.clone()), move |parts| cache.at_once(parts));
        let drained = serve(self.bound, answers, limits, shutdown).await;
        for task in [rounds, scrubs, prefetch, control] {
            task.abort();
        }
        self.cache.spool.keep_times();
        let drained = drained?;
        tracing::info!(finished = drained.finished, cut = drained.cut, "stopped");
        Ok(())
    }
}

fn router(cache: Cache) -> Router {
    let router = Router::new();
    let router = if cache.settings.status { router.merge(page::router()) } else { router };
    router.fallback(proxy).layer(DefaultBodyLimit::disable()).with_state(cache)
}

async fn proxy(State(cache): State<Cache>, request: Request) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    cache.handle(parts, body).await
}

/// A name that no other cache on the way has.
fn pseudonym() -> Pseudonym {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("stratus-cache-{}", &id[..8]);
    Pseudonym::new(&name).expect("letters, digits and dashes are a token")
}

async fn look_after(cache: Cache) {
    loop {
        tokio::time::sleep(ROUND).await;
        let cache = cache.clone();
        let round = tokio::task::spawn_blocking(move || {
            cache.spool.sweep();
            cache.spool.make_room(0);
            cache.spool.keep_times();
        });
        if let Err(error) = round.await {
            tracing::error!(%error, "looking after the store failed");
        }
    }
}

async fn scrub_at_times(cache: Cache) {
    let every = cache.settings.scrub_every;
    if every.is_zero() {
        return;
    }
    loop {
        tokio::time::sleep(every).await;
        let report = control::scrub(&cache).await;
        tracing::info!(
            bytes = report.bytes,
            wrong = report.wrong,
            "everything stored was compared"
        );
    }
}

#[cfg(test)]
mod tests;
