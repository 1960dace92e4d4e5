//! The journal: what was done to which host, when, by whom, and where its state before is kept.
//!
//! One file for each run on the front-end, one JSON object for each line, appended and synced before
//! and after each step. A record that cannot be written stops the run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stratus_site::HostName;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// By whom: login and host.
    pub who: String,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "entry")]
pub enum Entry {
    /// A run begins.
    RunBegan {
        /// What is run: `apply`, `uninstall`.
        what: String,
        /// The plan's fingerprint.
        fingerprint: String,
    },
    /// A step begins.
    StepBegan {
        /// The host.
        host: HostName,
        /// The step.
        step: String,
        /// Why the site wants it.
        reason: String,
        /// Where the host keeps how it was before.
        before: Option<String>,
    },
    /// A step ended.
    StepEnded {
        /// The host.
        host: HostName,
        /// The step.
        step: String,
        /// How.
        result: Ended,
    },
    /// A run ended.
    RunEnded {
        /// Whether everything is as it should be.
        good: bool,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It was so already.
    Same,
    /// It is so now; what changed.
    Changed(Vec<String>),
    /// It failed; the cause.
    Failed(String),
}

/// What a journal file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The records.
    pub records: Vec<Record>,
    /// Whether the last line is torn: the power went, or the disk was full, while it was written.
    pub torn: bool,
}

/// A line that is no record, elsewhere than at the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no record of a journal: {reason}")]
pub struct BadJournal {
    /// Its number.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Reads a journal file.
pub fn read(bytes: &[u8]) -> Result<Read, BadJournal> {
    let mut read = Read::default();
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let (lines, rest) = bytes.split_at(whole);
    read.torn = !rest.is_empty();
    let count = lines.split(|b| *b == b'\n').count();
    for (index, line) in lines.split(|b| *b == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(record) => read.records.push(record),
            // A block of the disk that was never written reads as a last line of zeros.
            Err(_) if index + 2 >= count => read.torn = true,
            Err(error) => {
                return Err(BadJournal { line: index + 1, reason: error.to_string() });
            }
        }
    }
    Ok(read)
}

impl Read {
    /// Steps that began and have no end: the run was cut off there.
    pub fn cut_off(&self) -> Vec<(&HostName, &str)> {
        let mut open: Vec<(&HostName, &str)> = Vec::new();
        for record in &self.records {
            match &record.entry {
                Entry::StepBegan { host, step, .. } => open.push((host, step)),
                Entry::StepEnded { host, step, .. } => {
                    open.retain(|o| *o != (host, step.as_str()));
                }
                Entry::RunBegan { .. } | Entry::RunEnded { .. } => {}
            }
        }
        open
    }
}

/// Why a record was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal was not written: {0}")]
pub struct NotKept(pub String);

/// Where records go.
#[async_trait::async_trait]
pub trait Journal: Send + Sync {
    /// Keeps a record; when this returns, it survives a power cut.
    async fn keep(&self, record: &Record) -> Result<(), NotKept>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began() -> Record {
        Record {
            at: Timestamp::UNIX_EPOCH,
            who: "ann@desk".into(),
            entry: Entry::StepBegan {
                host: "node1".parse().unwrap(),
                step: "file:/etc/x".into(),
                reason: "The site wants it.".into(),
                before: Some("before/path:%2Fetc%2Fx".into()),
            },
        }
    }

    #[test]
    fn a_torn_last_line_is_told_and_the_rest_is_read() {
        let line = serde_json::to_string(&began()).unwrap();
        let whole = format!("{line}\n");
        assert_eq!(read(whole.as_bytes()), Ok(Read { records: vec![began()], torn: false }));
        for end in 1..line.len() {
            let torn = format!("{whole}{}", &line[..end]);
            let read = read(torn.as_bytes()).unwrap();
            assert_eq!((read.records.len(), read.torn), (1, true));
            assert_eq!(read.cut_off().len(), 1);
        }
        let zeros = format!("{whole}\0\0\0\0\n");
        assert!(read(zeros.as_bytes()).unwrap().torn);
    }

    #[test]
    fn nonsense_in_the_middle_is_no_journal() {
        let line = serde_json::to_string(&began()).unwrap();
        let bad = read(format!("{line}\nnonsense\n{line}\n").as_bytes()).unwrap_err();
        assert_eq!(bad.line, 2);
    }
}
