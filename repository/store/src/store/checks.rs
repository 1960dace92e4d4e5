//! Reading images again: digests that were not computed while they arrived, and scrubbing.

use super::Store;
use super::reconcile::with_causes;
use crate::backend::Small;
use crate::{ImageSource, Record, StoreError, compare, look};
use std::ops::ControlFlow;
use std::sync::Arc;
use stratus_image::Limits;
use stratus_model::AppliancePath;

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Appliances that were read.
    pub checked: usize,
    /// Bytes that were read.
    pub bytes: u64,
    /// Those that are not what they were, each with a sentence. They are not served until a later
    /// scrub finds them whole.
    pub damaged: Vec<(AppliancePath, String)>,
}

impl Store {
    /// Compares the remaining digests of an appliance in the background.
    pub(crate) fn check_soon(&self, record: &Arc<Record>) {
        let (store, path) = (self.clone(), record.path.clone());
        tokio::spawn(async move {
            if let Err(error) = store.verify(&path).await {
                tracing::error!(%path, error = %with_causes(&error), "an image was not compared");
            }
        });
    }

    /// Compares every digest of an appliance with its bytes, one appliance at a time. Waits for the
    /// turn. Answers the record as it is then; `None` if it is not published.
    pub async fn verify(&self, path: &AppliancePath) -> Result<Option<Arc<Record>>, StoreError> {
        let _turn = self.0.checking.acquire().await.map_err(|_| StoreError::NoUpload)?;
        let Some(record) = self.lookup(path) else { return Ok(None) };
        if record.is_pending() || record.damaged.is_some() {
            self.read_again(&record).await
        } else {
            Ok(Some(record))
        }
    }

    /// Reads every published byte again and compares it with what it was. `progress` is told the
    /// bytes read so far after each appliance, and may stop the scrub.
    pub async fn scrub(
        &self,
        mut progress: impl FnMut(u64) -> ControlFlow<()> + Send,
    ) -> Result<ScrubReport, StoreError> {
        let mut report = ScrubReport::default();
        for record in self.all() {
            let turn = self.0.checking.acquire().await.map_err(|_| StoreError::NoUpload)?;
            if let Some(now) = self.read_again(&record).await? {
                report.checked += 1;
                report.bytes += now.compressed.bytes;
                if let Some(reason) = &now.damaged {
                    report.damaged.push((now.path.clone(), reason.clone()));
                }
            }
            drop(turn);
            if progress(report.bytes).is_break() {
                break;
            }
        }
        Ok(report)
    }

    /// Reads manifest and image of one appliance and notes what was found.
    async fn read_again(&self, record: &Arc<Record>) -> Result<Option<Arc<Record>>, StoreError> {
        let outcome = self.inspect_published(record).await?;
        let change = |record: &mut Record| match &outcome {
            Ok(found) => compare::conclude(record, found),
            Err(reason) => record.damaged = Some(reason.clone()),
        };
        let before = record.damaged.clone();
        let Some(now) = self.0.catalog.update(&record.path, change) else { return Ok(None) };
        if now.damaged != before {
            if let Some(reason) = &now.damaged {
                tracing::error!(path = %now.path, %reason, "damaged");
            } else {
                tracing::info!(path = %now.path, "whole again");
            }
        }
        self.0.index.put(std::slice::from_ref(&now)).await?;
        Ok(Some(now))
    }

    /// What the stored bytes are; the sentence says what is wrong with them. An error is one of the
    /// machine, which says nothing about the bytes.
    async fn inspect_published(
        &self,
        record: &Record,
    ) -> Result<Result<stratus_image::Inspected, String>, StoreError> {
        // As it is stored, whatever is remembered of it.
        let Some(manifest) = self.backend().small(&record.path, Small::Manifest).await? else {
            return Ok(Err("the manifest is gone".into()));
        };
        if super::publish::sha256(&manifest.bytes) != record.manifest.sha256 {
            return Ok(Err("the manifest is not the one that was published".into()));
        }
        let image: ImageSource = match self.backend().image(&record.path, &record.image_key).await {
            Ok(image) => image,
            Err(error) if is_absent(&error) => return Ok(Err("the image is gone".into())),
            Err(error) => return Err(error),
        };
        match look::inspect(image, &compare::pending(record), Limits::MAX).await {
            Ok(found) => Ok(Ok(found)),
            Err(error @ StoreError::Image(_)) if error.is_about_the_bytes() => {
                Ok(Err(with_causes(&error)))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_absent(error: &StoreError) -> bool {
    match error {
        StoreError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        StoreError::Bucket { source, .. } => {
            matches!(**source, object_store::Error::NotFound { .. })
        }
        _ => false,
    }
}
