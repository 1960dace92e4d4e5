//! An object's two files: the bytes, and the journal that tells of them.

use super::Object;
use crate::spool::journal::{Line, encode};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stratus_serve::file_body::MappedFile;

impl Object {
    /// The file with the bytes; only those that [`Object::poll_readable`] names may be read.
    pub(crate) fn data(&self) -> std::io::Result<Arc<MappedFile>> {
        self.shared.open(&self.data, &self.data_path, self.total())
    }

    /// Lets answers go on from the file, whatever happens to its name.
    pub(crate) fn hold(&self) {
        if let Ok(data) = self.data() {
            let _ = self.held.set(data);
        }
    }

    /// Takes the names away; whoever reads goes on reading.
    pub(crate) fn unlink(&self) {
        // Without its journal an object does not exist.
        for path in [&self.journal_path, &self.data_path] {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot be removed");
            }
        }
        self.shared.forget(&self.data);
    }

    /// Notes the time of the last use, so that a restart knows it.
    pub(crate) fn keep_time(&self) {
        let last = self.used.load(Ordering::Relaxed);
        if self.noted.swap(last, Ordering::Relaxed) == last {
            return;
        }
        let used = std::time::SystemTime::from(self.used());
        let journal = OpenOptions::new().append(true).open(&self.journal_path);
        let _ = journal.and_then(|journal| journal.set_modified(used));
    }

    /// Writes a line. A journal that cannot be written costs what it did not note, nothing more.
    pub(super) fn note(&self, line: &Line) {
        let journal = OpenOptions::new().append(true).open(&self.journal_path);
        match journal.and_then(|journal| append(&journal, &encode(line))) {
            // It was taken away meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(key = %self.key, %error, "the journal was not written");
            }
            // That changed its time.
            Ok(()) => self.noted.store(i64::MIN, Ordering::Relaxed),
        }
    }
}

/// Writes all of a line or nothing: lines behind a torn one would count for nothing.
fn append(mut journal: &File, line: &[u8]) -> std::io::Result<()> {
    let before = journal.metadata()?.len();
    journal.write_all(line).inspect_err(|_| {
        let _ = journal.set_len(before);
    })
}
