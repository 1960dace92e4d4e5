//! `stratus-install`: one file in, a working and verified site out.

mod common;

use clap::{Parser, Subcommand};
use common::{Common, block_on};
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_installer::{Choices, Confirmation, Mirroring, Report, flow, flow::Pick, hosts};
use stratus_site::HostName;
use stratus_terminal::{Exit, arguments, run_service};

/// Sets up an OpenNebula site from one file, and proves that it works.
///
/// Without a task: check, preflight, plan, ask, apply, verify.
#[derive(Parser)]
#[command(name = "stratus-install", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Show plans with every line of every file, and why nothing is to do where nothing is.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Do not ask.
    #[arg(long, global = true)]
    yes: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

const EXAMPLES: &str = "Examples:
  stratus-install check --config site.toml            the file alone; every problem at once
  stratus-install preflight --config site.toml        look at the hosts, change nothing
  stratus-install plan --config site.toml             what would be done, and why; 10 if something
  stratus-install apply --config site.toml --yes      do it; kill it anywhere and run it again
  stratus-install mirror --config site.toml -o packages  every package, for hosts without internet
  stratus-install apply --config site.toml --offline packages
  stratus-install verify --config site.toml --junit report.xml
  stratus-install --config site.toml                  all of these, asking before the first change";

#[derive(Subcommand)]
enum Task {
    /// Read the site file and report every problem.
    Check,
    /// Ask the hosts and write down what they say. Exit code 5 when one was not reached.
    Facts {
        /// Where to.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Look at the hosts for what would stand in the way.
    Preflight,
    /// Show what would be done. Exit code 10 when there is something, 5 when no host was reached.
    Plan,
    /// Do what the plan says.
    Apply,
    /// Gather every package that the site's hosts need in one signed directory, for `--offline`.
    ///
    /// Goes on where it was cut off, and downloads only what is new.
    Mirror {
        /// The directory.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        /// Ask no host: each is of this system unless the site file states another one.
        #[arg(long, value_name = "RELEASE", conflicts_with = "facts")]
        family: Option<String>,
        /// Take the packages of a release from what this file describes, not from its own archives.
        #[arg(long, value_name = "RELEASE=FILE", value_parser = sources)]
        sources: Vec<(String, PathBuf)>,
        /// The folder of the key that signs; the key is made if there is none.
        #[arg(long, value_name = "DIR")]
        signing_key: Option<PathBuf>,
    },
    /// Look whether the site keeps what it promises.
    Verify {
        /// Write the results as JUnit XML.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Leave the tests of this name out; `*` stands for anything: `machine:*` starts no machines.
        #[arg(long, value_name = "NAME")]
        without: Vec<String>,
    },
    /// Who did what and when, and what is under way.
    Status,
    /// What was changed by hand. Exit code 10 when there is something.
    Drift,
    /// Set up hosts that the file has since the last time, and nothing else.
    AddNode {
        /// The hosts: names, short names, ranges such as `node[01-04]`, commas between.
        #[arg(value_name = "HOSTS", required = true, value_parser = hosts)]
        hosts: Vec<Vec<HostName>>,
    },
    /// Let a host run out of virtual machines: nothing new is placed there.
    DrainNode {
        /// The host.
        host: HostName,
    },
    /// Take a host out of the site and give it back as it was.
    RemoveNode {
        /// The host.
        host: HostName,
        /// It is dead: only forget it.
        #[arg(long)]
        gone: bool,
    },
    /// Give every host back as it was, and list what stays.
    Uninstall,
    /// Gather journal, facts, plan and outputs, without secrets, for a report.
    Bundle {
        /// Where to.
        #[arg(short, long, value_name = "FILE", default_value = "stratus-install.tar.gz")]
        output: PathBuf,
    },
}

fn sources(text: &str) -> Result<(String, PathBuf), String> {
    let (release, file) =
        text.split_once('=').ok_or("not RELEASE=FILE, such as debian-12=my.sources")?;
    Ok((release.to_owned(), file.into()))
}

fn main() -> ExitCode {
    // What Ctrl-C means is our own affair: steps under way are finished first.
    run_service(|| block_on(task(arguments())))
}

async fn task(Arguments { common, verbose, yes, task }: Arguments) -> anyhow::Result<Exit> {
    let confirmation = if yes { Confirmation::Given } else { Confirmation::Ask };
    let choices = Choices { verbose, confirmation, ..common.choices() };
    match task {
        None => flow::everything(&choices).await,
        Some(Task::Check) => flow::check(&choices),
        Some(Task::Facts { output }) => flow::facts(&choices, output.as_deref()).await,
        Some(Task::Preflight) => flow::preflight(&choices).await,
        Some(Task::Plan) => flow::plan(&choices).await,
        Some(Task::Apply) => flow::apply(&choices).await,
        Some(Task::Mirror { output, family, sources, signing_key }) => {
            let sources = sources.into_iter().collect();
            flow::mirror(&choices, Mirroring { output, family, sources, signing_key }).await
        }
        Some(Task::Verify { junit, without }) => {
            let pick = Pick { names: Vec::new(), without };
            flow::verify(&choices, &pick, &Report { junit }).await
        }
        Some(Task::Status) => flow::status(&choices).await,
        Some(Task::Drift) => flow::drift(&choices).await,
        Some(Task::AddNode { hosts }) => flow::add_node(&choices, &hosts.concat()).await,
        Some(Task::DrainNode { host }) => flow::drain_node(&choices, &host).await,
        Some(Task::RemoveNode { host, gone }) => flow::remove_node(&choices, &host, gone).await,
        Some(Task::Uninstall) => flow::uninstall(&choices).await,
        Some(Task::Bundle { output }) => flow::bundle(&choices, &output).await,
    }
}
