//! `stratus-sign-manifest`: stands for an image.

use anyhow::Result;
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stratus_manifest::{
    EndorseError, EndorseOptions, Endorsed, ReadErrorKind, deprecation, endorse_with,
};
use stratus_manifest_cli::credential::CredentialOptions;
use stratus_manifest_cli::document;
use stratus_terminal::{AtomicFile, Exit, Failure};

/// Endorses and signs a manifest.
///
/// The endorsement is filled from the certificate; an endorsement and a signature that are there
/// already are replaced. The file is replaced as a whole, or not at all. Deprecations
/// (`<deprecated>`) are signed the same way.
#[derive(Parser)]
#[command(
    name = "stratus-sign-manifest",
    version,
    after_help = "Examples:
  stratus-sign-manifest vm.xml --cert signer.crt --key signer.key
  stratus-sign-manifest vm.xml --p12 signer.p12 -o vm.signed.xml
  STRATUS_KEY_PASSWORD=... stratus-sign-manifest vm.xml --p12 signer.p12"
)]
struct Arguments {
    /// The manifest; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    credential: CredentialOptions,
    /// Write here instead of into the manifest itself; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// E-mail address for the endorsement, one of the certificate's [default: its first]
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Write a manifest of a historical format anew as format 1 and sign that
    #[arg(long)]
    upgrade: bool,
}

fn main() -> ExitCode {
    stratus_terminal::run(|| sign(&stratus_terminal::arguments()))
}

fn sign(arguments: &Arguments) -> Result<Exit> {
    let bytes = document::read(&arguments.file)?;
    // A document that is no manifest is told before anybody types a password.
    let is_deprecation = look(&arguments.file, &bytes)?;
    let credential = arguments.credential.load()?;
    let options = EndorseOptions { email: arguments.email.clone(), upgrade: arguments.upgrade };
    let text = String::from_utf8_lossy(&bytes);
    let now = jiff::Timestamp::now();
    let signed = if is_deprecation {
        deprecation::endorse_with(&text, &credential, now, &options)
    } else {
        endorse_with(&text, &credential, now, &options)
    };
    let signed = signed.map_err(|error| refused(&arguments.file, error))?;
    for note in &signed.notes {
        stratus_terminal::note(&format!("note: {note}"));
    }
    write(arguments, &signed)?;
    Ok(Exit::Done)
}

/// Whether the document is a deprecation; neither that nor a manifest is a failure.
fn look(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    match stratus_manifest::read(bytes) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ReadErrorKind::UnknownFormat => {
            match deprecation::read(bytes) {
                Ok(_) => Ok(true),
                Err(other) if other.kind() == ReadErrorKind::Rules => {
                    Err(document::broken(path, &other))
                }
                Err(_) => Err(document::broken(path, &error)),
            }
        }
        Err(error) => Err(document::broken(path, &error)),
    }
}

fn refused(path: &Path, error: EndorseError) -> Failure {
    let hint = match &error {
        EndorseError::Historical(_) => Some("`--upgrade` writes it anew as format 1"),
        EndorseError::Incomplete(_) => {
            Some("make a complete manifest from the image with `stratus-build-manifest`")
        }
        EndorseError::CertificateNotValid { .. } => Some("use a certificate that is valid now"),
        _ => None,
    };
    let failure = Failure::new(Exit::Failed, format!("cannot sign `{}`", path.display()));
    let failure = failure.because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn write(arguments: &Arguments, signed: &Endorsed) -> Result<()> {
    let target = arguments.output.as_deref().unwrap_or(&arguments.file);
    if target == Path::new("-") {
        stratus_terminal::print_line(signed.xml.trim_end())?;
        return Ok(());
    }
    AtomicFile::write(target, signed.xml.as_bytes()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot write `{}`", target.display())).because(error)
    })?;
    Ok(())
}
