//! Places in the tree. A path that exists as a value cannot leave the tree.

use crate::text::printable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Longest segment, in bytes; below every file system's 255 with room for our endings.
const SEGMENT_LIMIT: usize = 200;
/// Longest path, in bytes.
const PATH_LIMIT: usize = 1024;
/// Most segments in a path.
const DEPTH_LIMIT: usize = 24;
/// Characters of a wrong path in a message.
const SHOWN: usize = 80;

/// A path inside the tree, relative and safe: plain segments joined by `/`, possibly none (the
/// root of the tree).
///
/// A segment starts with an ASCII letter or digit and goes on with those and `. _ + ~ -`. So there
/// is no `..`, no hidden file, no control character, no percent sign, and no second spelling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(String);

/// A path that cannot be in the tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A segment is empty, too long, or has a character that is not allowed.
    #[error(
        "`{0}` cannot be part of a path; use ASCII letters and digits first, then also `.`, `_`, `+`, `~` and `-`, at most 200"
    )]
    Segment(String),
    /// More segments or bytes than a path may have.
    #[error("the path is longer than 1024 bytes or deeper than 24 folders")]
    TooLong,
    /// The path names no file that the tree keeps.
    #[error(
        "`{0}` is not a file of the tree; files end in `.img.gz`, `.img.manifest.xml` or `.deprecated.xml`"
    )]
    Ending(String),
}

impl TreePath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// Reads a decoded path without leading slash; one trailing slash is allowed.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::root());
        }
        if text.len() > PATH_LIMIT || text.split('/').count() > DEPTH_LIMIT {
            return Err(PathError::TooLong);
        }
        match text.split('/').find(|s| !is_segment(s)) {
            Some(bad) => Err(PathError::Segment(printable(bad, SHOWN))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The path with slashes, without a leading one; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments from the root down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|s| !s.is_empty())
    }

    /// The last segment; none for the root.
    pub fn last(&self) -> Option<&str> {
        self.segments().last()
    }

    /// The folder that holds this; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or(String::new(), |(above, _)| above.to_owned())))
    }

    /// This folder's entry called `segment`.
    pub fn join(&self, segment: &str) -> Result<Self, PathError> {
        if self.0.is_empty() {
            Self::parse(segment)
        } else {
            Self::parse(&format!("{}/{segment}", self.0))
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl FromStr for TreePath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What a file of the tree is, told by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// The gzip file of the disk: `.img.gz`.
    Image,
    /// The signed description: `.img.manifest.xml`.
    Manifest,
    /// The signed statement that it should no longer be used: `.deprecated.xml`.
    Deprecation,
    /// The image's SHA-256 in `sha256sum -c` form, made on request: `.img.gz.sha256`.
    Sha256Sums,
    /// The image's SHA-512 in `sha512sum -c` form, made on request: `.img.gz.sha512`.
    Sha512Sums,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Image, Self::Manifest, Self::Deprecation, Self::Sha256Sums, Self::Sha512Sums];

    /// The ending, with its dot.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Image => ".img.gz",
            Self::Manifest => ".img.manifest.xml",
            Self::Deprecation => ".deprecated.xml",
            Self::Sha256Sums => ".img.gz.sha256",
            Self::Sha512Sums => ".img.gz.sha512",
        }
    }

    /// The media type it is served with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Image => "application/gzip",
            Self::Manifest | Self::Deprecation => "application/xml",
            Self::Sha256Sums | Self::Sha512Sums => "text/plain; charset=utf-8",
        }
    }
}

/// Where an appliance lives: the path that its files share, without their endings, for example
/// `base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppliancePath(TreePath);

impl AppliancePath {
    /// From the shared path. It has a folder and a name.
    pub fn parse(stem: &str) -> Result<Self, PathError> {
        let path = TreePath::parse(stem)?;
        match path.last() {
            Some(_) if !stem.ends_with('/') => Ok(Self(path)),
            _ => Err(PathError::Segment(printable(stem, SHOWN))),
        }
    }

    /// Splits the path of a file into the appliance and what the file is of it.
    ///
    /// `….img.deprecated.xml` is read as `….deprecated.xml`.
    pub fn of_file(file: &TreePath) -> Result<(Self, FileKind), PathError> {
        let text = file.as_str();
        let longest_first = [
            (FileKind::Sha256Sums, FileKind::Sha256Sums.ending()),
            (FileKind::Sha512Sums, FileKind::Sha512Sums.ending()),
            (FileKind::Manifest, FileKind::Manifest.ending()),
            (FileKind::Deprecation, ".img.deprecated.xml"),
            (FileKind::Deprecation, FileKind::Deprecation.ending()),
            (FileKind::Image, FileKind::Image.ending()),
        ];
        longest_first
            .into_iter()
            .find_map(|(kind, ending)| text.strip_suffix(ending).map(|stem| (stem, kind)))
            .and_then(|(stem, kind)| Some((Self::parse(stem).ok()?, kind)))
            .ok_or_else(|| PathError::Ending(printable(text, SHOWN)))
    }

    /// The shared path.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The appliance's name with version: the last segment.
    pub fn name(&self) -> &str {
        self.0.last().expect("an appliance path has a name")
    }

    /// The folder the files are in.
    pub fn folder(&self) -> TreePath {
        self.0.parent().expect("an appliance path is not the root")
    }

    /// The path of one of the files.
    pub fn file(&self, kind: FileKind) -> TreePath {
        TreePath(format!("{}{}", self.0.as_str(), kind.ending()))
    }

    /// The name of one of the files, without folders.
    pub fn file_name(&self, kind: FileKind) -> String {
        format!("{}{}", self.name(), kind.ending())
    }
}

impl fmt::Display for AppliancePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for AppliancePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for AppliancePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AppliancePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn is_segment(segment: &str) -> bool {
    segment.len() <= SEGMENT_LIMIT
        && segment.starts_with(|c: char| c.is_ascii_alphanumeric())
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_leaves_the_tree() {
        for text in [
            "..",
            "a/../b",
            "a/./b",
            "a//b",
            "/a",
            "a/.hidden",
            "a\\b",
            "a%2e%2e",
            "a/b\0",
            "a/\nb",
            "é",
            "-rf",
            "a/ b",
            "a/~b",
            "a:b",
            "a/b?",
        ] {
            assert!(TreePath::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(TreePath::parse(&"a/".repeat(600)), Err(PathError::TooLong));
        assert!(TreePath::parse(&"a".repeat(201)).is_err());
    }

    #[test]
    fn files_are_told_by_their_ending() {
        let stem = "base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0";
        for kind in FileKind::ALL {
            let file = TreePath::parse(&format!("{stem}{}", kind.ending())).unwrap();
            let (path, found) = AppliancePath::of_file(&file).unwrap();
            assert_eq!((path.as_str(), found), (stem, kind));
            assert_eq!(path.file(kind), file);
        }
        let old = TreePath::parse(&format!("{stem}.img.deprecated.xml")).unwrap();
        assert_eq!(AppliancePath::of_file(&old).unwrap().1, FileKind::Deprecation);
    }

    #[test]
    fn other_files_are_not_of_the_tree() {
        for text in ["base/x.iso", "base/.img.gz", "", "base", ".img.gz"] {
            let path = TreePath::parse(text);
            assert!(path.and_then(|p| AppliancePath::of_file(&p)).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_stays_inside(text in ".{0,60}") {
            if let Ok(path) = TreePath::parse(&text) {
                for segment in path.segments() {
                    prop_assert!(segment != ".." && segment != "." && !segment.starts_with('.'));
                    prop_assert!(segment.is_ascii() && !segment.contains(['\\', '%', '\0']));
                }
            }
        }
    }
}
