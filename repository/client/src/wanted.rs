//! What a person means by the argument that names an appliance.

use std::fmt;
use std::str::FromStr;
use stratus_model::{AppliancePath, FileKind};
use stratus_repository_api::route::{ApplianceKey, Route};

/// An appliance as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By its place in the tree.
    Path(AppliancePath),
    /// By the identifier of its image, or by a SHA-256.
    Key(ApplianceKey),
    /// By its name, with or without version.
    Name(String),
}

/// A text that names no appliance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not name an appliance; use a name (`ubuntu-24.04-x86_64-base-1.0`), a path below `/images`, an identifier of 27 characters or a SHA-256"
)]
pub struct WantedError(String);

impl FromStr for Wanted {
    type Err = WantedError;

    /// A text with a slash is a path (a URL's path counts, so that a link can be pasted), 64
    /// hexadecimal digits are a SHA-256, 27 characters of the identifier's alphabet an identifier,
    /// anything else is a name.
    ///
    /// A name that looks like an identifier is an identifier; such a name has 27 characters, and no
    /// dot.
    fn from_str(text: &str) -> Result<Self, WantedError> {
        let wrong = || {
            let shown = text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c });
            WantedError(shown.collect())
        };
        let text = text.trim();
        if let Ok(key) = text.parse::<ApplianceKey>() {
            return Ok(Self::Key(key));
        }
        if text.contains('/') {
            return path(text).map(Self::Path).ok_or_else(wrong);
        }
        let stem = without_ending(text);
        // A name is one segment of the tree.
        AppliancePath::parse(stem).map_err(|_| wrong())?;
        Ok(Self::Name(stem.to_owned()))
    }
}

/// The appliance that a path, or the path of a URL, leads to.
fn path(text: &str) -> Option<AppliancePath> {
    let below = match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url.path().to_owned(),
        _ => text.to_owned(),
    };
    let below = below.trim_start_matches('/');
    let below = below.strip_prefix("images/").unwrap_or(below);
    match Route::parse(&format!("/images/{below}")) {
        Ok(Route::File { appliance, .. }) => Some(appliance),
        Ok(Route::Folder(folder)) => AppliancePath::parse(folder.as_str()).ok(),
        _ => None,
    }
}

fn without_ending(name: &str) -> &str {
    let endings = FileKind::ALL.map(FileKind::ending);
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "/images/{path}"),
            Self::Key(key) => key.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEM: &str = "base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0";

    #[test]
    fn every_way_to_name_an_appliance_is_understood() {
        let path = Wanted::Path(AppliancePath::parse(STEM).unwrap());
        for text in [
            STEM.to_owned(),
            format!("/images/{STEM}.img.gz"),
            format!("images/{STEM}.img.manifest.xml"),
            format!("https://images.example.org:8443/images/{STEM}.img.gz"),
            format!(" {STEM}.img.gz "),
        ] {
            assert_eq!(text.parse::<Wanted>(), Ok(path.clone()), "{text}");
        }
        let name = Wanted::Name("ubuntu-24.04-x86_64-base-1.0".into());
        assert_eq!("ubuntu-24.04-x86_64-base-1.0".parse(), Ok(name.clone()));
        assert_eq!("ubuntu-24.04-x86_64-base-1.0.img.gz".parse(), Ok(name));
        assert!(matches!("MMZu9WvwKIro-rtBQfDk4PsKO7_".parse(), Ok(Wanted::Key(_))));
        assert!(matches!("0f".repeat(32).parse(), Ok(Wanted::Key(ApplianceKey::Sha256(_)))));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["", " ", "..", "../x", "a b", "/", "base/../x", "https://", "a\u{1b}[2J"] {
            let error = text.parse::<Wanted>().expect_err(text);
            assert!(!error.to_string().contains('\u{1b}'), "{text}");
        }
    }
}
