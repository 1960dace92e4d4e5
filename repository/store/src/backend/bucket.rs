//! Appliances in a bucket that several servers share.
//!
//! ```text
//! <prefix>/images/<path>.img.manifest.xml    the commit record; its metadata name the image
//!                /<path>.deprecated.xml
//! <prefix>/blobs/<attempt>.img.gz            images, each attempt of an upload under its own name
//! <prefix>/staging/<upload id>/state.json    who, where, how far; changed only by If-Match
//!                             /manifest.xml
//!                             /tail-<any>    bytes that do not fill a part yet
//! ```
//!
//! An image becomes an object by a multipart upload under a name that nobody else uses. Publishing
//! is one conditional PUT of the manifest: of two servers exactly one succeeds, and since the image's
//! name goes with it, manifest and image always belong together.
//!
//! Before that PUT the upload's state is sealed, also by a conditional PUT, and whoever takes an
//! upload away changes its state by one as well: so an image is never removed between the decision
//! to publish it and its publication.
//!
//! The service must have conditional writes (`If-None-Match: *` and `If-Match` on PUT), and should
//! have a rule that ends multipart uploads that were left unfinished for a week.

mod spool;

use super::{Backend, Commit, Found, Small, SmallFile, Spool, Version, Whole};
use crate::image_source::RemoteImage;
use crate::upload::{ImageState, Saved, UploadState};
use crate::{Bucket, ImageSource, StoreError, UploadId, fault};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion,
};
use spool::BucketSpool;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use stratus_model::{AppliancePath, FileKind, TreePath};

/// Metadata of a manifest: the name of its image.
const IMAGE: &str = "stratus-image";
/// Metadata: when it was published, in milliseconds since 1970.
const PUBLISHED: &str = "stratus-published";
/// How long a server may take between sealing an upload and publishing it.
const SEAL_MINUTES: i64 = 15;
/// Largest manifest or deprecation that is read back.
const SMALL_LIMIT: u64 = 4 << 20;

/// A bucket, or a folder of one.
#[derive(Clone, Debug)]
pub(crate) struct BucketPlace {
    store: Arc<AmazonS3>,
    prefix: String,
}

impl BucketPlace {
    pub(crate) fn open(bucket: &Bucket) -> Result<Self, StoreError> {
        let builder = match &bucket.credentials {
            Some(keys) => AmazonS3Builder::new()
                .with_access_key_id(&keys.access_key_id)
                .with_secret_access_key(&keys.secret_access_key),
            None => AmazonS3Builder::from_env(),
        };
        let mut builder = builder
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder
                .with_endpoint(endpoint.as_str().trim_end_matches('/'))
                .with_allow_http(endpoint.scheme() == "http");
        }
        let store = builder.build().map_err(|error| StoreError::Settings(error.to_string()))?;
        Ok(Self { store: Arc::new(store), prefix: bucket.prefix.trim_matches('/').to_owned() })
    }

    fn key(&self, name: &str) -> Path {
        // Names of the tree and of uploads are plain ASCII, so that nothing is encoded.
        if self.prefix.is_empty() {
            Path::from(name)
        } else {
            Path::from(format!("{}/{name}", self.prefix))
        }
    }

    fn name<'a>(&self, key: &'a Path) -> Option<&'a str> {
        let name = key.as_ref().strip_prefix(&self.prefix)?;
        Some(name.trim_start_matches('/'))
    }

    fn staged(&self, id: &UploadId, file: &str) -> Path {
        self.key(&format!("staging/{id}/{file}"))
    }

    fn blob_name(state: &UploadState) -> String {
        format!("blobs/{}.img.gz", state.attempt)
    }

    async fn get(&self, key: &Path) -> Result<Option<GetResult>, StoreError> {
        match self.store.get(key).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::bucket("read", key)(error)),
        }
    }

    async fn put(&self, key: &Path, bytes: Bytes, mode: PutMode) -> Result<Version, StoreError> {
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(key, PutPayload::from_bytes(bytes), options).await {
            Ok(done) => Ok(Version(done.e_tag)),
            Err(
                Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. },
            ) => Err(StoreError::Superseded),
            Err(error) => Err(StoreError::bucket("write", key)(error)),
        }
    }

    async fn delete_key(&self, key: &Path) -> Result<(), StoreError> {
        match self.store.delete(key).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::bucket("remove", key)(error)),
        }
    }

    async fn whole(&self, path: &AppliancePath) -> Result<Option<Whole>, StoreError> {
        let Some(manifest) = self.small(path, Small::Manifest).await? else { return Ok(None) };
        let deprecation = self.small(path, Small::Deprecation).await?;
        let image_bytes = self.image_of(&manifest.image_key).await?.bytes;
        Ok(Some(Whole { manifest, deprecation, image_bytes }))
    }

    async fn image_of(&self, name: &str) -> Result<RemoteImage, StoreError> {
        let key = self.key(name);
        let found = self.store.head(&key).await.map_err(StoreError::bucket("look at", &key))?;
        let store: Arc<dyn ObjectStore> = self.store.clone();
        Ok(RemoteImage { store, key, bytes: found.size })
    }

    /// Removes the bytes of an attempt, unless they were published.
    async fn remove_bytes(&self, state: &UploadState) -> Result<(), StoreError> {
        let blob = Self::blob_name(state);
        let published = self.small(&state.path, Small::Manifest).await?;
        if published.is_some_and(|manifest| manifest.image_key == blob) {
            return Ok(());
        }
        let key = self.key(&blob);
        if let ImageState::Receiving(Saved { multipart: Some(multipart), .. }) = &state.image {
            match self.store.abort_multipart(&key, &multipart.id).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(StoreError::bucket("end the upload of", &key)(error)),
            }
        }
        self.delete_key(&key).await
    }

    async fn remove_tails(&self, id: &UploadId) -> Result<(), StoreError> {
        let folder = self.key(&format!("staging/{id}"));
        let files = self.store.list(Some(&folder)).map_ok(|meta| meta.location);
        let files: Vec<Path> =
            files.try_collect().await.map_err(StoreError::bucket("list", &folder))?;
        for file in files.iter().filter(|f| f.filename().is_some_and(|n| n.starts_with("tail-"))) {
            self.delete_key(file).await?;
        }
        Ok(())
    }

    /// Whether the upload may be taken away: not while another server publishes it.
    fn refuse_sealed(state: &UploadState) -> Result<(), StoreError> {
        let since = Timestamp::now().duration_since(state.touched);
        if state.sealed && since.as_mins() < SEAL_MINUTES {
            return Err(StoreError::Superseded);
        }
        Ok(())
    }
}

fn text(state: &UploadState) -> Result<Bytes, StoreError> {
    serde_json::to_vec(state)
        .map(Bytes::from)
        .map_err(|source| StoreError::Format { what: "state.json".into(), source })
}

fn update(seen: &Version) -> PutMode {
    match &seen.0 {
        None => PutMode::Create,
        Some(tag) => PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None }),
    }
}

fn metadata(attributes: &Attributes, name: &'static str) -> Option<String> {
    attributes.get(&Attribute::Metadata(name.into())).map(|value| value.as_ref().to_owned())
}

#[async_trait]
impl Backend for BucketPlace {
    async fn load_upload(
        &self,
        id: &UploadId,
    ) -> Result<Option<(UploadState, Version)>, StoreError> {
        let key = self.staged(id, "state.json");
        let Some(found) = self.get(&key).await? else { return Ok(None) };
        let version = Version(found.meta.e_tag.clone());
        let bytes = found.bytes().await.map_err(StoreError::bucket("read", &key))?;
        let state = serde_json::from_slice(&bytes)
            .map_err(|source| StoreError::Format { what: key.to_string(), source })?;
        Ok(Some((state, version)))
    }

    async fn save_upload(
        &self,
        state: &UploadState,
        seen: &Version,
    ) -> Result<Version, StoreError> {
        self.put(&self.staged(&state.id, "state.json"), text(state)?, update(seen)).await
    }

    async fn list_uploads(&self) -> Result<Vec<UploadState>, StoreError> {
        let folder = self.key("staging");
        let keys: Vec<Path> = self
            .store
            .list(Some(&folder))
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(StoreError::bucket("list", &folder))?;
        let ids =
            keys.iter().filter(|key| key.filename() == Some("state.json")).filter_map(|key| {
                self.name(key)?
                    .strip_prefix("staging/")?
                    .split('/')
                    .next()?
                    .parse::<UploadId>()
                    .ok()
            });
        let loads: Vec<UploadId> = ids.collect();
        let states = futures_util::stream::iter(loads)
            .map(|id| async move { self.load_upload(&id).await })
            .buffer_unordered(16);
        let found: Vec<Option<(UploadState, Version)>> = states.try_collect().await?;
        Ok(found.into_iter().flatten().map(|(state, _)| state).collect())
    }

    async fn remove_upload(
        &self,
        state: &UploadState,
        seen: &Version,
        committed: bool,
    ) -> Result<(), StoreError> {
        if !committed {
            Self::refuse_sealed(state)?;
            // From here on no other server can publish the attempt.
            let mut gone = state.clone();
            gone.start_over(None);
            self.save_upload(&gone, seen).await?;
            self.remove_bytes(state).await?;
        }
        self.remove_tails(&state.id).await?;
        self.delete_key(&self.staged(&state.id, "manifest.xml")).await?;
        fault::point("staging-half-removed");
        self.delete_key(&self.staged(&state.id, "state.json")).await
    }

    async fn start_over(
        &self,
        old: &UploadState,
        new: &UploadState,
        seen: &Version,
    ) -> Result<Version, StoreError> {
        Self::refuse_sealed(old)?;
        let version = self.save_upload(new, seen).await?;
        self.remove_bytes(old).await?;
        self.remove_tails(&old.id).await?;
        Ok(version)
    }

    async fn rewind(
        &self,
        _id: &UploadId,
        mut saved: Saved,
        offset: u64,
    ) -> Result<Saved, StoreError> {
        // Parts cannot be read back, so only whole ones can be kept.
        let mut end = 0;
        if let Some(multipart) = &mut saved.multipart {
            let kept = multipart.parts.iter().take_while(|part| {
                let fits = end + part.bytes <= offset;
                end += if fits { part.bytes } else { 0 };
                fits
            });
            let kept = kept.count();
            multipart.parts.truncate(kept);
            multipart.tail = 0;
        }
        Ok(Saved { offset: end, ..saved })
    }

    async fn spool(&self, state: &UploadState) -> Result<Box<dyn Spool>, StoreError> {
        let blob = self.key(&Self::blob_name(state));
        let folder = self.key(&format!("staging/{}", state.id));
        let store = Arc::clone(&self.store);
        Ok(Box::new(BucketSpool::open(store, blob, folder, state).await?))
    }

    async fn stage_manifest(&self, state: &UploadState, bytes: Bytes) -> Result<(), StoreError> {
        let key = self.staged(&state.id, "manifest.xml");
        self.put(&key, bytes, PutMode::Overwrite).await.map(drop)
    }

    async fn staged_manifest(&self, state: &UploadState) -> Result<Option<Bytes>, StoreError> {
        let key = self.staged(&state.id, "manifest.xml");
        match self.get(&key).await? {
            Some(found) => found.bytes().await.map(Some).map_err(StoreError::bucket("read", &key)),
            None => Ok(None),
        }
    }

    async fn staged_image(&self, state: &UploadState) -> Result<ImageSource, StoreError> {
        self.image_of(&Self::blob_name(state)).await.map(ImageSource::Remote)
    }

    async fn commit(
        &self,
        state: &UploadState,
        seen: &Version,
        manifest: Bytes,
        published: Timestamp,
    ) -> Result<Commit, StoreError> {
        let sealed = UploadState { sealed: true, touched: published, ..state.clone() };
        self.save_upload(&sealed, seen).await?;
        fault::point("before-publish");
        let blob = Self::blob_name(state);
        let attributes: Attributes = [
            (Attribute::Metadata(IMAGE.into()), blob.clone()),
            (Attribute::Metadata(PUBLISHED.into()), published.as_millisecond().to_string()),
            (Attribute::ContentType, "application/xml".to_owned()),
        ]
        .into_iter()
        .collect();
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let key = self.key(&format!("images/{}", state.path.file(FileKind::Manifest)));
        match self.store.put_opts(&key, PutPayload::from_bytes(manifest), options).await {
            Ok(_) => {}
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                // The answer to our own PUT may have been lost, and the PUT repeated.
                let there = self.small(&state.path, Small::Manifest).await?;
                if there.is_none_or(|manifest| manifest.image_key != blob) {
                    return Ok(Commit::Taken);
                }
            }
            Err(error) => return Err(StoreError::bucket("publish", &key)(error)),
        }
        fault::point("manifest-linked");
        Ok(Commit::Done(blob))
    }

    async fn list(&self) -> Result<Vec<Found>, StoreError> {
        let folder = self.key("images");
        let mut found: BTreeMap<AppliancePath, (Option<String>, Option<String>)> = BTreeMap::new();
        let mut objects = self.store.list(Some(&folder));
        while let Some(meta) =
            objects.try_next().await.map_err(StoreError::bucket("list", &folder))?
        {
            let file = self.name(&meta.location).and_then(|name| name.strip_prefix("images/"));
            let Some(Ok(file)) = file.map(TreePath::parse) else { continue };
            let stamp = meta.e_tag.unwrap_or_default();
            match AppliancePath::of_file(&file) {
                Ok((path, FileKind::Manifest)) => found.entry(path).or_default().0 = Some(stamp),
                Ok((path, FileKind::Deprecation)) => found.entry(path).or_default().1 = Some(stamp),
                _ => {}
            }
        }
        let published = |(path, (manifest, deprecation))| {
            Some(Found { path, manifest: manifest?, deprecation })
        };
        Ok(found.into_iter().filter_map(published).collect())
    }

    async fn small(
        &self,
        path: &AppliancePath,
        which: Small,
    ) -> Result<Option<SmallFile>, StoreError> {
        let kind = match which {
            Small::Manifest => FileKind::Manifest,
            Small::Deprecation => FileKind::Deprecation,
        };
        let key = self.key(&format!("images/{}", path.file(kind)));
        let Some(found) = self.get(&key).await? else { return Ok(None) };
        if found.meta.size > SMALL_LIMIT {
            let reason = format!("`{key}` is larger than 4 MiB");
            return Err(StoreError::Manifest { reason });
        }
        let millisecond = metadata(&found.attributes, PUBLISHED).and_then(|t| t.parse().ok());
        let modified = millisecond.unwrap_or_else(|| found.meta.last_modified.timestamp_millis());
        let image_key = metadata(&found.attributes, IMAGE).unwrap_or_default();
        let stamp = found.meta.e_tag.clone().unwrap_or_default();
        let bytes = found.bytes().await.map_err(StoreError::bucket("read", &key))?;
        let modified = Timestamp::from_millisecond(modified).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some(SmallFile { bytes, modified, stamp, image_key }))
    }

    async fn read_back(
        &self,
        paths: Vec<AppliancePath>,
    ) -> Vec<(AppliancePath, Result<Option<Whole>, StoreError>)> {
        let read = async |path: AppliancePath| {
            let whole = self.whole(&path).await;
            (path, whole)
        };
        futures_util::stream::iter(paths).map(read).buffered(8).collect().await
    }

    async fn deprecate(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = self.key(&format!("images/{}", path.file(FileKind::Deprecation)));
        let attributes: Attributes =
            [(Attribute::Metadata(PUBLISHED.into()), now.as_millisecond().to_string())]
                .into_iter()
                .collect();
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        fault::point("deprecation-written");
        match self.store.put_opts(&key, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(StoreError::bucket("write", &key)(error)),
        }
    }

    async fn image(&self, _path: &AppliancePath, key: &str) -> Result<ImageSource, StoreError> {
        self.image_of(key).await.map(ImageSource::Remote)
    }

    async fn delete(&self, path: &AppliancePath, key: &str) -> Result<(), StoreError> {
        self.delete_key(&self.key(&format!("images/{}", path.file(FileKind::Manifest)))).await?;
        fault::point("manifest-deleted");
        self.delete_key(&self.key(key)).await?;
        fault::point("image-deleted");
        self.delete_key(&self.key(&format!("images/{}", path.file(FileKind::Deprecation)))).await
    }

    async fn recover(&self) -> Result<(), StoreError> {
        // Nothing to do: what a crash leaves is invisible, and other servers may be at work.
        Ok(())
    }

    async fn stale(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let folder = self.key("blobs");
        let objects: Vec<object_store::ObjectMeta> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(StoreError::bucket("list", &folder))?;
        let staged: HashSet<String> =
            self.list_uploads().await?.iter().map(Self::blob_name).collect();
        let old = |meta: &object_store::ObjectMeta| {
            meta.last_modified.timestamp_millis() < before.as_millisecond()
        };
        Ok(objects
            .iter()
            .filter(|meta| old(meta))
            .filter_map(|meta| self.name(&meta.location).map(str::to_owned))
            .filter(|name| !staged.contains(name))
            .collect())
    }

    async fn remove_stale(&self, name: &str) -> Result<(), StoreError> {
        self.delete_key(&self.key(name)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.get(&self.key("staging/none")).await.map(drop)
    }
}
