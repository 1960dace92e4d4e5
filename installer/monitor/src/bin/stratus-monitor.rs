//! `stratus-monitor`: shows a site, and what in it needs attention.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_identity::Scopes;
use stratus_login::tokens;
use stratus_monitor::{Service, Settings, status};
use stratus_service::{Signals, block_on, check, settings};
use stratus_terminal::{Exit, arguments, print_json, print_line, run_service};

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
    /// Tokens for scripts. A running service takes each change over at once.
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
        let (file, json) = (&arguments.config, arguments.json);
        let what = "the sections [monitor] and [identity] are";
        match arguments.task.unwrap_or(Task::Serve) {
            Task::Check => check(file, Settings::load, what, json),
            Task::Serve => {
                let settings = settings(file, Settings::load)?;
                settings.log.start()?;
                block_on(serve(settings))
            }
            Task::Status => block_on(show(settings(file, Settings::parse)?, json)),
            Task::Token { task } => tokens(&settings(file, Settings::parse)?, task, json),
        }
    })
}

async fn serve(settings: Settings) -> Result<Exit> {
    let signals = Signals::heard()?;
    let service = Service::open(settings)?;
    let (urls, reload) = (service.urls(), service.reloader());
    signals.serve(&urls, reload, |shutdown| service.run(shutdown)).await
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

fn tokens(settings: &Settings, task: TokenTask, json: bool) -> Result<Exit> {
    std::fs::create_dir_all(&settings.data)
        .with_context(|| format!("cannot use `{}`", settings.data.display()))?;
    let file = settings.data.join("tokens.json");
    match task {
        TokenTask::Create { owner, days, note } => {
            let wanted = tokens::Wanted { owner, scopes: Scopes::reading(), days, note };
            block_on(tokens::create(&file, &settings.identity, &wanted, json))
        }
        TokenTask::List => tokens::list(&file, json),
        TokenTask::Revoke { id } => tokens::revoke(&file, &id),
    }
}
