//! Finding what is stored, at the start.

use super::journal::{JOURNAL_LIMIT, read};
use super::open_files::Shared;
use super::{SpoolError, io};
use crate::object::{Object, Parts};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Threads that read journals.
const THREADS: usize = 4;

/// Every object that is fit for use; what belongs to none is removed.
pub(super) fn load(
    objects: &Path,
    shared: &Arc<Shared>,
) -> Result<HashMap<Arc<str>, Vec<Arc<Object>>>, SpoolError> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(objects).map_err(io("list", objects))? {
        let entry = entry.map_err(io("list", objects))?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            _ => remove(&entry.path()),
        }
    }
    let shares = folders.chunks(folders.len().div_ceil(THREADS).max(1));
    let found: Vec<Arc<Object>> = std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .map(|share| {
                scope.spawn(move || -> Result<Vec<Arc<Object>>, SpoolError> {
                    let mut found = Vec::new();
                    for folder in share {
                        found.extend(load_folder(folder, shared)?);
                    }
                    Ok(found)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Result<Vec<_>, _>>().map(|parts| parts.into_iter().flatten().collect())
    })?;
    Ok(by_key(found))
}

/// Newest first; of two that answer the same requests, the older goes.
fn by_key(mut found: Vec<Arc<Object>>) -> HashMap<Arc<str>, Vec<Arc<Object>>> {
    found.sort_by_key(|object| std::cmp::Reverse(object.head().received_at()));
    let mut index: HashMap<Arc<str>, Vec<Arc<Object>>> = HashMap::with_capacity(found.len());
    for object in found {
        let variants = index.entry(Arc::clone(&object.key)).or_default();
        let head = object.head();
        if variants.iter().any(|newer| newer.head().same_variant(&head)) {
            object.unlink();
        } else {
            variants.push(object);
        }
    }
    index
}

fn load_folder(folder: &Path, shared: &Arc<Shared>) -> Result<Vec<Arc<Object>>, SpoolError> {
    let mut found = Vec::new();
    let mut owned: HashSet<PathBuf> = HashSet::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io("list", folder))? {
        files.push(entry.map_err(io("list", folder))?.path());
    }
    for journal in files.iter().filter(|path| path.extension().is_some_and(|e| e == "log")) {
        let data = journal.with_extension("data");
        if let Some(object) = load_object(journal, &data, shared) {
            found.push(object);
            owned.insert(journal.clone());
            owned.insert(data);
        }
    }
    files.iter().filter(|path| !owned.contains(*path)).for_each(|stray| remove(stray));
    Ok(found)
}

/// What belongs to no object goes. A folder, which is nothing of ours, is let alone.
fn remove(stray: &Path) {
    if let Err(error) = std::fs::remove_file(stray) {
        tracing::warn!(path = %stray.display(), %error, "does not belong here and cannot be removed");
    }
}

/// One object; `None` where its files are not fit for use.
fn load_object(journal_path: &Path, data_path: &Path, shared: &Arc<Shared>) -> Option<Arc<Object>> {
    let mut journal = OpenOptions::new().read(true).write(true).open(journal_path).ok()?;
    let metadata = journal.metadata().ok()?;
    if metadata.len() > JOURNAL_LIMIT {
        return None;
    }
    let mut text = Vec::new();
    journal.read_to_end(&mut text).ok()?;
    // Without a length nobody knows where the rest would belong.
    let told = read(&text).filter(|told| told.identity.total.is_some())?;
    // The next line begins where the last whole one ends.
    if metadata.len() > told.length as u64 {
        journal.set_len(told.length as u64).ok()?;
    }
    let length = std::fs::metadata(data_path).ok()?.len();
    let used = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let mut records = told.records;
    let end = told.identity.total.map_or(length, |total| total.min(length));
    records.retain(|record| record.bytes.end <= end);
    Some(Object::new(Parts {
        key: told.identity.key.into(),
        promise: told.identity.promise,
        head: told.head,
        total: told.identity.total,
        records,
        verified: told.verified,
        pinned: told.pinned,
        used: used.unwrap_or_default(),
        data_path: data_path.to_owned(),
        journal_path: journal_path.to_owned(),
        shared: Arc::clone(shared),
    }))
}
