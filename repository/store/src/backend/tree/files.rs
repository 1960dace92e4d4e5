//! Files that are whole or not there.

use super::super::SmallFile;
use crate::StoreError;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

/// Largest manifest or deprecation that is read back: 4 MiB.
pub(super) const SMALL_LIMIT: u64 = 4 << 20;

/// Makes the names in a folder safe from a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(StoreError::io("sync", folder))
}

/// Writes a file under a passing name, syncs it, and renames it: `target` is the old one or the new
/// one, never half.
pub(super) fn write_synced(passing: &Path, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_new(passing, bytes, None)?;
    fs::rename(passing, target).map_err(StoreError::io("rename to", target))?;
    sync_folder(target.parent().unwrap_or(target))
}

/// Writes and syncs a file that does not exist yet. Leaves nothing behind when it fails.
pub(super) fn write_new(
    path: &Path,
    bytes: &[u8],
    modified: Option<Timestamp>,
) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        if let Some(time) = modified {
            file.set_modified(SystemTime::from(time))?;
        }
        file.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(path);
        StoreError::io("write", path)(error)
    })
}

/// Removes a file that may be gone already.
pub(super) fn remove_file(path: &Path) -> Result<(), StoreError> {
    ignore_absent(fs::remove_file(path), "remove", path).map(drop)
}

/// Absence is an answer, not a failure.
pub(super) fn ignore_absent<T>(
    result: io::Result<T>,
    action: &'static str,
    path: &Path,
) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(action, path)(error)),
    }
}

/// Reads a manifest or deprecation, if it is there.
pub(super) fn read_small(path: &Path, image_key: String) -> Result<Option<SmallFile>, StoreError> {
    let Some(file) = ignore_absent(File::open(path), "open", path)? else { return Ok(None) };
    let metadata = file.metadata().map_err(StoreError::io("look at", path))?;
    let mut bytes = Vec::new();
    file.take(SMALL_LIMIT + 1).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > SMALL_LIMIT {
        let reason = format!("`{}` is larger than 4 MiB", path.display());
        return Err(StoreError::Manifest { reason });
    }
    let modified = metadata.modified().map_err(StoreError::io("look at", path))?;
    let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Some(SmallFile {
        stamp: stamp(&metadata),
        bytes: bytes.into(),
        modified: whole_milliseconds(modified),
        image_key,
    }))
}

/// Changes when a file is replaced.
pub(super) fn stamp(metadata: &fs::Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    format!("{}-{}", metadata.len(), modified.map_or(0, Timestamp::as_nanosecond))
}

/// What every file system can keep.
pub(crate) fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
