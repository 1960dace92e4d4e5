//! Everything that is stored: which objects there are, how much room they take, what goes.
//!
//! ```text
//! <directory>/lock                    held while a cache uses it
//! <directory>/control.sock            how `stratus-cache status` and its like speak to the service
//! <directory>/objects/<xx>/<id>.data  the bytes, where they belong; sparse while parts are missing
//!                         /<id>.log   what they are: see `journal`. Without it there is no object
//! ```

pub(crate) mod journal;
mod load;
pub(crate) mod open_files;
#[cfg(test)]
mod tests;

use crate::object::{Head, Object, Parts};
use crate::settings::Room;
use jiff::Timestamp;
use journal::{Identity, Line, Promise, encode};
use open_files::Shared;
use rustix::fs::{FlockOperation, flock, statvfs};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use stratus_cache_policy::Stored;
use stratus_cache_policy::evict::{Resident, victims};

/// How full the budget is made when room is needed, in percent: not each new object has to make room
/// for itself.
const LOW_WATER: u64 = 90;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A folder or file cannot be used.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process uses it.
    #[error("`{0}` is in use by another stratus-cache")]
    Locked(PathBuf),
}

/// Why an object is not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStored {
    /// It is larger than what can be made free.
    #[error("there is no room for it")]
    NoRoom,
    /// Its files cannot be made.
    #[error("its files cannot be made: {0}")]
    Io(#[from] std::io::Error),
}

impl NotStored {
    /// For `detail` in `Cache-Status`.
    pub(crate) fn token(&self) -> &'static str {
        match self {
            Self::NoRoom => "no-room",
            Self::Io(_) => "disk",
        }
    }
}

/// The stored objects by key.
pub(crate) struct Spool {
    directory: PathBuf,
    room: Room,
    index: RwLock<HashMap<Arc<str>, Vec<Arc<Object>>>>,
    shared: Arc<Shared>,
    evicting: Mutex<()>,
    pub(crate) evicted: AtomicU64,
    _lock: File,
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { action, path, source }
}

impl Spool {
    /// Opens the directory and finds what is in it. Blocks; for 100,000 objects some seconds.
    pub(crate) fn open(directory: &Path, room: Room) -> Result<Self, SpoolError> {
        let objects = directory.join("objects");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&objects)
            .map_err(io("create", &objects))?;
        let lock = lock_folder(directory)?;
        let shared = Arc::new(Shared::new(room.size));
        let found = load::load(&objects, &shared)?;
        let spool = Self {
            directory: directory.to_owned(),
            room,
            index: RwLock::new(found),
            shared,
            evicting: Mutex::default(),
            evicted: AtomicU64::new(0),
            _lock: lock,
        };
        // The budget may be smaller than it was.
        spool.make_room(0);
        Ok(spool)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Vec<Arc<Object>>>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Vec<Arc<Object>>>> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where everything is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How much room there is.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Bytes of all objects.
    pub(crate) fn occupied(&self) -> u64 {
        self.shared.occupied()
    }

    /// The variants under a key, newest first.
    pub(crate) fn variants(&self, key: &str) -> Vec<Arc<Object>> {
        let mut found = self.read().get(key).cloned().unwrap_or_default();
        found.retain(|object| {
            object.look_at_file();
            object.is_sound()
        });
        found
    }

    /// All objects, in the order of keys.
    pub(crate) fn all(&self) -> Vec<Arc<Object>> {
        let mut all: Vec<Arc<Object>> =
            self.read().values().flatten().filter(|o| o.is_sound()).cloned().collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read().values().map(Vec::len).sum()
    }

    /// Makes an object for a response whose bytes are about to come. It takes the place of the one
    /// with the same selecting fields.
    pub(crate) fn create(
        &self,
        key: &str,
        head: Stored,
        total: Option<u64>,
        promise: Promise,
    ) -> Result<Arc<Object>, NotStored> {
        // Of what has no length nobody knows how much room it needs; it gets some to begin with.
        let bytes = total.unwrap_or_else(|| self.shared.some());
        if !self.make_room(bytes) && total.is_some() {
            return Err(NotStored::NoRoom);
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let folder = self.directory.join("objects").join(&id[..2]);
        match std::fs::DirBuilder::new().mode(0o750).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error.into());
            }
            _ => {}
        }
        let data_path = folder.join(format!("{id}.data"));
        let journal_path = folder.join(format!("{id}.log"));
        let made = make_files(&data_path, &journal_path, total, || {
            let mut text = encode(&Line::Object(Identity::new(key, total, promise.clone())));
            text.extend(encode(&Line::Head(Box::new(head.clone()))));
            text
        });
        made.inspect_err(|_| {
            let _ = std::fs::remove_file(&data_path);
            let _ = std::fs::remove_file(&journal_path);
        })?;
        let object = Object::new(Parts {
            key: key.into(),
            promise,
            head: Head::Known(Box::new(head)),
            total,
            records: Vec::new(),
            verified: false,
            pinned: false,
            used: Timestamp::now(),
            data_path,
            journal_path,
            seen: true,
            shared: Arc::clone(&self.shared),
        });
        self.insert(&object);
        Ok(object)
    }

    /// An object that has no files and never will.
    pub(crate) fn unstored(
        &self,
        key: &str,
        head: Stored,
        total: Option<u64>,
        promise: Promise,
    ) -> Arc<Object> {
        let nowhere = PathBuf::new();
        Object::new(Parts {
            key: key.into(),
            promise,
            head: Head::Known(Box::new(head)),
            total,
            records: Vec::new(),
            verified: false,
            pinned: false,
            used: Timestamp::now(),
            data_path: nowhere.clone(),
            journal_path: nowhere,
            seen: true,
            shared: Arc::clone(&self.shared),
        })
    }

    fn insert(&self, object: &Arc<Object>) {
        let mut index = self.write();
        let variants = index.entry(Arc::clone(&object.key)).or_default();
        let head = object.head();
        let (replaced, kept): (Vec<_>, Vec<_>) =
            variants.drain(..).partition(|other| other.head().same_variant(&head));
        variants.push(Arc::clone(object));
        variants.extend(kept);
        drop(index);
        for old in replaced {
            if old.is_pinned() {
                object.pin(true);
            }
            old.retire();
        }
    }

    /// Takes objects away. Readers of them go on.
    pub(crate) fn remove(&self, object: &Arc<Object>) {
        let mut index = self.write();
        if let Some(variants) = index.get_mut(&object.key) {
            variants.retain(|other| !Arc::ptr_eq(other, object));
            if variants.is_empty() {
                index.remove(&object.key);
            }
        }
        drop(index);
        object.retire();
    }

    /// Takes everything under a key away; answers how many there were.
    pub(crate) fn purge(&self, key: &str) -> usize {
        let removed = self.write().remove(key).unwrap_or_default();
        for object in &removed {
            object.retire();
        }
        removed.len()
    }

    /// Takes away what is condemned.
    pub(crate) fn sweep(&self) {
        let condemned: Vec<Arc<Object>> =
            self.read().values().flatten().filter(|o| !o.is_sound()).cloned().collect();
        for object in condemned {
            self.remove(&object);
        }
    }

    /// Makes room for the missing bytes of an object, which stays itself.
    pub(crate) fn make_room_for(&self, object: &Object) {
        let missing = object.total().map_or(0, |total| total.saturating_sub(object.bytes()));
        object.enter();
        self.make_room(missing);
        object.leave();
    }

    /// Who makes room when the disk is full in the middle of a transfer.
    pub(crate) fn when_full(&self, make_room: impl Fn(u64) -> bool + Send + Sync + 'static) {
        self.shared.when_full(Box::new(make_room));
    }

    /// Makes room for so many bytes more, within the budget and above the floor of free space.
    pub(crate) fn make_room(&self, bytes: u64) -> bool {
        // Two at once would choose the same to go, and count it twice.
        let _one = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = self.room.size;
        let over = self.occupied().saturating_add(bytes).saturating_sub(budget);
        let free = statvfs(&self.directory).map_or(u64::MAX, |fs| fs.f_bavail * fs.f_frsize);
        let short = self.room.free.saturating_add(bytes).saturating_sub(free);
        let need = over.max(short);
        if need == 0 {
            return true;
        }
        if bytes > budget {
            return false;
        }
        let low = self.occupied().saturating_add(bytes).saturating_sub(budget / 100 * LOW_WATER);
        let residents = self.residents();
        let chosen = victims(&residents, need.max(low)).or_else(|| victims(&residents, need));
        let Some(chosen) = chosen else { return false };
        for object in chosen {
            tracing::info!(key = %object.key, bytes = object.bytes(), "evicted");
            self.evicted.fetch_add(1, Ordering::Relaxed);
            self.remove(&object);
        }
        true
    }

    fn residents(&self) -> Vec<Resident<Arc<Object>>> {
        let resident = |object: &Arc<Object>| Resident {
            id: Arc::clone(object),
            bytes: object.bytes(),
            used: object.used(),
            again: object.uses() > 1,
            complete: object.is_complete(),
            kept: object.is_pinned() || object.is_busy(),
        };
        self.read().values().flatten().map(resident).collect()
    }

    /// Notes when each object was last used, so that a restart knows.
    pub(crate) fn keep_times(&self) {
        for object in self.all() {
            object.keep_time();
        }
    }
}

fn make_files(
    data: &Path,
    journal: &Path,
    total: Option<u64>,
    text: impl FnOnce() -> Vec<u8>,
) -> std::io::Result<()> {
    let make = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o640).open(path);
    let data = make(data)?;
    if let Some(total) = total {
        data.set_len(total)?;
    }
    let mut journal = make(journal)?;
    journal.write_all(&text())
}

/// One cache for each directory, as long as the file is open.
fn lock_folder(directory: &Path) -> Result<File, SpoolError> {
    let path = directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::Locked(directory.to_owned())),
        Err(error) => Err(io("lock", &path)(error.into())),
    }
}
