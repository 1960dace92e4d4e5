//! `stratus-test`: the promises of a site as tests that an administrator picks by name.

mod common;

use clap::Parser;
use common::{Common, block_on};
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_installer::{Report, flow};
use stratus_terminal::{Exit, arguments, run_service};

/// Tests a site: each promise is looked at from the host where it matters.
///
/// Exit code 1 when one is not kept or could not be looked at.
#[derive(Parser)]
#[command(name = "stratus-test", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Show the names of the tests and what they look at; run none.
    #[arg(long)]
    list: bool,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    junit: Option<PathBuf>,
    /// The tests; all without a name. `*` stands for anything.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  stratus-test --config site.toml --list            the names of all tests
  stratus-test --config site.toml                   all of them
  stratus-test --config site.toml 'share:*'         the share, on every node
  stratus-test --config site.toml machine:node01 --junit report.xml";

fn main() -> ExitCode {
    // What a signal means is for the flow to say: it takes away first what it made.
    run_service(|| block_on(task(arguments())))
}

async fn task(Arguments { common, list, junit, names }: Arguments) -> anyhow::Result<Exit> {
    let choices = common.choices();
    if list {
        return flow::list(&choices, &names).await;
    }
    flow::some(&choices, &names, &Report { junit }).await
}
