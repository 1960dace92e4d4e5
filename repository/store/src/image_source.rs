//! Where the bytes of an image come from.

use crate::StoreError;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore, path::Path};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An opened image. Published images never change, so it may be kept open.
#[derive(Debug)]
pub enum ImageSource {
    /// A file of this machine, and its length in bytes.
    File(File, u64),
    /// An object of a bucket.
    Remote(RemoteImage),
}

/// An image in a bucket.
#[derive(Clone, Debug)]
pub struct RemoteImage {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) key: Path,
    pub(crate) bytes: u64,
}

/// Bytes read at once from a file.
const PIECE: usize = 256 * 1024;

impl ImageSource {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::File(_, bytes) => *bytes,
            Self::Remote(remote) => remote.bytes,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, in order. Fails at its end where the image is shorter than it was.
    pub fn stream(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, StoreError>> {
        match self {
            Self::File(file, _) => file_stream(Arc::new(file), range),
            Self::Remote(remote) => remote.stream(range),
        }
    }
}

impl RemoteImage {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The bytes of a range, in order.
    pub fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, StoreError>> {
        if range.is_empty() {
            return futures_util::stream::empty().boxed();
        }
        let Self { store, key, .. } = self.clone();
        let get = async move {
            let options =
                GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            let found =
                store.get_opts(&key, options).await.map_err(StoreError::bucket("read", &key))?;
            let failed = move |error| StoreError::bucket("read", &key)(error);
            Ok(found.into_stream().map_err(failed))
        };
        futures_util::stream::once(get).try_flatten().boxed()
    }
}

fn file_stream(
    file: Arc<File>,
    range: Range<u64>,
) -> BoxStream<'static, Result<Bytes, StoreError>> {
    futures_util::stream::try_unfold((file, range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let reader = Arc::clone(&file);
        let wanted = usize::try_from(range.end - range.start).map_or(PIECE, |n| n.min(PIECE));
        let bytes = crate::backend::blocking(move || {
            let mut buffer = vec![0; wanted];
            reader
                .read_exact_at(&mut buffer, range.start)
                .map(|()| Bytes::from(buffer))
                .map_err(StoreError::io("read", "image"))
        })
        .await?;
        let next = range.start + bytes.len() as u64..range.end;
        Ok(Some((bytes, (file, next))))
    })
    .boxed()
}
