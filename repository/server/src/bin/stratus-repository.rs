//! `stratus-repository`: serves appliances, and looks after them.

use anyhow::Result;
use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use stratus_identity::{Scopes, Tokens, hash_password};
use stratus_repository::{Service, Settings, reindex, scrub};
use stratus_service::{Signals, block_on, settings};
use stratus_terminal::{
    Exit, Failure, PasswordSource, Progress, ProgressMode, arguments, note, print_line,
    read_password, run_service,
};

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
            task => with_settings(
                settings(&arguments.config, Settings::parse)?,
                task.unwrap_or(Task::Serve),
            ),
        }
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
            settings.log.start()?;
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

async fn serve(settings: Settings) -> Result<Exit> {
    let signals = Signals::heard()?;
    let service = Service::open(settings).await?;
    let (urls, reload) = (service.urls(), service.reloader());
    signals.serve(&urls, reload, |shutdown| service.run(shutdown)).await
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
