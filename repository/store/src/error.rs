//! What can go wrong with appliances, each with its noun and what to do.

use std::io;
use stratus_image::{ImageError, Mismatches};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place is taken: published with other bytes, which never change (409).
    #[error("`{path}` is published already, with other bytes; publish under another version")]
    Conflict {
        /// The appliance.
        path: String,
    },
    /// There is no such upload: never begun, finished, expired or cancelled (404).
    #[error("there is no such upload; begin it again")]
    NoUpload,
    /// There is no such appliance (404).
    #[error("`{path}` is not published here")]
    NotPublished {
        /// The appliance.
        path: String,
    },
    /// Bytes for another place than the end of what is there (409, with the offset to go on from).
    #[error("the upload goes on at byte {offset}")]
    Offset {
        /// Bytes that are there.
        offset: u64,
    },
    /// Bytes beyond the length that was announced, or another length than before.
    #[error("the upload was announced with {announced} bytes; it goes on at byte {offset}")]
    Total {
        /// The length announced first.
        announced: u64,
        /// Bytes that are there.
        offset: u64,
    },
    /// Fewer bytes than announced: the upload waits for the rest.
    #[error("the upload ends at byte {offset} of {total}; send the rest")]
    Incomplete {
        /// Bytes that are there.
        offset: u64,
        /// The length announced.
        total: u64,
    },
    /// A later request took the upload over, here or at another server (409 or 423).
    #[error("another request goes on with this upload")]
    Superseded,
    /// The disk is full (507). What is staged can be continued.
    #[error("no space left for `{what}`; free some and continue the upload")]
    NoSpace {
        /// The file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The image is larger than the site accepts (413).
    #[error("the image is larger than the {limit} bytes that are accepted here")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// All open uploads together would be larger than the site accepts (507).
    #[error("open uploads take up all of the {limit} bytes set aside for them; try again later")]
    StagingFull {
        /// The limit in bytes.
        limit: u64,
    },
    /// One person has too many uploads open (429).
    #[error("{open} uploads are open; finish or cancel one of them first")]
    TooManyUploads {
        /// How many are open.
        open: usize,
    },
    /// The bytes are no image that can be used (422).
    #[error("the image is refused")]
    Image(#[source] ImageError),
    /// The image and its manifest do not belong together (422).
    #[error("the image is not what its manifest says")]
    Mismatch(#[source] Mismatches),
    /// The manifest or deprecation cannot be used (422).
    #[error("the manifest is refused: {reason}")]
    Manifest {
        /// Why.
        reason: String,
    },
    /// Stored bytes are not what they were (500).
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The appliance.
        path: String,
        /// What was found.
        reason: String,
    },
    /// Another server uses the folder.
    #[error("`{folder}` is in use by another server; stop that one, or give each its own folder")]
    Locked {
        /// The folder.
        folder: String,
    },
    /// A setting of the store makes no sense.
    #[error("the store cannot be opened: {0}")]
    Settings(String),
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// The verb.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket did not do it (503).
    #[error("cannot {action} `{key}` in the bucket")]
    Bucket {
        /// The verb.
        action: &'static str,
        /// The object.
        key: String,
        /// What the service said.
        source: Box<object_store::Error>,
    },
    /// The index could not be read or written. It can be deleted: it is made again from the tree.
    #[error("cannot {action} the index")]
    Index {
        /// The verb.
        action: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A file of the store's own is not readable as what it should be.
    #[error("`{what}` cannot be understood")]
    Format {
        /// The file.
        what: String,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl StoreError {
    /// An error of the file system; a full disk is its own case.
    pub(crate) fn io(
        action: &'static str,
        path: impl AsRef<std::path::Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.as_ref().display().to_string();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Self::NoSpace { what: path, source }
                }
                _ => Self::Io { action, path, source },
            }
        }
    }

    pub(crate) fn bucket(
        action: &'static str,
        key: &object_store::path::Path,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.to_string();
        move |source| Self::Bucket { action, key, source: Box::new(source) }
    }

    pub(crate) fn index(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Index { action, source }
    }

    /// What an inspector says about an upload: the bytes are refused, or the machine failed.
    pub(crate) fn image(error: ImageError) -> Self {
        match error {
            ImageError::Mismatch(mismatches) => Self::Mismatch(mismatches),
            ImageError::Read(source) => {
                Self::Io { action: "read", path: "staged image".into(), source }
            }
            ImageError::Threads(source) => {
                Self::Io { action: "start threads for", path: "staged image".into(), source }
            }
            other => Self::Image(other),
        }
    }

    /// Whether the bytes that were sent are at fault, so that sending them again is of no use.
    pub fn is_about_the_bytes(&self) -> bool {
        match self {
            Self::Image(error) => error.is_about_the_bytes(),
            Self::Mismatch(_) | Self::TooLarge { .. } | Self::Manifest { .. } => true,
            _ => false,
        }
    }
}
