//! What the commands that work on a site have in common: options, and how they end.

use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use stratus_installer::{Choices, Confirmation, hosts};
use stratus_site::HostName;
use stratus_terminal::Exit;

/// Options of every task.
#[derive(Args)]
pub(crate) struct Common {
    /// The site file.
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
    /// Only these hosts (the others are neither asked nor changed): names, short names, ranges
    /// such as `node[01-04]`, commas between.
    #[arg(long, value_name = "HOSTS", global = true, value_parser = hosts)]
    limit: Vec<Vec<HostName>>,
    /// Take the facts from this file instead of asking the hosts for them. What looks at a site at
    /// work, such as `verify`, still speaks to its hosts.
    #[arg(long, value_name = "FILE", global = true)]
    facts: Option<PathBuf>,
    /// Hosts get their packages from this directory, which `stratus-install mirror` made, and need no
    /// internet. Instead of `packages.offline` in the site file.
    #[arg(long, value_name = "DIR", global = true)]
    offline: Option<PathBuf>,
    /// Write down the keys of hosts that are not known yet, and show them.
    #[arg(long, global = true)]
    learn_host_keys: bool,
}

impl Common {
    /// The choices of a command that changes nothing.
    pub(crate) fn choices(self) -> Choices {
        Choices {
            config: self.config,
            json: self.json,
            verbose: false,
            limit: self.limit.concat(),
            facts: self.facts,
            offline: self.offline,
            learn_host_keys: self.learn_host_keys,
            confirmation: Confirmation::Ask,
        }
    }
}

/// Runs a task to its end.
pub(crate) fn block_on(task: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime could not be started")?;
    let done = runtime.block_on(task);
    // A host that hangs must not keep the command from ending.
    runtime.shutdown_background();
    done
}
