//! Looking at a gzip file while it arrives: [`Inspector`].

use crate::crew::Crew;
use crate::gzip::Gunzip;
use crate::lanes::{Lanes, Plan, Sink, join};
use crate::pool::{Buffer, Pool};
use crate::queue::{Gone, Receiver, Sender, queue};
use crate::sniff::Sniffer;
use crate::{Algorithms, Form, ImageError, Inspected, Limits, Measured, Seen};
use bytes::Bytes;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;

/// Sizes of queues and buffers in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) queue: usize,
    pub(crate) block: usize,
    pub(crate) blocks: usize,
    pub(crate) reading: usize,
}

impl Sizes {
    /// For many inspectors in one server.
    const SMALL: Self =
        Self { queue: 384 * 1024, block: 128 * 1024, blocks: 6, reading: 64 * 1024 };
    /// For one image at a time in a command.
    pub(crate) const LARGE: Self =
        Self { queue: 2 << 20, block: 512 * 1024, blocks: 6, reading: 512 * 1024 };
}

/// Looks at one gzip file while it arrives.
///
/// ```text
///                 ┌─> SHA-256 (and others) of the file
///  push(Bytes) ───┼─> SHA-256 of each 4 MiB chunk            each box is a thread with a
///                 └─> inflate, CRC, rules ─┬─> SHA-256 …     bounded queue before it
///                                          └─> sink (optional)
/// ```
///
/// Nothing here knows a runtime. A thread of its own calls [`Inspector::push`]; an async server
/// awaits [`Inspector::send`], or calls [`Inspector::poll_ready`] and [`Inspector::try_push`], which
/// wait by waker and hold no thread. When the slowest box is full, room runs out and the sender
/// waits: memory stays below [`Inspector::MEMORY`] beside the piece being pushed, whatever the sizes
/// of file and image.
///
/// Dropping an inspector at any time ends its threads; each stops after the block it is at, and
/// none is waited for.
#[derive(Debug)]
pub struct Inspector {
    compressed: Option<Lanes>,
    inflate: Option<Sender<Bytes>>,
    inflater: Option<JoinHandle<Result<Inside, ImageError>>>,
    crew: Crew,
    sizes: Sizes,
    received: u64,
    limit: u64,
}

/// What the inflating thread finds.
#[derive(Debug)]
struct Inside {
    content: Measured,
    seen: Seen,
    members: u64,
}

/// Why [`Inspector::try_push`] did not take a piece.
#[derive(Debug)]
pub enum TryPushError {
    /// There is no room now; here is the piece back.
    Full(Bytes),
    /// The image is refused, or the machine failed.
    Image(ImageError),
}

impl Inspector {
    /// Upper bound of what one inspector keeps in memory, in bytes, beside the one piece that is
    /// being pushed: queue, content blocks, read buffers of [`Inspector::feed_file`], inflate
    /// window, touched stack.
    pub const MEMORY: usize = 1_500_000;

    /// Starts the threads.
    pub fn start(algorithms: &Algorithms, limits: Limits) -> Result<Self, ImageError> {
        Self::with(algorithms, limits, None, Sizes::SMALL)
    }

    /// As [`Inspector::start`], and also writes the content to `sink` as it comes out.
    ///
    /// What was written is worth something only after [`Inspector::finish`] succeeded, which also
    /// flushes the sink.
    pub fn with_sink(
        algorithms: &Algorithms,
        limits: Limits,
        sink: Box<dyn io::Write + Send>,
    ) -> Result<Self, ImageError> {
        Self::with(algorithms, limits, Some(sink), Sizes::SMALL)
    }

    pub(crate) fn with(
        algorithms: &Algorithms,
        limits: Limits,
        sink: Option<Sink>,
        sizes: Sizes,
    ) -> Result<Self, ImageError> {
        let crew = Crew::default();
        let outer = Plan { algorithms: &algorithms.compressed, chunks: true, sink: None };
        let compressed = Lanes::start(&crew, outer, sizes.queue)?;
        let inner = Plan { algorithms: &algorithms.content, chunks: false, sink };
        let content = Lanes::start(&crew, inner, sizes.block * sizes.blocks)?;
        let (inflate, input) = queue(sizes.queue);
        let inflater = crew
            .spawn("image-inflate", move || {
                Inflating::new(limits.content, sizes, content).run(&input)
            })
            .map_err(ImageError::Threads)?;
        Ok(Self {
            compressed: Some(compressed),
            inflate: Some(inflate),
            inflater: Some(inflater),
            crew,
            sizes,
            received: 0,
            limit: limits.compressed,
        })
    }

    /// Number of compressed bytes taken so far.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next piece of the compressed file, waiting on this thread while there is no room.
    ///
    /// An error is final: the file is refused, and the inspector can only be dropped.
    pub fn push(&mut self, piece: Bytes) -> Result<(), ImageError> {
        self.count(&piece)?;
        let (Some(lanes), Some(inflate)) = (&mut self.compressed, &self.inflate) else {
            return Err(ImageError::Ended);
        };
        let given = inflate.push(piece.len(), piece.clone()).and_then(|()| lanes.push(&piece));
        given.map_err(|Gone| self.failure())
    }

    /// Takes the next piece if there is room.
    pub fn try_push(&mut self, piece: Bytes) -> Result<(), TryPushError> {
        match self.room() {
            Ok(true) => self.push_now(&piece).map_err(TryPushError::Image),
            Ok(false) => Err(TryPushError::Full(piece)),
            Err(error) => Err(TryPushError::Image(error)),
        }
    }

    /// Ready when the next [`Inspector::try_push`] will be taken; otherwise wakes the task then.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ImageError>> {
        let (Some(lanes), Some(inflate)) = (&self.compressed, &self.inflate) else {
            return Poll::Ready(Err(ImageError::Ended));
        };
        let room = match ready!(inflate.poll_room(cx)) {
            Ok(()) => ready!(lanes.poll_room(cx)),
            gone @ Err(Gone) => gone,
        };
        Poll::Ready(room.map_err(|Gone| self.failure()))
    }

    /// Takes the next piece, awaiting room. Dropping the future before it is ready takes nothing.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), ImageError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.push_now(&piece)
    }

    /// Takes a range of a file, waiting on this thread: how an upload that was interrupted goes on.
    ///
    /// Feed what is already staged from 0 on, then push what arrives.
    pub fn feed_file(&mut self, file: &File, range: Range<u64>) -> Result<(), ImageError> {
        // As many buffers as the queue holds: they are its memory while a file is fed.
        let Sizes { reading, queue, .. } = self.sizes;
        let pool = Pool::new(reading, queue / reading + 1);
        let mut at = range.start;
        while at < range.end {
            let mut buffer = pool.take();
            let wanted = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let length = wanted.min(buffer.spare().len());
            file.read_exact_at(&mut buffer.spare()[..length], at).map_err(ImageError::Read)?;
            buffer.advance(length);
            self.push(buffer.share())?;
            at += length as u64;
        }
        Ok(())
    }

    /// The file is complete: waits on this thread for the verdict.
    pub fn finish(mut self) -> Result<Inspected, ImageError> {
        self.close();
        self.collect()
    }

    /// The file is complete: awaits the verdict.
    pub async fn finished(mut self) -> Result<Inspected, ImageError> {
        self.close();
        poll_fn(|cx| self.crew.poll_gone(cx)).await;
        self.collect()
    }

    fn count(&mut self, piece: &Bytes) -> Result<(), ImageError> {
        self.received += piece.len() as u64;
        if self.received > self.limit {
            self.cancel();
            return Err(ImageError::TooLarge { form: Form::Compressed, limit: self.limit });
        }
        Ok(())
    }

    fn room(&mut self) -> Result<bool, ImageError> {
        let (Some(lanes), Some(inflate)) = (&self.compressed, &self.inflate) else {
            return Err(ImageError::Ended);
        };
        let room = inflate.room().and_then(|first| Ok(lanes.room()? && first));
        room.map_err(|Gone| self.failure())
    }

    fn push_now(&mut self, piece: &Bytes) -> Result<(), ImageError> {
        self.count(piece)?;
        let (Some(lanes), Some(inflate)) = (&mut self.compressed, &self.inflate) else {
            return Err(ImageError::Ended);
        };
        let given =
            inflate.push_now(piece.len(), piece.clone()).and_then(|()| lanes.push_now(piece));
        given.map_err(|Gone| self.failure())
    }

    fn close(&mut self) {
        if let Some(inflate) = self.inflate.take() {
            inflate.close();
        }
        if let Some(lanes) = &mut self.compressed {
            lanes.close();
        }
    }

    fn cancel(&mut self) {
        self.inflate = None;
        self.inflater = None;
        self.compressed = None;
    }

    /// Finds out what went wrong. The thread at fault has ended already.
    fn failure(&mut self) -> ImageError {
        self.inflate = None;
        let inside = self.inflater.take().map_or(Err(ImageError::Ended), join);
        match (inside, self.compressed.take()) {
            (Err(ImageError::Ended) | Ok(_), Some(lanes)) => lanes.failure(),
            (Err(error), _) => error,
            (Ok(_), None) => ImageError::Ended,
        }
    }

    fn collect(&mut self) -> Result<Inspected, ImageError> {
        let inside = self.inflater.take().map_or(Err(ImageError::Ended), join)?;
        let compressed = self.compressed.take().ok_or(ImageError::Ended)?.finish()?;
        Ok(Inspected {
            compressed,
            content: inside.content,
            disk_format: inside.seen.disk_format,
            iso9660: inside.seen.iso9660,
            gzip_members: inside.members,
        })
    }
}

/// The inflating thread.
struct Inflating {
    gunzip: Gunzip,
    sniffer: Sniffer,
    content: Lanes,
    pool: Arc<Pool>,
    block: Option<Buffer>,
}

impl Inflating {
    fn new(limit: u64, sizes: Sizes, content: Lanes) -> Self {
        Self {
            gunzip: Gunzip::new(limit),
            sniffer: Sniffer::new(),
            content,
            pool: Pool::new(sizes.block, sizes.blocks),
            block: None,
        }
    }

    fn run(mut self, input: &Receiver<Bytes>) -> Result<Inside, ImageError> {
        loop {
            match input.pop() {
                Ok(Some(piece)) => match self.take(&piece) {
                    Ok(()) => {}
                    // A lane is gone: its own error says why.
                    Err(ImageError::Ended) => return Err(self.content.failure()),
                    Err(error) => return Err(error),
                },
                Ok(None) => return self.finish(),
                Err(Gone) => return Err(ImageError::Ended),
            }
        }
    }

    fn take(&mut self, mut input: &[u8]) -> Result<(), ImageError> {
        while !input.is_empty() {
            let block = self.block.get_or_insert_with(|| self.pool.take());
            let before = block.filled();
            let step = self.gunzip.decode(input, block.spare())?;
            block.advance(step.given);
            input = &input[step.taken..];
            self.sniffer.take(&block.as_ref()[before..])?;
            if block.is_full() {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> Result<(), ImageError> {
        match self.block.take() {
            Some(block) if block.filled() > 0 => {
                self.content.push(&block.share()).map_err(|Gone| ImageError::Ended)
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Inside, ImageError> {
        let members = self.gunzip.finish()?;
        let seen = self.sniffer.finish()?;
        if let Some(block) = self.block.take().filter(|block| block.filled() > 0)
            && self.content.push(&block.share()).is_err()
        {
            return Err(self.content.failure());
        }
        Ok(Inside { content: self.content.finish()?, seen, members })
    }
}

#[cfg(test)]
#[path = "inspector_tests.rs"]
mod tests;
