//! `stratus-upload-image`: publishes an image and its signed manifest.

use clap::Parser;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_client::{ClientError, Publication, Sent, Stored};
use stratus_model::{AppliancePath, FileKind};
use stratus_repository_api::route::Route;
use stratus_terminal::{Exit, Failure, Progress, ProgressMode, Settings};

mod shared;

/// Publish an image and its signed manifest in a repository
///
/// The image goes first and continues where an interrupted upload stopped; the manifest follows and
/// publishes both. Publishing the same appliance again changes nothing.
#[derive(Parser, Debug)]
#[command(name = "stratus-upload-image", version, after_help = EXAMPLES)]
struct Arguments {
    /// The gzip file of the disk image
    image: PathBuf,
    /// Its signed manifest
    manifest: PathBuf,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Compare the whole image with the manifest's digests before anything is sent
    #[arg(long)]
    check: bool,
    /// Publish at this path below /images (without ending), where the repository has its own layout
    #[arg(long, value_name = "PATH", value_parser = AppliancePath::parse)]
    path: Option<AppliancePath>,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  stratus-upload-image vm.img.gz vm.xml --repository https://images.example.org --user ann
  STRATUS_TOKEN=… stratus-upload-image vm.img.gz vm.xml --check --json
  stratus-upload-image vm.img.gz vm.xml --path base/ubuntu/1.0/ubuntu-1.0";

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a AppliancePath,
    image: String,
    manifest: String,
    /// Whether it was published now; false where it was there already.
    published: bool,
    /// Byte from which the image was sent; absent where the repository had all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_from: Option<u64>,
}

fn main() -> ExitCode {
    stratus_terminal::run_async(|| upload(stratus_terminal::arguments()))
}

/// What is wrong with a file of this machine is no question of trust: one that is not there was named
/// wrongly, as a manifest is, and one that is no image, or another, has failed its check.
fn local(error: ClientError) -> anyhow::Error {
    let exit = match error {
        ClientError::File { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    let hints = error.hints();
    let failure = Failure::new(exit, error.to_string()).because(error);
    hints.into_iter().fold(failure, Failure::hint).into()
}

async fn upload(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = Settings::load()?;
    let limit = stratus_manifest::SIZE_LIMIT as u64;
    let manifest = shared::read_file(&arguments.manifest, limit)?;
    let mut publication = Publication::read(manifest, &arguments.manifest, Timestamp::now())
        .map_err(shared::failure)?;
    if let Some(path) = arguments.path.clone() {
        publication = publication.at(path);
    }
    publication.notes().iter().for_each(|note| stratus_terminal::warn(note));
    publication.check_quickly(&arguments.image).map_err(local)?;
    let mode = ProgressMode::choose(arguments.quiet);
    let size = std::fs::metadata(&arguments.image).map(|m| m.len()).ok();
    if arguments.check {
        let progress = Progress::new(mode, "checking", size);
        let checked = publication.check(&arguments.image, &progress);
        progress.finish();
        checked.map_err(local)?;
    }
    let repository = arguments.repository.connect(&settings)?;
    let progress = Progress::new(mode, "uploading", size);
    let published = publication.publish(&repository, &arguments.image, &progress).await;
    progress.finish();
    let (sent, stored) = published.map_err(shared::failure)?;
    let url = |kind| repository.url(&Route::file(publication.place(), kind)).to_string();
    if stored == Stored::Waiting {
        return Err(Failure::new(Exit::Failed, "the repository waits for an image that it had")
            .hint("start the upload again")
            .into());
    }
    let report = Report {
        path: publication.place(),
        image: url(FileKind::Image),
        manifest: url(FileKind::Manifest),
        published: stored == Stored::Published,
        sent_from: match sent {
            Sent::From(byte) => Some(byte),
            Sent::NotNeeded => None,
        },
    };
    if arguments.json {
        stratus_terminal::print_json(&report)?;
    } else {
        if !report.published && !arguments.quiet {
            stratus_terminal::note("it was published before; nothing changed");
        }
        stratus_terminal::print_line(&report.image)?;
    }
    Ok(Exit::Done)
}
