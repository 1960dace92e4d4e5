//! Bytes of an upload on their way into a bucket, in parts.
//!
//! One part is filled while the one before is sent, so an upload has two parts in memory. What does
//! not fill a part is kept as a small object when a request ends, and read back by the next one,
//! whichever server that reaches. Parts cannot be read back before all are there.

use super::super::Spool;
use crate::StoreError;
use crate::upload::{ImageState, Multipart, PartDone, Saved, UploadState};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use std::sync::Arc;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Size of a part: services take 5 MiB and more, and at most 10,000 parts.
const PART: u64 = 8 << 20;
const PARTS: u64 = 9_000;
/// Parts after which the upload's state is noted.
const NOTE_EVERY: usize = 8;

pub(super) struct BucketSpool {
    store: Arc<AmazonS3>,
    blob: Path,
    folder: Path,
    multipart: Option<Multipart>,
    part_bytes: u64,
    buffer: BytesMut,
    sending: Option<JoinHandle<object_store::Result<PartDone>>>,
    /// Parts that the upload's state has.
    noted: usize,
    /// The tail that the state had before the present one.
    replaced: Option<String>,
    /// Nothing came since the last settling.
    settled: bool,
}

impl BucketSpool {
    pub(super) async fn open(
        store: Arc<AmazonS3>,
        blob: Path,
        folder: Path,
        state: &UploadState,
    ) -> Result<Self, StoreError> {
        let multipart = match &state.image {
            ImageState::Receiving(saved) => saved.multipart.clone(),
            ImageState::Complete(_) => None,
        };
        let fitting =
            state.total.map_or(PART, |total| total.div_ceil(PARTS).next_multiple_of(1 << 20));
        let part_bytes = multipart.as_ref().map_or(PART.max(fitting), |m| m.part_bytes);
        let mut spool = Self {
            noted: multipart.as_ref().map_or(0, |m| m.parts.len()),
            store,
            blob,
            folder,
            multipart,
            part_bytes,
            buffer: BytesMut::new(),
            sending: None,
            replaced: None,
            settled: true,
        };
        spool.read_tail().await?;
        Ok(spool)
    }

    fn tail(&self, name: &str) -> Path {
        self.folder.clone().join(name)
    }

    async fn read_tail(&mut self) -> Result<(), StoreError> {
        let Some(multipart) = self.multipart.as_ref().filter(|m| m.tail > 0) else { return Ok(()) };
        let key = self.tail(&multipart.tail_name);
        let read = async { self.store.get(&key).await?.bytes().await };
        let bytes = read.await.map_err(StoreError::bucket("read", &key))?;
        if bytes.len() as u64 != multipart.tail {
            return Err(StoreError::Superseded);
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    async fn multipart(&mut self) -> Result<&mut Multipart, StoreError> {
        if self.multipart.is_none() {
            let id = self.store.create_multipart(&self.blob).await;
            let id = id.map_err(StoreError::bucket("begin", &self.blob))?;
            self.multipart = Some(Multipart {
                id,
                part_bytes: self.part_bytes,
                parts: Vec::new(),
                tail: 0,
                tail_name: String::new(),
            });
        }
        self.multipart.as_mut().ok_or(StoreError::NoUpload)
    }

    /// Waits for the part that is being sent.
    async fn sent(&mut self) -> Result<(), StoreError> {
        let Some(sending) = self.sending.take() else { return Ok(()) };
        let done = match sending.await {
            Ok(done) => done.map_err(StoreError::bucket("write", &self.blob))?,
            Err(_) => return Err(StoreError::Superseded),
        };
        self.multipart().await?.parts.push(done);
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        self.sent().await?;
        let multipart = self.multipart().await?;
        let (id, index) = (multipart.id.clone(), multipart.parts.len());
        let (store, blob) = (Arc::clone(&self.store), self.blob.clone());
        self.sending = Some(tokio::spawn(async move {
            let bytes = part.len() as u64;
            let part = store.put_part(&blob, &id, index, PutPayload::from_bytes(part)).await?;
            Ok(PartDone { bytes, tag: part.content_id })
        }));
        Ok(())
    }

    fn saved(multipart: &Multipart) -> Saved {
        let parts: u64 = multipart.parts.iter().map(|part| part.bytes).sum();
        Saved { offset: parts + multipart.tail, boot: None, multipart: Some(multipart.clone()) }
    }

    async fn end_multipart(&mut self, multipart: Multipart) -> Result<(), StoreError> {
        let bytes: u64 = multipart.parts.iter().map(|part| part.bytes).sum();
        let parts = multipart.parts.into_iter().map(|p| PartId { content_id: p.tag }).collect();
        match self.store.complete_multipart(&self.blob, &multipart.id, parts).await {
            Ok(_) => Ok(()),
            // It may have been completed before, by a server that died before it noted so.
            Err(error) => match self.store.head(&self.blob).await {
                Ok(found) if found.size == bytes => Ok(()),
                _ => Err(StoreError::bucket("complete", &self.blob)(error)),
            },
        }
    }
}

#[async_trait]
impl Spool for BucketSpool {
    async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.settled = false;
        self.buffer.extend_from_slice(&piece);
        let part = usize::try_from(self.part_bytes).unwrap_or(usize::MAX);
        while self.buffer.len() >= part {
            let full = self.buffer.split_to(part).freeze();
            self.send(full).await?;
        }
        Ok(())
    }

    fn readable(&self) -> u64 {
        0
    }

    async fn relax(&mut self) -> Result<Option<Saved>, StoreError> {
        let Some(multipart) = &self.multipart else { return Ok(None) };
        if multipart.parts.len() < self.noted + NOTE_EVERY {
            return Ok(None);
        }
        self.noted = multipart.parts.len();
        let multipart = Multipart { tail: 0, ..multipart.clone() };
        Ok(Some(Self::saved(&multipart)))
    }

    async fn settle(&mut self) -> Result<Option<Saved>, StoreError> {
        if self.settled {
            return Ok(None);
        }
        self.sent().await?;
        let tail = self.buffer.clone().freeze();
        let name = format!("tail-{}", Uuid::new_v4());
        if !tail.is_empty() {
            let key = self.tail(&name);
            let put = self.store.put(&key, PutPayload::from_bytes(tail.clone())).await;
            put.map_err(StoreError::bucket("write", &key))?;
        }
        let multipart = self.multipart().await?;
        multipart.tail = tail.len() as u64;
        let before = std::mem::replace(&mut multipart.tail_name, name);
        let multipart = multipart.clone();
        // The one before is in the state until that is written again; the one before that is not.
        if let Some(older) = self.replaced.replace(before).filter(|name| !name.is_empty()) {
            let _ = self.store.delete(&self.tail(&older)).await;
        }
        self.settled = true;
        Ok(Some(Self::saved(&multipart)))
    }

    async fn complete(&mut self) -> Result<(), StoreError> {
        self.sent().await?;
        if !self.buffer.is_empty() {
            let rest = self.buffer.split().freeze();
            self.send(rest).await?;
            self.sent().await?;
        }
        let multipart = self.multipart().await?.clone();
        self.end_multipart(multipart).await
    }

    fn file(&self) -> Option<std::fs::File> {
        None
    }
}
