//! What a person sets once for all commands: `~/.config/stratus/client.toml`, and for everybody on
//! the machine `/etc/stratus/client.toml`.
//!
//! Precedence: option, `STRATUS_*` environment, user file, system file. Options and environment are
//! the argument parser's; a command asks here for what they left open. The two files are merged key
//! by key. A key that is not known is refused with its place: a misspelt `trust` must not silently
//! trust something else.

use crate::Failure;
use serde::{Deserialize, Deserializer};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use stratus_model::Exit;

/// The system's file.
const SYSTEM: &str = "/etc/stratus/client.toml";
/// Longest settings file, in bytes.
const LIMIT: u64 = 256 * 1024;

/// The settings. Every key is optional; relative paths start from the file's folder, `~/` from the
/// home folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// URL of the repository.
    pub repository: Option<String>,
    /// PEM file of the authorities that vouch for the repository's TLS certificate.
    pub ca: Option<PathBuf>,
    /// Login name at the repository.
    pub user: Option<String>,
    /// File that holds the password, for its owner's eyes only.
    pub password_file: Option<PathBuf>,
    /// File that holds a token, used instead of name and password.
    pub token_file: Option<PathBuf>,
    /// Trust anchors for endorsers: a PEM file or a grid CA directory.
    pub trust: Option<PathBuf>,
    /// Rules about endorsers: a policy file.
    pub policy: Option<PathBuf>,
    /// URL of a cache to ask before the repository: `cache = "URL"`, or `url` in a table `[cache]`,
    /// as the site file has it.
    #[serde(default, deserialize_with = "cache_url")]
    pub cache: Option<String>,
    /// Certificate to sign with: PEM or PKCS#12.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Connections a download may use at the same time.
    pub connections: Option<u16>,
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It is there and cannot be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Reads both files; absent ones count as empty. Exit code 2 where one is wrong.
    pub fn load() -> Result<Self, Failure> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| home.as_ref().map(|home| home.join(".config")));
        let user = folder.map(|folder| folder.join("stratus/client.toml"));
        Self::load_from(user.as_deref(), Path::new(SYSTEM), home.as_deref()).map_err(|error| {
            Failure::new(Exit::Usage, "the settings cannot be used")
                .because(error)
                .hint(format!("known keys are {}", KEYS.join(", ")))
        })
    }

    /// Reads the two files named.
    fn load_from(
        user: Option<&Path>,
        system: &Path,
        home: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let read = |file: &Path| match text_of(file) {
            Ok(Some(text)) => Self::parse(file, &text, home),
            Ok(None) => Ok(Self::default()),
            Err(source) => Err(SettingsError::Read { file: file.to_owned(), source }),
        };
        let own = user.map(read).transpose()?.unwrap_or_default();
        Ok(own.or(read(system)?))
    }

    /// Reads the text of a file; `file` is for messages and for relative paths.
    pub fn parse(file: &Path, text: &str, home: Option<&Path>) -> Result<Self, SettingsError> {
        let mut found: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            let message = error.message().trim().replace('\n', "; ");
            SettingsError::Content { file: file.to_owned(), line, column, message }
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in found.paths() {
            *path = match (path.strip_prefix("~"), home) {
                (Ok(rest), Some(home)) => home.join(rest),
                // `join` keeps an absolute path as it is.
                _ => folder.join(&*path),
            };
        }
        Ok(found)
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [
            &mut self.ca,
            &mut self.password_file,
            &mut self.token_file,
            &mut self.trust,
            &mut self.policy,
            &mut self.cert,
            &mut self.key,
        ]
        .into_iter()
        .flatten()
    }

    /// What is set here, else what is set there. A login and its secret, a certificate and its key
    /// belong together: they are never mixed from two files.
    fn or(self, other: Self) -> Self {
        let own_login =
            self.user.is_some() || self.password_file.is_some() || self.token_file.is_some();
        let own_key = self.cert.is_some() || self.key.is_some();
        let login = if own_login { &self } else { &other };
        let signer = if own_key { &self } else { &other };
        Self {
            user: login.user.clone(),
            password_file: login.password_file.clone(),
            token_file: login.token_file.clone(),
            cert: signer.cert.clone(),
            key: signer.key.clone(),
            repository: self.repository.or(other.repository),
            ca: self.ca.or(other.ca),
            trust: self.trust.or(other.trust),
            policy: self.policy.or(other.policy),
            cache: self.cache.or(other.cache),
            connections: self.connections.or(other.connections),
        }
    }
}

/// Every key, for messages.
const KEYS: [&str; 11] = [
    "repository",
    "ca",
    "user",
    "password_file",
    "token_file",
    "trust",
    "policy",
    "cache",
    "cert",
    "key",
    "connections",
];

fn cache_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`cache` must be a URL, or a table with `url`")]
    enum Cache {
        Plain(String),
        Table { url: String },
    }
    Ok(Some(match Cache::deserialize(deserializer)? {
        Cache::Plain(url) | Cache::Table { url } => url,
    }))
}

fn text_of(file: &Path) -> io::Result<Option<String>> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    opened.take(LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 256 KiB"));
    }
    Ok(Some(text))
}

/// Line and column of a byte offset, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(
            Path::new("/home/u/.config/stratus/client.toml"),
            text,
            Some(Path::new("/home/u")),
        )
    }

    #[test]
    fn every_key_is_read_and_paths_start_from_the_file() {
        let text = r#"
            repository = "https://images.example.org"
            ca = "ca.pem"
            user = "signer"
            password_file = "~/secret"
            token_file = "token"
            trust = "/etc/grid-security/certificates"
            policy = "policy.toml"
            cache = "http://cache.example.org:3128"
            cert = "../signer.crt"
            key = "signer.key"
            connections = 8
        "#;
        for key in KEYS {
            assert!(text.contains(&format!(" {key} = ")), "{key}");
        }
        let settings = parse(text).unwrap();
        assert_eq!(settings.ca.unwrap(), Path::new("/home/u/.config/stratus/ca.pem"));
        assert_eq!(settings.password_file.unwrap(), Path::new("/home/u/secret"));
        assert_eq!(settings.trust.unwrap(), Path::new("/etc/grid-security/certificates"));
        assert_eq!(settings.connections, Some(8));
    }

    #[test]
    fn the_cache_is_named_in_either_way() {
        for text in ["cache = \"http://c:8480\"", "[cache]\nurl = \"http://c:8480\""] {
            assert_eq!(parse(text).unwrap().cache.as_deref(), Some("http://c:8480"));
        }
        assert!(parse("cache = 7").unwrap_err().to_string().contains("a table with `url`"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, place, named) in [
            ("user = \"a\"\ntrusted = \"x\"\n", ":2:1:", "trusted"),
            ("\n  user = 7\n", ":2:10:", "string"),
            ("user = \"a\"\nuser = \"b\"\n", ":2:1:", "duplicate"),
            ("user = ", ":1:", ""),
            ("connections = 70000", ":1:15:", "70000"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("/home/u/.config/stratus/client.toml"), "{error}");
            assert!(error.contains(place), "{error}");
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_users_file_wins_key_by_key_but_logins_are_never_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let (user, system) = (folder.path().join("user.toml"), folder.path().join("system.toml"));
        std::fs::write(&user, "repository = \"https://u\"\nuser = \"me\"\n").unwrap();
        std::fs::write(
            &system,
            "repository = \"https://s\"\nca = \"ca.pem\"\nuser = \"robot\"\npassword_file = \"pw\"\ncert = \"c\"\n",
        )
        .unwrap();
        let settings = Settings::load_from(Some(&user), &system, None).unwrap();
        assert_eq!(settings.repository.as_deref(), Some("https://u"));
        assert_eq!(settings.ca, Some(folder.path().join("ca.pem")));
        assert_eq!(settings.user.as_deref(), Some("me"));
        assert_eq!(settings.password_file, None);
        assert_eq!(settings.cert, Some(folder.path().join("c")));
    }

    #[test]
    fn absent_files_are_empty_settings() {
        let nowhere = Path::new("/nonexistent/client.toml");
        assert_eq!(Settings::load_from(Some(nowhere), nowhere, None).unwrap(), Settings::default());
    }
}
