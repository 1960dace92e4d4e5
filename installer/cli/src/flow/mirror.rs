//! Every package that the site's hosts need, in one signed directory.

use crate::choices::Choices;
use crate::fleet::Fleet;
use crate::gather;
use crate::site_file::{load_online, signing_key};
use anyhow::Result;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use stratus_mirror::{Error, MadePart, Signer, Wish};
use stratus_plan::facts::HostReport;
use stratus_plan::offline::{assumed, orders};
use stratus_terminal::{Exit, Failure, note, print_line};

/// What the administrator said of a mirror.
#[derive(Clone, Debug)]
pub struct Mirroring {
    /// The directory.
    pub output: PathBuf,
    /// The system of hosts that are not asked: `debian-12`.
    pub family: Option<String>,
    /// Files that describe where the packages of a release come from.
    pub sources: BTreeMap<String, PathBuf>,
    /// The folder of the key that signs; our own where it is not said.
    pub signing_key: Option<PathBuf>,
}

/// Makes the directory, or brings it up to date.
pub async fn mirror(choices: &Choices, mirroring: Mirroring) -> Result<Exit> {
    // Whatever directory the file names may be the very one that is to be made.
    let loaded = load_online(choices)?;
    let site = &loaded.site;
    let facts = match &mirroring.family {
        Some(family) => assumed(site, family, std::env::consts::ARCH),
        None => {
            let fleet = Fleet::of(site, choices)?;
            gather::facts(site, &fleet, choices).await?
        }
    };
    let orders = orders(site, &facts, &loaded.inputs).map_err(|reason| {
        let silent = facts.hosts.values().any(|r| matches!(r, HostReport::Unreachable(_)));
        let exit = if silent { Exit::Unreachable } else { Exit::Failed };
        Failure::new(exit, "what the hosts need is not known")
            .because(reason)
            .hint("`--facts FILE` takes what `stratus-install facts` wrote; `--family debian-12` asks no host")
    })?;
    let sources = sources(&mirroring.sources)?;
    let made = tokio::task::spawn_blocking(move || make(&mirroring, &orders, sources)).await?;
    let (made, fingerprint) = made.map_err(failed)?;
    for MadePart { name, packages, new, new_bytes } in made {
        let mib = new_bytes.div_ceil(1 << 20);
        print_line(&format!("{name}: {packages} packages, {new} of them new ({mib} MiB)"))?;
    }
    note(&format!("signed by the key {fingerprint}, which is in key.asc"));
    Ok(Exit::Done)
}

fn make(
    mirroring: &Mirroring,
    orders: &[stratus_plan::offline::Order],
    sources: BTreeMap<String, String>,
) -> Result<(Vec<MadePart>, String), Error> {
    let home = mirroring.signing_key.clone().unwrap_or_else(signing_key);
    let signer = Signer::of(&home)?;
    let folder = &mirroring.output;
    let now = Timestamp::now();
    let wish = Wish { folder, orders, sources, signer: &signer, now };
    let made = stratus_mirror::make(&wish, &note)?;
    Ok((made.parts, stratus_mirror::fingerprint(&folder.join("key.asc"))?))
}

fn sources(files: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, String>> {
    let read = |(release, file): (&String, &PathBuf)| {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("cannot read `{}`", file.display())).because(error)
        })?;
        Ok((release.clone(), text))
    };
    files.iter().map(read).collect()
}

fn failed(error: Error) -> Failure {
    let exit = match &error {
        Error::Untrusted { .. } => Exit::Refused,
        _ => Exit::Failed,
    };
    Failure::new(exit, "the directory of packages is not made")
        .because(error)
        .hint("run it again: what was downloaded stays")
}
