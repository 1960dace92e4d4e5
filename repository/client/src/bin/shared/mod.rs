//! What all commands of this crate have in common: where the repository is and who we are there.

use anyhow::Context;
use clap::Args;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use stratus_client::{ClientError, Connection, Login, Patience, Repository};
use stratus_terminal::{Exit, Failure, PasswordSource, Settings, read_password, read_secret_file};

/// Environment variable with the password.
const PASSWORD: &str = "STRATUS_PASSWORD";
/// Environment variable with a token.
const TOKEN: &str = "STRATUS_TOKEN";
/// Largest PEM file that is read, in bytes.
const PEM_LIMIT: u64 = 16 << 20;

/// Options about the repository.
#[derive(Args, Debug)]
#[command(next_help_heading = "Repository")]
pub(crate) struct RepositoryOptions {
    /// Address of the repository
    #[arg(long, value_name = "URL", env = "STRATUS_REPOSITORY")]
    pub(crate) repository: Option<String>,
    /// Authorities that vouch for the repository's TLS certificate (PEM), instead of the system's
    #[arg(long, value_name = "FILE", env = "STRATUS_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// Login name; the password is read from STRATUS_PASSWORD, a file or a prompt, a token from
    /// STRATUS_TOKEN
    #[arg(long, value_name = "NAME", env = "STRATUS_USER")]
    pub(crate) user: Option<String>,
    /// File with the password; `-` is standard input
    #[arg(long, value_name = "FILE", env = "STRATUS_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl RepositoryOptions {
    /// Prepares the connection, with whatever login there is.
    pub(crate) fn connect(&self, settings: &Settings) -> anyhow::Result<Repository> {
        let address = self.repository.clone().or_else(|| settings.repository.clone());
        let address = address.ok_or_else(|| {
            Failure::usage("no repository is named").hint(
                "use `--repository URL`, `STRATUS_REPOSITORY`, or `repository = \"URL\"` in `~/.config/stratus/client.toml`",
            )
        })?;
        let ca = self.ca.as_ref().or(settings.ca.as_ref());
        let authorities = ca.map(|path| read_file(path, PEM_LIMIT)).transpose()?;
        let login = self.login(settings)?;
        let connection = Connection { address, authorities, login, patience: Patience::default() };
        Repository::new(&connection).map_err(failure)
    }

    /// An option wins over the environment, that over the settings. A name without a secret asks
    /// for the password.
    fn login(&self, settings: &Settings) -> Result<Option<Login>, Failure> {
        let named = self.user.is_some();
        if !named && self.password_file.is_none() {
            if let Some(token) = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
                return Ok(Some(Login::Token(SecretString::from(token))));
            }
            if let Some(file) = &settings.token_file {
                return Ok(Some(Login::Token(read_secret_file(file)?)));
            }
        }
        let Some(user) = self.user.clone().or_else(|| settings.user.clone()) else {
            return match &self.password_file {
                Some(_) => {
                    Err(Failure::usage("there is a password and no name").hint("use `--user NAME`"))
                }
                None => Ok(None),
            };
        };
        let source = PasswordSource {
            file: self.password_file.clone(),
            variable: Some(PASSWORD),
            settings_file: settings.password_file.clone().filter(|_| !named),
            prompt: Some(format!("Password of {user}:")),
        };
        let (password, _) = read_password(&source)?;
        Ok(Some(Login::Password { user, password }))
    }
}

/// A library's error with its exit code and hints.
pub(crate) fn failure(error: ClientError) -> anyhow::Error {
    let mut failure = Failure::new(error.exit(), error.to_string());
    for hint in error.hints() {
        failure = failure.hint(hint);
    }
    failure.because(error).into()
}

/// Reads a file of a bounded size; what is wrong with it is wrong usage.
pub(crate) fn read_file(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, limit + 1), &mut bytes)?;
        Ok(bytes)
    };
    let failed = || Failure::new(Exit::Usage, format!("cannot read `{}`", path.display()));
    let bytes = read().map_err(|error| failed().because(error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::new(Exit::Failed, format!("`{}` is too large", path.display()))
            .hint(format!("at most {limit} bytes are read")))
        .context("the file cannot be used");
    }
    Ok(bytes)
}
