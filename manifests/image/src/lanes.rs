//! Several things done with the same bytes side by side, each on its own thread.
//!
//! A lane is a digest, the list of chunk digests, or a target to write to. The bytes are shared, not
//! copied; each lane has a bounded queue, so the slowest lane sets the pace of all.

use crate::crew::{Crew, broken};
use crate::hash::ChunkHasher;
use crate::queue::{Gone, Receiver, Sender, queue};
use crate::{Hasher, ImageError, Measured};
use bytes::Bytes;
use std::io::Write;
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use stratus_model::{Algorithm, Chunks, Digest};

/// Where content is written while it is inflated.
pub(crate) type Sink = Box<dyn Write + Send>;

/// Which lanes to run.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) chunks: bool,
    pub(crate) sink: Option<Sink>,
}

enum Work {
    Digest(Hasher),
    Chunks(ChunkHasher),
    Write(Sink),
}

enum Outcome {
    Digest(Digest),
    Chunks(Chunks),
    Written,
}

/// The lanes of one form of an image.
#[derive(Debug)]
pub(crate) struct Lanes {
    inputs: Vec<Sender<Bytes>>,
    threads: Vec<JoinHandle<Result<Outcome, ImageError>>>,
    bytes: u64,
}

impl Lanes {
    /// Starts the threads; each may have up to `limit` bytes waiting.
    pub(crate) fn start(crew: &Crew, plan: Plan<'_>, limit: usize) -> Result<Self, ImageError> {
        let mut lanes = Self { inputs: Vec::new(), threads: Vec::new(), bytes: 0 };
        let mut algorithms = plan.algorithms.to_vec();
        algorithms.sort_unstable();
        algorithms.dedup();
        for algorithm in algorithms {
            lanes.add(crew, algorithm.name(), Work::Digest(Hasher::new(algorithm)), limit)?;
        }
        if plan.chunks {
            lanes.add(crew, "chunks", Work::Chunks(ChunkHasher::new(Chunks::SIZE)), limit)?;
        }
        if let Some(sink) = plan.sink {
            lanes.add(crew, "write", Work::Write(sink), limit)?;
        }
        Ok(lanes)
    }

    fn add(&mut self, crew: &Crew, name: &str, work: Work, limit: usize) -> Result<(), ImageError> {
        let (sender, receiver) = queue(limit);
        let name = format!("image-{name}");
        let thread =
            crew.spawn(&name, move || run(work, &receiver)).map_err(ImageError::Threads)?;
        self.inputs.push(sender);
        self.threads.push(thread);
        Ok(())
    }

    /// Gives the next bytes to all lanes, waiting for room.
    pub(crate) fn push(&mut self, piece: &Bytes) -> Result<(), Gone> {
        self.bytes += piece.len() as u64;
        self.inputs.iter().try_for_each(|input| input.push(piece.len(), piece.clone()))
    }

    /// Gives the next bytes to all lanes, whether or not they have room.
    pub(crate) fn push_now(&mut self, piece: &Bytes) -> Result<(), Gone> {
        self.bytes += piece.len() as u64;
        self.inputs.iter().try_for_each(|input| input.push_now(piece.len(), piece.clone()))
    }

    /// Whether all lanes have room.
    pub(crate) fn room(&self) -> Result<bool, Gone> {
        self.inputs.iter().try_fold(true, |all, input| Ok(input.room()? && all))
    }

    /// As [`Lanes::room`], and wakes the task when the first lane without room has some.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        for input in &self.inputs {
            if let Err(gone) = ready!(input.poll_room(cx)) {
                return Poll::Ready(Err(gone));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing more will come; lanes finish what they have.
    pub(crate) fn close(&mut self) {
        self.inputs.drain(..).for_each(Sender::close);
    }

    /// Waits for all lanes and collects what they found.
    pub(crate) fn finish(mut self) -> Result<Measured, ImageError> {
        self.close();
        self.collect()
    }

    /// Throws away what is queued and says which lane failed, after [`Gone`] came from a push.
    pub(crate) fn failure(mut self) -> ImageError {
        self.inputs.clear();
        self.collect().err().unwrap_or(ImageError::Ended)
    }

    fn collect(self) -> Result<Measured, ImageError> {
        let mut measured = Measured { bytes: self.bytes, digests: Vec::new(), chunks: None };
        let mut failed = None;
        for thread in self.threads {
            match join(thread) {
                Ok(Outcome::Digest(digest)) => measured.digests.push(digest),
                Ok(Outcome::Chunks(chunks)) => measured.chunks = Some(chunks),
                Ok(Outcome::Written) => {}
                // A lane that was cancelled because of another's failure is not the news.
                Err(ImageError::Ended) => failed = failed.or(Some(ImageError::Ended)),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(measured), Err)
    }
}

/// The result of a thread; one that panicked is an error like any other.
pub(crate) fn join<T>(thread: JoinHandle<Result<T, ImageError>>) -> Result<T, ImageError> {
    thread.join().unwrap_or_else(|_| Err(broken()))
}

fn run(mut work: Work, input: &Receiver<Bytes>) -> Result<Outcome, ImageError> {
    loop {
        match input.pop() {
            Ok(Some(piece)) => match &mut work {
                Work::Digest(hasher) => hasher.update(&piece),
                Work::Chunks(hasher) => hasher.update(&piece),
                Work::Write(sink) => sink.write_all(&piece).map_err(ImageError::Write)?,
            },
            Ok(None) => return finish(work),
            Err(Gone) => return Err(ImageError::Ended),
        }
    }
}

fn finish(work: Work) -> Result<Outcome, ImageError> {
    Ok(match work {
        Work::Digest(hasher) => Outcome::Digest(hasher.finish()),
        Work::Chunks(hasher) => Outcome::Chunks(hasher.finish()),
        Work::Write(mut sink) => {
            sink.flush().map_err(ImageError::Write)?;
            Outcome::Written
        }
    })
}
