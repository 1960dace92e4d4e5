//! `stratus-repository`: serves appliances, and looks after them.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use stratus_identity::{Scopes, Tokens, hash_password};
use stratus_repository::{Service, Settings, logging, reindex, scrub};
use stratus_terminal::{
    Exit, Failure, PasswordSource, Progress, ProgressMode, arguments, note, print_line,
    read_password, run_service,
};
use tokio::signal::unix::{SignalKind, signal};

/// Faster for many small requests than the system's allocator, which also keeps for ever what large
/// buffers took (each password comparison takes 19 MiB): docs/performance.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves signed appliances over HTTPS.
#[derive(Parser)]
#[command(name = "stratus-repository", version, after_help = EXAMPLES)]
struct Arguments {
    /// The site file; the sections [repository] and [identity] are read.
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml",
        global = true
    )]
    config: PathBuf,
    #[command(subcommand)]
    task: Option<Task>,
}

const EXAMPLES: &str = "Examples:
  stratus-repository --config site.toml            serve
  stratus-repository --config site.toml check      read the file, report every problem, do nothing
  stratus-repository --config site.toml scrub      re-read every published image
  STRATUS_PASSWORD=… stratus-repository hash-password
  stratus-repository --config site.toml token create --owner robot --path 'base/**' --days 90";

#[derive(Subcommand)]
enum Task {
    /// Serve (the default).
    Serve,
    /// Read the site file and report every problem.
    Check,
    /// Re-read every published image and compare it with its manifest.
    Scrub,
    /// Make the index anew from the tree.
    Reindex,
    /// Print a hash for the password file; the password comes from STRATUS_PASSWORD or a prompt.
    HashPassword,
    /// Tokens for robots. The service reads them at its start.
    Token {
        #[command(subcommand)]
        task: TokenTask,
    },
}

#[derive(Subcommand)]
enum TokenTask {
    /// Make a token and print it, this once.
    Create {
        /// Login that it acts for.
        #[arg(long)]
        owner: String,
        /// Places where it may publish, such as `base/**`; none for reading only.
        #[arg(long = "path", value_name = "PATTERN")]
        paths: Vec<String>,
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
        match arguments.task {
            Some(Task::HashPassword) => hash(),
            task => with_settings(settings(&arguments.config)?, task.unwrap_or(Task::Serve)),
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

/// Starts this program once more with the allocator's settings, which it reads before `main`: memory
/// that threads leave behind goes back to the system at once. Process id and sockets stay.
fn return_memory() {
    const SETTINGS: [(&str, &str); 3] = [
        ("MIMALLOC_PURGE_DELAY", "0"),
        ("MIMALLOC_ABANDONED_PAGE_PURGE", "1"),
        ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
    ];
    let set = |(name, _): &(&str, &str)| std::env::var_os(name).is_some();
    if SETTINGS.iter().any(set) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // It returns only where it failed; then the service runs without, and takes more memory.
        let _ = Command::new(program).args(std::env::args_os().skip(1)).envs(SETTINGS).exec();
    }
}

fn with_settings(settings: Settings, task: Task) -> Result<Exit> {
    match task {
        Task::Check => {
            note("the sections [repository] and [identity] are good");
            Ok(Exit::Done)
        }
        Task::Token { task } => tokens(&settings, task),
        Task::Serve => {
            return_memory();
            logging::start(settings.log, std::env::var("STRATUS_LOG").ok().as_deref())
                .context("logging could not be started")?;
            block_on(serve(settings))
        }
        Task::Scrub => block_on(scrub_all(settings)),
        Task::Reindex => block_on(async move {
            let (count, unreadable) = reindex(&settings).await?;
            for line in &unreadable {
                note(line);
            }
            print_line(&format!("{count} appliances"))?;
            Ok(if unreadable.is_empty() { Exit::Done } else { Exit::Failed })
        }),
        Task::HashPassword => hash(),
    }
}

fn block_on(work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Runtime::new().context("the runtime could not be started")?.block_on(work)
}

async fn serve(settings: Settings) -> Result<Exit> {
    // Before anybody hears that it runs: who is told may end it at once.
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let service = Service::open(settings).await?;
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

async fn scrub_all(settings: Settings) -> Result<Exit> {
    let progress = Progress::new(ProgressMode::choose(false), "scrub", None);
    let mut before = 0;
    let report = scrub(&settings, |bytes| {
        progress.advance(bytes - before);
        before = bytes;
    })
    .await?;
    progress.finish();
    for (path, reason) in &report.damaged {
        print_line(&format!("damaged: {path}: {reason}"))?;
    }
    print_line(&format!(
        "{} appliances checked, {} damaged",
        report.checked,
        report.damaged.len()
    ))?;
    Ok(if report.damaged.is_empty() { Exit::Done } else { Exit::Failed })
}

fn hash() -> Result<Exit> {
    let source = PasswordSource {
        file: None,
        variable: Some("STRATUS_PASSWORD"),
        settings_file: None,
        prompt: Some("New password".to_owned()),
    };
    let (password, _) = read_password(&source)?;
    print_line(&hash_password(&password))?;
    Ok(Exit::Done)
}

fn tokens(settings: &Settings, task: TokenTask) -> Result<Exit> {
    let tokens = Tokens::open(&settings.data.join("tokens.json"))?;
    match task {
        TokenTask::Create { owner, paths, days, note } => {
            let scopes =
                Scopes::publishing(&paths).map_err(|error| Failure::usage(error.to_string()))?;
            let now = Timestamp::now();
            let ends = now + SignedDuration::from_hours(24 * i64::from(days));
            let made = tokens.create(&owner, scopes, Some(ends), &note, now)?;
            print_line(made.secret.expose_secret())?;
        }
        TokenTask::List => {
            for token in tokens.list() {
                let ends = token.expires.map_or_else(|| "never".to_owned(), |t| t.to_string());
                print_line(&format!(
                    "{}\t{}\t{}\tends {ends}\t{}",
                    token.id, token.owner, token.scopes, token.note
                ))?;
            }
        }
        TokenTask::Revoke { id } => tokens.revoke(&id)?,
    }
    Ok(Exit::Done)
}
