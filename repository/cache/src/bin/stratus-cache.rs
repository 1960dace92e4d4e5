//! `stratus-cache`: keeps near what is far, and looks after it.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_cache::control::{Client, ControlError, Listed};
use stratus_cache::{Service, Settings};
use stratus_model::ByteCount;
use stratus_service::{Signals, block_on, check, settings};
use stratus_terminal::{Exit, Failure, arguments, print_line, run_service};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps what repositories serve near those who need it.
#[derive(Parser)]
#[command(name = "stratus-cache", version, after_help = EXAMPLES)]
struct Arguments {
    /// The site file; the section [cache] is read.
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
  stratus-cache --config site.toml                      serve
  stratus-cache --config site.toml check                read the file, report every problem
  stratus-cache --config site.toml status --json        what the running cache is doing
  stratus-cache --config site.toml prefetch ubuntu-24.04-x86_64-base-1.0
  stratus-cache --config site.toml pin /images/base/a/1.0/a-1.0.img.gz
  stratus-cache --config site.toml purge ubuntu-24.04-x86_64-base-1.0";

#[derive(Subcommand)]
enum Task {
    /// Serve (the default).
    Serve,
    /// Read the site file and report every problem.
    Check,
    /// What the running cache is doing.
    Status,
    /// What it has.
    List,
    /// Have it fetch something whole.
    Prefetch {
        /// The appliance's name, or a path as clients ask for it (with a slash).
        path: String,
    },
    /// Have it keep something whatever comes.
    Pin {
        /// The appliance's name, or a path as clients ask for it (with a slash).
        path: String,
    },
    /// Have it treat something as everything else again.
    Unpin {
        /// The appliance's name, or a path as clients ask for it (with a slash).
        path: String,
    },
    /// Have it forget something.
    Purge {
        /// The appliance's name, or a path as clients ask for it (with a slash).
        path: String,
    },
    /// Have it compare everything stored with its checksums.
    Scrub,
}

fn main() -> ExitCode {
    run_service(|| {
        let arguments: Arguments = arguments();
        let (file, json) = (&arguments.config, arguments.json);
        match arguments.task.unwrap_or(Task::Serve) {
            Task::Serve => {
                let settings = settings(file, Settings::load)?;
                settings.log.start()?;
                block_on(serve(settings))
            }
            Task::Check => check(file, Settings::load, "the section [cache] is", json),
            task => block_on(command(&settings(file, Settings::parse)?, task, json)),
        }
    })
}

async fn serve(settings: Settings) -> Result<Exit> {
    let signals = Signals::heard()?;
    let service = Service::open(settings).await?;
    let (urls, reload) = (service.urls(), service.reloader());
    signals.serve(&urls, reload, |shutdown| service.run(shutdown)).await
}

async fn command(settings: &Settings, task: Task, json: bool) -> Result<Exit> {
    let client = Client::new(&settings.directory).map_err(away)?;
    match task {
        Task::Status => {
            let status = client.status().await.map_err(away)?;
            if json {
                print_line(&serde_json::to_string(&status)?)?;
            } else {
                let (occupied, size) = (ByteCount(status.occupied), ByteCount(status.size));
                print_line(&format!("{} objects, {occupied} of {size}", status.objects))?;
                let (served, received) = (ByteCount(status.served), ByteCount(status.received));
                print_line(&format!("served {served}, received {received}"))?;
                for (result, number) in status.requests {
                    print_line(&format!("{result}: {number}"))?;
                }
            }
        }
        Task::List => show(&client.list().await.map_err(away)?, json)?,
        Task::Prefetch { path } => show(&[client.prefetch(&path).await.map_err(away)?], json)?,
        Task::Pin { path } => show(&client.pin(&path, true).await.map_err(away)?, json)?,
        Task::Unpin { path } => show(&client.pin(&path, false).await.map_err(away)?, json)?,
        Task::Purge { path } => {
            let count = client.purge(&path).await.map_err(away)?;
            if json {
                print_line(&serde_json::json!({ "purged": count }).to_string())?;
            } else {
                print_line(&format!("{count} purged"))?;
            }
        }
        Task::Scrub => {
            let report = client.scrub().await.map_err(away)?;
            if json {
                print_line(&serde_json::to_string(&report)?)?;
            } else {
                let (bytes, wrong) = (ByteCount(report.bytes), ByteCount(report.wrong));
                print_line(&format!("{} objects, {bytes} read, {wrong} wrong", report.objects))?;
            }
            if report.wrong > 0 {
                return Ok(Exit::Failed);
            }
        }
        Task::Serve | Task::Check => {}
    }
    Ok(Exit::Done)
}

fn show(objects: &[Listed], json: bool) -> Result<()> {
    if json {
        return Ok(print_line(&serde_json::to_string(objects)?)?);
    }
    for object in objects {
        let total = object.total.map_or_else(|| "?".to_owned(), |t| ByteCount(t).to_string());
        let (bytes, state) = (ByteCount(object.bytes), &object.state);
        let pinned = if object.pinned { "\tpinned" } else { "" };
        print_line(&format!("{}\t{bytes} of {total}\t{state}{pinned}", object.url))?;
    }
    Ok(())
}

/// Nobody there is exit code 5, as everywhere.
fn away(error: ControlError) -> anyhow::Error {
    match error {
        ControlError::Away { .. } => {
            let message = error.to_string();
            Failure::new(Exit::Unreachable, message).because(error).into()
        }
        ControlError::Refused(_) => error.into(),
    }
}
