//! What the server asks when a machine connects: does its certificate need a join token, and is
//! this the machine that joined with it?
//!
//! OpenVPN runs this as its own account after it gave its rights away; the notes are in a folder
//! of that account.

use crate::derived::Invitation;
use crate::folder::{self, FolderError, io};
use crate::serial::Serial;
use crate::token::{Joined, Refusal, judge};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// What OpenVPN says about a machine that connects.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The serial number of its certificate, decimal (`tls_serial_0`).
    pub serial: &'a str,
    /// The name in its certificate (`common_name`).
    pub common_name: &'a str,
    /// Where it is (`untrusted_ip` and `untrusted_port`).
    pub peer: &'a str,
    /// The file with name and password, a line each.
    pub password_file: &'a Path,
}

/// Why a machine was not let in.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Its token is no good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It said another name than its certificate.
    #[error("the name sent is not the one in the certificate")]
    OtherName,
    /// OpenVPN did not say what it should.
    #[error("OpenVPN did not say which certificate was shown")]
    NoSerial,
    /// A file that cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file that is not ours.
    #[error("`{0}` cannot be understood")]
    Unreadable(String),
}

/// A refusal as it is kept for `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedJoin {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub peer: String,
    /// Why.
    pub reason: String,
}

/// Decides about a machine. `invitations` and `notes` are the folders `join` and `joined`.
pub fn decide(
    invitations: &Path,
    notes: &Path,
    attempt: Attempt<'_>,
    now: Timestamp,
) -> Result<(), JoinError> {
    let serial = Serial::from_decimal(attempt.serial).ok_or(JoinError::NoSerial)?;
    let Some(text) = folder::read(&invitations.join(serial.to_string()))? else {
        // A certificate that was given out alone is enough.
        return Ok(());
    };
    let invitation: Invitation = serde_json::from_slice(&text).map_err(|_| {
        JoinError::Unreadable(invitations.join(serial.to_string()).display().to_string())
    })?;
    let decided = compare(&invitation, serial, notes, attempt, now);
    if let Err(error) = &decided {
        let refused =
            RefusedJoin { at: now, peer: attempt.peer.to_owned(), reason: error.to_string() };
        note(notes, &format!("{serial}.refused"), &refused, true)?;
    }
    decided
}

fn compare(
    invitation: &Invitation,
    serial: Serial,
    notes: &Path,
    attempt: Attempt<'_>,
    now: Timestamp,
) -> Result<(), JoinError> {
    let content = folder::read(attempt.password_file)?.ok_or(Refusal::Missing)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
    let mut lines = text.lines();
    let (name, password) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if password.is_empty() {
        return Err(Refusal::Missing.into());
    }
    if name != attempt.common_name || name != invitation.name.as_str() {
        return Err(JoinError::OtherName);
    }
    let before = machine(notes, serial)?;
    let is_new = before.is_none();
    let joined = judge(&invitation.token, before, password, now)?;
    if is_new && !note(notes, &serial.to_string(), &joined, false)? {
        // Somebody else was faster by a moment.
        judge(&invitation.token, machine(notes, serial)?, password, now)?;
    }
    Ok(())
}

/// Which machine joined with a certificate.
pub fn machine(notes: &Path, serial: Serial) -> Result<Option<Joined>, FolderError> {
    let content = folder::read(&notes.join(serial.to_string()))?;
    // A note that cannot be read counts as a machine that nobody is: it lets nobody in.
    let unknown = Joined { machine: String::new(), at: Timestamp::UNIX_EPOCH, host_key: None };
    Ok(content.map(|content| serde_json::from_slice(&content).unwrap_or(unknown)))
}

/// The last refusal of a certificate's token.
pub fn refused(notes: &Path, serial: Serial) -> Result<Option<RefusedJoin>, FolderError> {
    let content = folder::read(&notes.join(format!("{serial}.refused")))?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

/// Writes a note; false where there is one and it is not to be replaced.
fn note(
    notes: &Path,
    name: &str,
    value: &impl Serialize,
    replace: bool,
) -> Result<bool, JoinError> {
    let path = notes.join(name);
    let content = serde_json::to_vec(value).unwrap_or_default();
    let mut file = tempfile::NamedTempFile::new_in(notes).map_err(io("write in", notes))?;
    file.write_all(&content)
        .and_then(|()| file.as_file().sync_all())
        .map_err(io("write", &path))?;
    let placed = if replace { file.persist(&path) } else { file.persist_noclobber(&path) };
    match placed {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(io("write", &path)(error.error).into()),
    }
    fs::File::open(notes).and_then(|f| f.sync_all()).map_err(io("sync", notes))?;
    Ok(true)
}
