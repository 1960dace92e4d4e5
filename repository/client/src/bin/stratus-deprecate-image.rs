//! `stratus-deprecate-image`: withdraws an appliance with a signed reason.

use clap::Parser;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use stratus_client::{Stored, Wanted, Withdrawal};
use stratus_model::AppliancePath;
use stratus_terminal::{Exit, Failure, PasswordSource, Settings, read_password};
use stratus_x509::{Credential, CredentialError};

mod shared;

/// Environment variable with the password of the key.
const KEY_PASSWORD: &str = "STRATUS_KEY_PASSWORD";
/// Largest certificate or key file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Withdraw an appliance with a signed reason
///
/// Published images never change and stay where they are; whoever looks for one, or pulls it, is
/// told why it should no longer be used.
#[derive(Parser, Debug)]
#[command(name = "stratus-deprecate-image", version, after_help = EXAMPLES)]
struct Arguments {
    /// Name, path, 27-character identifier or SHA-256
    name: Wanted,
    /// Why it should no longer be used
    #[arg(long)]
    reason: String,
    /// Name of the appliance to use instead
    #[arg(long, value_name = "NAME")]
    replaced_by: Option<String>,
    /// Certificate to sign with (PEM or PKCS#12)
    #[arg(long, value_name = "FILE", env = "STRATUS_CERT", help_heading = "Signing")]
    cert: Option<PathBuf>,
    /// Its private key (PEM); not needed where the certificate's file has it
    #[arg(long, value_name = "FILE", env = "STRATUS_KEY", help_heading = "Signing")]
    key: Option<PathBuf>,
    /// File with the key's password; it is also read from STRATUS_KEY_PASSWORD or a prompt
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    key_password_file: Option<PathBuf>,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  stratus-deprecate-image ubuntu-24.04-x86_64-base-1.0 --reason 'CVE-2026-0001 in openssl' \\
      --replaced-by ubuntu-24.04-x86_64-base-1.1 --cert signer.crt --key signer.key --user ann
  stratus-deprecate-image base/ubuntu/1.0/ubuntu-1.0 --reason 'end of support' --cert signer.p12";

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a AppliancePath,
    /// False where the same statement was there already.
    published: bool,
}

fn main() -> ExitCode {
    stratus_terminal::run_async(|| deprecate(stratus_terminal::arguments()))
}

async fn deprecate(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = Settings::load()?;
    let credential = credential(&arguments, &settings)?;
    let repository = arguments.repository.connect(&settings)?;
    let withdrawal = Withdrawal {
        wanted: arguments.name,
        reason: arguments.reason,
        replaced_by: arguments.replaced_by,
    };
    let published = withdrawal.publish(&repository, &credential, Timestamp::now()).await;
    let (path, stored) = published.map_err(shared::failure)?;
    if arguments.json {
        let published = stored == Stored::Published;
        stratus_terminal::print_json(&Report { path: &path, published })?;
    } else {
        stratus_terminal::note(&format!("`{}` is deprecated", path.name()));
    }
    Ok(Exit::Done)
}

fn credential(arguments: &Arguments, settings: &Settings) -> anyhow::Result<Credential> {
    let cert = arguments.cert.as_ref().or(settings.cert.as_ref()).ok_or_else(|| {
        Failure::usage("there is no certificate to sign with").hint("use `--cert FILE --key FILE`")
    })?;
    // A key of the settings belongs to the certificate of the settings.
    let own = settings.key.as_ref().filter(|_| arguments.cert.is_none());
    let key = arguments.key.as_ref().or(own);
    let certificate = shared::read_file(cert, LIMIT)?;
    let key_bytes = key.map(|path| shared::read_file(path, LIMIT)).transpose()?;
    let open = |password: Option<&SecretString>| match &key_bytes {
        Some(key) => Credential::from_pem(&certificate, key, password),
        None => Credential::load_bytes(&certificate, password),
    };
    let opened = match open(None) {
        Err(CredentialError::PasswordNeeded) => {
            let named = key.unwrap_or(cert);
            let (password, _) = read_password(&PasswordSource {
                file: arguments.key_password_file.clone(),
                variable: Some(KEY_PASSWORD),
                settings_file: None,
                prompt: Some(format!("Password of {}:", named.display())),
            })?;
            open(Some(&password))
        }
        other => other,
    };
    Ok(opened.map_err(|error| {
        Failure::usage(format!("the certificate `{}` cannot be used", cert.display()))
            .because(error)
    })?)
}
