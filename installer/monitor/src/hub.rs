//! What the collector leaves for everybody else.

use crate::diary::Diary;
use crate::history::History;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use stratus_monitor_state::{Cause, State};
use tokio::sync::watch;

/// The newest state, the diary, the history, and who was silenced.
pub(crate) struct Hub {
    state: ArcSwap<State>,
    turn: watch::Sender<u64>,
    pub(crate) diary: Diary,
    /// The history, or why there is none.
    pub(crate) history: Result<History, String>,
    pub(crate) silenced: Silenced,
}

impl Hub {
    pub(crate) fn new(
        begin: State,
        diary: Diary,
        history: Result<History, String>,
        silenced: Silenced,
    ) -> Self {
        Self {
            state: ArcSwap::from_pointee(begin),
            turn: watch::Sender::new(0),
            diary,
            history,
            silenced,
        }
    }

    /// The newest state.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Puts a state in place, and wakes those who wait for it.
    pub(crate) fn publish(&self, state: Arc<State>) {
        self.state.store(state);
        self.turn.send_modify(|turn| *turn += 1);
    }

    /// Hears of each new state.
    pub(crate) fn turns(&self) -> watch::Receiver<u64> {
        self.turn.subscribe()
    }
}

/// Causes that nobody wants to hear of for a while.
#[derive(Debug)]
pub(crate) struct Silenced {
    file: PathBuf,
    until: Mutex<BTreeMap<String, i64>>,
}

impl Silenced {
    /// Reads those of before; a file that cannot be read silences nothing.
    pub(crate) fn open(data: &Path) -> Self {
        let file = data.join("silenced.json");
        let text = std::fs::read(&file).unwrap_or_default();
        Self { file, until: Mutex::new(serde_json::from_slice(&text).unwrap_or_default()) }
    }

    /// Until when a cause is silenced; `None` where it is not.
    pub(crate) fn until(&self, cause: &Cause, now: i64) -> Option<i64> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&cause.0).copied().filter(|until| *until > now)
    }

    /// Silences a cause, or lets it be heard again with an end that is over.
    pub(crate) fn set(&self, cause: &str, end: i64, now: i64) -> std::io::Result<()> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, end| *end > now);
        if end > now {
            until.insert(cause.to_owned(), end);
        } else {
            until.remove(cause);
        }
        let text = serde_json::to_vec(&*until).map_err(std::io::Error::other)?;
        stratus_terminal::AtomicFile::write(&self.file, &text)
    }
}
