//! Trust anchors on disk: a PEM bundle or a grid CA directory, read and watched.
//!
//! [`Anchors::load`] reads once; [`Anchors::refresh`] looks whether anything changed since, which
//! costs a listing, and exchanges the store whole. A new state that cannot be used changes nothing:
//! the old one stays, and the caller hears why.

use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use stratus_x509::{TrustError, TrustStore};

/// Largest sum of all files, in bytes.
const SIZE_LIMIT: u64 = 64 << 20;
/// Most files in a directory.
const FILE_LIMIT: usize = 8192;

/// Trust anchors that are read from a path.
#[derive(Debug)]
pub struct Anchors {
    path: PathBuf,
    store: ArcSwap<TrustStore>,
    seen: Mutex<Seen>,
}

/// What the files looked like: name, size, time of change.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Why trust anchors could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// A file or directory could not be read.
    #[error("cannot read the trust anchors `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is more than any site has.
    #[error("`{path}` holds more than {FILE_LIMIT} files or {SIZE_LIMIT} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// The content makes no trust store.
    #[error("`{path}` holds no usable trust anchors")]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
}

impl Anchors {
    /// Reads a PEM bundle, or a grid CA directory.
    pub fn load(path: &Path) -> Result<Self, AnchorsError> {
        let seen = look(path)?;
        let store = read(path, &seen)?;
        Ok(Self {
            path: path.to_owned(),
            store: ArcSwap::from_pointee(store),
            seen: Mutex::new(seen),
        })
    }

    /// The store as of the last good reading.
    pub fn store(&self) -> Arc<TrustStore> {
        self.store.load_full()
    }

    /// Reads again if a file came, went or changed; tells whether it did.
    pub fn refresh(&self) -> Result<bool, AnchorsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = look(&self.path)?;
        if *seen == now {
            return Ok(false);
        }
        // Remembered even if it cannot be used: the same broken state is told once.
        seen.clone_from(&now);
        self.store.store(Arc::new(read(&self.path, &now)?));
        Ok(true)
    }
}

fn look(path: &Path) -> Result<Seen, AnchorsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| AnchorsError::Read { path, source }
    };
    let mut seen = Seen::new();
    let state = fs::metadata(path).map_err(failed(path))?;
    if !state.is_dir() {
        seen.insert(path.to_owned(), (state.len(), state.modified().ok()));
        return Ok(seen);
    }
    for entry in fs::read_dir(path).map_err(failed(path))? {
        let file = entry.map_err(failed(path))?.path();
        // Hash names are often links; one that leads nowhere is passed over.
        let Ok(state) = fs::metadata(&file) else { continue };
        if state.is_file() {
            seen.insert(file, (state.len(), state.modified().ok()));
        }
        if seen.len() > FILE_LIMIT {
            return Err(AnchorsError::TooLarge { path: path.to_owned() });
        }
    }
    Ok(seen)
}

fn read(path: &Path, seen: &Seen) -> Result<TrustStore, AnchorsError> {
    if seen.values().map(|(size, _)| size).sum::<u64>() > SIZE_LIMIT {
        return Err(AnchorsError::TooLarge { path: path.to_owned() });
    }
    let bytes = |file: &Path| {
        fs::read(file).map_err(|source| AnchorsError::Read { path: file.to_owned(), source })
    };
    let content = |source| AnchorsError::Content { path: path.to_owned(), source };
    if seen.len() == 1 && seen.contains_key(path) {
        return TrustStore::from_pem(&bytes(path)?).map_err(content);
    }
    let mut files = Vec::with_capacity(seen.len());
    for file in seen.keys() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, bytes(file)?));
    }
    let (store, warnings) = TrustStore::from_grid_files(files).map_err(content)?;
    for warning in warnings {
        tracing::warn!(directory = %path.display(), warning, "a trust anchor file is left out");
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::generate_simple_self_signed;

    fn certificate(name: &str) -> String {
        generate_simple_self_signed(vec![name.to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_changed_bundle_is_read_again_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trust.pem");
        fs::write(&file, certificate("a")).unwrap();
        let anchors = Anchors::load(&file).unwrap();
        assert!(!anchors.refresh().unwrap());
        fs::write(&file, certificate("a") + &certificate("b")).unwrap();
        assert!(anchors.refresh().unwrap());
        assert_eq!(anchors.store().anchors().len(), 2);
        fs::write(&file, "no certificate at all").unwrap();
        assert!(matches!(anchors.refresh(), Err(AnchorsError::Content { .. })));
        assert_eq!(anchors.store().anchors().len(), 2);
    }

    #[test]
    fn a_directory_is_read_by_its_hash_names() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1a2b3c4d.0"), certificate("a")).unwrap();
        fs::write(folder.path().join("README"), "not a certificate").unwrap();
        let anchors = Anchors::load(folder.path()).unwrap();
        assert_eq!(anchors.store().anchors().len(), 1);
        fs::write(folder.path().join("5e6f7a8b.0"), certificate("b")).unwrap();
        assert!(anchors.refresh().unwrap());
        assert_eq!(anchors.store().anchors().len(), 2);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Anchors::load(Path::new("/nonexistent/trust.pem")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/trust.pem"));
    }
}
