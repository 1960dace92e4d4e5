//! Bytes of an upload on their way to a file.
//!
//! Pieces are gathered and written on a blocking thread, one write at a time, while the next pieces
//! arrive; what is written is synced on another, so that the last sync is short. At most two batches
//! of [`BATCH`] bytes are in memory.

use super::super::{Spool, blocking};
use crate::upload::Saved;
use crate::{StoreError, fault};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Bytes that one write has.
const BATCH: usize = 256 * 1024;
/// Bytes after which a sync is started.
const SYNC_EVERY: u64 = 64 << 20;
/// Bytes that may be written and not synced before the sender waits.
const SYNC_LATEST: u64 = 256 << 20;

pub(super) struct TreeSpool {
    file: Arc<File>,
    path: PathBuf,
    boot: String,
    /// End of what was taken.
    taken: u64,
    /// End of what is in the file.
    written: u64,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    writing: Option<JoinHandle<io::Result<u64>>>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    sync_started: u64,
}

impl TreeSpool {
    /// Opens the file at `path` to go on at `offset`; room for `total` bytes is reserved, so that a
    /// disk that is too small says so before the bytes are sent.
    pub(super) fn open(
        path: PathBuf,
        offset: u64,
        total: Option<u64>,
        boot: String,
    ) -> Result<Self, StoreError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        file.set_len(offset).map_err(StoreError::io("truncate", &path))?;
        if let Some(more) = total.and_then(|total| total.checked_sub(offset)).filter(|n| *n > 0) {
            match fallocate(&file, FallocateFlags::KEEP_SIZE, offset, more) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => return Err(StoreError::io("reserve room for", &path)(error.into())),
            }
        }
        Ok(Self {
            file: Arc::new(file),
            path,
            boot,
            taken: offset,
            written: offset,
            batch: Vec::new(),
            batch_bytes: 0,
            writing: None,
            syncing: None,
            sync_started: offset,
        })
    }

    /// Waits for the running write.
    async fn settled(&mut self) -> Result<(), StoreError> {
        if let Some(writing) = self.writing.take() {
            let end = joined(writing).await.map_err(StoreError::io("write", &self.path))?;
            self.written = end;
            fault::point("bytes-written");
        }
        Ok(())
    }

    async fn write_batch(&mut self) -> Result<(), StoreError> {
        self.settled().await?;
        if self.batch.is_empty() {
            return Ok(());
        }
        let (file, batch) = (Arc::clone(&self.file), std::mem::take(&mut self.batch));
        let start = self.taken - self.batch_bytes as u64;
        self.batch_bytes = 0;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let mut at = start;
            for piece in batch {
                if let Err(error) = file.write_all_at(&piece, at) {
                    // Part of a piece may be in the file: the offset after a restart is its length,
                    // so it ends where the whole pieces end.
                    let _ = file.set_len(at);
                    return Err(error);
                }
                at += piece.len() as u64;
            }
            Ok(at)
        }));
        Ok(())
    }

    /// Waits for the running sync, and tells how far it went.
    async fn synced(&mut self) -> Result<Option<Saved>, StoreError> {
        let Some(syncing) = self.syncing.take() else { return Ok(None) };
        joined(syncing).await.map_err(StoreError::io("sync", &self.path))?;
        let boot = Some(self.boot.clone());
        Ok(Some(Saved { offset: self.sync_started, boot, multipart: None }))
    }
}

async fn joined<T>(task: JoinHandle<io::Result<T>>) -> io::Result<T> {
    task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[async_trait]
impl Spool for TreeSpool {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.taken += piece.len() as u64;
        self.batch_bytes += piece.len();
        self.batch.push(piece);
        if self.batch_bytes >= BATCH { self.write_batch().await } else { Ok(()) }
    }

    fn readable(&self) -> u64 {
        self.written
    }

    async fn relax(&mut self) -> Result<Option<Saved>, StoreError> {
        let behind = self.written - self.sync_started;
        let ended = self.syncing.as_ref().is_some_and(JoinHandle::is_finished);
        let mut safe = None;
        if ended || behind >= SYNC_LATEST {
            safe = self.synced().await?;
        }
        if behind >= SYNC_EVERY && self.syncing.is_none() {
            let file = Arc::clone(&self.file);
            self.sync_started = self.written;
            self.syncing = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        }
        Ok(safe)
    }

    async fn settle(&mut self) -> Result<Option<Saved>, StoreError> {
        self.write_batch().await?;
        self.settled().await?;
        // Other requests of this boot see the length of the file.
        Ok(None)
    }

    async fn complete(&mut self) -> Result<(), StoreError> {
        self.write_batch().await?;
        self.settled().await?;
        self.synced().await?;
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_all()).await.map_err(StoreError::io("sync", &self.path))?;
        fault::point("image-synced");
        Ok(())
    }

    fn file(&self) -> Option<File> {
        self.file.try_clone().ok()
    }
}
