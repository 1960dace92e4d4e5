//! `stratus-manifest`: prints elements of a manifest.

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_manifest_cli::{document, elements};
use stratus_model::Manifest;
use stratus_terminal::{Exit, print_json, print_line};

/// Prints elements of a manifest, in whatever format it is written.
///
/// Nothing is verified: ask `stratus-validate-manifest` before you rely on what is printed. Exit
/// code 1 where the manifest has no such element.
#[derive(Parser)]
#[command(
    name = "stratus-manifest",
    version,
    after_help = "Elements are named as in the manifest; `location` is the first one, `locations` are all of them, one
a line. Digests have their own names (`sha256`), and elements inside others have dots
(`compressed.bytes`, `minimum.memory`, `endorser.subject`).

Examples:
  stratus-manifest vm.xml -e os
  stratus-manifest vm.xml -e locations
  stratus-manifest vm.xml"
)]
struct Arguments {
    /// The manifest; `-` is standard input
    file: PathBuf,
    /// The element to print; without it all are printed, with their names
    #[arg(short, long, value_name = "ELEMENT")]
    element: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    stratus_terminal::run(|| show(&stratus_terminal::arguments()))
}

fn show(arguments: &Arguments) -> Result<Exit> {
    let bytes = document::read(&arguments.file)?;
    let manifest = stratus_manifest::read(&bytes)
        .map_err(|error| document::broken(&arguments.file, &error))?
        .into_unverified_manifest();
    match &arguments.element {
        Some(element) => one(&manifest, element, arguments.json),
        None => all(&manifest, arguments.json),
    }
}

fn one(manifest: &Manifest, element: &str, json: bool) -> Result<Exit> {
    let values = elements::values(manifest, element);
    if values.is_empty() {
        stratus_terminal::note(&format!("the manifest has no element `{element}`"));
        return Ok(Exit::Failed);
    }
    if json {
        print_json(&values)?;
    } else {
        print_line(&values.join("\n"))?;
    }
    Ok(Exit::Done)
}

fn all(manifest: &Manifest, json: bool) -> Result<Exit> {
    if json {
        print_json(manifest)?;
        return Ok(Exit::Done);
    }
    let historical = manifest.historical.iter().map(|(name, value)| (name.clone(), value.clone()));
    let known = elements::NAMES.iter().chain(&elements::ENDORSEMENT).flat_map(|name| {
        elements::values(manifest, name).into_iter().map(|value| ((*name).to_owned(), value))
    });
    for (name, value) in known.chain(historical) {
        print_line(&format!("{name}: {}", value.replace('\n', "\n  ")))?;
    }
    Ok(Exit::Done)
}
