//! `stratus-generate-cert`: a certificate and its key, for tests and first steps.

use anyhow::Result;
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stratus_terminal::{AtomicFile, Exit, Failure};
use stratus_x509::generate::{self, KeyChoice, Validity};

/// Makes a self-signed certificate and its key, for tests and first steps.
///
/// The certificate is its own trust anchor: give it to the commands that check, with `--trust`.
/// Whoever should be trusted by others asks their certificate authority instead.
#[derive(Parser)]
#[command(
    name = "stratus-generate-cert",
    version,
    after_help = "Example:
  stratus-generate-cert --subject \"/O=Example/CN=signer\" --email signer@example.org --out signer

makes signer.crt and signer.key.

  stratus-generate-cert --server localhost --server 127.0.0.1 --out server

makes server.crt and server.key for an HTTPS server of that name and address."
)]
struct Arguments {
    /// Distinguished name in slash form, most general part first
    #[arg(long, value_name = "NAME", required_unless_present = "server")]
    subject: Option<String>,
    /// A server's certificate instead, for this host name or address (may be repeated)
    #[arg(long, value_name = "HOST", conflicts_with_all = ["subject", "email"])]
    server: Vec<String>,
    /// E-mail address to put into the certificate
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Beginning of the two file names; `.crt` and `.key` are added
    #[arg(long, value_name = "PREFIX")]
    out: PathBuf,
    /// Days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Kind of key
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::P256)]
    key_type: Kind,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// ECDSA on the curve P-256
    P256,
    /// ECDSA on the curve P-384
    P384,
    /// RSA with 2048 bits
    Rsa2048,
    /// RSA with 3072 bits
    Rsa3072,
    /// RSA with 4096 bits
    Rsa4096,
}

fn main() -> ExitCode {
    stratus_terminal::run(|| make(&stratus_terminal::arguments()))
}

fn make(arguments: &Arguments) -> Result<Exit> {
    let kind = match arguments.key_type {
        Kind::Rsa2048 => KeyChoice::Rsa2048,
        Kind::Rsa3072 => KeyChoice::Rsa3072,
        Kind::Rsa4096 => KeyChoice::Rsa4096,
        Kind::P256 => KeyChoice::P256,
        Kind::P384 => KeyChoice::P384,
    };
    // A clock that is a little behind must not find it in the future.
    let from = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5);
    let validity = Validity { from, days: arguments.days.into() };
    let made = match &arguments.subject {
        Some(subject) => generate::self_signed(subject, arguments.email.as_deref(), kind, validity),
        None => generate::self_signed_server(&arguments.server, kind, validity),
    }
    .map_err(|error| Failure::usage("cannot make the certificate").because(error))?;
    let (key, cert) = (with_ending(&arguments.out, ".key"), with_ending(&arguments.out, ".crt"));
    if !arguments.force
        && let Some(there) = [&key, &cert].into_iter().find(|p| p.exists())
    {
        let failure = Failure::new(Exit::Failed, format!("`{}` is there already", there.display()));
        return Err(failure.hint("choose another `--out`, or replace it with `--force`").into());
    }
    // The key first: a certificate without its key is of no use to anybody.
    write(&key, made.key_pem.as_bytes(), AtomicFile::create_private, arguments.force)?;
    write(&cert, made.cert_pem.as_bytes(), AtomicFile::create, arguments.force)?;
    stratus_terminal::note(&format!("made {} and {}", cert.display(), key.display()));
    Ok(Exit::Done)
}

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(ending);
    path.into()
}

fn write(
    path: &Path,
    content: &[u8],
    create: fn(&Path) -> io::Result<AtomicFile>,
    replace: bool,
) -> Result<(), Failure> {
    create(path)
        .and_then(|mut file| {
            file.write_all(content)?;
            if replace { file.commit() } else { file.commit_new() }
        })
        .map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write `{}`", path.display())).because(error)
        })
}
