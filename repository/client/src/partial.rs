//! The file that a download grows in: `.<name>.stratus-partial` beside its target.
//!
//! It holds the bytes as served, with holes where pieces are missing. A later run opens it again and
//! checks what is in it; it is never believed. A lock keeps a second process away.

use crate::error::ClientError;
use crate::pieces::Pieces;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stratus_image::ChunkVerifier;

/// The partial file of one target.
#[derive(Debug)]
pub(crate) struct Partial {
    file: Arc<File>,
    path: PathBuf,
    target: PathBuf,
}

/// Validators of the bytes in a partial file that has no list of pieces, kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Where the bytes came from.
    pub(crate) url: String,
    /// Their strong entity tag.
    pub(crate) etag: String,
}

impl Partial {
    /// Opens the partial file of a target, or begins one, and locks it.
    pub(crate) fn open(target: &Path) -> Result<Self, ClientError> {
        let path = beside(target, "stratus-partial");
        let failed = |error| ClientError::file("write", &path)(error);
        loop {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(ClientError::Locked(target.to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Between opening and locking, the process that had it may have given it its name.
            if is_same(&file, &path).map_err(failed)? {
                return Ok(Self { file: Arc::new(file), path, target: target.to_owned() });
            }
        }
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where the image grows while the gzip file is inflated.
    pub(crate) fn inflating(&self) -> PathBuf {
        beside(&self.target, "stratus-inflating")
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Bytes in it, holes included.
    pub(crate) fn length(&self) -> Result<u64, ClientError> {
        self.file.metadata().map(|m| m.len()).map_err(ClientError::file("read", &self.path))
    }

    /// Which pieces are here already. Each is read and compared with its digest.
    pub(crate) fn verify(&self, chunks: &ChunkVerifier, bytes: u64) -> Result<Pieces, ClientError> {
        let failed = |error| ClientError::file("read", &self.path)(error);
        let mut pieces = Pieces::none(bytes, chunks.size());
        let have = self.length()?;
        let mut buffer = Vec::new();
        for index in 0..pieces.count() {
            let range = pieces.range(index);
            if range.end > have {
                break;
            }
            buffer.resize(usize::try_from(range.end - range.start).unwrap_or(0), 0);
            self.file.read_exact_at(&mut buffer, range.start).map_err(failed)?;
            // A hole reads as zeros: cheaper to see than to hash. No piece of a gzip file is that.
            let is_hole = buffer.iter().all(|byte| *byte == 0);
            if !is_hole && chunks.verify(index as u64, &buffer).is_ok() {
                pieces.add(index);
            }
        }
        Ok(pieces)
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), ClientError> {
        self.file.write_all_at(bytes, offset).map_err(ClientError::file("write", &self.path))
    }

    /// Cuts the file, or makes it longer with a hole.
    pub(crate) fn set_length(&self, bytes: u64) -> Result<(), ClientError> {
        self.file.set_len(bytes).map_err(ClientError::file("write", &self.path))
    }

    /// Remembers where the bytes come from, for a later run.
    pub(crate) fn remember(&self, origin: &Origin) -> Result<(), ClientError> {
        let path = self.origin_path();
        let text = format!("{}\n{}\n", origin.url, origin.etag);
        fs::write(&path, text).map_err(ClientError::file("write", &path))
    }

    /// Where the bytes of an earlier run came from.
    pub(crate) fn origin(&self) -> Option<Origin> {
        let text = fs::read_to_string(self.origin_path()).ok()?;
        let mut lines = text.lines();
        let (url, etag) = (lines.next()?.to_owned(), lines.next()?.to_owned());
        Some(Origin { url, etag })
    }

    /// Forgets where the bytes came from: nothing in the file can be gone on with.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(self.origin_path());
    }

    fn origin_path(&self) -> PathBuf {
        beside(&self.target, "stratus-origin")
    }

    /// Gives the complete, verified file its name and makes both durable.
    pub(crate) fn place(self) -> Result<(), ClientError> {
        self.forget();
        let failed = |error| ClientError::file("write", &self.target)(error);
        self.file.sync_all().map_err(failed)?;
        fs::rename(&self.path, &self.target).map_err(failed)?;
        sync_folder(&self.target).map_err(failed)
    }

    /// Removes the file: its content is in place in another form, or is worth nothing.
    pub(crate) fn discard(self) {
        self.forget();
        let _ = fs::remove_file(&self.path);
    }
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// `.<name>.<ending>` in the target's folder.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{ending}"))
}

fn sync_folder(target: &Path) -> io::Result<()> {
    let folder = target.parent().filter(|f| !f.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stratus_image::Hasher;
    use stratus_model::{Algorithm, Chunks, Compressed};

    fn verifier(content: &[u8], size: u64) -> ChunkVerifier {
        let sha256 = content
            .chunks(usize::try_from(size).unwrap())
            .map(|c| Hasher::digest(Algorithm::Sha256, c).bytes().try_into().unwrap())
            .collect();
        let chunks = Some(Chunks { size, sha256 });
        ChunkVerifier::new(&Compressed { bytes: content.len() as u64, checksums: vec![], chunks })
            .unwrap()
    }

    #[test]
    fn what_an_earlier_run_left_is_checked_piece_by_piece() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vm.img");
        let content: Vec<u8> = (1..=100).collect();
        let partial = Partial::open(&target).unwrap();
        partial.set_length(100).unwrap();
        partial.write_at(&content[..20], 0).unwrap();
        partial.write_at(&content[40..60], 40).unwrap();
        partial.write_at(&[0xff], 45).unwrap();
        drop(partial);
        let partial = Partial::open(&target).unwrap();
        let pieces = partial.verify(&verifier(&content, 10), 100).unwrap();
        let here: Vec<usize> = (0..10).filter(|i| pieces.has(*i)).collect();
        assert_eq!(here, [0, 1, 5]);
        assert!(!target.exists());
    }

    #[test]
    fn a_second_download_to_the_same_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vm.img");
        let first = Partial::open(&target).unwrap();
        assert!(matches!(Partial::open(&target), Err(ClientError::Locked(_))));
        drop(first);
        assert!(Partial::open(&target).is_ok());
    }

    #[test]
    fn placed_or_discarded_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vm.img.gz");
        let origin = Origin { url: "https://a/b".into(), etag: "\"x\"".into() };
        let partial = Partial::open(&target).unwrap();
        partial.write_at(b"whole", 0).unwrap();
        partial.remember(&origin).unwrap();
        assert_eq!(partial.origin(), Some(origin));
        partial.place().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        Partial::open(&target).unwrap().discard();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
