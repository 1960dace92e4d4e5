//! Uploads that are not published yet, as they survive a restart.

use crate::{ImageFacts, Settings};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use stratus_model::AppliancePath;
use uuid::Uuid;

/// Names the open upload of one person for one place; there is never more than one.
///
/// Made from owner and path, so that every server finds the same upload. It is no secret: whoever
/// serves it compares the owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UploadId(String);

/// A text that names no upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no upload")]
pub struct UploadIdError;

impl UploadId {
    /// The upload of `owner` for `path`.
    pub fn of(path: &AppliancePath, owner: &str) -> Self {
        let half = |text: &str| hex::encode(&Sha256::digest(text.as_bytes())[..16]);
        Self(format!("{}-{}", half(owner), half(path.as_str())))
    }

    /// The text: 32 hexadecimal digits for the owner, a dash, and 32 for the place.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both uploads are of the same person.
    pub(crate) fn same_owner(&self, other: &Self) -> bool {
        self.0[..32] == other.0[..32]
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let half = |t: &str| {
            t.len() == 32 && t.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        match text.split_once('-') {
            Some((owner, place)) if half(owner) && half(place) => Ok(Self(text.to_owned())),
            _ => Err(UploadIdError),
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An open upload as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name.
    pub id: UploadId,
    /// Where the appliance will live.
    pub path: AppliancePath,
    /// Whose it is.
    pub owner: String,
    /// Bytes of the image that are there and safe: where to go on.
    pub offset: u64,
    /// Length of the image, if it was announced.
    pub total: Option<u64>,
    /// Whether the image is complete and checked.
    pub image: bool,
    /// Whether the manifest is there.
    pub manifest: bool,
    /// When it will be taken away unless it grows.
    pub expires: Timestamp,
}

/// An open upload as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadState {
    pub(crate) id: UploadId,
    pub(crate) path: AppliancePath,
    pub(crate) owner: String,
    /// A new one for each fresh start, so that bytes of two attempts never mix.
    pub(crate) attempt: Uuid,
    pub(crate) total: Option<u64>,
    pub(crate) touched: Timestamp,
    pub(crate) image: ImageState,
    /// Length of the staged manifest.
    pub(crate) manifest: Option<u64>,
    /// A server is publishing it: nobody takes it away meanwhile.
    #[serde(default)]
    pub(crate) sealed: bool,
}

/// How far the image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ImageState {
    /// Bytes are arriving.
    Receiving(Saved),
    /// All bytes are there and checked.
    Complete(ImageFacts),
}

/// What of the bytes is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) offset: u64,
    /// The boot of the machine in which that was noted: within it, a file has all that was written.
    pub(crate) boot: Option<String>,
    /// The multipart upload in a bucket.
    pub(crate) multipart: Option<Multipart>,
}

/// An unfinished multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Multipart {
    pub(crate) id: String,
    pub(crate) part_bytes: u64,
    pub(crate) parts: Vec<PartDone>,
    /// Bytes after the last part, kept as an object of their own.
    pub(crate) tail: u64,
    /// Name of that object, a new one each time: another server may be writing its own.
    pub(crate) tail_name: String,
}

/// A part that the bucket has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartDone {
    pub(crate) bytes: u64,
    pub(crate) tag: String,
}

impl UploadState {
    pub(crate) fn new(
        path: &AppliancePath,
        owner: &str,
        total: Option<u64>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: UploadId::of(path, owner),
            path: path.clone(),
            owner: owner.to_owned(),
            attempt: Uuid::new_v4(),
            total,
            touched: now,
            image: ImageState::Receiving(Saved::default()),
            manifest: None,
            sealed: false,
        }
    }

    /// Forgets the image; its bytes belong to an attempt that is over.
    pub(crate) fn start_over(&mut self, total: Option<u64>) {
        self.attempt = Uuid::new_v4();
        self.total = total;
        self.sealed = false;
        self.image = ImageState::Receiving(Saved::default());
    }

    pub(crate) fn offset(&self) -> u64 {
        match &self.image {
            ImageState::Receiving(saved) => saved.offset,
            ImageState::Complete(facts) => facts.compressed.bytes,
        }
    }

    /// Room that the upload takes or will take, in bytes.
    pub(crate) fn room(&self) -> u64 {
        self.total.unwrap_or(0).max(self.offset())
    }

    pub(crate) fn facts(&self) -> Option<&ImageFacts> {
        match &self.image {
            ImageState::Complete(facts) => Some(facts),
            ImageState::Receiving(_) => None,
        }
    }

    pub(crate) fn expires(&self, settings: &Settings) -> Timestamp {
        self.touched.saturating_add(settings.limits.upload_age).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn show(&self, offset: u64, settings: &Settings) -> Upload {
        Upload {
            id: self.id.clone(),
            path: self.path.clone(),
            owner: self.owner.clone(),
            offset,
            total: self.total,
            image: self.facts().is_some(),
            manifest: self.manifest.is_some(),
            expires: self.expires(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_named_by_its_owner_and_place() {
        let path = |text| AppliancePath::parse(text).unwrap();
        let id = UploadId::of(&path("base/x/1.0/x-1.0"), "ann");
        assert_eq!(id, UploadId::of(&path("base/x/1.0/x-1.0"), "ann"));
        assert!(id.same_owner(&UploadId::of(&path("base/x/1.1/x-1.1"), "ann")));
        assert!(!id.same_owner(&UploadId::of(&path("base/x/1.0/x-1.0"), "bob")));
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for wrong in ["", "..", "../../etc", &id.as_str().to_uppercase(), &id.as_str()[1..]] {
            assert_eq!(wrong.parse::<UploadId>(), Err(UploadIdError), "{wrong}");
        }
    }
}
