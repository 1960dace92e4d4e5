//! `stratus-test`: the promises of a site as tests that an administrator picks by name.

mod common;

use clap::Parser;
use common::{Common, block_on};
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_installer::{Report, flow, flow::Pick};
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
    /// Leave the tests of this name out; `*` stands for anything.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// The tests; all without a name. `*` stands for anything.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  stratus-test --config site.toml --list            the names of all tests
  stratus-test --config site.toml                   all of them
  stratus-test --config site.toml 'share:*'         the share, on every node
  stratus-test --config site.toml --without 'machine:*'
  stratus-test --config site.toml machine:node01 --junit report.xml";

fn main() -> ExitCode {
    // What a signal means is for the flow to say: it takes away first what it made.
    run_service(|| block_on(task(arguments())))
}

async fn task(
    Arguments { common, list, junit, without, names }: Arguments,
) -> anyhow::Result<Exit> {
    let (choices, pick) = (common.choices(), Pick { names, without });
    if list {
        return flow::list(&choices, &pick).await;
    }
    flow::verify(&choices, &pick, &Report { junit }).await
}
