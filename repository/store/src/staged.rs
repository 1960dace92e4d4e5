//! An upload while its bytes arrive.
//!
//! ```text
//! begin -> Staged -> append* -> finish            all bytes, checked; published if the manifest is there
//!                            -> pause             this request ends; HEAD tells where to go on
//!                            -> (dropped)         the connection broke: as pause, soon after
//! ```
//!
//! Between two requests of one upload its threads live on for [`IDLE`], so that an upload in many
//! small requests is looked at once. A later request takes an upload over from an earlier one that
//! hangs: the earlier one is told [`StoreError::Superseded`] at its next piece.

use crate::backend::{Backend, Spool, Version};
use crate::look::Look;
use crate::store::Store;
use crate::upload::{ImageState, Saved, UploadState};
use crate::{ImageFacts, Outcome, StoreError, Upload, UploadId, fault};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use stratus_image::{Form, ImageError, Limits, Mismatch, Mismatches};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

/// How long an upload without a request keeps its threads.
const IDLE: Duration = Duration::from_secs(30);

/// What requests of one upload share.
#[derive(Default)]
pub(crate) struct Slot {
    /// Counts the requests that wrote: only the last one may.
    generation: u64,
    pub(crate) open: Option<Open>,
}

/// An upload as this server knows it.
pub(crate) struct Open {
    pub(crate) state: UploadState,
    pub(crate) version: Version,
    saving: Option<JoinHandle<Result<Version, StoreError>>>,
    writer: Option<Writer>,
}

struct Writer {
    spool: Box<dyn Spool>,
    look: Look,
    limits: UploadLimits,
    taken: u64,
}

/// How much an upload may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadLimits {
    pub(crate) limits: Limits,
    /// Whether the limit of the content is what the manifest says, and not a setting.
    pub(crate) declared: bool,
}

/// An open upload that takes bytes.
#[derive(Debug)]
pub struct Staged {
    store: Store,
    slot: Arc<Mutex<Slot>>,
    generation: u64,
    id: UploadId,
    offset: u64,
    total: Option<u64>,
    over: bool,
}

/// What came of a complete upload.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What the image is.
    pub facts: ImageFacts,
    /// Whether the appliance is published now.
    pub outcome: Outcome,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Slot {
    /// Makes a later request the one that writes.
    pub(crate) fn take_over(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

impl Open {
    pub(crate) fn new(state: UploadState, version: Version) -> Self {
        Self { state, version, saving: None, writer: None }
    }

    /// Where the image goes on.
    pub(crate) fn offset(&self) -> u64 {
        self.writer.as_ref().map_or_else(|| self.state.offset(), |writer| writer.taken)
    }

    /// Keeps the threads that look at the image only if nobody else went on with the upload.
    pub(crate) fn refresh(&mut self, state: UploadState, version: Version) {
        let same = version == self.version && state.attempt == self.state.attempt;
        if !same || state.facts().is_some() {
            self.writer = None;
        }
        if self.writer.is_none() {
            self.saving = None;
            self.state = state;
            self.version = version;
        }
    }

    /// Writes the state and waits for it.
    pub(crate) async fn save(&mut self, backend: &dyn Backend) -> Result<(), StoreError> {
        self.saved().await?;
        self.version = backend.save_upload(&self.state, &self.version).await?;
        Ok(())
    }

    /// Writes the state meanwhile.
    async fn save_soon(&mut self, backend: Arc<dyn Backend>) -> Result<(), StoreError> {
        self.saved().await?;
        let (state, version) = (self.state.clone(), self.version.clone());
        self.saving =
            Some(tokio::spawn(async move { backend.save_upload(&state, &version).await }));
        Ok(())
    }

    /// Waits for a state that is being written; without it the bytes are looked up again.
    pub(crate) async fn settle_saving(&mut self) {
        if self.saved().await.is_err() {
            self.writer = None;
        }
    }

    async fn saved(&mut self) -> Result<(), StoreError> {
        if let Some(saving) = self.saving.take() {
            // A task that panicked or was cancelled at shutdown saved nothing: the next one will.
            if let Ok(result) = saving.await {
                self.version = result?;
            }
        }
        Ok(())
    }

    /// Takes away the image, not the manifest.
    pub(crate) async fn start_over(
        &mut self,
        backend: &dyn Backend,
        total: Option<u64>,
    ) -> Result<(), StoreError> {
        self.writer = None;
        self.saved().await?;
        let old = self.state.clone();
        self.state.start_over(total);
        self.version = backend.start_over(&old, &self.state, &self.version).await?;
        Ok(())
    }

    async fn writer(&mut self, store: &Store) -> Result<&mut Writer, StoreError> {
        if self.writer.is_none() {
            let limits = store.limits_of(&self.state).await?;
            let spool = store.backend().spool(&self.state).await?;
            let taken = self.state.offset();
            let mut look =
                Look::start(taken, spool.file(), limits.limits).map_err(StoreError::image)?;
            look.grown(taken).await.map_err(StoreError::image)?;
            self.writer = Some(Writer { spool, look, limits, taken });
        }
        self.writer.as_mut().ok_or(StoreError::NoUpload)
    }

    async fn append(&mut self, store: &Store, piece: Bytes) -> Result<u64, StoreError> {
        let (announced, limit) = (self.state.total, store.settings().limits.image);
        let backend = store.backend_arc();
        let writer = self.writer(store).await?;
        let end = writer.taken + piece.len() as u64;
        if let Some(announced) = announced.filter(|total| end > *total) {
            return Err(StoreError::Total { announced, offset: writer.taken });
        }
        if end > limit {
            return Err(StoreError::TooLarge { limit });
        }
        writer.look.take(piece.clone()).await.map_err(|e| refused(e, writer.limits))?;
        writer.spool.write(piece).await?;
        let readable = writer.spool.readable();
        writer.look.grown(readable).await.map_err(|e| refused(e, writer.limits))?;
        writer.taken = end;
        if let Some(saved) = writer.spool.relax().await? {
            self.note(saved);
            self.save_soon(backend).await?;
        }
        Ok(end)
    }

    fn note(&mut self, saved: Saved) {
        self.state.image = ImageState::Receiving(saved);
        self.state.touched = Timestamp::now();
    }

    /// Lets the next request find everything, on any server.
    async fn settle(&mut self, backend: &dyn Backend) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        match writer.spool.settle().await? {
            Some(saved) => {
                self.note(saved);
                self.save(backend).await
            }
            None => self.saved().await,
        }
    }

    /// All bytes are there: what are they?
    async fn complete(&mut self, store: &Store) -> Result<ImageFacts, StoreError> {
        if let Some(facts) = self.state.facts() {
            return Ok(facts.clone());
        }
        self.writer(store).await?;
        self.settle(store.backend()).await?;
        let Some(Writer { mut spool, mut look, limits, taken }) = self.writer.take() else {
            return Err(StoreError::NoUpload);
        };
        look.grown(taken).await.map_err(|e| refused(e, limits))?;
        let state = &self.state;
        let facts = if matches!(look, Look::Later) {
            spool.complete().await?;
            look.finish(store.backend().staged_image(state), limits.limits).await
        } else {
            let none = async { Err(StoreError::NoUpload) };
            let (complete, facts) =
                futures_util::join!(spool.complete(), look.finish(none, limits.limits));
            complete.and(facts)
        };
        let facts = facts.map_err(|error| match error {
            StoreError::Image(error) => refused(error, limits),
            other => other,
        })?;
        self.state.image = ImageState::Complete(facts.clone());
        self.state.touched = Timestamp::now();
        self.save(store.backend()).await?;
        fault::point("image-staged");
        Ok(facts)
    }
}

/// Too much content where a manifest said how much there is: the two do not belong together.
fn refused(error: ImageError, limits: UploadLimits) -> StoreError {
    match error {
        ImageError::TooLarge { form: form @ Form::Content, limit } if limits.declared => {
            StoreError::Mismatch(Mismatches(vec![Mismatch::Larger { form, expected: limit }]))
        }
        other => StoreError::image(other),
    }
}

impl Staged {
    pub(crate) fn new(
        store: Store,
        slot: Arc<Mutex<Slot>>,
        generation: u64,
        upload: &Upload,
    ) -> Self {
        let (id, offset, total) = (upload.id.clone(), upload.offset, upload.total);
        Self { store, slot, generation, id, offset, total, over: false }
    }

    /// The upload's name.
    pub fn id(&self) -> &UploadId {
        &self.id
    }

    /// Bytes taken so far: where the next piece belongs.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The announced length.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Refuses bytes that belong elsewhere, with the offset to go on from.
    pub fn expect_offset(&self, offset: u64) -> Result<(), StoreError> {
        if offset == self.offset { Ok(()) } else { Err(StoreError::Offset { offset: self.offset }) }
    }

    /// Takes the next piece. Waits while disk or inspection are behind, so memory stays small.
    ///
    /// After an error nothing more is taken. Where the bytes are at fault they are gone; otherwise
    /// the upload can be gone on with, from the offset that [`Store::upload`] tells.
    pub async fn append(&mut self, piece: Bytes) -> Result<(), StoreError> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut slot = self.mine().await?;
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        if open.state.facts().is_some() {
            return Err(StoreError::Total { announced: self.offset, offset: self.offset });
        }
        match open.append(&self.store, piece).await {
            Ok(offset) => {
                self.offset = offset;
                Ok(())
            }
            Err(error) => {
                self.over = true;
                Err(self.store.after_failure(open, error).await)
            }
        }
    }

    /// All bytes were sent: checks the image, and publishes the appliance if its manifest is there.
    ///
    /// An image that does not fit a manifest which came before is taken away.
    pub async fn finish(mut self) -> Result<Finished, StoreError> {
        if let Some(total) = self.total.filter(|total| self.offset < *total) {
            return Err(StoreError::Incomplete { offset: self.offset, total });
        }
        let mut slot = self.mine().await?;
        self.over = true;
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        let facts = match open.complete(&self.store).await {
            Ok(facts) => facts,
            Err(error) => return Err(self.store.after_failure(open, error).await),
        };
        let outcome = match self.store.publish_staged(open).await {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.store.after_failure(open, error).await),
        };
        if !matches!(outcome, Outcome::NeedsManifest) {
            slot.open = None;
        }
        Ok(Finished { facts, outcome })
    }

    /// This request ends and the upload does not: other requests go on from [`Staged::offset`].
    pub async fn pause(mut self) -> Result<Upload, StoreError> {
        let mut slot = self.mine().await?;
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        open.settle(self.store.backend()).await?;
        let shown = open.state.show(open.offset(), self.store.settings());
        drop(slot);
        self.over = true;
        self.rest();
        Ok(shown)
    }

    /// Takes back what was appended since `offset`, as after a wrong checksum. Answers the offset to
    /// go on from, which may be smaller where a bucket has whole parts only.
    pub async fn rewind(&mut self, offset: u64) -> Result<u64, StoreError> {
        let mut slot = self.mine().await?;
        let open = slot.open.as_mut().ok_or(StoreError::NoUpload)?;
        if offset > open.offset() {
            return Err(StoreError::Offset { offset: open.offset() });
        }
        let now = open.rewind(self.store.backend(), offset).await?;
        self.offset = now;
        Ok(now)
    }

    async fn mine(&self) -> Result<OwnedMutexGuard<Slot>, StoreError> {
        let slot = Arc::clone(&self.slot).lock_owned().await;
        if slot.generation == self.generation { Ok(slot) } else { Err(StoreError::Superseded) }
    }

    /// Gives the threads back if no other request comes.
    fn rest(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, slot, generation) =
            (self.store.downgrade(), Arc::downgrade(&self.slot), self.generation);
        runtime.spawn(async move {
            tokio::time::sleep(IDLE).await;
            let (Some(store), Some(slot)) = (store.upgrade(), slot.upgrade()) else { return };
            let mut slot = slot.lock_owned().await;
            if slot.generation == generation
                && let Some(open) = &mut slot.open
                && let Err(error) = open.close(store.backend()).await
            {
                tracing::warn!(upload = %open.state.id, %error, "an idle upload was not saved");
            }
        });
    }
}

impl Open {
    /// Whether the image is being looked at.
    pub(crate) fn is_live(&self) -> bool {
        self.writer.is_some()
    }

    /// Ends the threads after a failure; what the place has of the bytes is what there is.
    pub(crate) fn break_off(&mut self) {
        self.writer = None;
    }

    /// Ends the threads, keeping the bytes.
    pub(crate) async fn close(&mut self, backend: &dyn Backend) -> Result<(), StoreError> {
        let settled = self.settle(backend).await;
        self.writer = None;
        settled
    }

    async fn rewind(&mut self, backend: &dyn Backend, offset: u64) -> Result<u64, StoreError> {
        self.settle(backend).await?;
        self.writer = None;
        if let ImageState::Receiving(saved) = &mut self.state.image {
            *saved = backend.rewind(&self.state.id, saved.clone(), offset).await?;
        }
        self.save(backend).await?;
        Ok(self.state.offset())
    }
}

impl Drop for Staged {
    /// The connection broke: what has arrived is kept.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, slot, generation) =
            (self.store.clone(), Arc::clone(&self.slot), self.generation);
        runtime.spawn(async move {
            let mut slot = slot.lock_owned().await;
            if slot.generation == generation
                && let Some(open) = &mut slot.open
                && let Err(error) = open.close(store.backend()).await
            {
                tracing::warn!(upload = %open.state.id, %error, "a broken upload was not saved");
            }
        });
    }
}
