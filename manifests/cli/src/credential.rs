//! The certificate and key to sign with: PEM files or a PKCS#12 file.

use crate::document;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use stratus_terminal::{Exit, Failure, PasswordSource, SecretFrom, Settings, read_password};
use stratus_x509::{Credential, CredentialError};

/// Environment variable that holds the key's password.
pub const PASSWORD_VARIABLE: &str = "STRATUS_KEY_PASSWORD";
/// Largest certificate or key file, in bytes.
const FILE_LIMIT: usize = 1 << 20;
/// How often a wrong password may be typed.
const ATTEMPTS: usize = 3;

/// Options of every command that signs.
#[derive(Clone, Debug, clap::Args)]
pub struct CredentialOptions {
    /// Certificate in PEM form; certificates of authorities may follow the signer's
    #[arg(long, value_name = "FILE", env = "STRATUS_CERT")]
    pub cert: Option<PathBuf>,
    /// Private key in PEM form: PKCS#8, also encrypted, PKCS#1 or SEC1 [default: in the certificate's
    /// file, as in a grid proxy]
    #[arg(long, value_name = "FILE", env = "STRATUS_KEY", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Certificate and key in one PKCS#12 file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "key"])]
    pub p12: Option<PathBuf>,
    /// File with the key's password, `-` for standard input [environment: STRATUS_KEY_PASSWORD;
    /// otherwise you are asked]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Where the two parts come from.
enum Source {
    Pem { cert: PathBuf, key: PathBuf },
    Pkcs12(PathBuf),
}

impl CredentialOptions {
    /// Reads certificate and key, asking for a password where one is needed.
    pub fn load(&self) -> Result<Credential, Failure> {
        let source = self.source(&Settings::load()?)?;
        let (file, open) = source.opener()?;
        match open(None) {
            Err(CredentialError::PasswordNeeded) => self.with_password(&file, &open),
            other => other.map_err(|error| unusable(&file, error)),
        }
    }

    fn source(&self, settings: &Settings) -> Result<Source, Failure> {
        if let Some(file) = &self.p12 {
            return Ok(Source::Pkcs12(file.clone()));
        }
        let given = self.cert.clone().map(|cert| (cert, self.key.clone()));
        let set = || settings.cert.clone().map(|cert| (cert, settings.key.clone()));
        match given.or_else(set) {
            Some((cert, Some(key))) => Ok(Source::Pem { cert, key }),
            Some((cert, None)) if is_pem(&cert)? => Ok(Source::Pem { key: cert.clone(), cert }),
            Some((cert, None)) => Ok(Source::Pkcs12(cert)),
            None => Err(Failure::usage("there is no certificate to sign with").hint(
                "give `--cert FILE --key FILE` or `--p12 FILE`; `stratus-generate-cert` makes one for tests",
            )),
        }
    }

    /// Asks for the password; a typed one may be wrong a few times.
    fn with_password(&self, file: &Path, open: &Opener) -> Result<Credential, Failure> {
        let source = PasswordSource {
            file: self.password_file.clone(),
            variable: Some(PASSWORD_VARIABLE),
            settings_file: None,
            prompt: Some(format!("Password of {}:", file.display())),
        };
        let mut left = ATTEMPTS;
        loop {
            let (password, from) = read_password(&source)?;
            left -= 1;
            match open(Some(&password)) {
                Err(CredentialError::WrongPassword) if from == SecretFrom::Prompt && left > 0 => {
                    stratus_terminal::note("That is not the password.");
                }
                other => return other.map_err(|error| unusable(file, error)),
            }
        }
    }
}

type Opener = Box<dyn Fn(Option<&SecretString>) -> Result<Credential, CredentialError>>;

impl Source {
    /// Reads the files; the function that comes back tries a password on them.
    fn opener(self) -> Result<(PathBuf, Opener), Failure> {
        match self {
            Self::Pem { cert, key } => {
                let cert_pem = document::read_up_to(&cert, FILE_LIMIT)?;
                let key_pem = document::read_up_to(&key, FILE_LIMIT)?;
                let open: Opener =
                    Box::new(move |password| Credential::from_pem(&cert_pem, &key_pem, password));
                Ok((key, open))
            }
            Self::Pkcs12(file) => {
                let bytes = document::read_up_to(&file, FILE_LIMIT)?;
                let open: Opener = Box::new(move |password| match password {
                    Some(password) => Credential::from_pkcs12(&bytes, password),
                    None => Err(CredentialError::PasswordNeeded),
                });
                Ok((file, open))
            }
        }
    }
}

/// Whether a file is text in PEM form; a PKCS#12 file is binary.
fn is_pem(file: &Path) -> Result<bool, Failure> {
    let start = document::read_up_to(file, FILE_LIMIT)?;
    Ok(start.windows(11).any(|bytes| bytes == b"-----BEGIN "))
}

fn unusable(file: &Path, error: CredentialError) -> Failure {
    Failure::new(Exit::Failed, format!("cannot sign with `{}`", file.display())).because(error)
}
