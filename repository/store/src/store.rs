//! The store itself: what a server calls.

mod checks;
mod publish;
mod reconcile;
mod uploads;

pub use checks::ScrubReport;
pub use publish::{DeprecationOutcome, Outcome};
pub use reconcile::Refreshed;

use crate::backend::bucket::BucketPlace;
use crate::backend::tree::Tree;
use crate::backend::{Backend, Small};
use crate::catalog::Catalog;
use crate::finder::Page;
use crate::index::Index;
use crate::keyed::Keyed;
use crate::recent::Recent;
use crate::staged::Slot;
use crate::store::publish::sha256;
use crate::{
    FileFacts, ImageSource, Listing, ManifestReader, Place, Record, Settings, StoreError, UploadId,
};
use bytes::Bytes;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use std::fmt;
use std::fs::File;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use stratus_model::{AppliancePath, FileKind, TreePath};
use stratus_repository_api::search::SearchQuery;
use tokio::sync::Semaphore;

/// Appliances, staged and published. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    settings: Settings,
    backend: Arc<dyn Backend>,
    index: Index,
    catalog: Catalog,
    reader: Arc<dyn ManifestReader>,
    slots: Keyed<UploadId, Slot>,
    /// Held while a place is published, deprecated, deleted.
    places: Keyed<AppliancePath, ()>,
    recent: Recent,
    /// One background comparison at a time: it is never urgent and reads whole images.
    checking: Semaphore,
    staged_bytes: AtomicU64,
    /// Held for as long as the store lives.
    _lock: File,
}

/// A store that may have been closed.
pub(crate) struct WeakStore(Weak<Inner>);

impl WeakStore {
    pub(crate) fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(Store)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a store: takes the lock of the data folder, tidies up after a crash, and brings index
    /// and memory into agreement with what is published.
    pub async fn open(
        settings: Settings,
        reader: Arc<dyn ManifestReader>,
    ) -> Result<Self, StoreError> {
        let data = settings.data.clone();
        let lock = crate::backend::blocking(move || {
            std::fs::create_dir_all(&data).map_err(StoreError::io("create", &data))?;
            lock_folder(&data)
        })
        .await?;
        let backend: Arc<dyn Backend> = match &settings.place {
            Place::Tree => Arc::new(Tree::open(&settings.data).await?),
            Place::Bucket(bucket) => Arc::new(BucketPlace::open(bucket)?),
        };
        let index = Index::open(&settings.data.join("index.sqlite")).await?;
        let store = Self(Arc::new(Inner {
            settings,
            backend,
            index,
            catalog: Catalog::default(),
            reader,
            slots: Keyed::default(),
            places: Keyed::default(),
            recent: Recent::default(),
            checking: Semaphore::new(1),
            staged_bytes: AtomicU64::new(0),
            _lock: lock,
        }));
        store.backend().recover().await?;
        store.start().await?;
        Ok(store)
    }

    /// For tasks that must not keep the store open.
    pub(crate) fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.0))
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.0.backend.as_ref()
    }

    pub(crate) fn backend_arc(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.0.backend)
    }

    /// How the store is set up.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// How many appliances are published.
    pub fn len(&self) -> usize {
        self.0.catalog.len()
    }

    /// Whether nothing is published.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether place and index answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.backend().check().await?;
        self.0.index.check().await
    }

    /// A published appliance, from memory.
    pub fn lookup(&self, path: &AppliancePath) -> Option<Arc<Record>> {
        self.0.catalog.get(path)
    }

    /// As [`Store::lookup`]; where several servers share a bucket, an appliance that another one
    /// published a moment ago is found as well.
    pub async fn resolve(&self, path: &AppliancePath) -> Result<Option<Arc<Record>>, StoreError> {
        match (self.lookup(path), &self.0.settings.place) {
            (Some(record), _) => Ok(Some(record)),
            (None, Place::Tree) => Ok(None),
            (None, Place::Bucket(_)) => self.adopt(path).await,
        }
    }

    /// Every appliance, in the order of paths.
    pub fn all(&self) -> Vec<Arc<Record>> {
        self.0.catalog.all()
    }

    /// The appliances with this identifier, SHA-256 (of either form) or name, newest first.
    pub fn find(&self, key: &str) -> Vec<Arc<Record>> {
        self.0.catalog.find(key)
    }

    /// A folder of the tree, with published things only; `None` if there is no such folder.
    pub fn list(&self, folder: &TreePath) -> Option<Listing> {
        self.0.catalog.list(folder)
    }

    /// A page of what fits a query at this time.
    pub fn search(&self, query: &SearchQuery, now: Timestamp) -> Page {
        self.0.catalog.search(query, now)
    }

    /// The image of a published appliance, opened. Refused where it is known to be damaged.
    pub async fn open_image(&self, record: &Record) -> Result<ImageSource, StoreError> {
        if let Some(reason) = &record.damaged {
            let path = record.path.to_string();
            return Err(StoreError::Damaged { path, reason: reason.clone() });
        }
        let source = self.backend().image(&record.path, &record.image_key).await?;
        if source.len() == record.compressed.bytes {
            return Ok(source);
        }
        let path = record.path.to_string();
        let reason = format!("the image has {} bytes", source.len());
        Err(StoreError::Damaged { path, reason })
    }

    /// The signed bytes of the manifest.
    pub async fn manifest_bytes(&self, record: &Record) -> Result<Bytes, StoreError> {
        self.small_bytes(record, Small::Manifest, &record.manifest).await
    }

    /// The signed bytes of the deprecation.
    pub async fn deprecation_bytes(&self, record: &Record) -> Result<Bytes, StoreError> {
        let absent = || not_published(record, FileKind::Deprecation);
        let facts = record.deprecation.as_ref().ok_or_else(absent)?;
        self.small_bytes(record, Small::Deprecation, facts).await
    }

    /// A small file whose bytes are those that were published, or an error.
    async fn small_bytes(
        &self,
        record: &Record,
        which: Small,
        facts: &FileFacts,
    ) -> Result<Bytes, StoreError> {
        if let Some(bytes) = self.0.recent.get(&facts.sha256) {
            return Ok(bytes);
        }
        let kind = match which {
            Small::Manifest => FileKind::Manifest,
            Small::Deprecation => FileKind::Deprecation,
        };
        let found = self.backend().small(&record.path, which).await?;
        let bytes = found.ok_or_else(|| not_published(record, kind))?.bytes;
        if sha256(&bytes) != facts.sha256 {
            let reason = "its bytes are not those that were published".to_owned();
            return Err(StoreError::Damaged { path: record.path.file(kind).to_string(), reason });
        }
        self.0.recent.keep(facts.sha256.clone(), bytes.clone());
        Ok(bytes)
    }
}

fn not_published(record: &Record, kind: FileKind) -> StoreError {
    StoreError::NotPublished { path: record.path.file(kind).to_string() }
}

/// One server for each folder, as long as the file is open.
fn lock_folder(data: &std::path::Path) -> Result<File, StoreError> {
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(StoreError::Locked { folder: data.display().to_string() })
        }
        Err(error) => Err(StoreError::io("lock", &path)(error.into())),
    }
}
