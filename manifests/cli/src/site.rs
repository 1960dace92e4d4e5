//! What the site trusts and allows, from files.

use crate::document;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stratus_anchors::Anchors;
use stratus_manifest::policy::{Policy, PolicyFile};
use stratus_terminal::{Failure, Settings};
use stratus_x509::TrustStore;

/// Largest policy file, in bytes.
const POLICY_LIMIT: usize = 1 << 20;

/// Options of every command that checks signatures.
#[derive(Clone, Debug, clap::Args)]
pub struct SiteOptions {
    /// Trust anchors: a PEM file, or a grid CA directory with CRLs and signing policies
    #[arg(long, value_name = "PATH", env = "STRATUS_TRUST")]
    pub trust: Option<PathBuf>,
    /// The site's rules: a policy file, or the repository's settings file
    #[arg(long, value_name = "FILE", env = "STRATUS_POLICY")]
    pub policy: Option<PathBuf>,
}

/// What the files say.
#[derive(Clone)]
pub struct Site {
    /// The trust anchors.
    pub trust: Option<Arc<TrustStore>>,
    /// The rules.
    pub policy: Option<Policy>,
}

impl SiteOptions {
    /// Reads both; what no option names comes from the user's settings. Exit code 2 where a file
    /// cannot be used.
    pub fn load(&self) -> Result<Site, Failure> {
        let settings = Settings::load()?;
        let trust = self.trust.as_ref().or(settings.trust.as_ref());
        let policy = self.policy.as_ref().or(settings.policy.as_ref());
        Ok(Site {
            trust: trust.map(|path| anchors(path)).transpose()?,
            policy: policy.map(|path| rules(path)).transpose()?,
        })
    }
}

fn anchors(path: &Path) -> Result<Arc<TrustStore>, Failure> {
    let anchors = Anchors::load(path).map_err(|error| {
        Failure::usage(format!("cannot use the trust anchors `{}`", path.display())).because(error)
    })?;
    Ok(anchors.store())
}

fn rules(path: &Path) -> Result<Policy, Failure> {
    let unusable = || Failure::usage(format!("cannot use the policy `{}`", path.display()));
    let bytes = document::read_up_to(path, POLICY_LIMIT)?;
    let text = String::from_utf8(bytes).map_err(|e| unusable().because(e))?;
    let file = PolicyFile::from_toml(&text).map_err(|e| unusable().because(e))?;
    file.check().map_err(|e| unusable().because(e))
}
