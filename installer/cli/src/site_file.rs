//! The site file and what lies beside it.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::path::Path;
use stratus_plan::{Inputs, files_needed};
use stratus_site::Site;
use stratus_terminal::{Exit, Failure};
use zeroize::Zeroizing;

/// A site with the files that it names.
#[derive(Debug)]
pub struct Loaded {
    /// The site.
    pub site: Site,
    /// Its files.
    pub inputs: Inputs,
}

/// Reads the site file alone. A wrong one is usage (exit code 2), with every problem.
pub(crate) fn site(path: &Path) -> Result<(Site, String)> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read the site file `{}`", path.display()))
            .because(error)
            .hint("name it with --config FILE, or start from `stratus-config reference`")
    })?;
    let site = Site::parse(path, &text).map_err(|report| {
        Failure::usage(format!("the site file `{}` cannot be used\n\n{report}", path.display()))
    })?;
    Ok((site, text))
}

/// Reads the site file and the files that a plan needs. Of secret files only the digest is kept.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let (site, site_text) = site(path)?;
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

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let message = format!("cannot read `{}`, which the site file names", path.display());
        Failure::new(Exit::Usage, message).because(error).into()
    })
}
