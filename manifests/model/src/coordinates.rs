//! What an appliance is called, and how that becomes a place in the tree.

use crate::path::{AppliancePath, PathError};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// One part of an appliance's name: an operating system, a version, an architecture.
///
/// 1 to 64 characters; a letter or digit first, then also `. _ + ~ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(String);

/// A text that cannot be part of an appliance's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be part of an appliance's name; use 1 to 64 ASCII letters, digits and `.`, `_`, `+`, `~`, `-`, with a letter or digit first"
)]
pub struct PartError(String);

impl Part {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let good = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(PartError(
                text.chars()
                    .take(80)
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                    .collect(),
            ))
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// An appliance's type: `base`, `grid`, `data`, or with dots for sub-types, `grid.ce`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Part);

impl Kind {
    /// The type with its dots.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The type as folders: dots become slashes.
    pub fn as_path(&self) -> String {
        self.0.as_str().replace('.', "/")
    }
}

impl FromStr for Kind {
    type Err = PartError;

    /// Every dotted part is itself a [`Part`].
    fn from_str(text: &str) -> Result<Self, PartError> {
        let whole: Part = text.parse()?;
        text.split('.')
            .try_for_each(|part| part.parse::<Part>().map(drop))
            .map_err(|_| PartError(text.to_owned()))?;
        Ok(Self(whole))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The five things that together name an appliance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Coordinates {
    /// What it is for: `base`, `grid.ce`.
    pub kind: Kind,
    /// Operating system: `ubuntu`.
    pub os: Part,
    /// Its version: `24.04`.
    pub os_version: Part,
    /// Processor architecture: `x86_64`.
    pub arch: Part,
    /// The appliance's own version: `1.0`.
    pub version: Part,
}

impl Coordinates {
    /// `<os>-<osversion>-<arch>-<type>-<version>`, the name people use.
    pub fn name(&self) -> String {
        format!("{}-{}", self.family(), self.version)
    }

    /// The name without the version, shared by all versions of an appliance.
    pub fn family(&self) -> String {
        format!("{}-{}-{}-{}", self.os, self.os_version, self.arch, self.kind)
    }
}

/// How coordinates become a place: two templates with tokens between `#` signs.
///
/// `#type#`, `#os#`, `#osversion#`, `#arch#` and `#version#` stand for the values, and a trailing
/// underscore (`#type_#`) for the value with dots turned into slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    folder: Vec<Piece>,
    name: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value { token: Token, dots_to_slashes: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Type,
    Os,
    OsVersion,
    Arch,
    Version,
}

const TOKENS: [(&str, Token); 5] = [
    ("type", Token::Type),
    ("os", Token::Os),
    ("osversion", Token::OsVersion),
    ("arch", Token::Arch),
    ("version", Token::Version),
];

/// A layout that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A token has no closing `#` or an unknown name.
    #[error(
        "`#{0}` is not a token; known are #type#, #os#, #osversion#, #arch#, #version#, each also with a trailing underscore"
    )]
    Token(String),
    /// Two appliances with different coordinates would get the same place.
    #[error("the layout leaves out #{0}#, so two different appliances would get the same place")]
    Ambiguous(&'static str),
    /// The fixed text of the template is not a path of the tree.
    #[error("the layout makes no path of the tree")]
    Path(#[source] PathError),
}

impl Layout {
    /// The folder template used when the settings name none.
    pub const FOLDER: &'static str = "#type_#/#os#-#osversion#-#arch#-#type#/#version#";
    /// The file name template used when the settings name none; endings are added to it.
    pub const NAME: &'static str = "#os#-#osversion#-#arch#-#type#-#version#";

    /// Reads both templates and tries them on an example.
    pub fn new(folder: &str, name: &str) -> Result<Self, LayoutError> {
        let layout = Self { folder: pieces(folder)?, name: pieces(name)? };
        for (token_name, token) in TOKENS {
            let used = |p: &Piece| matches!(p, Piece::Value { token: t, .. } if *t == token);
            if !layout.folder.iter().chain(&layout.name).any(used) {
                return Err(LayoutError::Ambiguous(token_name));
            }
        }
        let part = |text: &str| text.parse().expect("a valid part");
        let example = Coordinates {
            kind: "grid.ce".parse().expect("a valid type"),
            os: part("debian"),
            os_version: part("12"),
            arch: part("x86_64"),
            version: part("1.0"),
        };
        layout.place(&example).map_err(LayoutError::Path)?;
        Ok(layout)
    }

    /// Where an appliance with these coordinates lives.
    ///
    /// Fails only where parts that are good by themselves make a path that is too long.
    pub fn place(&self, coordinates: &Coordinates) -> Result<AppliancePath, PathError> {
        let folder = render(&self.folder, coordinates);
        AppliancePath::parse(&format!("{folder}/{}", render(&self.name, coordinates)))
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::new(Self::FOLDER, Self::NAME).expect("the built-in layout is valid")
    }
}

fn pieces(template: &str) -> Result<Vec<Piece>, LayoutError> {
    let mut found = Vec::new();
    for (index, text) in template.split('#').enumerate() {
        if index % 2 == 0 {
            found.push(Piece::Text(text.to_owned()));
            continue;
        }
        let (plain, dots_to_slashes) = text.strip_suffix('_').map_or((text, false), |t| (t, true));
        let token = TOKENS
            .iter()
            .find(|(name, _)| *name == plain)
            .ok_or_else(|| LayoutError::Token(text.to_owned()))?
            .1;
        found.push(Piece::Value { token, dots_to_slashes });
    }
    if template.matches('#').count() % 2 == 1 {
        return Err(LayoutError::Token(template.rsplit('#').next().unwrap_or_default().to_owned()));
    }
    Ok(found)
}

fn render(pieces: &[Piece], c: &Coordinates) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value { token, dots_to_slashes } => {
                let value = match token {
                    Token::Type => c.kind.as_str(),
                    Token::Os => c.os.as_str(),
                    Token::OsVersion => c.os_version.as_str(),
                    Token::Arch => c.arch.as_str(),
                    Token::Version => c.version.as_str(),
                };
                if *dots_to_slashes { value.replace('.', "/") } else { value.to_owned() }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinates(kind: &str) -> Coordinates {
        Coordinates {
            kind: kind.parse().unwrap(),
            os: "sl".parse().unwrap(),
            os_version: "5.5".parse().unwrap(),
            arch: "x86_64".parse().unwrap(),
            version: "1.0".parse().unwrap(),
        }
    }

    #[test]
    fn dots_of_the_type_become_folders() {
        let path = Layout::default().place(&coordinates("grid.ce")).unwrap();
        assert_eq!(path.as_str(), "grid/ce/sl-5.5-x86_64-grid.ce/1.0/sl-5.5-x86_64-grid.ce-1.0");
        assert_eq!(path.name(), coordinates("grid.ce").name());
    }

    #[test]
    fn a_type_has_no_empty_part() {
        for text in ["", ".base", "base.", "a..b", "a/b"] {
            assert!(text.parse::<Kind>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_layout_must_tell_appliances_apart() {
        assert_eq!(
            Layout::new("#type_#", "#os#-#osversion#-#arch#"),
            Err(LayoutError::Ambiguous("version"))
        );
        assert_eq!(Layout::new("#typ#", "x"), Err(LayoutError::Token("typ".into())));
        assert!(matches!(Layout::new("#type", "x"), Err(LayoutError::Token(_))));
        assert!(matches!(Layout::new("../#type_#", Layout::NAME), Err(LayoutError::Path(_))));
    }
}
