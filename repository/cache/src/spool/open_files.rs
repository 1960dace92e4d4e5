//! What all objects share: how much room they take, and the files that were used lately, kept open.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use stratus_serve::file_body::MappedFile;

/// Files kept open when nobody uses them.
const KEPT: usize = 512;

/// Room for a response of unknown length.
const UNKNOWN: u64 = 64 << 20;

/// Takes objects away until there is room for so many bytes, as far as the rules allow it.
type MakeRoom = Box<dyn Fn(u64) -> bool + Send + Sync>;

#[derive(Default)]
pub(crate) struct Shared {
    /// Bytes that all objects may take.
    budget: u64,
    occupied: AtomicU64,
    /// The one used longest ago first.
    recent: Mutex<VecDeque<Arc<MappedFile>>>,
    make_room: OnceLock<MakeRoom>,
}

/// A file that is opened when somebody needs it.
#[derive(Debug, Default)]
pub(crate) struct Lazy(Mutex<Weak<MappedFile>>);

impl Shared {
    pub(crate) fn new(budget: u64) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Whether the objects may take so many bytes more.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.occupied().saturating_add(bytes) <= self.budget
    }

    /// Who makes room when the disk is full on the way.
    pub(crate) fn when_full(&self, make_room: MakeRoom) {
        let _ = self.make_room.set(make_room);
    }

    /// Makes room for so many bytes; without a number, for some.
    pub(crate) fn make_room(&self, bytes: Option<u64>) -> bool {
        let bytes = bytes.unwrap_or_else(|| self.some());
        self.make_room.get().is_some_and(|make_room| make_room(bytes))
    }

    /// Room for something of which nobody knows how much it needs.
    pub(crate) fn some(&self) -> u64 {
        UNKNOWN.min(self.budget / 10)
    }

    /// Bytes of all objects.
    pub(crate) fn occupied(&self) -> u64 {
        self.occupied.load(Ordering::Relaxed)
    }

    pub(crate) fn grew(&self, bytes: u64) {
        self.occupied.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn shrank(&self, bytes: u64) {
        self.occupied.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The file, for reading and writing. As long as somebody holds it, it is the same one, whatever
    /// happened to its name.
    /// `length` bytes of it are mapped, where the length is known.
    pub(crate) fn open(
        &self,
        lazy: &Lazy,
        path: &Path,
        length: Option<u64>,
    ) -> std::io::Result<Arc<MappedFile>> {
        let mut open = lazy.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.upgrade() {
            return Ok(file);
        }
        let file = OpenOptions::new().read(true).write(true).open(path).or_else(|error| {
            // What cannot be written any more can still be read.
            match error.kind() {
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => File::open(path),
                _ => Err(error),
            }
        })?;
        // A file is made as long as it will be, and never made shorter.
        let file = Arc::new(MappedFile::new(file, length.unwrap_or(0)));
        *open = Arc::downgrade(&file);
        self.keep(Arc::clone(&file));
        Ok(file)
    }

    fn keep(&self, file: Arc<MappedFile>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(file);
        if recent.len() > KEPT {
            recent.pop_front();
        }
    }

    /// The file has no name any more: whoever uses it goes on, and then its room is free.
    pub(crate) fn forget(&self, lazy: &Lazy) {
        let open = lazy.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let Some(file) = open else { return };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|other| !Arc::ptr_eq(other, &file));
    }
}
