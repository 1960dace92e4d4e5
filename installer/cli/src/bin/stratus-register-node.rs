//! `stratus-register-node`: one host in, or out; what `stratus-install add-node` and `remove-node`
//! do, under the name that administrators of old sites know.

mod common;

use clap::Parser;
use common::{Common, block_on};
use std::process::ExitCode;
use stratus_installer::{Choices, Confirmation, flow};
use stratus_site::HostName;
use stratus_terminal::{Exit, arguments, run_service};

/// Sets up a node that the site file has, and makes it known to OpenNebula; or takes it out.
#[derive(Parser)]
#[command(name = "stratus-register-node", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The host, by its name or its short one.
    host: HostName,
    /// Take it out of the site, and give it back as it was.
    #[arg(long)]
    remove: bool,
    /// With --remove: it is dead, only forget it.
    #[arg(long, requires = "remove")]
    gone: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "Examples:
  stratus-config set nodes.hosts 'node[01-03]'       the file first
  stratus-register-node node03                       the same as `stratus-install add-node node03`
  stratus-register-node node03 --remove              the same as `stratus-install remove-node node03`";

fn main() -> ExitCode {
    // What Ctrl-C means is our own affair: steps under way are finished first.
    run_service(|| block_on(task(arguments())))
}

async fn task(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { common, host, remove, gone, yes } = arguments;
    let confirmation = if yes { Confirmation::Given } else { Confirmation::Ask };
    let choices = Choices { confirmation, ..common.choices() };
    if remove {
        return flow::remove_node(&choices, &host, gone).await;
    }
    flow::add_node(&choices, &[host]).await
}
