//! Finding what is stored, at the start.

use super::journal::{JOURNAL_LIMIT, read};
use super::open_files::Shared;
use super::{SpoolError, io};
use crate::object::{Head, Object, Parts};
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, Stat, fstat, openat};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
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

fn by_key(found: Vec<Arc<Object>>) -> HashMap<Arc<str>, Vec<Arc<Object>>> {
    let mut index: HashMap<Arc<str>, Vec<Arc<Object>>> = HashMap::with_capacity(found.len());
    for object in found {
        let same = index.entry(Arc::clone(&object.key)).or_insert_with(|| Vec::with_capacity(1));
        same.push(object);
    }
    index.values_mut().filter(|same| same.len() > 1).for_each(without_older);
    index
}

/// Newest first; of two that answer the same requests, the older goes.
fn without_older(same: &mut Vec<Arc<Object>>) {
    same.sort_by_key(|object| std::cmp::Reverse(object.head().received_at()));
    let mut kept: Vec<Arc<Object>> = Vec::new();
    for object in same.drain(..) {
        let head = object.head();
        if kept.iter().any(|newer| newer.head().same_variant(&head)) {
            object.unlink();
        } else {
            kept.push(object);
        }
    }
    *same = kept;
}

fn load_folder(folder: &Path, shared: &Arc<Shared>) -> Result<Vec<Arc<Object>>, SpoolError> {
    let mut names: HashSet<OsString> = HashSet::new();
    for entry in std::fs::read_dir(folder).map_err(io("list", folder))? {
        names.insert(entry.map_err(io("list", folder))?.file_name());
    }
    // Names in an open folder are found without a walk from the root for each.
    let place = Place { folder, handle: File::open(folder).map_err(io("open", folder))?, shared };
    let (mut found, mut owned, mut text) = (Vec::new(), HashSet::new(), Vec::new());
    for journal in names.iter().filter(|name| Path::new(name).extension() == Some("log".as_ref())) {
        let data = Path::new(journal).with_extension("data").into_os_string();
        if !names.contains(&data) {
            continue;
        }
        if let Some(object) = place.load(journal, &data, &mut text) {
            found.push(object);
            owned.extend([journal.clone(), data]);
        }
    }
    names.difference(&owned).for_each(|stray| remove(&folder.join(stray)));
    Ok(found)
}

/// What belongs to no object goes. A folder, which is nothing of ours, is let alone.
fn remove(stray: &Path) {
    if let Err(error) = std::fs::remove_file(stray) {
        tracing::warn!(path = %stray.display(), %error, "does not belong here and cannot be removed");
    }
}

/// A folder with objects.
struct Place<'a> {
    folder: &'a Path,
    handle: File,
    shared: &'a Arc<Shared>,
}

impl Place<'_> {
    /// One object; `None` where its journal is not fit for use. The file with its bytes is looked at
    /// when the first request for them comes: see [`Object::look_at_file`].
    ///
    /// For each of very many objects: four system calls, and no memory but the object's own.
    fn load(&self, journal: &OsStr, data: &OsStr, text: &mut Vec<u8>) -> Option<Arc<Object>> {
        let (flags, mode) = (OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let file = File::from(openat(&self.handle, journal, flags, mode).ok()?);
        let metadata = fstat(&file).ok()?;
        let length = usize::try_from(metadata.st_size).ok()?;
        if metadata.st_size.cast_unsigned() > JOURNAL_LIMIT {
            return None;
        }
        text.resize(length, 0);
        (&file).read_exact(text).ok()?;
        // Without a length nobody knows where the rest would belong.
        let told = read(text).filter(|told| told.identity.total.is_some())?;
        let (journal_path, used) = (self.folder.join(journal), last_use(&metadata));
        if length > told.length {
            // The next line begins where the last whole one ends.
            let writable = OpenOptions::new().write(true).open(&journal_path);
            let cut = |file: File| {
                file.set_len(told.length as u64)?;
                file.set_modified(used.into())
            };
            writable.and_then(cut).ok()?;
        }
        let mut records = told.records;
        records.retain(|record| told.identity.total.is_some_and(|all| record.bytes.end <= all));
        Some(Object::new(Parts {
            key: told.identity.key.into(),
            promise: told.identity.promise,
            head: Head::At(told.head),
            total: told.identity.total,
            records,
            verified: told.verified,
            pinned: told.pinned,
            used,
            data_path: self.folder.join(data),
            journal_path,
            seen: false,
            shared: Arc::clone(self.shared),
        }))
    }
}

/// The time of the journal's last change, which is set to that of the last use.
fn last_use(metadata: &Stat) -> Timestamp {
    let nanoseconds = i32::try_from(metadata.st_mtime_nsec).unwrap_or(0);
    Timestamp::new(metadata.st_mtime, nanoseconds).unwrap_or_default()
}
