//! Memory and index are made to agree with what is published.
//!
//! A listing shows every manifest with a stamp; only those whose stamp is new are read. At start
//! that makes good what a crash left out of the index; in a bucket, [`Store::refresh`] finds what
//! other servers did.

use super::Store;
use super::publish::file_facts;
use crate::backend::{Found, Small};
use crate::{Place, Record, StoreError, compare};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::sync::Arc;
use stratus_image::{Algorithms, Limits};
use stratus_model::AppliancePath;

/// What a refresh found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Appliances that are new or changed.
    pub changed: usize,
    /// Appliances that are gone.
    pub gone: usize,
    /// Manifests that cannot be read, each with a sentence; they are not shown.
    pub unreadable: Vec<(AppliancePath, String)>,
}

/// Manifests that are read at once.
const AT_ONCE: usize = 16;

impl Store {
    /// Loads the index and brings it up to date.
    pub(super) async fn start(&self) -> Result<(), StoreError> {
        let records = self.0.index.load().await?;
        self.0.catalog.replace_all(records);
        self.refresh().await?;
        if matches!(self.settings().place, Place::Tree) {
            self.drop_useless_uploads().await?;
        }
        for record in self.all() {
            if record.is_pending() {
                self.check_soon(&record);
            }
        }
        Ok(())
    }

    /// Finds what was published, deprecated and deleted by others (servers of one bucket, people
    /// with files), and makes it known here.
    pub async fn refresh(&self) -> Result<Refreshed, StoreError> {
        let found = self.backend().list().await?;
        let known: HashMap<AppliancePath, Arc<Record>> =
            self.all().into_iter().map(|record| (record.path.clone(), record)).collect();
        self.bring_in_line(found, known).await
    }

    /// Makes the index again from what is published, believing nothing that it says.
    pub async fn rebuild(&self) -> Result<Refreshed, StoreError> {
        let found = self.backend().list().await?;
        let stale: Vec<AppliancePath> = self.all().iter().map(|r| r.path.clone()).collect();
        self.0.index.remove(&stale).await?;
        self.0.catalog.replace_all(Vec::new());
        self.bring_in_line(found, HashMap::new()).await
    }

    async fn bring_in_line(
        &self,
        found: Vec<Found>,
        mut known: HashMap<AppliancePath, Arc<Record>>,
    ) -> Result<Refreshed, StoreError> {
        let mut fresh: Vec<AppliancePath> = Vec::new();
        for place in found {
            let record = known.remove(&place.path);
            let same = record.is_some_and(|record| {
                record.manifest.stamp == place.manifest
                    && record.deprecation.as_ref().map(|d| &d.stamp) == place.deprecation.as_ref()
            });
            if !same {
                fresh.push(place.path);
            }
        }
        let mut answer = Refreshed::default();
        let mut reading =
            stream::iter(fresh).map(|path| self.read_back(path)).buffer_unordered(AT_ONCE);
        let mut changed = Vec::new();
        while let Some((path, result)) = reading.next().await {
            match result {
                Ok(Some(record)) => {
                    changed.push(self.0.catalog.insert(record));
                    answer.changed += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    let reason = with_causes(&error);
                    tracing::error!(%path, %reason, "a published manifest cannot be read");
                    answer.unreadable.push((path, reason));
                }
            }
        }
        self.0.index.put(&changed).await?;
        // A place that was listed as absent may have been published since.
        let mut gone = Vec::new();
        for path in known.into_keys() {
            if self.backend().small(&path, Small::Manifest).await?.is_none() {
                self.0.catalog.remove(&path);
                gone.push(path);
            }
        }
        self.0.index.remove(&gone).await?;
        answer.gone = gone.len();
        Ok(answer)
    }

    async fn read_back(
        &self,
        path: AppliancePath,
    ) -> (AppliancePath, Result<Option<Record>, StoreError>) {
        let result = self.record_of(&path).await;
        (path, result)
    }

    /// Makes an appliance known that somebody else published.
    pub(crate) async fn adopt(
        &self,
        path: &AppliancePath,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        match self.record_of(path).await? {
            Some(record) => Ok(Some(self.note(record).await)),
            None => Ok(None),
        }
    }

    /// The record of a published appliance, from its files alone.
    pub(crate) async fn record_of(
        &self,
        path: &AppliancePath,
    ) -> Result<Option<Record>, StoreError> {
        let Some(file) = self.backend().small(path, Small::Manifest).await? else {
            return Ok(None);
        };
        let image = self.backend().image(path, &file.image_key).await?;
        let pair = self.understand(path, file.bytes.clone()).await?;
        let facts = file_facts(&file);
        let mut record =
            Record::describe(path, &pair.manifest, pair.verdict, facts, file.image_key);
        let measured = if let Some(facts) = compare::believed(&pair.expected, &record, image.len())
        {
            facts
        } else {
            // An old manifest does not tell the gzip file's digest: it is computed.
            let algorithms = compare::plus_sha256(Algorithms::expected(&pair.expected));
            crate::look::inspect(image, &algorithms, Limits::MAX).await?.into()
        };
        compare::fill(&mut record, &pair.expected, &measured);
        if let Some(file) = self.backend().small(path, Small::Deprecation).await? {
            let facts = file_facts(&file);
            record.deprecated = Some(self.understand_deprecation(path, file.bytes).await?);
            record.deprecation = Some(facts);
        }
        Ok(Some(record))
    }
}

pub(crate) fn with_causes(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
