//! What happened, kept over restarts: the newest in memory, all of some months in two files.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use stratus_monitor_state::{Event, EventKind, Viewer};

/// Events in memory, and on pages.
const MOST: usize = 5000;
/// A file of more bytes becomes the older one.
const FILE: u64 = 8 << 20;

/// The diary.
#[derive(Debug)]
pub(crate) struct Diary {
    file: PathBuf,
    retention: i64,
    inner: Mutex<VecDeque<Event>>,
}

impl Diary {
    /// Reads what was kept.
    pub(crate) fn open(data: &Path, retention: i64, now: i64) -> io::Result<Self> {
        let file = data.join("events.jsonl");
        let mut events = VecDeque::new();
        for file in [file.with_extension("old"), file.clone()] {
            let lines = match File::open(&file) {
                Ok(file) => BufReader::new(file).lines(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for line in lines {
                // A line cut off by a kill is no event, and hides none.
                let Ok(event) = serde_json::from_str::<Event>(&line?) else { continue };
                if event.at >= now - retention {
                    events.push_back(event);
                }
                if events.len() > MOST {
                    events.pop_front();
                }
            }
        }
        Ok(Self { file, retention, inner: Mutex::new(events) })
    }

    /// Adds what happened. It is in memory in any case.
    pub(crate) fn add(&self, new: &[Event]) -> io::Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        {
            let mut events = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            events.extend(new.iter().cloned());
            let newest = events.back().map_or(0, |event| event.at);
            while events.len() > MOST
                || events.front().is_some_and(|first| first.at < newest - self.retention)
            {
                events.pop_front();
            }
        }
        let lines: String = new
            .iter()
            .filter_map(|event| serde_json::to_string(event).ok())
            .map(|line| line + "\n")
            .collect();
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o640).open(&self.file)?;
        // A line that was cut off before stays by itself.
        let whole = file.metadata()?.len();
        file.write_all(lines.as_bytes())?;
        if whole + lines.len() as u64 > FILE {
            std::fs::rename(&self.file, self.file.with_extension("old"))?;
        }
        Ok(())
    }

    /// The newest events that somebody may see, newest first.
    pub(crate) fn newest(
        &self,
        viewer: &Viewer,
        kind: Option<EventKind>,
        skip: usize,
        most: usize,
    ) -> (Vec<Event>, usize) {
        let events = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let visible = |event: &&Event| {
            let mine = match viewer {
                Viewer::Administrator => !event.summed,
                Viewer::Own(login) => event.user.as_ref() == Some(login),
            };
            mine && kind.is_none_or(|kind| event.kind == kind)
        };
        let total = events.iter().filter(visible).count();
        let found = events.iter().rev().filter(visible).skip(skip).take(most).cloned().collect();
        (found, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, user: Option<&str>) -> Event {
        let (kind, what) = (EventKind::Machine, format!("event {at}"));
        Event { at, kind, what, user: user.map(str::to_owned), link: "/".to_owned(), summed: false }
    }

    #[test]
    fn events_outlive_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::TempDir::new().unwrap();
        let diary = Diary::open(folder.path(), 1000, 100).unwrap();
        diary.add(&[event(100, Some("alice")), event(101, None)]).unwrap();
        let file = folder.path().join("events.jsonl");
        let mut text = std::fs::read_to_string(&file).unwrap();
        text.push_str("{\"at\":102,\"ki\n");
        std::fs::write(&file, text).unwrap();
        let again = Diary::open(folder.path(), 1000, 103).unwrap();
        again.add(&[event(103, Some("bob"))]).unwrap();
        let (all, total) = again.newest(&Viewer::Administrator, None, 0, 10);
        assert_eq!((all.len(), total, all[0].at), (3, 3, 103));
        let (own, _) = again.newest(&Viewer::Own("alice".into()), None, 0, 10);
        assert_eq!(own.len(), 1);
        let late = Diary::open(folder.path(), 1000, 5000).unwrap();
        assert_eq!(late.newest(&Viewer::Administrator, None, 0, 10).1, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let folder = tempfile::TempDir::new().unwrap();
        let diary = Diary::open(folder.path(), 1 << 40, 0).unwrap();
        let many: Vec<Event> = (0..).take(MOST + 10).map(|at| event(at, None)).collect();
        diary.add(&many).unwrap();
        assert_eq!(diary.newest(&Viewer::Administrator, None, 0, 10).1, MOST);
    }
}
