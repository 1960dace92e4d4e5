//! Secrets come from a file, the environment or a prompt, never from an argument: arguments are
//! visible to every user of a machine.

use crate::Failure;
use secrecy::SecretString;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use stratus_model::Exit;
use zeroize::Zeroizing;

/// Longest secret, in bytes.
const SECRET_LIMIT: u64 = 64 * 1024;

/// Where a password may come from, in this order.
#[derive(Clone, Debug, Default)]
pub struct PasswordSource {
    /// `--password-file`; `-` is standard input.
    pub file: Option<PathBuf>,
    /// Name of the environment variable.
    pub variable: Option<&'static str>,
    /// The user settings' password file.
    pub settings_file: Option<PathBuf>,
    /// The question on the terminal; none: never ask.
    pub prompt: Option<String>,
}

/// Which of them it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// `--password-file`.
    File,
    /// The environment.
    Environment,
    /// The file that the user settings name.
    Settings,
    /// The prompt.
    Prompt,
}

/// Reads a password from the first source that has one.
///
/// Fails with exit code 2 where a file cannot be read, or there is no source and no terminal to ask
/// on.
pub fn read_password(source: &PasswordSource) -> Result<(SecretString, SecretFrom), Failure> {
    if let Some(file) = &source.file {
        return Ok((read_secret_file(file)?, SecretFrom::File));
    }
    if let Some(found) = source.variable.and_then(|name| std::env::var(name).ok()) {
        return Ok((SecretString::from(found), SecretFrom::Environment));
    }
    if let Some(file) = &source.settings_file {
        return Ok((read_secret_file(file)?, SecretFrom::Settings));
    }
    match &source.prompt {
        Some(question) if io::stdin().is_terminal() && io::stderr().is_terminal() => {
            ask(question).map(|secret| (secret, SecretFrom::Prompt))
        }
        question => {
            let wanted = question.as_deref().unwrap_or("a password").trim_end_matches(':');
            let failure = Failure::usage(format!("no password was given ({wanted})"));
            Err(match source.variable {
                Some(name) => failure.hint(format!(
                    "set `{name}` or use `--password-file FILE`; without a terminal there is nobody to ask"
                )),
                None => failure.hint("use `--password-file FILE`"),
            })
        }
    }
}

/// Reads a secret from a file, without the line end at its end; `-` is standard input.
///
/// Warns where others than the owner can read the file.
pub fn read_secret_file(path: &Path) -> Result<SecretString, Failure> {
    let failed = |error: io::Error| {
        Failure::new(Exit::Usage, format!("cannot read the password file `{}`", path.display()))
            .because(error)
    };
    let text = if path == Path::new("-") {
        secret_in(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode();
        if mode & 0o077 != 0 {
            crate::warn(&format!(
                "others can read the password file `{}`; use `chmod 600`",
                path.display()
            ));
        }
        secret_in(file)
    };
    text.map_err(failed)
}

/// The file of a systemd credential of the unit that runs us, if it was handed over; `-` in it is
/// the unit's word for "is not there" (an empty `SetCredential=` is none to systemd).
pub fn credential(name: &str) -> Option<PathBuf> {
    credential_in(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?), name)
}

fn credential_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let file = folder.join(name);
    let text = Zeroizing::new(std::fs::read(&file).ok()?);
    (text.trim_ascii() != b"-").then_some(file)
}

fn secret_in(source: impl Read) -> io::Result<SecretString> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(SECRET_LIMIT + 1).read_to_end(&mut bytes)?;
    let wrong = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    if bytes.len() as u64 > SECRET_LIMIT {
        return Err(wrong("it is longer than 64 KiB"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    Ok(SecretString::from(text.to_owned()))
}

fn ask(question: &str) -> Result<SecretString, Failure> {
    inquire::Password::new(question)
        .without_confirmation()
        .with_display_mode(inquire::PasswordDisplayMode::Hidden)
        .prompt()
        .map(SecretString::from)
        .map_err(|error| Failure::usage("no password was entered").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::io::Write;

    #[test]
    fn only_the_last_line_end_is_not_part_of_a_secret() {
        for (written, secret) in [
            ("abc", "abc"),
            ("abc\n", "abc"),
            ("abc\r\n", "abc"),
            (" a b \n", " a b "),
            ("a\n\n", "a\n"),
        ] {
            let read = secret_in(written.as_bytes()).unwrap();
            assert_eq!(read.expose_secret(), secret, "{written:?}");
        }
        assert!(secret_in("\n".as_bytes()).is_err());
        assert!(secret_in([0xff].as_slice()).is_err());
        assert!(secret_in(vec![b'a'; 70_000].as_slice()).is_err());
    }

    #[test]
    fn a_credential_that_says_that_it_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(credential_in(folder.path(), "login"), None);
        let file = folder.path().join("login");
        std::fs::write(&file, "-\n").unwrap();
        assert_eq!(credential_in(folder.path(), "login"), None);
        std::fs::write(&file, "oneadmin:secret\n").unwrap();
        assert_eq!(credential_in(folder.path(), "login"), Some(file));
    }

    #[test]
    fn the_file_of_the_option_comes_before_that_of_the_settings() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"from option").unwrap();
        let source = PasswordSource {
            file: Some(file.path().to_owned()),
            settings_file: Some("/nonexistent".into()),
            ..PasswordSource::default()
        };
        let (secret, from) = read_password(&source).unwrap();
        assert_eq!((secret.expose_secret(), from), ("from option", SecretFrom::File));
        let source = PasswordSource { file: None, ..source };
        let failure = read_password(&source).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.to_string().contains("/nonexistent"));
    }

    #[test]
    fn where_nobody_can_be_asked_the_hint_names_the_ways() {
        let source = PasswordSource {
            variable: Some("STRATUS_NO_SUCH_VARIABLE"),
            ..PasswordSource::default()
        };
        let failure = read_password(&source).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.hints()[0].contains("STRATUS_NO_SUCH_VARIABLE"));
    }
}
