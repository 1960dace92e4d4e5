//! Every published appliance in memory, so that downloads and lookups touch no database.

use crate::Record;
use crate::finder::{Finder, Number, Page};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use stratus_model::{Algorithm, AppliancePath, FileKind, TreePath};
use stratus_repository_api::search::SearchQuery;

/// What a folder shows: published things only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Names of its folders.
    pub folders: Vec<String>,
    /// Its files.
    pub files: Vec<Entry>,
}

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was published.
    pub modified: Timestamp,
    /// The appliance it is of.
    pub record: Arc<Record>,
}

#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<Maps>);

#[derive(Debug, Default)]
struct Maps {
    by_path: HashMap<AppliancePath, (Arc<Record>, Number)>,
    /// The same in order: the tree is a range of paths.
    in_order: BTreeMap<Box<str>, Arc<Record>>,
    /// Identifiers, SHA-256 of either form, and names, each with the places that have it.
    by_key: HashMap<Box<str>, Vec<AppliancePath>>,
    finder: Finder,
}

/// What an appliance can be asked for by, beside its path.
fn keys(record: &Record) -> impl Iterator<Item = Box<str>> {
    let sha256 = [&record.compressed, &record.content]
        .into_iter()
        .filter_map(|form| form.digest(Algorithm::Sha256))
        .map(|digest| digest.to_hex().into_boxed_str());
    let identifier = record.identifier.map(|id| id.to_string().into_boxed_str());
    sha256.chain(identifier).chain([record.name().into()])
}

impl Catalog {
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, path: &AppliancePath) -> Option<Arc<Record>> {
        self.read().get(path)
    }

    pub(crate) fn len(&self) -> usize {
        self.read().by_path.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Record>> {
        self.read().in_order.values().cloned().collect()
    }

    pub(crate) fn insert(&self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.write().insert(std::slice::from_ref(&record));
        record
    }

    /// Many at once, which is much quicker than one by one.
    pub(crate) fn insert_all(&self, records: Vec<Record>) -> Vec<Arc<Record>> {
        let records: Vec<Arc<Record>> = records.into_iter().map(Arc::new).collect();
        self.write().insert(&records);
        records
    }

    pub(crate) fn remove(&self, path: &AppliancePath) {
        self.write().remove(path);
    }

    pub(crate) fn replace_all(&self, records: Vec<Record>) {
        let fresh = Self::default();
        fresh.insert_all(records);
        *self.write() = fresh.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// Changes a record, if it is there, and answers the new one.
    pub(crate) fn update(
        &self,
        path: &AppliancePath,
        change: impl FnOnce(&mut Record),
    ) -> Option<Arc<Record>> {
        let mut maps = self.write();
        let mut record = Record::clone(&*maps.get(path)?);
        change(&mut record);
        let record = Arc::new(record);
        maps.insert(std::slice::from_ref(&record));
        Some(record)
    }

    /// Those with this identifier, SHA-256 or name, newest first.
    pub(crate) fn find(&self, key: &str) -> Vec<Arc<Record>> {
        let maps = self.read();
        let lower = key.to_ascii_lowercase();
        let is_digest = key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
        let key = if is_digest { lower.as_str() } else { key };
        let mut found: Vec<Arc<Record>> =
            maps.by_key.get(key).into_iter().flatten().filter_map(|path| maps.get(path)).collect();
        found.sort_by(|a, b| b.published.cmp(&a.published).then_with(|| a.path.cmp(&b.path)));
        found
    }

    /// A page of what fits a query at this time.
    pub(crate) fn search(&self, query: &SearchQuery, now: Timestamp) -> Page {
        self.read().finder.search(query, now)
    }

    /// A folder of the tree; `None` if nothing is published below it. The root is always there.
    pub(crate) fn list(&self, folder: &TreePath) -> Option<Listing> {
        let maps = self.read();
        let prefix = match folder.as_str() {
            "" => String::new(),
            text => format!("{text}/"),
        };
        let mut listing = Listing::default();
        let mut from: Bound<String> = Bound::Included(prefix.clone());
        while let Some((path, record)) = maps.after(&from) {
            let Some(rest) = path.strip_prefix(prefix.as_str()) else { break };
            if let Some((name, _)) = rest.split_once('/') {
                listing.folders.push(name.to_owned());
                // `0` is the character after the slash: past everything in that folder.
                from = Bound::Included(format!("{prefix}{name}0"));
            } else {
                listing.files.extend(entries(record));
                from = Bound::Excluded(path.to_string());
            }
        }
        let empty = listing.folders.is_empty() && listing.files.is_empty();
        // `a-b/` sorts before `a/`: both were met in the order of whole paths.
        listing.folders.sort_unstable();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        (!empty || prefix.is_empty()).then_some(listing)
    }
}

impl Maps {
    fn get(&self, path: &AppliancePath) -> Option<Arc<Record>> {
        self.by_path.get(path).map(|(record, _)| Arc::clone(record))
    }

    /// In the place of those with the same paths; no path twice.
    fn insert(&mut self, records: &[Arc<Record>]) {
        for record in records {
            self.remove(&record.path);
        }
        let numbers = self.finder.insert(records);
        for (record, number) in records.iter().zip(numbers) {
            for key in keys(record) {
                let paths = self.by_key.entry(key).or_default();
                // Only from this record can it be there: two of its keys may be equal.
                if paths.last() != Some(&record.path) {
                    paths.push(record.path.clone());
                }
            }
            self.in_order.insert(record.path.as_str().into(), Arc::clone(record));
            self.by_path.insert(record.path.clone(), (Arc::clone(record), number));
        }
    }

    fn remove(&mut self, path: &AppliancePath) {
        let Some((record, number)) = self.by_path.remove(path) else { return };
        self.finder.remove(number);
        self.in_order.remove(path.as_str());
        for key in keys(&record) {
            if let Some(paths) = self.by_key.get_mut(&key) {
                paths.retain(|p| p != path);
                if paths.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
    }

    fn after(&self, from: &Bound<String>) -> Option<(&str, &Arc<Record>)> {
        let from = match from {
            Bound::Included(text) => Bound::Included(text.as_str()),
            Bound::Excluded(text) => Bound::Excluded(text.as_str()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let (path, record) = self.in_order.range::<str, _>((from, Bound::Unbounded)).next()?;
        Some((path, record))
    }
}

fn entries(record: &Arc<Record>) -> impl Iterator<Item = Entry> {
    let entry = |kind, bytes, modified| Entry {
        name: record.path.file_name(kind),
        kind,
        bytes,
        modified,
        record: Arc::clone(record),
    };
    let image = entry(FileKind::Image, record.compressed.bytes, record.published);
    let manifest = entry(FileKind::Manifest, record.manifest.bytes, record.manifest.modified);
    let deprecation =
        record.deprecation.as_ref().map(|d| entry(FileKind::Deprecation, d.bytes, d.modified));
    [image, manifest].into_iter().chain(deprecation)
}
