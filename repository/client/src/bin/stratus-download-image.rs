//! `stratus-download-image`: pulls an appliance and proves who made it.

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stratus_anchors::Anchors;
use stratus_client::{Download, FetchOptions, Form, Found, Trust, Wanted};
use stratus_manifest::Policy;
use stratus_manifest::policy::PolicyFile;
use stratus_model::{AppliancePath, Manifest};
use stratus_terminal::{AtomicFile, Exit, Failure, Progress, ProgressMode, Settings};
use url::Url;

mod shared;

/// Largest policy file, in bytes.
const POLICY_LIMIT: u64 = 1 << 20;
/// Connections when nobody says otherwise.
const CONNECTIONS: u16 = 4;

/// Pull an appliance and prove who made it
///
/// The manifest's signature, its signer and your rules are checked before the image is fetched. The
/// image appears under its name only when its digests agree; an interrupted download goes on where
/// it stopped.
#[derive(Parser, Debug)]
#[command(name = "stratus-download-image", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
struct Arguments {
    /// Name, path, 27-character identifier or SHA-256
    name: Wanted,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Whom to trust: a PEM file of signers or authorities, or a grid CA directory
    #[arg(long, value_name = "PATH", env = "STRATUS_TRUST", help_heading = "Trust")]
    trust: Option<PathBuf>,
    /// Rules about endorsers (TOML)
    #[arg(long, value_name = "FILE", env = "STRATUS_POLICY", help_heading = "Trust")]
    policy: Option<PathBuf>,
    /// Pull it even if its endorser has withdrawn it
    #[arg(long, help_heading = "Trust")]
    even_if_deprecated: bool,
    /// Where the image goes; its own name in the current folder otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the gzip file instead of inflating it
    #[arg(long)]
    compressed: bool,
    /// Keep the signed manifest in this file
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The site's cache, which is asked for the image before the repository
    #[arg(long, value_name = "URL", env = "STRATUS_CACHE", help_heading = "Repository")]
    cache: Option<String>,
    /// Connections for a large image
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=32), env = "STRATUS_CONNECTIONS")]
    connections: Option<u16>,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Print what was pulled as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a AppliancePath,
    file: String,
    form: &'static str,
    manifest: &'a Manifest,
    notes: &'a [String],
}

fn main() -> ExitCode {
    stratus_terminal::run_async(|| download(stratus_terminal::arguments()))
}

async fn download(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = Settings::load()?;
    let anchors = anchors(arguments.trust.as_deref().or(settings.trust.as_deref()))?.store();
    let policy = policy(arguments.policy.as_deref().or(settings.policy.as_deref()))?;
    let connections = arguments.connections.or(settings.connections).unwrap_or(CONNECTIONS);
    let repository = arguments.repository.connect(&settings)?;
    let order = Download {
        wanted: arguments.name,
        trust: Trust { anchors: &anchors, policy: policy.as_ref(), now: Timestamp::now() },
        target: arguments.output,
        options: FetchOptions {
            form: if arguments.compressed { Form::Compressed } else { Form::Inflated },
            connections: connections.clamp(1, 32).into(),
            ..FetchOptions::default()
        },
        even_if_deprecated: arguments.even_if_deprecated,
        cache: cache(arguments.cache.as_deref().or(settings.cache.as_deref()))?,
    };
    let found = order.find(&repository).await.map_err(shared::failure)?;
    found.notes.iter().for_each(|note| stratus_terminal::warn(note));
    let total = found.manifest.compressed.as_ref().map(|compressed| compressed.bytes);
    let progress = Progress::new(ProgressMode::choose(arguments.quiet), "downloading", total);
    let fetched = order.fetch(&repository, &found, &progress).await;
    progress.finish();
    fetched.map_err(shared::failure)?;
    if let Some(path) = &arguments.manifest {
        AtomicFile::write(path, &found.bytes)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    report(&found, order.options.form, arguments.json, arguments.quiet)
}

fn report(found: &Found, form: Form, json: bool, quiet: bool) -> anyhow::Result<Exit> {
    let file = found.target.display().to_string();
    if json {
        stratus_terminal::print_json(&Report {
            path: &found.path,
            file,
            form: match form {
                Form::Inflated => "image",
                Form::Compressed => "gzip",
            },
            manifest: &found.manifest,
            notes: &found.notes,
        })?;
        return Ok(Exit::Done);
    }
    if !quiet {
        let endorser =
            found.manifest.endorsement.as_ref().and_then(|e| e.endorser.subject.as_ref());
        let endorser = endorser.map_or("a trusted signer", |subject| subject.as_str());
        stratus_terminal::note(&format!(
            "`{}` is verified, endorsed by {endorser}",
            found.path.name()
        ));
    }
    stratus_terminal::print_line(&file)?;
    Ok(Exit::Done)
}

fn anchors(path: Option<&Path>) -> anyhow::Result<Anchors> {
    let path = path.ok_or_else(|| {
        Failure::usage("nobody is trusted, so nothing can be proved").hint(
            "name the signers or authorities you trust with `--trust FILE`, `STRATUS_TRUST`, or `trust = \"FILE\"` in `~/.config/stratus/client.toml`",
        )
    })?;
    let loaded = Anchors::load(path).map_err(|error| {
        Failure::usage(format!("the trust anchors `{}` cannot be used", path.display()))
            .because(error)
    })?;
    Ok(loaded)
}

/// The cache's bytes are compared with the signed manifest like all others, so plain HTTP will do.
fn cache(address: Option<&str>) -> anyhow::Result<Option<Url>> {
    let Some(address) = address else { return Ok(None) };
    let url = Url::parse(address).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
    });
    let wrong = || {
        Failure::usage(format!("`{address}` is not the address of a cache"))
            .hint("write it as `http://host[:port]`")
    };
    Ok(Some(url.ok_or_else(wrong)?))
}

fn policy(path: Option<&Path>) -> anyhow::Result<Option<Policy>> {
    let Some(path) = path else { return Ok(None) };
    let bytes = shared::read_file(path, POLICY_LIMIT)?;
    let wrong = || Failure::usage(format!("the policy `{}` cannot be used", path.display()));
    let text = String::from_utf8(bytes).map_err(|error| wrong().because(error))?;
    let file: PolicyFile = toml::from_str(&text).map_err(|error| wrong().because(error))?;
    Ok(Some(file.check().map_err(|error| wrong().because(error))?))
}
