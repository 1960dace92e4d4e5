//! Whom this machine trusts, and its own rules, from files.

use clap::Args;
use std::path::PathBuf;
use stratus_anchors::Anchors;
use stratus_manifest::Policy;
use stratus_manifest::policy::PolicyFile;
use stratus_terminal::{Failure, Settings};

/// Largest policy file, in bytes.
const POLICY_LIMIT: u64 = 1 << 20;

/// Options about trust.
#[derive(Args, Debug)]
#[command(next_help_heading = "Trust")]
pub(crate) struct SiteOptions {
    /// Whom to trust: a PEM file of signers or authorities, or a grid CA directory
    #[arg(long, value_name = "PATH", env = "STRATUS_TRUST")]
    trust: Option<PathBuf>,
    /// Rules about endorsers, images and checksums: a policy file, or the repository's settings
    #[arg(long, value_name = "FILE", env = "STRATUS_POLICY")]
    policy: Option<PathBuf>,
}

impl SiteOptions {
    /// Whom to trust; without anybody nothing can be proved.
    pub(crate) fn anchors(&self, settings: &Settings) -> Result<Anchors, Failure> {
        let path = self.trust.as_ref().or(settings.trust.as_ref()).ok_or_else(|| {
            Failure::usage("nobody is trusted, so nothing can be proved").hint(
                "name the signers or authorities you trust with `--trust FILE`, `STRATUS_TRUST`, or `trust = \"FILE\"` in `~/.config/stratus/client.toml`",
            )
        })?;
        Anchors::load(path).map_err(|error| {
            Failure::usage(format!("the trust anchors `{}` cannot be used", path.display()))
                .because(error)
        })
    }

    /// The rules, if any are named.
    pub(crate) fn policy(&self, settings: &Settings) -> anyhow::Result<Option<Policy>> {
        let Some(path) = self.policy.as_ref().or(settings.policy.as_ref()) else {
            return Ok(None);
        };
        let bytes = crate::shared::read_file(path, POLICY_LIMIT)?;
        let wrong = || Failure::usage(format!("the policy `{}` cannot be used", path.display()));
        let text = String::from_utf8(bytes).map_err(|error| wrong().because(error))?;
        let file = PolicyFile::from_toml(&text).map_err(|error| wrong().because(error))?;
        Ok(Some(file.check().map_err(|error| wrong().because(error))?))
    }
}
