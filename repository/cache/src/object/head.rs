//! The head of a response: known, or in the journal until somebody asks for it.

use super::Object;
use crate::spool::journal::{HeadLine, Line};
use arc_swap::ArcSwap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use stratus_cache_policy::Stored;

/// The head of a response.
pub(crate) enum Head {
    Known(Box<Stored>),
    /// In this line of the journal.
    At(HeadLine),
}

/// The newest head of an object, read once.
pub(super) struct Newest {
    line: HeadLine,
    known: OnceLock<ArcSwap<Stored>>,
}

impl Newest {
    pub(super) fn new(head: Head) -> Self {
        let (line, known) = match head {
            Head::At(line) => (line, OnceLock::new()),
            Head::Known(head) => (HeadLine::default(), ArcSwap::from_pointee(*head).into()),
        };
        Self { line, known }
    }
}

impl Object {
    /// The response's head as it is now. One that cannot be read any more takes the object with it,
    /// and answers nothing.
    pub(crate) fn head(&self) -> Arc<Stored> {
        self.newest().load_full()
    }

    fn newest(&self) -> &ArcSwap<Stored> {
        self.head.known.get_or_init(|| {
            let head = read(&self.journal_path, self.head.line).unwrap_or_else(|error| {
                tracing::warn!(key = %self.key, %error, "a stored head cannot be read");
                self.retire();
                Stored::lost()
            });
            ArcSwap::from_pointee(head)
        })
    }

    /// The head changed: a 304 said so.
    pub(crate) fn set_head(&self, head: Stored) {
        let newest = self.newest();
        self.note(&Line::Head(Box::new(head.clone())));
        newest.store(Arc::new(head));
    }
}

/// From the journal, which only grows while somebody uses it: the line is where it was at the start.
fn read(journal: &Path, line: HeadLine) -> std::io::Result<Stored> {
    let mut text = vec![0; line.length as usize];
    File::open(journal)?.read_exact_at(&mut text, line.start.into())?;
    line.head(&text).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}
