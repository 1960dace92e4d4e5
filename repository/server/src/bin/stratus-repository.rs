//! `stratus-repository`: serves appliances, and looks after them.

use anyhow::Result;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use stratus_identity::{Scopes, hash_password};
use stratus_login::tokens;
use stratus_repository::{Service, Settings, StartError, reindex, scrub};
use stratus_service::{Signals, block_on, check, settings};
use stratus_store::StoreError;
use stratus_terminal::{
    Exit, Failure, PasswordSource, Progress, ProgressMode, arguments, note, print_json, print_line,
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
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

const EXAMPLES: &str = "Examples:
  stratus-repository --config site.toml            serve
  stratus-repository --config site.toml check      read the file, report every problem, do nothing
  stratus-repository --config site.toml scrub      re-read every published image
  STRATUS_PASSWORD=… stratus-repository hash-password
  stratus-repository --config site.toml token create --owner ann --path 'base/**' --days 90
  stratus-repository --config site.toml token list --json
  stratus-repository --config site.toml token revoke bX2y9Qw1Zk0p";

#[derive(Subcommand)]
enum Task {
    /// Serve (the default).
    Serve,
    /// Read the site file and report every problem.
    Check,
    /// Re-read every published image and compare it with its manifest, while the service is stopped.
    Scrub,
    /// Make the index anew from the tree, while the service is stopped.
    Reindex,
    /// Print a hash for the password file; the password comes from STRATUS_PASSWORD or a prompt.
    HashPassword,
    /// Tokens for robots. A running service takes each change over at once.
    Token {
        #[command(subcommand)]
        task: TokenTask,
    },
}

#[derive(Subcommand)]
enum TokenTask {
    /// Make a token and print it, this once.
    Create {
        /// Login that it acts for; one of the password file or the directory.
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
        let (file, json) = (&arguments.config, arguments.json);
        match arguments.task.unwrap_or(Task::Serve) {
            Task::HashPassword => hash(),
            Task::Check => {
                check(file, Settings::load, "the sections [repository] and [identity] are", json)
            }
            Task::Serve => {
                return_memory();
                let settings = settings(file, Settings::load)?;
                settings.log.start()?;
                block_on(serve(settings))
            }
            Task::Scrub => block_on(scrub_all(settings(file, Settings::parse)?, json)),
            Task::Reindex => block_on(reindex_all(settings(file, Settings::parse)?, json)),
            Task::Token { task } => tokens(&settings(file, Settings::parse)?, task, json),
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

async fn serve(settings: Settings) -> Result<Exit> {
    let signals = Signals::heard()?;
    let service = Service::open(settings).await?;
    let (urls, reload) = (service.urls(), service.reloader());
    signals.serve(&urls, reload, |shutdown| service.run(shutdown)).await
}

async fn scrub_all(settings: Settings, json: bool) -> Result<Exit> {
    let progress = Progress::new(ProgressMode::choose(false), "scrub", None);
    let mut before = 0;
    let report = scrub(&settings, |bytes| {
        progress.advance(bytes - before);
        before = bytes;
    })
    .await;
    progress.finish();
    let report = report.map_err(occupied)?;
    if json {
        let damaged = report.damaged.iter();
        let damaged: Vec<_> = damaged
            .map(|(path, reason)| json!({ "path": path.to_string(), "reason": reason }))
            .collect();
        print_json(&json!({ "checked": report.checked, "damaged": damaged }))?;
    } else {
        for (path, reason) in &report.damaged {
            print_line(&format!("damaged: {path}: {reason}"))?;
        }
        let (checked, damaged) = (report.checked, report.damaged.len());
        print_line(&format!("{checked} appliances checked, {damaged} damaged"))?;
    }
    Ok(if report.damaged.is_empty() { Exit::Done } else { Exit::Failed })
}

async fn reindex_all(settings: Settings, json: bool) -> Result<Exit> {
    let (count, unreadable) = reindex(&settings).await.map_err(occupied)?;
    for line in &unreadable {
        note(line);
    }
    if json {
        print_json(&json!({ "appliances": count, "unreadable": unreadable }))?;
    } else {
        print_line(&format!("{count} appliances"))?;
    }
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The folder has one user at a time; here that is the running service.
fn occupied(error: StartError) -> anyhow::Error {
    let running = matches!(&error, StartError::Store(StoreError::Locked { .. }));
    if !running {
        return error.into();
    }
    Failure::new(Exit::Failed, "this needs the storage for itself")
        .because(error)
        .hint("stop the service first (`systemctl stop stratus-repository`), and start it again afterwards")
        .into()
}

fn hash() -> Result<Exit> {
    const VARIABLE: &str = "STRATUS_PASSWORD";
    let empty = || Failure::usage("an empty password is none: nobody could log in with it");
    if std::env::var_os(VARIABLE).is_some_and(|password| password.is_empty()) {
        return Err(empty()
            .hint(format!("put one into `{VARIABLE}`, or unset it to be asked"))
            .into());
    }
    let source = PasswordSource {
        file: None,
        variable: Some(VARIABLE),
        settings_file: None,
        prompt: Some("New password".to_owned()),
    };
    let (password, _) = read_password(&source)?;
    if password.expose_secret().is_empty() {
        return Err(empty().into());
    }
    print_line(&hash_password(&password))?;
    Ok(Exit::Done)
}

fn tokens(settings: &Settings, task: TokenTask, json: bool) -> Result<Exit> {
    let file = settings.data.join("tokens.json");
    match task {
        TokenTask::Create { owner, paths, days, note } => {
            let scopes =
                Scopes::publishing(&paths).map_err(|error| Failure::usage(error.to_string()))?;
            let wanted = tokens::Wanted { owner, scopes, days, note };
            block_on(tokens::create(&file, &settings.identity, &wanted, json))
        }
        TokenTask::List => tokens::list(&file, json),
        TokenTask::Revoke { id } => tokens::revoke(&file, &id),
    }
}
