//! The audit log: who published, deprecated, deleted, and who made or ended a token.
//!
//! One JSON object a line in `audit.log` of the data folder. The file is opened for each line, so
//! that it can be rotated at any time, and synced before the request is answered: what a person was
//! told happened is on record.

use jiff::Timestamp;
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// What somebody did.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Publish,
    Deprecate,
    Delete,
    TokenMade,
    TokenRevoked,
    Login,
}

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
    pub(crate) login: &'a str,
    pub(crate) via: String,
    pub(crate) from: IpAddr,
    /// The appliance or token it was done to.
    pub(crate) object: &'a str,
    /// SHA-256 of the manifest or statement that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Subject of the certificate that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endorser: Option<&'a str>,
}

/// Where the lines go.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    file: PathBuf,
}

impl Audit {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Writes and syncs one line. Blocks for as long as the disk takes.
    pub(crate) fn record(&self, entry: &Entry<'_>) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.file)?;
        // One write of a whole line in append mode: lines of two requests never mix.
        file.write_all(&line)?;
        file.sync_data()?;
        tracing::info!(target: "audit", action = ?entry.action, login = entry.login, from = %entry.from, object = entry.object, "audit");
        Ok(())
    }
}
