//! Looking at an image while it arrives.

use crate::{ImageFacts, ImageSource, StoreError};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::fs::File;
use std::sync::mpsc;
use stratus_image::{Algorithms, ImageError, Inspected, Inspector, Limits};
use tokio::task::JoinHandle;

/// How an upload is looked at.
#[derive(Debug)]
pub(crate) enum Look {
    /// From its first byte on, as the pieces come.
    Pieces(Inspector),
    /// After an interruption: a thread reads the file from its start and follows its growth, so
    /// that new bytes need not wait for the old ones.
    File(Follower),
    /// After an interruption, where the bytes cannot be read back yet: when all are there.
    Later,
}

/// Reads a file that grows.
#[derive(Debug)]
pub(crate) struct Follower {
    grown: mpsc::Sender<u64>,
    task: JoinHandle<Result<Inspected, ImageError>>,
}

impl Look {
    /// For an upload that has `offset` bytes already, in `file` if there is one.
    pub(crate) fn start(
        offset: u64,
        file: Option<File>,
        limits: Limits,
    ) -> Result<Self, ImageError> {
        match (offset, file) {
            (0, _) => Inspector::start(&Algorithms::upload(), limits).map(Self::Pieces),
            (_, None) => Ok(Self::Later),
            (_, Some(file)) => {
                let inspector = Inspector::start(&Algorithms::upload(), limits)?;
                let (grown, lengths) = mpsc::channel();
                let task = tokio::task::spawn_blocking(move || follow(inspector, &file, &lengths));
                Ok(Self::File(Follower { grown, task }))
            }
        }
    }

    /// Takes the next piece, waiting for room.
    pub(crate) async fn take(&mut self, piece: Bytes) -> Result<(), ImageError> {
        match self {
            Self::Pieces(inspector) => inspector.send(piece).await,
            Self::File(_) | Self::Later => Ok(()),
        }
    }

    /// The file has this length now. Fails where what was read of it is refused.
    pub(crate) async fn grown(&mut self, length: u64) -> Result<(), ImageError> {
        let Self::File(follower) = self else { return Ok(()) };
        match follower.grown.send(length) {
            Ok(()) => Ok(()),
            Err(_) => ended(&mut follower.task).await.map(drop),
        }
    }

    /// All bytes are there.
    pub(crate) async fn finish(
        self,
        complete: impl Future<Output = Result<ImageSource, StoreError>>,
        limits: Limits,
    ) -> Result<ImageFacts, StoreError> {
        let found = match self {
            Self::Pieces(inspector) => inspector.finished().await.map_err(StoreError::image)?,
            Self::File(mut follower) => {
                drop(follower.grown);
                ended(&mut follower.task).await.map_err(StoreError::image)?
            }
            Self::Later => inspect(complete.await?, &Algorithms::upload(), limits).await?,
        };
        Ok(found.into())
    }
}

fn follow(
    mut inspector: Inspector,
    file: &File,
    lengths: &mpsc::Receiver<u64>,
) -> Result<Inspected, ImageError> {
    let mut done = 0;
    while let Ok(length) = lengths.recv() {
        inspector.feed_file(file, done..length)?;
        done = done.max(length);
    }
    inspector.finish()
}

async fn ended(
    task: &mut JoinHandle<Result<Inspected, ImageError>>,
) -> Result<Inspected, ImageError> {
    match task.await {
        Ok(result) => result,
        Err(error) => Err(ImageError::Threads(std::io::Error::other(error))),
    }
}

/// Looks at a whole image.
pub(crate) async fn inspect(
    source: ImageSource,
    algorithms: &Algorithms,
    limits: Limits,
) -> Result<Inspected, StoreError> {
    let mut inspector = Inspector::start(algorithms, limits).map_err(StoreError::image)?;
    let length = source.len();
    let mut pieces = source.stream(0..length);
    while let Some(piece) = pieces.try_next().await? {
        inspector.send(piece).await.map_err(StoreError::image)?;
    }
    inspector.finished().await.map_err(StoreError::image)
}
