//! Open uploads: begin, look up, cancel, sweep.

use super::Store;
use crate::compare;
use crate::staged::{Open, Slot, Staged, UploadLimits};
use crate::upload::UploadState;
use crate::{Repeat, StoreError, Upload, UploadId};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stratus_image::Limits;
use stratus_model::AppliancePath;
use tokio::sync::OwnedMutexGuard;

impl Store {
    /// Goes on with the upload of `owner` for `path`, or begins it.
    ///
    /// `total` is the length of the image where it is known; it cannot change on the way. An earlier
    /// request that still writes to the same upload is superseded.
    pub async fn begin(
        &self,
        path: &AppliancePath,
        owner: &str,
        total: Option<u64>,
    ) -> Result<Staged, StoreError> {
        self.begin_with(path, owner, total, false).await
    }

    /// Begins the upload of `owner` for `path`; bytes of an earlier try are given up, a staged
    /// manifest is kept.
    pub async fn begin_again(
        &self,
        path: &AppliancePath,
        owner: &str,
        total: Option<u64>,
    ) -> Result<Staged, StoreError> {
        self.begin_with(path, owner, total, true).await
    }

    async fn begin_with(
        &self,
        path: &AppliancePath,
        owner: &str,
        total: Option<u64>,
        again: bool,
    ) -> Result<Staged, StoreError> {
        self.refuse_published(path).await?;
        let limit = self.settings().limits.image;
        if total.is_some_and(|total| total > limit) {
            return Err(StoreError::TooLarge { limit });
        }
        let id = UploadId::of(path, owner);
        let mut slot = self.slot(&id).await?;
        if slot.open.is_none() {
            slot.open = Some(self.create(path, owner, total).await?);
        }
        let generation = slot.take_over();
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        if again && open.offset() > 0 {
            open.start_over(self.backend(), total).await?;
        } else {
            let known = open.state.total;
            match (known, total) {
                (Some(announced), Some(now)) if announced != now => {
                    if open.offset() > 0 {
                        return Err(StoreError::Total { announced, offset: open.offset() });
                    }
                    open.state.total = total;
                    open.save(self.backend()).await?;
                }
                (None, Some(_)) => {
                    open.state.total = total;
                    open.save(self.backend()).await?;
                }
                _ => {}
            }
        }
        let upload = open.state.show(open.offset(), self.settings());
        let shared = OwnedMutexGuard::mutex(&slot);
        Ok(Staged::new(self.clone(), Arc::clone(shared), generation, &upload))
    }

    /// Goes on with the upload of this name.
    pub async fn resume(&self, id: &UploadId, owner: &str) -> Result<Staged, StoreError> {
        let upload = self.upload(id).await?.filter(|u| u.owner == owner);
        let upload = upload.ok_or(StoreError::NoUpload)?;
        self.begin(&upload.path, owner, None).await
    }

    /// An open upload, and how far it is.
    pub async fn upload(&self, id: &UploadId) -> Result<Option<Upload>, StoreError> {
        let slot = self.slot(id).await?;
        let shown = slot.open.as_ref().map(|open| open.state.show(open.offset(), self.settings()));
        drop(slot);
        self.0.slots.forget(id);
        Ok(shown)
    }

    /// All open uploads of one person.
    pub async fn uploads_of(&self, owner: &str) -> Result<Vec<Upload>, StoreError> {
        let states = self.backend().list_uploads().await?;
        Ok(states
            .into_iter()
            .filter(|state| state.owner == owner)
            .map(|state| state.show(state.offset(), self.settings()))
            .collect())
    }

    /// Gives an upload up, with all it has. No error if there is none.
    pub async fn cancel(&self, id: &UploadId) -> Result<(), StoreError> {
        let mut slot = self.slot(id).await?;
        slot.take_over();
        if let Some(open) = slot.open.take() {
            self.backend().remove_upload(&open.state, &open.version, false).await?;
        }
        Ok(())
    }

    /// Takes away uploads that did not grow for [`crate::Limits::upload_age`], and what crashes left
    /// behind. Answers how many things went.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let states = self.backend().list_uploads().await?;
        let (mut swept, mut bytes) = (0, 0);
        for state in states {
            if state.expires(self.settings()) > now {
                bytes += state.offset();
                continue;
            }
            let mut slot = self.slot(&state.id).await?;
            // It may have grown since it was listed.
            let expired = slot
                .open
                .as_ref()
                .is_some_and(|open| open.state.expires(self.settings()) <= now && !slot_busy(open));
            if expired && let Some(open) = slot.open.take() {
                slot.take_over();
                self.backend().remove_upload(&open.state, &open.version, false).await?;
                tracing::info!(upload = %state.id, path = %state.path, "an old upload was taken away");
                swept += 1;
            }
        }
        self.0.staged_bytes.store(bytes, Ordering::Relaxed);
        let age = self.settings().limits.upload_age;
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let stale = self.backend().stale(before).await?;
        Ok(swept + self.remove_stale(stale).await?)
    }

    /// Takes away what neither an upload nor a manifest names. Manifests are looked at last: what is
    /// published meanwhile had an upload when those were looked at.
    async fn remove_stale(&self, stale: Vec<String>) -> Result<u64, StoreError> {
        if stale.is_empty() {
            return Ok(0);
        }
        if !self.refresh().await?.unreadable.is_empty() {
            tracing::warn!("nothing is swept while there are manifests that cannot be read");
            return Ok(0);
        }
        let published = self.all();
        let kept: HashSet<&str> = published.iter().map(|r| r.image_key.as_str()).collect();
        let mut swept = 0;
        for name in stale.iter().filter(|name| !kept.contains(name.as_str())) {
            self.backend().remove_stale(name).await?;
            swept += 1;
        }
        Ok(swept)
    }

    /// Bytes of open uploads, as of the last time they were counted: at the start, at a sweep, and
    /// whenever an upload begins.
    pub fn staged_bytes(&self) -> u64 {
        self.0.staged_bytes.load(Ordering::Relaxed)
    }

    /// Compares an image with the published one, keeping nothing: a second PUT of the same bytes is
    /// no error, one of others is.
    pub fn repeat(&self, record: &crate::Record) -> Repeat {
        Repeat::new(record)
    }

    async fn create(
        &self,
        path: &AppliancePath,
        owner: &str,
        total: Option<u64>,
    ) -> Result<Open, StoreError> {
        let limits = &self.settings().limits;
        let state = UploadState::new(path, owner, total, Timestamp::now());
        let others = self.backend().list_uploads().await?;
        let open = others.iter().filter(|other| other.id.same_owner(&state.id)).count();
        if open >= limits.uploads_per_owner {
            return Err(StoreError::TooManyUploads { open });
        }
        let room: u64 = others.iter().map(UploadState::room).sum();
        self.0.staged_bytes.store(others.iter().map(UploadState::offset).sum(), Ordering::Relaxed);
        if room.saturating_add(total.unwrap_or(0)) > limits.staging {
            return Err(StoreError::StagingFull { limit: limits.staging });
        }
        let version =
            self.backend().save_upload(&state, &crate::backend::Version::default()).await?;
        crate::fault::point("upload-created");
        Ok(Open::new(state, version))
    }

    /// What requests of one upload share, locked, and as fresh as the place has it.
    pub(crate) async fn slot(&self, id: &UploadId) -> Result<OwnedMutexGuard<Slot>, StoreError> {
        let mut slot = self.0.slots.lock(id).await;
        if let Some(open) = &mut slot.open {
            open.settle_saving().await;
        }
        match (self.backend().load_upload(id).await?, &mut slot.open) {
            (None, open) => *open = None,
            (Some((state, version)), Some(open)) => open.refresh(state, version),
            (Some((state, version)), open @ None) => *open = Some(Open::new(state, version)),
        }
        Ok(slot)
    }

    /// The upload of `owner` for `path`, begun if there is none.
    pub(crate) async fn slot_or_new(
        &self,
        path: &AppliancePath,
        owner: &str,
    ) -> Result<OwnedMutexGuard<Slot>, StoreError> {
        let mut slot = self.slot(&UploadId::of(path, owner)).await?;
        if slot.open.is_none() {
            slot.open = Some(self.create(path, owner, None).await?);
        }
        Ok(slot)
    }

    pub(crate) async fn refuse_published(&self, path: &AppliancePath) -> Result<(), StoreError> {
        match self.resolve(path).await? {
            Some(_) => Err(StoreError::Conflict { path: path.to_string() }),
            None => Ok(()),
        }
    }

    /// How much an upload may be: what its manifest says, where that came first.
    pub(crate) async fn limits_of(&self, state: &UploadState) -> Result<UploadLimits, StoreError> {
        let settings = &self.settings().limits;
        let mut limits = Limits { compressed: settings.image, content: settings.content };
        let mut declared = false;
        if state.manifest.is_some()
            && let Some(pair) = self.staged_pair(state).await?
            // Without a compressed form, a historical manifest's size may be the gzip file's.
            && pair.expected.compressed.is_some()
            && pair.expected.bytes <= limits.content
        {
            limits.content = pair.expected.bytes;
            declared = true;
        }
        Ok(UploadLimits { limits, declared })
    }

    /// After a failure: bytes that are refused go, others stay to be gone on with.
    pub(crate) async fn after_failure(&self, open: &mut Open, error: StoreError) -> StoreError {
        open.break_off();
        if error.is_about_the_bytes() {
            let total = open.state.total;
            if let Err(failure) = open.start_over(self.backend(), total).await {
                tracing::warn!(upload = %open.state.id, error = %failure, "refused bytes stay staged");
            }
        }
        error
    }

    /// Whether a manifest's digests are all computed already; computes the rest otherwise.
    pub(crate) async fn complete_facts(
        &self,
        open: &mut Open,
        expected: &stratus_model::Expected,
    ) -> Result<(), StoreError> {
        let Some(algorithms) = compare::missing(expected) else { return Ok(()) };
        let has = |open: &Open| {
            open.state.facts().is_some_and(|facts| {
                algorithms.content.iter().all(|a| facts.content.digest(*a).is_some())
            })
        };
        if has(open) {
            return Ok(());
        }
        let source = self.backend().staged_image(&open.state).await?;
        let limits = Limits { compressed: u64::MAX, content: self.settings().limits.content };
        let found = crate::look::inspect(source, &algorithms, limits).await?;
        open.state.image = crate::upload::ImageState::Complete(found.into());
        open.save(self.backend()).await
    }
}

/// Whether bytes are arriving.
fn slot_busy(open: &Open) -> bool {
    open.is_live()
}
