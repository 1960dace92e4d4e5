//! `stratus-download-image`: pulls an appliance and proves who made it.

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_client::{Download, FetchOptions, Form, Found, Trust, Wanted};
use stratus_model::{AppliancePath, Manifest};
use stratus_terminal::{AtomicFile, Exit, Failure, Progress, ProgressMode, Settings};
use url::Url;

mod shared;
#[path = "shared/trust.rs"]
mod trust;

/// Connections when nobody says otherwise.
const CONNECTIONS: u16 = 4;

/// Pull an appliance and prove who made it
///
/// The manifest's signature, its signer and your rules are checked before the image is fetched. The
/// image appears under its name only when its digests agree; an interrupted download goes on where
/// it stopped.
#[derive(Parser, Debug)]
#[command(name = "stratus-download-image", version, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
struct Arguments {
    /// Name, path, 27-character identifier or SHA-256
    name: Wanted,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    #[command(flatten)]
    site: trust::SiteOptions,
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

const EXAMPLES: &str = "Examples:
  stratus-download-image ubuntu-24.04-x86_64-base-1.0 --trust signer.crt
  stratus-download-image ubuntu-24.04-x86_64-base-1.0 --trust /etc/grid-security/certificates \\
      --cache http://cache.example.org:8480 -o /var/lib/images/ubuntu.img
  stratus-download-image base/ubuntu/1.0/ubuntu-1.0 --compressed --manifest ubuntu.xml --json";

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
    if arguments.output.as_deref() == Some(std::path::Path::new("-")) {
        return Err(Failure::usage("an image does not go to standard output: it is proved only when it is whole, and a reader would have used it by then")
            .hint("use `-o FILE`, and read the file after exit code 0; a file named `-` is `-o ./-`")
            .into());
    }
    let settings = Settings::load()?;
    let anchors = arguments.site.anchors(&settings)?.store();
    let policy = arguments.site.policy(&settings)?;
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
