//! `stratus-policy-image`: may this appliance be used here?

use clap::Parser;
use jiff::Timestamp;
use serde::Serialize;
use std::process::ExitCode;
use stratus_client::{ClientError, Download, FetchOptions, Found, Trust, Wanted};
use stratus_model::{Exit, FileKind};
use stratus_repository_api::route::Route;
use stratus_terminal::{Failure, Settings};

mod shared;
#[path = "shared/trust.rs"]
mod trust;

/// Say whether the site's policy lets an appliance be used
///
/// Asks the repository for the signed manifest and nothing else. Signature, signer, the rules and
/// lists of the policy file, and a withdrawal by the endorser decide. An appliance that may be used
/// is answered with the address of its image and exit code 0, one that is refused with the reasons
/// and exit code 3, one whose manifest is malformed with 1; so a hook or a script can ask before it
/// pulls.
#[derive(Parser, Debug)]
#[command(
    name = "stratus-policy-image",
    version,
    after_help = "Examples:
  stratus-policy-image ubuntu-24.04-x86_64-base-1.0 --policy policy.toml --trust signers.pem
  stratus-policy-image MMZu9WvwKIro-rtBQfDk4PsKO7_ --policy /etc/stratus/stratus.toml --json
  url=$(stratus-policy-image ubuntu-24.04-x86_64-base-1.0) && curl -O \"$url\"

A policy file:
  [[endorsers]]
  path = \"base/**\"
  subject = \"/O=Example/CN=*\"
  [filters]
  black_endorsers = [\"/O=Example/CN=left us\"]
  black_checksums = [\"sha256:...\"]"
)]
struct Arguments {
    /// Name, path, 27-character identifier or SHA-256
    name: Wanted,
    #[command(flatten)]
    site: trust::SiteOptions,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Decision<'a> {
    allowed: bool,
    path: Option<&'a str>,
    url: Option<&'a str>,
    endorser: Option<&'a str>,
    /// Why it is refused; of one that may be used, what a person should know.
    reasons: &'a [String],
}

fn main() -> ExitCode {
    stratus_terminal::run_async(|| decide(stratus_terminal::arguments()))
}

async fn decide(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = Settings::load()?;
    let policy = arguments.site.policy(&settings)?.ok_or_else(|| {
        Failure::usage("no policy is named").hint(
            "use `--policy FILE`, `STRATUS_POLICY`, or `policy = \"FILE\"` in `~/.config/stratus/client.toml` or `/etc/stratus/client.toml`",
        )
    })?;
    let anchors = arguments.site.anchors(&settings)?.store();
    let repository = arguments.repository.connect(&settings)?;
    let question = Download {
        wanted: arguments.name,
        trust: Trust { anchors: &anchors, policy: Some(&policy), now: Timestamp::now() },
        target: None,
        options: FetchOptions::default(),
        even_if_deprecated: false,
        cache: None,
    };
    match question.find(&repository).await {
        Ok(found) => {
            let url = repository.url(&Route::file(&found.path, FileKind::Image));
            allowed(&found, url.as_str(), arguments.json)
        }
        Err(ClientError::NotAccepted(refused)) if arguments.json => {
            stratus_terminal::print_json(&Decision {
                allowed: false,
                path: None,
                url: None,
                endorser: None,
                reasons: &refused.reasons,
            })?;
            Ok(refused.exit)
        }
        Err(error) => Err(shared::failure(error)),
    }
}

fn allowed(found: &Found, url: &str, json: bool) -> anyhow::Result<Exit> {
    if json {
        let endorsement = found.manifest.endorsement.as_ref();
        stratus_terminal::print_json(&Decision {
            allowed: true,
            path: Some(found.path.as_str()),
            url: Some(url),
            endorser: endorsement
                .and_then(|e| e.endorser.subject.as_ref())
                .map(stratus_model::Subject::as_str),
            reasons: &found.notes,
        })?;
    } else {
        found.notes.iter().for_each(|note| stratus_terminal::warn(note));
        stratus_terminal::print_line(url)?;
    }
    Ok(Exit::Done)
}
