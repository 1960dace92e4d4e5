//! Getting the image back out of its gzip file, verified while it is written.
//!
//! Members that state their own lengths (`member.rs`) are inflated on all cores; any other gzip
//! file, and the rest of a file after the first member that states none, on one thread. Either way
//! the same bytes come out, and the same files are refused.
//!
//! ```text
//!  source -> reader ─┬─> digests and chunks of the file
//!                    └─> jobs -> decoders -> in order -> caller ─┬─> target
//!                                                                └─> digests of the content
//! ```

use crate::compress::cores;
use crate::crew::{Crew, both, broken};
use crate::expected::too_large_is_a_mismatch;
use crate::gzip::Gunzip;
use crate::inspector::Sizes;
use crate::lanes::{Lanes, Plan};
use crate::measure::{read_full, report};
use crate::member::{self, CONTENT, Decoder, HEADER, Lengths, MemberError};
use crate::pool::{Buffer, Pool};
use crate::queue::{Gone, Receiver, Sender, queue};
use crate::sniff::Sniffer;
use crate::{Algorithms, Form, ImageError, Inspected, Limits, Measured, Progress, Seen, compare};
use bytes::Bytes;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};
use std::thread;
use stratus_model::Expected;

/// How to inflate.
#[derive(Clone, Debug)]
pub struct InflateOptions {
    /// Which digests to compute.
    pub algorithms: Algorithms,
    /// How large the two forms may be.
    pub limits: Limits,
    /// What both forms must be.
    pub expected: Option<Expected>,
    /// Threads that inflate, where the file allows more than one.
    pub threads: NonZeroUsize,
}

impl InflateOptions {
    /// Everything a manifest promises is required: sizes, all digests, all chunks.
    pub fn expecting(expected: Expected) -> Self {
        let limits =
            if expected.compressed.is_some() { Limits::expected(&expected) } else { Limits::MAX };
        Self {
            algorithms: Algorithms::expected(&expected),
            limits,
            expected: Some(expected),
            threads: cores(),
        }
    }

    /// Nothing is known but how large the content may be, in bytes.
    pub fn up_to(content: u64) -> Self {
        Self {
            algorithms: Algorithms::upload(),
            limits: Limits { content, ..Limits::MAX },
            expected: None,
            threads: cores(),
        }
    }
}

/// The next part of the content, in order.
enum Part {
    /// A decoder is at it.
    Pending {
        content: mpsc::Receiver<Result<Bytes, ImageError>>,
        read: u64,
    },
    Ready {
        content: Bytes,
        read: u64,
    },
}

/// A whole member to decode into a buffer.
struct Job {
    member: Bytes,
    number: u64,
    ends_at: u64,
    lengths: Lengths,
    buffer: Buffer,
    done: mpsc::Sender<Result<Bytes, ImageError>>,
}

/// Inflates a gzip file, computing and comparing digests on the way.
///
/// `target` gets the content in order and is flushed at the end; give a [`crate::SparseWriter`] to
/// leave holes. What was written is worth something only if there was no error: the comparison with
/// [`InflateOptions::expected`] comes last. `progress` counts compressed bytes.
pub fn inflate(
    source: &mut (dyn Read + Send),
    target: &mut dyn Write,
    options: &InflateOptions,
    progress: &mut Progress<'_>,
) -> Result<Inspected, ImageError> {
    let found = run(source, target, options, progress);
    let Some(expected) = &options.expected else { return found };
    let found = found.map_err(too_large_is_a_mismatch)?;
    compare(expected, Some(&found.compressed), &found.content).map_err(ImageError::Mismatch)?;
    Ok(found)
}

fn run(
    source: &mut (dyn Read + Send),
    target: &mut dyn Write,
    options: &InflateOptions,
    progress: &mut Progress<'_>,
) -> Result<Inspected, ImageError> {
    let crew = Crew::default();
    let outer =
        Plan { algorithms: &options.algorithms.compressed, chunks: true, ..Plan::default() };
    let inner = Plan { algorithms: &options.algorithms.content, ..Plan::default() };
    let compressed = Lanes::start(&crew, outer, Sizes::LARGE.queue)?;
    let content = Lanes::start(&crew, inner, Sizes::LARGE.queue)?;
    let ahead = options.threads.get() * 2;
    let (jobs, todo) = queue::<Job>(ahead * 1024);
    let (ordered, parts) = queue::<Part>(ahead * 1024);
    let reader = Reading {
        source: Source { inner: source, at: 0, compressed, limit: options.limits.compressed },
        pool: Pool::new(CONTENT, ahead + 3),
        jobs,
        ordered,
        limit: options.limits.content,
        members: 0,
        content: 0,
    };

    thread::scope(|scope| {
        let builder = thread::Builder::new().name("image-read".into());
        let reader = builder.spawn_scoped(scope, || reader.run()).map_err(ImageError::Threads)?;
        let mut decoders = Vec::new();
        for _ in 0..options.threads.get() {
            let todo = todo.clone();
            let builder = thread::Builder::new().name("image-inflate".into());
            let decoder =
                builder.spawn_scoped(scope, move || decode(&todo)).map_err(ImageError::Threads)?;
            decoders.push(decoder);
        }
        drop(todo);
        let written = write(parts, content, target, progress);
        let read = reader.join().unwrap_or_else(|_| Err(broken()));
        let whole = decoders.into_iter().all(|decoder| decoder.join().is_ok());
        let ((content, seen), (compressed, gzip_members)) = both(written, read, whole)?;
        Ok(Inspected {
            compressed,
            content,
            disk_format: seen.disk_format,
            iso9660: seen.iso9660,
            gzip_members,
        })
    })
}

/// The compressed file, counted and given to its lanes as it is read.
struct Source<'a> {
    inner: &'a mut (dyn Read + Send),
    at: u64,
    compressed: Lanes,
    limit: u64,
}

impl Source<'_> {
    /// Reads until the buffer is full or the file ends.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ImageError> {
        let filled = read_full(self.inner, buffer)?;
        self.count(filled)?;
        Ok(filled)
    }

    fn count(&mut self, length: usize) -> Result<(), ImageError> {
        self.at += length as u64;
        if self.at > self.limit {
            return Err(ImageError::TooLarge { form: Form::Compressed, limit: self.limit });
        }
        Ok(())
    }
}

/// The reading thread.
struct Reading<'a> {
    source: Source<'a>,
    pool: Arc<Pool>,
    jobs: Sender<Job>,
    ordered: Sender<Part>,
    limit: u64,
    members: u64,
    content: u64,
}

impl Reading<'_> {
    fn run(mut self) -> Result<(Measured, u64), ImageError> {
        let read = self.read();
        // Closed even after a failure: a fault in what was handed out before comes first.
        self.jobs.close();
        self.ordered.close();
        read?;
        Ok((self.source.compressed.finish()?, self.members))
    }

    fn read(&mut self) -> Result<(), ImageError> {
        let rest = self.whole_members()?;
        if self.source.at == 0 {
            Err(ImageError::Empty(Form::Compressed))
        } else if rest.is_empty() {
            Ok(())
        } else {
            self.stream(rest)
        }
    }

    /// Hands out members that state their lengths. Gives the bytes read of what is something else;
    /// none at the end of the file.
    fn whole_members(&mut self) -> Result<Vec<u8>, ImageError> {
        loop {
            let mut header = [0; HEADER];
            let have = self.source.read(&mut header)?;
            match member::lengths_of(&header) {
                Some(lengths) if have == HEADER => self.whole_member(header, lengths)?,
                _ => return Ok(header[..have].to_vec()),
            }
        }
    }

    fn whole_member(&mut self, header: [u8; HEADER], lengths: Lengths) -> Result<(), ImageError> {
        let mut member = vec![0; lengths.member as usize];
        member[..HEADER].copy_from_slice(&header);
        let have = self.source.read(&mut member[HEADER..])?;
        if have < member.len() - HEADER {
            return Err(ImageError::Truncated { at: self.source.at });
        }
        self.content += u64::from(lengths.content);
        if self.content > self.limit {
            return Err(ImageError::TooLarge { form: Form::Content, limit: self.limit });
        }
        self.members += 1;
        let member = Bytes::from(member);
        self.measure(&member)?;
        // Buffers are taken in the order of the file: the part that is waited for always has one.
        let buffer = self.pool.take();
        let (done, content) = mpsc::channel();
        let ends_at = self.source.at;
        let job = Job { member, number: self.members, ends_at, lengths, buffer, done };
        self.ordered
            .push(0, Part::Pending { content, read: ends_at })
            .and_then(|()| self.jobs.push(0, job))
            .map_err(|Gone| ImageError::Ended)
    }

    fn measure(&mut self, piece: &Bytes) -> Result<(), ImageError> {
        // The lane's own error is not lost: it is what `finish` of the lanes would give.
        self.source.compressed.push(piece).map_err(|Gone| broken())
    }

    /// Inflates the rest of the file on this thread. `rest` was read of it already.
    fn stream(&mut self, rest: Vec<u8>) -> Result<(), ImageError> {
        let before = self.source.at - rest.len() as u64;
        let mut gunzip = Gunzip::resume(self.limit, before, self.content, self.members);
        let reading = Pool::new(Sizes::LARGE.block, Sizes::LARGE.blocks);
        let mut block = self.pool.take();
        let mut piece = Bytes::from(rest);
        while !piece.is_empty() {
            self.measure(&piece)?;
            let mut input = &piece[..];
            while !input.is_empty() {
                let step = gunzip.decode(input, block.spare())?;
                input = &input[step.taken..];
                block.advance(step.given);
                if block.is_full() {
                    self.pass_on(block)?;
                    block = self.pool.take();
                }
            }
            let mut buffer = reading.take();
            let count = self.source.read(buffer.spare())?;
            buffer.advance(count);
            piece = buffer.share();
        }
        self.members = gunzip.finish()?;
        self.pass_on(block)
    }

    fn pass_on(&self, block: Buffer) -> Result<(), ImageError> {
        let part = Part::Ready { content: block.share(), read: self.source.at };
        self.ordered.push(0, part).map_err(|Gone| ImageError::Ended)
    }
}

/// A decoding thread.
fn decode(todo: &Receiver<Job>) {
    let mut decoder = Decoder::new();
    while let Ok(Some(mut job)) = todo.pop() {
        let content = match decoder.decode(&job.member, job.lengths, job.buffer.spare()) {
            Ok(length) => {
                job.buffer.advance(length);
                Ok(job.buffer.share())
            }
            Err(error) => Err(wrong_member(error, job.number, job.ends_at)),
        };
        // Nobody waits for it after a failure elsewhere; the queue ends then.
        job.done.send(content).ok();
    }
}

fn wrong_member(error: MemberError, member: u64, offset: u64) -> ImageError {
    match error {
        MemberError::Crc => ImageError::BadCrc { member, offset },
        MemberError::Rule(what) => ImageError::Corrupt { member, offset, what },
    }
}

fn write(
    parts: Receiver<Part>,
    mut lanes: Lanes,
    target: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<(Measured, Seen), ImageError> {
    let mut sniffer = Sniffer::new();
    while let Some(part) = parts.pop().map_err(|Gone| ImageError::Ended)? {
        let (content, read) = match part {
            Part::Ready { content, read } => (content, read),
            Part::Pending { content, read } => {
                (content.recv().map_err(|_| ImageError::Ended)??, read)
            }
        };
        sniffer.take(&content)?;
        if lanes.push(&content) == Err(Gone) {
            return Err(lanes.failure());
        }
        target.write_all(&content).map_err(ImageError::Write)?;
        report(progress, read)?;
    }
    target.flush().map_err(ImageError::Write)?;
    Ok((lanes.finish()?, sniffer.finish()?))
}
