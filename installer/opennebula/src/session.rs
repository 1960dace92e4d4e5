//! Who calls.

use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;

/// A user with a password or a login token. Neither is ever printed.
#[derive(Clone, Debug)]
pub struct Session {
    user: String,
    secret: SecretString,
}

impl Session {
    /// A user name, without a colon, and a password or token.
    pub fn new(user: &str, secret: SecretString) -> Result<Self, Error> {
        if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
            let problem =
                "the OpenNebula user name is empty, or has a colon or a control character";
            return Err(Error::Settings(problem.to_owned()));
        }
        if secret.expose_secret().is_empty() {
            return Err(Error::Settings(format!(
                "the password of OpenNebula user `{user}` is empty"
            )));
        }
        Ok(Self { user: user.to_owned(), secret })
    }

    /// Reads `user:password`, the content of `/var/lib/one/.one/one_auth`.
    pub fn from_auth_file(content: &SecretString) -> Result<Self, Error> {
        let line = content.expose_secret().lines().next().unwrap_or_default().trim();
        let (user, secret) = line.split_once(':').ok_or_else(|| {
            Error::Settings("OpenNebula's credentials are not of the form `user:password`".into())
        })?;
        Self::new(user, secret.to_owned().into())
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The first parameter of every call.
    pub(crate) fn parameter(&self) -> SecretString {
        format!("{}:{}", self.user, self.secret.expose_secret()).into()
    }
}
