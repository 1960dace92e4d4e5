//! Image and manifest become an appliance.

use super::Store;
use crate::backend::{Commit, Small, SmallFile, Version, blocking};
use crate::record::FileFacts;
use crate::staged::Open;
use crate::upload::UploadState;
use crate::{Deprecation, ImageFacts, Record, StoreError, UploadId, compare, fault};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use stratus_model::{AppliancePath, Digest, Expected, Manifest, Verdict};

/// What came of handing in an image or a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The appliance is published now (201).
    Published(Arc<Record>),
    /// It was published before, with exactly these bytes (200).
    AlreadyPublished(Arc<Record>),
    /// The manifest is staged; the image is awaited (202).
    NeedsImage,
    /// The image is staged; the manifest is awaited (202).
    NeedsManifest,
}

/// What came of a deprecation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeprecationOutcome {
    /// The appliance is deprecated now.
    Deprecated(Arc<Record>),
    /// It was, by exactly these bytes.
    AlreadyDeprecated(Arc<Record>),
}

/// A staged manifest, understood.
pub(crate) struct Pair {
    pub(crate) bytes: Bytes,
    pub(crate) manifest: Manifest,
    pub(crate) verdict: Verdict,
    pub(crate) expected: Expected,
}

impl Store {
    /// Takes a manifest, which the caller has found good, trusted and allowed; publishes the
    /// appliance if its image is there.
    ///
    /// A manifest that does not fit the image that is staged is refused and the image stays. Another
    /// manifest for the same upload replaces the one before.
    pub async fn stage_manifest(
        &self,
        path: &AppliancePath,
        owner: &str,
        bytes: Bytes,
    ) -> Result<Outcome, StoreError> {
        if let Some(record) = self.resolve(path).await? {
            return same_manifest(record, &bytes);
        }
        let pair = self.understand(path, bytes.clone()).await?;
        let mut slot = self.slot_or_new(path, owner).await?;
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        if open.state.facts().is_some() {
            self.complete_facts(open, &pair.expected).await?;
        }
        if let Some(facts) = open.state.facts() {
            compare::compare(&pair.expected, facts).map_err(StoreError::Mismatch)?;
        }
        self.backend().stage_manifest(&open.state, bytes.clone()).await?;
        open.state.manifest = Some(bytes.len() as u64);
        open.state.touched = Timestamp::now();
        open.save(self.backend()).await?;
        fault::point("manifest-staged");
        if open.state.facts().is_none() {
            return Ok(Outcome::NeedsImage);
        }
        let outcome = self.publish_staged(open).await?;
        slot.open = None;
        Ok(outcome)
    }

    /// Reads a manifest and finds out what it promises.
    pub(crate) async fn understand(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
    ) -> Result<Pair, StoreError> {
        let (reader, path) = (Arc::clone(&self.0.reader), path.clone());
        let read = blocking(move || {
            let (manifest, verdict) = reader.manifest(&path, &bytes)?;
            let expected = manifest.expected().map_err(|missing| missing.to_string())?;
            Ok(Pair { bytes, manifest, verdict, expected })
        });
        read.await.map_err(|reason| StoreError::Manifest { reason })
    }

    pub(crate) async fn staged_pair(
        &self,
        state: &UploadState,
    ) -> Result<Option<Pair>, StoreError> {
        match self.backend().staged_manifest(state).await? {
            Some(bytes) => self.understand(&state.path, bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// Publishes an upload whose image is complete, if it has a manifest.
    ///
    /// Where the two do not fit, the error is [`StoreError::Mismatch`]; the caller decides which of
    /// them came last and goes.
    pub(crate) async fn publish_staged(&self, open: &mut Open) -> Result<Outcome, StoreError> {
        if open.state.manifest.is_none() {
            return Ok(Outcome::NeedsManifest);
        }
        let Some(pair) = self.staged_pair(&open.state).await? else {
            return Ok(Outcome::NeedsManifest);
        };
        self.complete_facts(open, &pair.expected).await?;
        let facts = open.state.facts().ok_or(StoreError::NoUpload)?.clone();
        compare::compare(&pair.expected, &facts).map_err(StoreError::Mismatch)?;
        let path = open.state.path.clone();
        let place = self.0.places.lock(&path).await;
        let outcome = self.commit(open, pair, &facts).await;
        drop(place);
        self.0.places.forget(&path);
        self.0.slots.forget(&open.state.id);
        if let Ok(Outcome::Published(record)) = &outcome {
            self.check_soon(record);
        }
        outcome
    }

    async fn commit(
        &self,
        open: &Open,
        pair: Pair,
        facts: &ImageFacts,
    ) -> Result<Outcome, StoreError> {
        let state = &open.state;
        if let Some(record) = self.lookup(&state.path) {
            return self.lost(open, record, &pair.bytes).await;
        }
        let published = Timestamp::from_millisecond(Timestamp::now().as_millisecond())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let committed =
            self.backend().commit(state, &open.version, pair.bytes.clone(), published).await?;
        let Commit::Done(image_key) = committed else {
            let record = self.adopt(&state.path).await?;
            let conflict = || StoreError::Conflict { path: state.path.to_string() };
            return self.lost(open, record.ok_or_else(conflict)?, &pair.bytes).await;
        };
        let stored = self.backend().small(&state.path, Small::Manifest).await?;
        let stored = stored.unwrap_or(SmallFile {
            bytes: pair.bytes,
            modified: published,
            stamp: String::new(),
            image_key: image_key.clone(),
        });
        let mut record = Record::describe(
            &state.path,
            &pair.manifest,
            pair.verdict,
            file_facts(&stored),
            image_key,
        );
        compare::fill(&mut record, &pair.expected, facts);
        let record = self.note(record).await;
        fault::point("indexed");
        self.forget_upload(open, true).await;
        fault::point("staging-removed");
        tracing::info!(path = %record.path, owner = %state.owner, bytes = record.compressed.bytes, "published");
        Ok(Outcome::Published(record))
    }

    /// Somebody else was first: with the same bytes all is well.
    async fn lost(
        &self,
        open: &Open,
        record: Arc<Record>,
        manifest: &[u8],
    ) -> Result<Outcome, StoreError> {
        self.forget_upload(open, false).await;
        same_manifest(record, manifest)
    }

    /// The appliance is published: what cannot be tidied up now is swept later.
    async fn forget_upload(&self, open: &Open, committed: bool) {
        let (state, version) = (&open.state, &open.version);
        if let Err(error) = self.backend().remove_upload(state, version, committed).await {
            tracing::warn!(upload = %state.id, %error, "a published upload stays staged");
        }
    }

    /// Makes a record known. An index that cannot be written is brought up to date at the next
    /// start, so it is no reason to fail.
    pub(crate) async fn note(&self, record: Record) -> Arc<Record> {
        let record = self.0.catalog.insert(record);
        if let Err(error) = self.0.index.put(std::slice::from_ref(&record)).await {
            tracing::error!(path = %record.path, %error, "the index was not written");
        }
        record
    }

    /// Deprecates a published appliance; the caller has found the statement good and allowed. The
    /// first statement stands for ever.
    pub async fn put_deprecation(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
    ) -> Result<DeprecationOutcome, StoreError> {
        let absent = || StoreError::NotPublished { path: path.to_string() };
        self.resolve(path).await?.ok_or_else(absent)?;
        let deprecation = self.understand_deprecation(path, bytes.clone()).await?;
        let place = self.0.places.lock(path).await;
        let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let is_new = self.backend().deprecate(path, bytes.clone(), now).await?;
        let stored = self.backend().small(path, Small::Deprecation).await?.ok_or_else(absent)?;
        if !is_new && stored.bytes != bytes {
            return Err(StoreError::Conflict { path: format!("{path}.deprecated.xml") });
        }
        let facts = file_facts(&stored);
        let change = |record: &mut Record| {
            record.deprecated = Some(deprecation);
            record.deprecation = Some(facts);
        };
        let record = self.0.catalog.update(path, change).ok_or_else(absent)?;
        let record = self.note(Record::clone(&record)).await;
        drop(place);
        self.0.places.forget(path);
        Ok(if is_new {
            DeprecationOutcome::Deprecated(record)
        } else {
            DeprecationOutcome::AlreadyDeprecated(record)
        })
    }

    pub(crate) async fn understand_deprecation(
        &self,
        path: &AppliancePath,
        bytes: Bytes,
    ) -> Result<Deprecation, StoreError> {
        let (reader, path) = (Arc::clone(&self.0.reader), path.clone());
        let read = blocking(move || reader.deprecation(&path, &bytes));
        read.await.map_err(|reason| StoreError::Manifest { reason })
    }

    /// Takes a published appliance away, for administrators. No error if it is gone already.
    pub async fn delete(&self, path: &AppliancePath) -> Result<(), StoreError> {
        let place = self.0.places.lock(path).await;
        if let Some(record) = self.resolve(path).await? {
            self.backend().delete(path, &record.image_key).await?;
            self.0.catalog.remove(path);
            self.0.index.remove(std::slice::from_ref(path)).await?;
            tracing::info!(%path, "deleted");
        }
        drop(place);
        self.0.places.forget(path);
        Ok(())
    }

    /// Takes away uploads for places that are published: they can never be.
    pub(crate) async fn drop_useless_uploads(&self) -> Result<(), StoreError> {
        for state in self.backend().list_uploads().await? {
            if self.lookup(&state.path).is_some() {
                let id: UploadId = state.id.clone();
                tracing::info!(upload = %id, path = %state.path, "the place is published already");
                self.backend().remove_upload(&state, &Version::default(), true).await?;
            }
        }
        Ok(())
    }
}

/// A manifest for a place that is published.
fn same_manifest(record: Arc<Record>, bytes: &[u8]) -> Result<Outcome, StoreError> {
    if sha256(bytes) == record.manifest.sha256 {
        Ok(Outcome::AlreadyPublished(record))
    } else {
        Err(StoreError::Conflict { path: record.path.to_string() })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

pub(crate) fn file_facts(file: &SmallFile) -> FileFacts {
    FileFacts {
        bytes: file.bytes.len() as u64,
        sha256: sha256(&file.bytes),
        modified: file.modified,
        stamp: file.stamp.clone(),
    }
}
