//! What the program of every service does around the service itself: it reads its sections of the
//! site file ([`settings`]), starts its log ([`Log`]), says where it listens, tells systemd that it
//! is ready, reads certificates again at SIGHUP and ends at SIGTERM or Ctrl-C ([`Signals`]).

mod log;
mod tls;

pub use log::Log;
pub use tls::look_at_tls;

use anyhow::{Context, Result};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use stratus_sections::Invalid;
use stratus_terminal::{Exit, Failure, note, print_json, print_line};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Reads a site file.
///
/// # Errors
/// It cannot be read, or what a service needs of it is wrong; both are wrong usage.
pub fn settings<S>(file: &Path, parse: fn(&Path, &str) -> Result<S, Invalid>) -> Result<S> {
    parse(file, &text(file)?).map_err(|report| unusable(file, &report).into())
}

/// The task `check` of a service: reads the site file as the service would at its start, tells
/// every problem, and says that `what` is good where there is none.
///
/// # Errors
/// As [`settings`].
pub fn check<S>(
    file: &Path,
    parse: fn(&Path, &str) -> Result<S, Invalid>,
    what: &str,
    json: bool,
) -> Result<Exit> {
    let report = parse(file, &text(file)?).err();
    if json {
        let one = |report: &Invalid, problem: &stratus_sections::Problem| {
            let (line, column) = report.place(problem);
            let (message, cure) = (&problem.message, &problem.cure);
            serde_json::json!({
                "file": file, "line": line, "column": column, "message": message, "cure": cure,
            })
        };
        let problems: Vec<_> = report
            .iter()
            .flat_map(|report| report.problems().iter().map(|problem| one(report, problem)))
            .collect();
        print_json(&serde_json::json!({ "problems": problems }))?;
    }
    if let Some(report) = report {
        return Err(unusable(file, &report).into());
    }
    note(&format!("{what} good"));
    Ok(Exit::Done)
}

fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the site file `{}`", file.display())).because(error)
    })
}

fn unusable(file: &Path, report: &Invalid) -> Failure {
    Failure::usage(format!("the site file `{}` cannot be used\n\n{report}", file.display()))
}

/// Runs something on a runtime with a thread for each processor.
///
/// # Errors
/// What the work says, or there is no runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Runtime::new().context("the runtime could not be started")?.block_on(work)
}

/// When a service is to end.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What tells a service to end, or to read its certificate again.
pub struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Hears signals from now on: before anybody knows that the service runs, because whoever is told
    /// may end it at once.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn heard() -> Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Says where a service listens and that it is ready, and runs it until it is told to end.
    ///
    /// # Errors
    /// Serving failed.
    pub async fn serve<F, E>(
        self,
        urls: &[String],
        reload: impl Fn() + Send + 'static,
        run: impl FnOnce(Shutdown) -> F,
    ) -> Result<Exit>
    where
        F: Future<Output = Result<(), E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let Self { mut term, mut interrupt, mut hangup } = self;
        for url in urls {
            print_line(&format!("listening on {url}"))?;
        }
        let reloads = tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                reload();
            }
        });
        // Nobody may be waiting for these; that is not our failure.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let shutdown = Box::pin(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        });
        let served = run(shutdown).await;
        reloads.abort();
        served?;
        Ok(Exit::Done)
    }
}
