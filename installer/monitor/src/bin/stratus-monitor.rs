//! `stratus-monitor`: shows a site, and what in it needs attention.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_identity::{Scopes, Tokens};
use stratus_monitor::{Service, Settings, logging, status};
use stratus_terminal::{Exit, Failure, arguments, note, print_json, print_line, run_service};
use tokio::signal::unix::{SignalKind, signal};

/// Gives back what large pools took; docs/performance.md has figures of its use elsewhere.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shows hosts, machines, networks and services of a site, and what needs attention.
#[derive(Parser)]
#[command(name = "stratus-monitor", version, after_help = EXAMPLES)]
struct Arguments {
    /// The site file; the sections [monitor] and [identity] are read.
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml",
        global = true
    )]
    config: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

const EXAMPLES: &str = "Examples:
  stratus-monitor --config site.toml                  look and serve
  stratus-monitor --config site.toml check            read the file, report every problem
  stratus-monitor --config site.toml status           the first screen as text
  stratus-monitor --config site.toml status --json
  stratus-monitor --config site.toml token create --owner robot --days 90";

#[derive(Subcommand)]
enum Task {
    /// Look and serve (the default).
    Serve,
    /// Read the site file and report every problem.
    Check,
    /// The first screen as text. Exit code 1 where something is broken.
    Status,
    /// Tokens for scripts. The service reads them at its start.
    Token {
        #[command(subcommand)]
        task: TokenTask,
    },
}

#[derive(Subcommand)]
enum TokenTask {
    /// Make a token and print it, this once.
    Create {
        /// Login whose machines it sees.
        #[arg(long)]
        owner: String,
        /// Days until it ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3660))]
        days: u16,
        /// What it is for.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List them.
    List,
    /// End one.
    Revoke {
        /// Its name, as `list` shows it; it may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

fn main() -> ExitCode {
    run_service(|| {
        let arguments: Arguments = arguments();
        let settings = settings(&arguments.config)?;
        match arguments.task.unwrap_or(Task::Serve) {
            Task::Check => {
                note("the sections [monitor] and [identity] are good");
                Ok(Exit::Done)
            }
            Task::Serve => {
                logging::start(settings.log, std::env::var("STRATUS_LOG").ok().as_deref())
                    .context("logging could not be started")?;
                block_on(serve(settings))
            }
            Task::Status => block_on(show(settings, arguments.json)),
            Task::Token { task } => tokens(&settings, task),
        }
    })
}

fn settings(file: &PathBuf) -> Result<Settings> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the site file `{}`", file.display())).because(error)
    })?;
    Settings::parse(file, &text).map_err(|report| {
        Failure::usage(format!("the site file `{}` cannot be used\n\n{report}", file.display()))
            .into()
    })
}

fn block_on(work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Runtime::new().context("the runtime could not be started")?.block_on(work)
}

async fn serve(settings: Settings) -> Result<Exit> {
    // Before anybody hears that it runs: who is told may end it at once.
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let service = Service::open(settings)?;
    for url in service.urls() {
        print_line(&format!("listening on {url}"))?;
    }
    let reload = service.reloader();
    let reloads = tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload();
        }
    });
    // Nobody may be waiting for these; that is not our failure.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let shutdown = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    };
    let served = service.run(shutdown).await;
    reloads.abort();
    served?;
    Ok(Exit::Done)
}

async fn show(settings: Settings, json: bool) -> Result<Exit> {
    let overview = status::status(&settings).await?;
    if json {
        print_json(&overview)?;
    } else {
        print_line(overview.text().trim_end())?;
    }
    if overview.read_at == 0 {
        return Ok(Exit::Unreachable);
    }
    let broken = overview.concerns.iter().any(|concern| concern.severity == "bad");
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

fn tokens(settings: &Settings, task: TokenTask) -> Result<Exit> {
    std::fs::create_dir_all(&settings.data)
        .with_context(|| format!("cannot use `{}`", settings.data.display()))?;
    let tokens = Tokens::open(&settings.data.join("tokens.json"))?;
    match task {
        TokenTask::Create { owner, days, note } => {
            let now = Timestamp::now();
            let ends = now + SignedDuration::from_hours(24 * i64::from(days));
            let made = tokens.create(&owner, Scopes::reading(), Some(ends), &note, now)?;
            print_line(made.secret.expose_secret())?;
        }
        TokenTask::List => {
            for token in tokens.list() {
                let ends = token.expires.map_or_else(|| "never".to_owned(), |t| t.to_string());
                print_line(&format!("{}\t{}\tends {ends}\t{}", token.id, token.owner, token.note))?;
            }
        }
        TokenTask::Revoke { id } => tokens.revoke(&id)?,
    }
    Ok(Exit::Done)
}
