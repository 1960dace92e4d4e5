//! The site file and what lies beside it.

use crate::choices::Choices;
use crate::config::problems;
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stratus_execute::run::Freight;
use stratus_plan::offline::Offline;
use stratus_plan::{Inputs, files_needed};
use stratus_sections::Invalid;
use stratus_site::Site;
use stratus_terminal::{Exit, Failure, print_json};
use zeroize::Zeroizing;

/// A site with the files that it names.
#[derive(Debug)]
pub struct Loaded {
    /// The site.
    pub site: Site,
    /// Its files.
    pub inputs: Inputs,
}

impl Loaded {
    /// The directory of packages for whoever carries them.
    pub(crate) fn freight(&self) -> Option<Arc<Freight>> {
        let folder = self.site.packages.offline.clone()?;
        let mirror = self.inputs.offline.as_ref()?.mirror.clone();
        Some(Arc::new(Freight { folder, mirror }))
    }
}

/// How the text of a site file is read.
type Parse = fn(&Path, &str) -> Result<Site, Invalid>;

/// Packages out of a directory on the command line are all that hosts need.
fn parse_for(choices: &Choices) -> Parse {
    if choices.offline.is_some() { Site::parse } else { Site::parse_to_install }
}

/// Reads the site file alone for whoever only checks it: as JSON the problems are printed as data
/// too, none of a good file.
pub(crate) fn checked(choices: &Choices) -> Result<Site> {
    let path = &choices.config;
    let text = text_of(path)?;
    let site = parse_for(choices)(path, &text);
    if choices.json {
        let none = serde_json::json!({ "problems": [] });
        print_json(&site.as_ref().err().map_or(none, |report| problems(path, report)))?;
    }
    site.map_err(|report| unusable(path, &report).into())
}

/// Reads the site file alone, as the options would have it.
pub(crate) fn site(choices: &Choices) -> Result<(Site, String)> {
    let (mut site, text) = read_as(&choices.config, parse_for(choices))?;
    if let Some(directory) = &choices.offline {
        site.packages.offline = Some(directory.clone());
    }
    Ok((site, text))
}

/// Reads the site file alone, for whoever does not set the site up. A wrong one is usage (exit code
/// 2), with every problem.
pub(crate) fn as_written(path: &Path) -> Result<(Site, String)> {
    read_as(path, Site::parse)
}

fn read_as(path: &Path, parse: Parse) -> Result<(Site, String)> {
    let text = text_of(path)?;
    let site = parse(path, &text).map_err(|report| unusable(path, &report))?;
    Ok((site, text))
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read the site file `{}`", path.display()))
            .because(error)
            .hint("name it with --config FILE, or start from `stratus-config reference`")
            .into()
    })
}

fn unusable(path: &Path, report: &Invalid) -> Failure {
    Failure::usage(format!("the site file `{}` cannot be used\n\n{report}", path.display()))
}

/// Reads the site file and the files that a plan needs. Of secret files only the digest is kept.
/// A directory of packages has to be whole and signed.
pub(crate) fn load(choices: &Choices) -> Result<Loaded> {
    let mut loaded = load_online(choices)?;
    let packages = &loaded.site.packages;
    if let Some(directory) = &packages.offline {
        loaded.inputs.offline = Some(offline(directory, packages.offline_key.as_deref())?);
    }
    Ok(loaded)
}

/// The same for whoever does not need a directory of packages.
pub(crate) fn load_online(choices: &Choices) -> Result<Loaded> {
    let (site, site_text) = site(choices)?;
    with_files(site, site_text)
}

/// Reads the site file as it is written, and the files that it names, for whoever only makes a
/// plan. A directory of packages is not looked at.
pub fn load_written(path: &Path) -> Result<Loaded> {
    let (site, site_text) = as_written(path)?;
    with_files(site, site_text)
}

fn with_files(site: Site, site_text: String) -> Result<Loaded> {
    let (seen, secret) = files_needed(&site);
    let mut inputs = Inputs { site_text, ..Inputs::default() };
    for path in seen {
        let bytes = read(&path)?;
        inputs.files.insert(path, bytes.to_vec());
    }
    for path in secret {
        let digest = hex::encode(Sha256::digest(&*read(&path)?));
        inputs.secrets.insert(path, digest);
    }
    Ok(Loaded { site, inputs })
}

/// Where the key is that signs the directories made on this machine.
pub(crate) fn signing_key() -> PathBuf {
    state_folder().join("mirror-key")
}

/// The installer's own folder: root's in the system's state, others' in their home.
pub(crate) fn state_folder() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/stratus/installer");
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    home.join(".local/state/stratus")
}

/// Checks a directory of packages: the key in it would vouch for itself, so it never counts.
fn offline(directory: &Path, key: Option<&Path>) -> Result<Offline> {
    let key = match key {
        Some(key) => key.to_owned(),
        None => signing_key().join("key.asc"),
    };
    if !key.is_file() {
        let message = format!("who signed the packages in `{}` is not known", directory.display());
        let hint = format!(
            "compare the fingerprint that `stratus-install mirror` showed with that of `{}`, copy this file beside the site file, and name the copy as `offline_key` in [packages]",
            directory.join("key.asc").display()
        );
        return Err(Failure::new(Exit::Refused, message).hint(hint).into());
    }
    let text = String::from_utf8_lossy(&read(&key)?).into_owned();
    stratus_mirror::open(directory, &text).map_err(|error| refused(directory, error).into())
}

fn refused(directory: &Path, error: stratus_mirror::Error) -> Failure {
    use stratus_mirror::Error;
    let message = format!("the packages in `{}` cannot be used", directory.display());
    let exit = match &error {
        Error::Untrusted { .. } => Exit::Refused,
        Error::File { .. } => Exit::Usage,
        Error::NoProgram { .. } | Error::Program { .. } | Error::Unfit { .. } => Exit::Failed,
    };
    Failure::new(exit, message).because(error).hint(
        "run `stratus-install mirror` again where there is internet: it mends what is damaged",
    )
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let message = format!("cannot read `{}`, which the site file names", path.display());
        Failure::new(Exit::Usage, message).because(error).into()
    })
}
