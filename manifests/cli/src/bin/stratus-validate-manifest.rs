//! `stratus-validate-manifest`: may this manifest, and this image, be relied on?

use anyhow::Result;
use clap::Parser;
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stratus_image::ImageError;
use stratus_manifest::{Validation, validate};
use stratus_manifest_cli::document;
use stratus_manifest_cli::site::{Site, SiteOptions};
use stratus_model::{Manifest, ManifestFormat, PolicyState, SignatureState, SignerState};
use stratus_terminal::{Exit, Failure, Progress, ProgressMode, print_json, print_line};

/// Says whether a manifest, and an image, may be relied on.
///
/// Three answers: is the signature good, is the signer known to the site, is the signer allowed here.
/// Exit code 0 where all are well; 3 where the signer is not trusted or a rule refuses; 1 where the
/// manifest is malformed, its signature bad or absent, or the image another one.
#[derive(Parser)]
#[command(
    name = "stratus-validate-manifest",
    version,
    after_help = "Examples:
  stratus-validate-manifest vm.xml --trust signer.crt
  stratus-validate-manifest vm.xml --image vm.img.gz --trust /etc/grid-security/certificates
  stratus-validate-manifest vm.xml --trust signer.crt --json | jq .signature"
)]
struct Arguments {
    /// The manifest; `-` is standard input
    file: PathBuf,
    /// Also compare this image, compressed or not, with the manifest
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    site: SiteOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// The JSON object.
#[derive(Serialize)]
struct Answer<'a> {
    format: Option<ManifestFormat>,
    signature: SignatureState,
    signer: SignerState,
    policy: PolicyState,
    accepted: bool,
    endorser: Option<&'a str>,
    reasons: Vec<String>,
    manifest: Option<&'a Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageAnswer>,
}

/// What became of `--image`.
#[derive(Serialize)]
struct ImageAnswer {
    file: String,
    matches: bool,
    reasons: Vec<String>,
}

fn main() -> ExitCode {
    stratus_terminal::run(|| check(&stratus_terminal::arguments()))
}

fn check(arguments: &Arguments) -> Result<Exit> {
    let site = arguments.site.load()?;
    let bytes = document::read(&arguments.file)?;
    let now = jiff::Timestamp::now();
    let validation = validate(&bytes, site.trust.as_deref(), site.policy.as_ref(), now);
    let image =
        arguments.image.as_deref().map(|f| compare(f, &validation, arguments)).transpose()?;
    let exit = exit(&validation, image.as_ref());
    if arguments.json {
        print_json(&answer(&validation, image))?;
        return Ok(exit);
    }
    show(&validation, image.as_ref())?;
    if exit == Exit::Done {
        return Ok(exit);
    }
    Err(failure(&arguments.file, &validation, image.as_ref(), &site, exit).into())
}

/// 1 for what is wrong with the bytes, 3 for what is wrong with the person.
fn exit(validation: &Validation, image: Option<&ImageAnswer>) -> Exit {
    let unsigned =
        matches!(validation.verdict.signature, SignatureState::Bad | SignatureState::Absent);
    if validation.fault.is_some() || unsigned || image.is_some_and(|i| !i.matches) {
        Exit::Failed
    } else if validation.accepted() {
        Exit::Done
    } else {
        Exit::Refused
    }
}

fn answer(validation: &Validation, image: Option<ImageAnswer>) -> Answer<'_> {
    let verdict = &validation.verdict;
    let about_image = image.iter().flat_map(|i| i.reasons.iter().cloned());
    Answer {
        format: validation.format,
        signature: verdict.signature,
        signer: verdict.signer,
        policy: verdict.policy,
        accepted: validation.accepted(),
        endorser: validation.endorser.as_ref().map(stratus_model::Subject::as_str),
        reasons: verdict.reasons.iter().cloned().chain(about_image).collect(),
        manifest: validation.manifest.as_ref(),
        image,
    }
}

/// Compares the image with what the manifest promises. Exit code 2 where it cannot be read.
fn compare(
    file: &Path,
    validation: &Validation,
    arguments: &Arguments,
) -> Result<ImageAnswer, Failure> {
    let said = |reasons: Vec<String>| ImageAnswer {
        file: file.display().to_string(),
        matches: reasons.is_empty(),
        reasons,
    };
    let unreadable = |error: ImageError| {
        Failure::usage(format!("cannot read the image `{}`", file.display())).because(error)
    };
    let size = std::fs::metadata(file).map_err(|error| unreadable(ImageError::Read(error)))?.len();
    let Some(manifest) = &validation.manifest else {
        return Ok(said(vec![
            "the image was not compared: the manifest cannot be read".to_owned(),
        ]));
    };
    let expected = match manifest.expected() {
        Ok(expected) => expected,
        Err(error) => return Ok(said(vec![format!("the image cannot be compared: {error}")])),
    };
    let mode = ProgressMode::choose(arguments.quiet || arguments.json);
    let progress = Progress::new(mode, "reading", Some(size));
    let mut done = 0;
    let result = stratus_image::check(file, &expected, &mut |position| {
        progress.advance(position.saturating_sub(done));
        done = position;
        ControlFlow::Continue(())
    });
    progress.finish();
    match result {
        Ok(()) => Ok(said(Vec::new())),
        Err(ImageError::Read(error)) => Err(unreadable(ImageError::Read(error))),
        Err(error) => Ok(said(vec![format!("the image is not the manifest's: {error}")])),
    }
}

/// The three answers and the image, a line each.
fn show(validation: &Validation, image: Option<&ImageAnswer>) -> Result<()> {
    let verdict = &validation.verdict;
    if let Some(coordinates) = validation.manifest.as_ref().and_then(|m| m.coordinates().ok()) {
        print_line(&format!("appliance  {}", coordinates.name()))?;
    }
    let by = validation.endorser.as_ref().map(|e| format!("  {e}")).unwrap_or_default();
    let with = validation.algorithm.map(|a| format!("  {a}")).unwrap_or_default();
    print_line(&format!("signature  {}{with}", word(verdict.signature)))?;
    print_line(&format!("signer     {}{by}", word(verdict.signer)))?;
    print_line(&format!("policy     {}", word(verdict.policy)))?;
    if let Some(image) = image {
        print_line(&format!("image      {}", if image.matches { "matches" } else { "differs" }))?;
    }
    Ok(())
}

/// A state as the JSON object has it.
fn word(state: impl Serialize) -> String {
    serde_json::to_value(state)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Why it is not to be relied on, and what may help.
fn failure(
    path: &Path,
    validation: &Validation,
    image: Option<&ImageAnswer>,
    site: &Site,
    exit: Exit,
) -> Failure {
    let file = path.display();
    let mut reasons = validation.verdict.reasons.clone();
    let what = if validation.fault.is_some() {
        reasons = validation.problems.iter().map(|p| format!("{file}:{p}")).collect();
        format!("`{file}` cannot be used as a manifest")
    } else if exit == Exit::Refused {
        format!("`{file}` is not accepted")
    } else if image.is_some_and(|i| !i.matches) {
        format!("`{file}` does not vouch for this image")
    } else {
        format!("`{file}` is not rightly signed")
    };
    reasons.extend(image.iter().flat_map(|i| i.reasons.iter().cloned()));
    let mut failure = Failure::new(exit, what).because(reasons.join("\n"));
    if exit == Exit::Refused && site.trust.is_none() {
        failure = failure.hint("say whom you trust: `--trust` with the signer's certificate, its authority's, or a grid CA directory");
    }
    if validation.verdict.signature == SignatureState::Absent && validation.fault.is_none() {
        failure = failure.hint("whoever stands for the image signs with `stratus-sign-manifest`");
    }
    failure
}
