//! Memory and index are made to agree with what is published.
//!
//! A listing shows every manifest with a stamp; only those whose stamp is new are read. At start
//! that makes good what a crash left out of the index; in a bucket, [`Store::refresh`] finds what
//! other servers did.

use super::Store;
use super::publish::file_facts;
use crate::backend::{Found, Small, Whole, blocking};
use crate::{ManifestReader, Place, Record, StoreError, compare};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::sync::Arc;
use stratus_image::{Algorithms, Limits};
use stratus_model::{AppliancePath, Expected};

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

/// Appliances that one thread reads in one go.
const BATCH: usize = 64;
/// Such batches at once.
const AT_ONCE: usize = 4;

/// A record that may still need its image measured.
enum Half {
    Whole(Box<Record>),
    ToMeasure(Box<Record>, Box<Expected>),
}

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
        let batches: Vec<Vec<AppliancePath>> =
            fresh.chunks(BATCH).map(<[AppliancePath]>::to_vec).collect();
        let mut reading = stream::iter(batches)
            .map(|batch| self.read_back(batch))
            .buffer_unordered(AT_ONCE)
            .flat_map(stream::iter);
        let mut changed = Vec::new();
        while let Some((path, result)) = reading.next().await {
            match result {
                Ok(Some(record)) => {
                    changed.push(record);
                }
                Ok(None) => {}
                Err(error) => {
                    let reason = with_causes(&error);
                    tracing::error!(%path, %reason, "a published manifest cannot be read");
                    answer.unreadable.push((path, reason));
                }
            }
        }
        answer.changed = changed.len();
        let changed = self.0.catalog.insert_all(changed);
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

    /// The records of several appliances, from their files alone.
    async fn read_back(
        &self,
        paths: Vec<AppliancePath>,
    ) -> Vec<(AppliancePath, Result<Option<Record>, StoreError>)> {
        let found = self.backend().read_back(paths).await;
        let reader = Arc::clone(&self.0.reader);
        let understand = move |(path, whole): (AppliancePath, Result<Option<Whole>, _>)| {
            let half = whole.and_then(|whole: Option<Whole>| {
                whole.map(|whole| understand(reader.as_ref(), &path, &whole)).transpose()
            });
            (path, half)
        };
        let halves: Vec<(AppliancePath, Result<Option<Half>, StoreError>)> =
            blocking(move || found.into_iter().map(understand).collect()).await;
        let mut records = Vec::with_capacity(halves.len());
        for (path, half) in halves {
            let record = match half {
                Ok(Some(half)) => self.measured(half).await.map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            records.push((path, record));
        }
        records
    }

    /// An old manifest does not tell the gzip file's digest: it is computed.
    async fn measured(&self, half: Half) -> Result<Record, StoreError> {
        let (mut record, expected) = match half {
            Half::Whole(record) => return Ok(*record),
            Half::ToMeasure(record, expected) => (*record, expected),
        };
        let image = self.backend().image(&record.path, &record.image_key).await?;
        let algorithms = compare::plus_sha256(Algorithms::expected(&expected));
        let found = crate::look::inspect(image, &algorithms, Limits::MAX).await?;
        compare::fill(&mut record, &expected, &found.into());
        Ok(record)
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
        let mut found = self.read_back(vec![path.clone()]).await;
        found.pop().map_or(Ok(None), |(_, record)| record)
    }
}

/// Asks the reader what the files of an appliance say.
fn understand(
    reader: &dyn ManifestReader,
    path: &AppliancePath,
    whole: &Whole,
) -> Result<Half, StoreError> {
    let refused = |reason| StoreError::Manifest { reason };
    let file = &whole.manifest;
    let (manifest, verdict) = reader.manifest(path, &file.bytes).map_err(refused)?;
    let expected = manifest.expected().map_err(|missing| refused(missing.to_string()))?;
    let facts = file_facts(file);
    let mut record = Record::describe(path, &manifest, verdict, facts, file.image_key.clone());
    if let Some(file) = &whole.deprecation {
        record.deprecated = Some(reader.deprecation(path, &file.bytes).map_err(refused)?);
        record.deprecation = Some(file_facts(file));
    }
    match compare::believed(&expected, &record, whole.image_bytes) {
        Some(measured) => {
            compare::fill(&mut record, &expected, &measured);
            Ok(Half::Whole(Box::new(record)))
        }
        None => Ok(Half::ToMeasure(Box::new(record), Box::new(expected))),
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
