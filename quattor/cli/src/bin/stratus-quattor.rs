//! `stratus-quattor`: a site as pan templates for Quattor.

use anyhow::Result;
use clap::{Parser, Subcommand};
use ipnet::Ipv4Net;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_installer::{load_written, wanted};
use stratus_quattor::{Export, HostExport, Request, export};
use stratus_quattor_cli::{Written, write};
use stratus_site::InterfaceName;
use stratus_terminal::{Exit, Failure, arguments, note, print_json, print_line, run};

/// Export a site for Quattor: pan templates that ask for what the installer would do.
#[derive(Parser)]
#[command(name = "stratus-quattor", version, after_help = EXAMPLES)]
struct Arguments {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "Examples:
  stratus-quattor export -o templates                    of /etc/stratus/stratus.toml
  stratus-quattor export --config site.toml -o templates --os debian-13 --interface eno1
  stratus-quattor export -o templates --lan 192.0.2.0/24 --gateway 192.0.2.1
  stratus-quattor left                                   what no profile can say, as a table
  panc --include-path templates:templates/profiles:LIBRARY --output-dir out --formats json templates/profiles/*.pan

Nothing is asked of a host: what the site file leaves to be found out is stated by an option.
Exit codes: 0 done, 1 failed, 2 the site file or an option is wrong.";

#[derive(Subcommand)]
enum Task {
    /// Write the templates; files of an earlier export that are no longer made are removed
    Export(ExportArguments),
    /// Print what a profile leaves to others, with the reasons, as a table in Markdown or as JSON
    Left,
}

#[derive(clap::Args)]
struct ExportArguments {
    /// The site file
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml"
    )]
    config: PathBuf,
    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The system of hosts whose `os` is "auto", such as debian-13 or almalinux-9
    #[arg(long, value_name = "SYSTEM")]
    os: Option<String>,
    /// The interface below the bridge of nodes whose `interface` is "auto"
    #[arg(long, value_name = "NAME")]
    interface: Option<InterfaceName>,
    /// The subnet of the hosts, where no network of the site is in it
    #[arg(long, value_name = "SUBNET")]
    lan: Option<Ipv4Net>,
    /// Its router
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<Ipv4Addr>,
}

fn main() -> ExitCode {
    run(|| {
        let Arguments { json, task } = arguments();
        match task {
            Task::Export(arguments) => write_export(&arguments, json),
            Task::Left if json => {
                print_json(&stratus_quattor::reasons())?;
                Ok(Exit::Done)
            }
            Task::Left => {
                print_line(stratus_quattor::table().trim_end())?;
                Ok(Exit::Done)
            }
        }
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    files: &'a Written,
    hosts: &'a [HostExport],
}

fn write_export(arguments: &ExportArguments, json: bool) -> Result<Exit> {
    let export = made(arguments)?;
    let files = write(&arguments.output, &export.files)?;
    if json {
        print_json(&Shown { files: &files, hosts: &export.hosts })?;
        return Ok(Exit::Done);
    }
    for path in &files.written {
        print_line(&format!("written {path}"))?;
    }
    for path in &files.removed {
        print_line(&format!("removed {path}"))?;
    }
    note(&told(&export, &files));
    Ok(Exit::Done)
}

fn made(arguments: &ExportArguments) -> Result<Export> {
    let loaded = load_written(&arguments.config)?;
    let objects = wanted(&loaded.site);
    let request = Request {
        site: &loaded.site,
        inputs: &loaded.inputs,
        objects: &objects,
        os: arguments.os.as_deref(),
        lan: arguments.lan,
        gateway: arguments.gateway,
        interface: arguments.interface.as_ref(),
    };
    export(&request).map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(|r| format!("  {r}")).collect();
        Failure::usage(format!(
            "the site of `{}` cannot be exported; nothing was written\n{}",
            arguments.config.display(),
            lines.join("\n")
        ))
        .into()
    })
}

/// One screen, however many hosts there are.
fn told(export: &Export, files: &Written) -> String {
    let left = export.hosts.iter().map(|h| h.left.len()).max().unwrap_or_default();
    format!(
        "{} hosts; {} files written, {} unchanged, {} removed. Up to {left} things of a host are \
         left to others or said in other words: --json lists them, `stratus-quattor left` says why.",
        export.hosts.len(),
        files.written.len(),
        files.unchanged.len(),
        files.removed.len(),
    )
}
