//! What a place that keeps appliances can do. [`crate::Store`] decides; a backend moves bytes.
//!
//! | promise | tree | bucket |
//! |---|---|---|
//! | an appliance is there when its manifest is | `link(2)`, fails if the name exists | `PUT` with `If-None-Match: *` |
//! | the manifest belongs to its image | the image is linked first, under one lock | the image has a name of its own, which the manifest's metadata give |
//! | one writer for each upload | one process (`flock`) | `PUT` of the upload's state with `If-Match` |

pub(crate) mod bucket;
pub(crate) mod tree;

use crate::upload::{Saved, UploadState};
use crate::{ImageSource, StoreError, UploadId};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use stratus_model::AppliancePath;

/// Which state of an upload was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) Option<String>);

/// Outcome of [`Backend::commit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Published; what the place calls the image.
    Done(String),
    /// Somebody published there before.
    Taken,
}

/// A published appliance as a listing of the place shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: AppliancePath,
    /// Changes when the manifest does.
    pub(crate) manifest: String,
    /// Changes when the deprecation does.
    pub(crate) deprecation: Option<String>,
}

/// A small file with all that is needed to make a record.
#[derive(Clone, Debug)]
pub(crate) struct SmallFile {
    pub(crate) bytes: Bytes,
    pub(crate) modified: Timestamp,
    pub(crate) stamp: String,
    /// Of a manifest: what the place calls the image.
    pub(crate) image_key: String,
}

/// An appliance as its place has it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) manifest: SmallFile,
    pub(crate) deprecation: Option<SmallFile>,
    pub(crate) image_bytes: u64,
}

/// The two small files of an appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Small {
    Manifest,
    Deprecation,
}

/// Where bytes of an upload go.
#[async_trait]
pub(crate) trait Spool: Send + Sync {
    /// Takes the next bytes. They need not be safe when this returns.
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError>;
    /// Bytes that whoever reads the staged file finds there now.
    fn readable(&self) -> u64;
    /// Starts making safe what is written if that is due; waits only where far behind. Tells what is
    /// newly safe.
    async fn relax(&mut self) -> Result<Option<Saved>, StoreError>;
    /// Lets other requests find all that was taken. Tells what must be noted for that.
    async fn settle(&mut self) -> Result<Option<Saved>, StoreError>;
    /// All bytes are there: makes them one image.
    async fn complete(&mut self) -> Result<(), StoreError>;
    /// The file with the bytes so far, where there is one.
    fn file(&self) -> Option<std::fs::File>;
}

/// A place that keeps uploads and appliances.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    async fn load_upload(
        &self,
        id: &UploadId,
    ) -> Result<Option<(UploadState, Version)>, StoreError>;
    /// Writes the state if it is still the one that was `seen`, else [`StoreError::Superseded`].
    async fn save_upload(&self, state: &UploadState, seen: &Version)
    -> Result<Version, StoreError>;
    async fn list_uploads(&self) -> Result<Vec<UploadState>, StoreError>;
    /// Takes away an upload with all it has, if it is still the one that was `seen`. An image that
    /// was committed stays.
    async fn remove_upload(
        &self,
        state: &UploadState,
        seen: &Version,
        committed: bool,
    ) -> Result<(), StoreError>;
    /// Puts `new` in the place of the upload that was `seen`, and takes away the image of `old`.
    async fn start_over(
        &self,
        old: &UploadState,
        new: &UploadState,
        seen: &Version,
    ) -> Result<Version, StoreError>;
    /// Takes back bytes of an unfinished image, down to `offset` or less.
    async fn rewind(&self, id: &UploadId, saved: Saved, offset: u64) -> Result<Saved, StoreError>;
    async fn spool(&self, state: &UploadState) -> Result<Box<dyn Spool>, StoreError>;
    async fn stage_manifest(&self, state: &UploadState, bytes: Bytes) -> Result<(), StoreError>;
    async fn staged_manifest(&self, state: &UploadState) -> Result<Option<Bytes>, StoreError>;
    /// The bytes of a complete staged image.
    async fn staged_image(&self, state: &UploadState) -> Result<ImageSource, StoreError>;

    /// Publishes a complete upload: after `Done` it is whole whatever happens.
    async fn commit(
        &self,
        state: &UploadState,
        seen: &Version,
        manifest: Bytes,
        published: Timestamp,
    ) -> Result<Commit, StoreError>;
    async fn list(&self) -> Result<Vec<Found>, StoreError>;
    async fn small(
        &self,
        path: &AppliancePath,
        which: Small,
    ) -> Result<Option<SmallFile>, StoreError>;
    /// Everything of several appliances that their records need, in one go.
    async fn read_back(
        &self,
        paths: Vec<AppliancePath>,
    ) -> Vec<(AppliancePath, Result<Option<Whole>, StoreError>)>;
    /// Writes the deprecation unless there is one: `false` then.
    async fn deprecate(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    async fn image(&self, path: &AppliancePath, key: &str) -> Result<ImageSource, StoreError>;
    /// Takes away a published appliance, the manifest first.
    async fn delete(&self, path: &AppliancePath, key: &str) -> Result<(), StoreError>;
    /// Tidies up after a crash. Only at the start.
    async fn recover(&self) -> Result<(), StoreError>;
    /// What no upload names and is older than `before`. In a bucket, images that are published may
    /// be among it.
    async fn stale(&self, before: Timestamp) -> Result<Vec<String>, StoreError>;
    /// Takes one of these away.
    async fn remove_stale(&self, name: &str) -> Result<(), StoreError>;
    /// Whether the place answers.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Runs file system work where waiting is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            // Go on as if it had been called here.
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends and takes no more work; whoever waits here ends with it.
            Err(_) => std::future::pending().await,
        },
    }
}
