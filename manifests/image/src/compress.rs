//! Making the gzip file of an image, on all cores, and measuring both in the same pass.
//!
//! ```text
//!  source -> reader ─┬─> digests of the content
//!                    └─> jobs -> encoders (one per core) -> in order -> caller ─┬─> target
//!                                                                               └─> digests, chunks
//! ```
//!
//! The bytes of the result depend on the image and the level only, not on the number of threads or
//! the time of day.

use crate::crew::{Crew, both, broken};
use crate::inspector::Sizes;
use crate::lanes::{Lanes, Plan};
use crate::measure::{read_full, report};
use crate::member::{CONTENT, Encoder};
use crate::pool::Pool;
use crate::queue::{Gone, Receiver, Sender, queue};
use crate::sniff::Sniffer;
use crate::{Algorithms, Form, ImageError, Level, Measured, Measurement, Progress, Seen};
use bytes::Bytes;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::thread;

/// How to compress.
#[derive(Clone, Debug)]
pub struct CompressOptions {
    /// How hard.
    pub level: Level,
    /// On how many threads.
    pub threads: NonZeroUsize,
    /// Which digests to compute.
    pub algorithms: Algorithms,
}

impl Default for CompressOptions {
    /// Level 6, one thread per core, the digests of a new manifest.
    fn default() -> Self {
        Self { level: Level::default(), threads: cores(), algorithms: Algorithms::manifest() }
    }
}

/// Number of cores this process may use.
pub(crate) fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A piece of the image and where its member goes.
struct Job {
    content: Bytes,
    done: mpsc::Sender<Vec<u8>>,
}

/// What will be a member, in the order of the file.
struct Pending {
    content: usize,
    member: mpsc::Receiver<Vec<u8>>,
}

/// Compresses an image: independent gzip members of 1 MiB of content each.
///
/// Refuses what is no disk image, as [`crate::measure`] does. `target` is flushed, and holds
/// something useful only if there was no error.
pub fn compress(
    source: &mut (dyn Read + Send),
    target: &mut dyn Write,
    options: &CompressOptions,
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    let crew = Crew::default();
    let inner = Plan { algorithms: &options.algorithms.content, ..Plan::default() };
    let outer =
        Plan { algorithms: &options.algorithms.compressed, chunks: true, ..Plan::default() };
    let content = Lanes::start(&crew, inner, Sizes::LARGE.queue)?;
    let compressed = Lanes::start(&crew, outer, Sizes::LARGE.queue)?;
    let ahead = options.threads.get() * 2;
    let pool = Pool::new(CONTENT, ahead + 3);
    let (jobs, todo) = queue::<Job>(ahead * CONTENT);
    let (ordered, members) = queue::<Pending>(ahead * 1024);

    thread::scope(|scope| {
        let reader = thread::Builder::new().name("image-read".into());
        let reader = reader
            .spawn_scoped(scope, || read(source, content, &pool, jobs, ordered))
            .map_err(ImageError::Threads)?;
        let mut encoders = Vec::new();
        for _ in 0..options.threads.get() {
            let todo = todo.clone();
            let encoder = thread::Builder::new().name("image-deflate".into());
            let encoder = encoder
                .spawn_scoped(scope, move || encode(&todo, options.level))
                .map_err(ImageError::Threads)?;
            encoders.push(encoder);
        }
        drop(todo);
        let written = write(members, compressed, target, progress);
        let read = reader.join().unwrap_or_else(|_| Err(broken()));
        let whole = encoders.into_iter().all(|encoder| encoder.join().is_ok());
        let ((compressed, gzip_members), (content, seen)) = both(written, read, whole)?;
        Ok(Measurement {
            compressed: Some(compressed),
            content,
            disk_format: seen.disk_format,
            iso9660: seen.iso9660,
            gzip_members,
        })
    })
}

fn read(
    source: &mut (dyn Read + Send),
    mut content: Lanes,
    pool: &Arc<Pool>,
    jobs: Sender<Job>,
    ordered: Sender<Pending>,
) -> Result<(Measured, Seen), ImageError> {
    let mut sniffer = Sniffer::new();
    let mut empty = true;
    loop {
        let mut buffer = pool.take();
        let count = read_full(source, buffer.spare())?;
        buffer.advance(count);
        if buffer.filled() == 0 {
            break;
        }
        empty = false;
        sniffer.take(buffer.as_ref())?;
        let piece = buffer.share();
        if content.push(&piece) == Err(Gone) {
            return Err(content.failure());
        }
        let (done, member) = mpsc::channel();
        let pending = Pending { content: piece.len(), member };
        ordered
            .push(0, pending)
            .and_then(|()| jobs.push(piece.len(), Job { content: piece, done }))
            .map_err(|Gone| ImageError::Ended)?;
    }
    if empty {
        return Err(ImageError::Empty(Form::Content));
    }
    jobs.close();
    ordered.close();
    Ok((content.finish()?, sniffer.finish()?))
}

fn encode(todo: &Receiver<Job>, level: Level) {
    let mut encoder = Encoder::new(level);
    while let Ok(Some(job)) = todo.pop() {
        let member = encoder.encode(&job.content);
        drop(job.content);
        // Nobody waits for it after a failure elsewhere; the queue ends then.
        job.done.send(member).ok();
    }
}

fn write(
    members: Receiver<Pending>,
    mut compressed: Lanes,
    target: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<(Measured, u64), ImageError> {
    let (mut done, mut count) = (0, 0);
    while let Some(pending) = members.pop().map_err(|Gone| ImageError::Ended)? {
        let member = pending.member.recv().map_err(|_| ImageError::Ended)?;
        let member = Bytes::from(member);
        if compressed.push(&member) == Err(Gone) {
            return Err(compressed.failure());
        }
        target.write_all(&member).map_err(ImageError::Write)?;
        done += pending.content as u64;
        count += 1;
        report(progress, done)?;
    }
    target.flush().map_err(ImageError::Write)?;
    Ok((compressed.finish()?, count))
}
