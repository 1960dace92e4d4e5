//! `stratus-accounting`: who used how much, kept for ever, shown and published.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use stratus_accounting::{By, Ledger, LedgerError, Window};
use stratus_accounting_cli::{
    FeedError, Format, Moment, PublishError, Query, Queue, Settings, Target, feed, gaps_json,
    gaps_text, month_start, publish, report, shown, usage, write_usage,
};
use stratus_opennebula::{Client, Error, ErrorCode, HttpTransport, Session};
use stratus_terminal::{
    Exit, Failure, arguments, note, print_json, print_line, read_secret_file, run_async,
};

/// Who used how much: a ledger fed from OpenNebula's history, reports, records for APEL.
#[derive(Parser)]
#[command(name = "stratus-accounting", version, after_help = EXAMPLES)]
struct Arguments {
    /// The site file; its sections `[monitor]` and `[accounting]` are read
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml",
        global = true
    )]
    config: PathBuf,
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "Examples:
  stratus-accounting feed                                       read OpenNebula once; from a timer, each hour
  stratus-accounting report --by user                           this month until now
  stratus-accounting report --by group --from 2026-10-01 --to 2026-11-01 --format csv
  stratus-accounting gaps                                       what is doubtful
  stratus-accounting publish --to /var/spool/apel/outgoing --dry-run
  stratus-accounting publish --to /var/spool/apel/outgoing

Times are UTC; `--to` is the first moment that does not count.";

#[derive(Subcommand)]
enum Task {
    /// Read OpenNebula's history once into the ledger
    Feed {
        /// Ask for the whole history, not only for what may have changed since the last feed
        #[arg(long)]
        everything: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what was used
    Report {
        /// What rows are made of
        #[arg(long, value_enum, default_value = "user")]
        by: Rows,
        /// The first moment that counts; the start of this month where absent
        #[arg(long, value_name = "TIME")]
        from: Option<Moment>,
        /// The first moment that does not count; now where absent
        #[arg(long, value_name = "TIME")]
        to: Option<Moment>,
        /// How it is written
        #[arg(long, value_enum, default_value = "table")]
        format: Written,
    },
    /// Write usage records that are new or different for others to collect
    Publish {
        /// The form of the records
        #[arg(long, value_enum, default_value = "apel-cloud-0.4")]
        format: Records,
        /// The queue, a folder that APEL's ssm sends from
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Print the messages; write and remember nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show times without a feed, machines that vanished, records that do not fit; exit code 1 if
    /// there are any
    Gaps {
        /// Hours without a feed that are no gap
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        longest: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Rows {
    User,
    Group,
    Vm,
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    Table,
    Csv,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Records {
    #[value(name = "apel-cloud-0.4")]
    ApelCloud04,
}

fn main() -> ExitCode {
    run_async(|| async { task(arguments()).await })
}

async fn task(arguments: Arguments) -> Result<Exit> {
    let settings = settings(&arguments)?;
    let now = jiff::Timestamp::now().as_second();
    match arguments.task {
        Task::Feed { everything, json } => run_feed(&settings, now, everything, json).await,
        Task::Report { by, from, to, format } => {
            let from = from.map_or_else(|| month_start(now), |moment| moment.0);
            let to = to.map_or(now.max(from), |moment| moment.0);
            run_report(&settings, by, (from, to), format).await
        }
        Task::Publish { format: Records::ApelCloud04, to, dry_run, json } => {
            run_publish(&settings, now, (!dry_run).then_some(to), json).await
        }
        Task::Gaps { longest, json } => run_gaps(&settings, now, longest, json).await,
    }
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let file = &arguments.config;
    let text = std::fs::read_to_string(file).map_err(|e| {
        Failure::usage(format!("cannot read the site file `{}`", file.display()))
            .because(e)
            .hint("name it with --config FILE")
    })?;
    Settings::parse(file, &text).map_err(|report| {
        Failure::usage(format!("the site file `{}` cannot be used\n\n{report}", file.display()))
    })
}

async fn run_feed(settings: &Settings, now: i64, everything: bool, json: bool) -> Result<Exit> {
    let session = Session::from_auth_file(&read_secret_file(&settings.auth_file)?);
    let session = session.map_err(|e| {
        Failure::usage(format!("`{}` is no auth file", settings.auth_file.display())).because(e)
    })?;
    let transport = HttpTransport::new(&settings.endpoint)
        .map_err(|e| Failure::usage("[monitor] endpoint cannot be used").because(e))?;
    let client = Client::new(Arc::new(transport), session);
    let ledger = Ledger::open(&settings.ledger).await.map_err(ledger_failure)?;
    let fed = feed(&client, &ledger, now, everything).await.map_err(feed_failure)?;
    let usage = usage(&ledger, now).await.map_err(ledger_failure)?;
    write_usage(&settings.usage_report, &usage).map_err(|e| {
        let file = settings.usage_report.display();
        Failure::new(Exit::Failed, format!("cannot write the monitor's report of usage `{file}`"))
            .because(e)
            .hint("the ledger was fed; name another file as `usage_report` in [accounting]")
    })?;
    if json {
        print_json(&serde_json::json!({
            "records": fed.records,
            "new": fed.added.new,
            "restated": fed.added.restated,
            "vanished": fed.vanished,
            "returned": fed.returned,
        }))?;
        return Ok(Exit::Done);
    }
    note(&format!(
        "read {} records: {} new, {} restated, {} machines vanished, {} are back",
        fed.records, fed.added.new, fed.added.restated, fed.vanished, fed.returned
    ));
    Ok(Exit::Done)
}

async fn run_report(
    settings: &Settings,
    by: Rows,
    (from, to): (i64, i64),
    format: Written,
) -> Result<Exit> {
    let window = Window::new(from, to).map_err(|e| {
        Failure::usage(format!("`--from` {} is after `--to` {}", shown(from), shown(to))).because(e)
    })?;
    let ledger = fed(settings).await?;
    let by = match by {
        Rows::User => By::User,
        Rows::Group => By::Group,
        Rows::Vm => By::Machine,
    };
    let format = match format {
        Written::Table => Format::Table,
        Written::Csv => Format::Csv,
        Written::Json => Format::Json,
    };
    let rows = ledger.report(window, by).await.map_err(ledger_failure)?;
    let fed_at = ledger.last_feed().await.map_err(ledger_failure)?.map(|feed| feed.at);
    print_line(&report(&Query { by, window, fed_at }, &rows, format))?;
    if fed_at.is_some_and(|at| at < to) {
        note(&format!(
            "note: the last feed was at {}; what came later is not in it",
            shown(fed_at.unwrap_or(0))
        ));
    }
    Ok(Exit::Done)
}

async fn run_publish(
    settings: &Settings,
    now: i64,
    to: Option<PathBuf>,
    json: bool,
) -> Result<Exit> {
    let ledger = fed(settings).await?;
    let queue = match &to {
        Some(folder) => Some(Queue::open(folder).map_err(|e| {
            Failure::new(Exit::Failed, format!("cannot use the queue `{}`", folder.display()))
                .because(e)
        })?),
        None => None,
    };
    let target = queue.as_ref().map_or(Target::Nowhere, Target::Queue);
    let done = publish(&ledger, &settings.publisher, target, now).await;
    let done = done.map_err(|error| match error {
        PublishError::Ledger(error) => ledger_failure(error),
        PublishError::Queue(cause) => {
            let folder = to.unwrap_or_default();
            let message = format!("cannot write into the queue `{}`", folder.display());
            Failure::new(Exit::Failed, message)
                .because(cause)
                .hint("what was written is remembered; run it again for the rest")
        }
    })?;
    if json {
        print_json(&serde_json::json!({
            "published": queue.is_some(),
            "records": done.run.records,
            "replaced": done.run.replaced,
            "messages": done.run.messages,
            "files": done.files,
            "texts": done.messages,
        }))?;
        return Ok(Exit::Done);
    }
    for text in &done.messages {
        print_line(text.trim_end())?;
    }
    for file in &done.files {
        print_line(&file.display().to_string())?;
    }
    let verb = if queue.is_some() { "published" } else { "would publish" };
    note(&format!(
        "{verb} {} records in {} messages; {} take the place of earlier ones",
        done.run.records, done.run.messages, done.run.replaced
    ));
    Ok(Exit::Done)
}

async fn run_gaps(settings: &Settings, now: i64, longest: u32, json: bool) -> Result<Exit> {
    let ledger = fed(settings).await?;
    let gaps = ledger.gaps(i64::from(longest) * 3600, now).await.map_err(ledger_failure)?;
    if json {
        print_json(&gaps_json(&gaps))?;
    } else if gaps.is_empty() {
        note("nothing is doubtful");
    } else {
        print_line(&gaps_text(&gaps))?;
    }
    Ok(if gaps.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The ledger, once it was fed: one that never was says nothing, not that nobody used anything.
async fn fed(settings: &Settings) -> Result<Ledger, Failure> {
    let ledger = Ledger::open_existing(&settings.ledger).await.map_err(ledger_failure)?;
    if ledger.last_feed().await.map_err(ledger_failure)?.is_none() {
        let message = format!("the ledger `{}` was never fed", settings.ledger.display());
        let hint =
            "`stratus-accounting feed` reads OpenNebula's history into it, or says why it cannot";
        return Err(Failure::new(Exit::Failed, message).hint(hint));
    }
    Ok(ledger)
}

fn ledger_failure(error: LedgerError) -> Failure {
    let (exit, hint) = match &error {
        LedgerError::Missing(_) => (Exit::Usage, Some("`stratus-accounting feed` makes it")),
        LedgerError::Foreign { .. } => {
            (Exit::Usage, Some("name another file as `ledger` in [accounting]"))
        }
        LedgerError::Full(_) => (Exit::Failed, Some("make room, and feed again")),
        LedgerError::Busy(_) => (Exit::Unreachable, Some("wait until the other feed has ended")),
        LedgerError::Database { .. } => (Exit::Failed, None),
    };
    let failure = Failure::new(exit, "the ledger cannot be used").because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn feed_failure(error: FeedError) -> Failure {
    match error {
        FeedError::Ledger(error) => ledger_failure(error),
        FeedError::OpenNebula(cause) => {
            let exit = match &cause {
                Error::Refused {
                    code: ErrorCode::Authentication | ErrorCode::Authorization,
                    ..
                } => Exit::Denied,
                cause if cause.is_unreachable() => Exit::Unreachable,
                _ => Exit::Failed,
            };
            let hint = cause.hint();
            let failure =
                Failure::new(exit, "OpenNebula cannot be asked for its history").because(cause);
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        FeedError::Rights(_) => Failure::new(Exit::Denied, error.to_string())
            .hint("use the credentials of oneadmin, or of a member of its group"),
        FeedError::Answer { .. } => Failure::new(Exit::Failed, "the ledger was not fed")
            .because(error)
            .hint("feed again; what OpenNebula shows then is noted then"),
    }
}
