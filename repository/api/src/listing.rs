//! What a folder of the tree contains, as data. The pages for people show the same.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stratus_model::{FileKind, TreePath};

/// A folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its path below `/images`, without slashes at the ends; empty for the root of the tree.
    pub path: String,
    /// Its folders by name.
    pub folders: Vec<FolderEntry>,
    /// Its files by name.
    pub files: Vec<FileEntry>,
}

/// A folder inside of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Where it is, from the root of the server, with a slash at the end.
    pub href: String,
}

/// A file inside of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Where it is, from the root of the server.
    pub href: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was published.
    pub modified: Timestamp,
    /// Its SHA-256 in hexadecimal, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Listing {
    /// An empty folder.
    pub fn of(path: &TreePath) -> Self {
        Self { path: path.as_str().to_owned(), ..Self::default() }
    }

    /// Brings folders and files into the order of their names, version numbers by value: `9` before
    /// `10`.
    pub fn sort(&mut self) {
        self.folders.sort_by(|a, b| natural(&a.name, &b.name));
        self.files.sort_by(|a, b| natural(&a.name, &b.name));
    }
}

impl FileEntry {
    /// The entry of one of an appliance's files.
    pub fn of(
        appliance: &stratus_model::AppliancePath,
        kind: FileKind,
        bytes: u64,
        modified: Timestamp,
        sha256: Option<String>,
    ) -> Self {
        Self {
            name: appliance.file_name(kind),
            href: crate::route::Route::file(appliance, kind).to_path(),
            media_type: kind.media_type().to_owned(),
            bytes,
            modified,
            sha256,
        }
    }
}

/// Compares names, runs of digits by their value.
pub fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (one, two) = (run(&mut left), run(&mut right));
        let numbers = one.starts_with(|c: char| c.is_ascii_digit())
            && two.starts_with(|c: char| c.is_ascii_digit());
        let order = if numbers {
            let (x, y) = (one.trim_start_matches('0'), two.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            one.cmp(two)
        };
        if order.is_ne() {
            return order;
        }
    }
    // Names that differ only in leading zeros are still two names.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes the digits, or the other characters, at the front.
fn run<'a>(text: &mut &'a str) -> &'a str {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (front, rest) = text.split_at(end);
    *text = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    #[test]
    fn versions_come_in_the_order_of_their_numbers() {
        let mut names = vec!["1.10", "1.9", "1.0", "1.0-rc1", "10.0", "2.0", "1", "01.0"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["1", "01.0", "1.0", "1.0-rc1", "1.9", "1.10", "2.0", "10.0"]);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[a-b0-1.]{0,6}", b in "[a-b0-1.]{0,6}", c in "[a-b0-1.]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
