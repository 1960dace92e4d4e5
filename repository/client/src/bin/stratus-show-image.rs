//! `stratus-show-image`: everything a repository says about one appliance.

use clap::Parser;
use std::process::ExitCode;
use stratus_client::Wanted;
use stratus_model::ByteCount;
use stratus_repository_api::search::{ApplianceDetail, Validity};
use stratus_terminal::{Exit, Settings};

mod shared;

/// Show what a repository knows about one appliance
///
/// What is shown is the repository's word. `stratus-download-image` proves it.
#[derive(Parser, Debug)]
#[command(name = "stratus-show-image", version, after_help = EXAMPLES)]
struct Arguments {
    /// Name, path, 27-character identifier or SHA-256
    name: Wanted,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  stratus-show-image ubuntu-24.04-x86_64-base-1.0 --repository https://images.example.org
  stratus-show-image MMZu9WvwKIro-rtBQfDk4PsKO7_ --json";

fn main() -> ExitCode {
    stratus_terminal::run_async(|| show(stratus_terminal::arguments()))
}

async fn show(arguments: Arguments) -> anyhow::Result<Exit> {
    let repository = arguments.repository.connect(&Settings::load()?)?;
    let detail = repository.show(&arguments.name).await.map_err(shared::failure)?;
    if arguments.json {
        stratus_terminal::print_json(&detail)?;
        return Ok(Exit::Done);
    }
    for (label, value) in lines(&detail) {
        if !value.is_empty() {
            let value: String =
                value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            stratus_terminal::print_line(&format!("{label:<12} {value}"))?;
        }
    }
    Ok(Exit::Done)
}

/// Label and value of each line; empty values are not shown.
fn lines(detail: &ApplianceDetail) -> Vec<(&'static str, String)> {
    let one = &detail.summary;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let status = match (one.status, &detail.deprecated) {
        (Validity::Valid, _) => "valid".to_owned(),
        (Validity::Expired, _) => "expired".to_owned(),
        (Validity::Deprecated, Some(reason)) => format!("deprecated: {reason}"),
        (Validity::Deprecated, None) => "deprecated".to_owned(),
    };
    let words = |value: serde_json::Result<serde_json::Value>| {
        value.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let mut lines = vec![
        ("name", one.name.clone()),
        ("title", text(&one.title)),
        ("description", text(&detail.description)),
        ("made by", text(&detail.user)),
        ("endorser", text(&one.endorser)),
        ("e-mail", text(&one.email)),
        ("signature", words(serde_json::to_value(one.signature))),
        ("signer", words(serde_json::to_value(one.signer))),
        ("policy", words(serde_json::to_value(one.policy))),
        ("status", status),
        ("use instead", text(&detail.replaced_by)),
        ("published", one.published.to_string()),
        ("valid until", one.valid.map(|at| at.to_string()).unwrap_or_default()),
        ("format", text(&one.format)),
        (
            "size",
            format!("{} ({} as served)", ByteCount(one.bytes), ByteCount(one.compressed_bytes)),
        ),
        ("identifier", text(&one.identifier)),
        ("path", one.path.clone()),
        ("image", one.links.image.clone()),
        ("manifest", one.links.manifest.clone()),
    ];
    lines.extend(
        detail.checksums.iter().map(|c| ("digest", format!("{} {}", c.algorithm, c.value))),
    );
    let served = detail.compressed.checksums.iter();
    lines.extend(served.map(|c| ("as served", format!("{} {}", c.algorithm, c.value))));
    lines.extend(detail.reasons.iter().map(|reason| ("remark", reason.clone())));
    lines.extend(detail.comments.iter().map(|comment| ("comment", comment.clone())));
    lines.extend(detail.versions.iter().map(|v| {
        let mark = match v.status {
            Validity::Valid => "",
            Validity::Expired => ", expired",
            Validity::Deprecated => ", deprecated",
        };
        ("version", format!("{} ({}){mark}", v.version, v.path))
    }));
    lines
}
