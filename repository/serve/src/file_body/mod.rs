//! Bodies that are parts of files, sent with as little work as the connection allows.
//!
//! | connection | what the body yields | what happens to it |
//! |---|---|---|
//! | plain HTTP/1 | windows of 8 MiB, mapped but never read | `sendfile(2)`: no byte enters this process |
//! | TLS, HTTP/2, ranges below 64 KiB | buffers of 64 KiB, read and used again | encrypted, framed, copied |
//!
//! The choice is made per piece, while it is sent; a handler does not know and need not care.
//! Either way the runtime's threads do not wait for the disk: what is not in memory is read on a
//! blocking thread first, with the next megabytes already asked for.
//!
//! # Files that change
//!
//! The file must not change while it is sent: its length and validators are already out. If it is
//! shortened all the same, the transfer breaks off, the connection closes (or the stream is reset)
//! before the promised length, and the client knows. Reads and `sendfile` report the end of the
//! file as an error; the length is checked before each window is mapped, and a mapping is not read
//! on its way to the socket. What remains: middleware between this body and a plain connection that
//! looks at the bytes (compresses or hashes them), or a file system without `sendfile`, reads the
//! mapping, and a file shortened in exactly that moment raises SIGBUS. So keep such middleware away
//! from file bodies, and give this type only files that are replaced by renaming, never rewritten.

mod buffer;
mod residency;
mod stream;
mod window;

use std::{
    collections::VecDeque,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use self::buffer::{BUFFER_BYTES, Buffer};
pub use self::window::MappedFile;
pub(crate) use self::{
    stream::FileStream,
    window::{WINDOWS, Windows},
};

/// Bytes of one mapped window. It costs addresses, not memory.
const WINDOW_BYTES: u64 = 8 << 20;

/// A part shorter than this is read: mapping costs more than copying it.
const MAPPED_FROM: u64 = BUFFER_BYTES as u64;

/// A body made of parts of one file, and of bytes between them.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    /// The whole file, mapped already.
    mapped: Option<Arc<MappedFile>>,
    parts: VecDeque<Part>,
    remaining: u64,
    /// A read on a blocking thread, of the next piece of the first part.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// One part of a [`FileBody`].
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes from memory: the boundary and head of a part of `multipart/byteranges` (RFC 9110,
    /// section 14.6).
    Bytes(Bytes),
    /// Bytes of the file, counted from 0, end exclusive.
    File(Range<u64>),
}

/// Why a file body broke off.
#[derive(Debug, thiserror::Error)]
pub enum FileBodyError {
    /// The file is shorter than the range that was promised.
    #[error("the file ends at byte {length}, before the end {end} of the range being sent")]
    Truncated {
        /// The length of the file now.
        length: u64,
        /// The end of the range.
        end: u64,
    },
    /// The file cannot be read.
    #[error("cannot read the file at byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File(range) => range.end.saturating_sub(range.start),
        }
    }
}

impl FileBody {
    /// The bytes `range` of `file`, which must lie in the file and must not change.
    pub fn new(file: Arc<File>, range: Range<u64>) -> FileBody {
        FileBody::parts(file, [Part::File(range)])
    }

    /// The bytes `range` of a file that is mapped already.
    pub fn mapped(file: &Arc<MappedFile>, range: Range<u64>) -> FileBody {
        let body = FileBody::new(Arc::clone(file.file()), range);
        FileBody { mapped: Some(Arc::clone(file)), ..body }
    }

    /// Several parts, one after the other.
    pub fn parts(file: Arc<File>, parts: impl IntoIterator<Item = Part>) -> FileBody {
        let parts: VecDeque<Part> = parts.into_iter().filter(|part| part.len() > 0).collect();
        let remaining = parts.iter().map(Part::len).fold(0, u64::saturating_add);
        FileBody { file, mapped: None, parts, remaining, reading: None }
    }

    /// Bytes still to come: the Content-Length before the first piece was taken.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next piece of the file's range, mapped, read, or (`None`) being read in `self.reading`.
    fn piece(&mut self, range: &Range<u64>) -> Result<Option<Bytes>, FileBodyError> {
        let len = range.end - range.start;
        if len >= MAPPED_FROM
            && let Ok(windows) = WINDOWS.try_with(Arc::clone)
            && let Some(bytes) = self.map(&windows, range)?
        {
            return Ok(Some(bytes));
        }
        let failed = |source| FileBodyError::Read { offset: range.start, source };
        let mut buffer = Buffer::take().map_err(failed)?;
        let want = usize::try_from(len).map_or(BUFFER_BYTES, |len| len.min(BUFFER_BYTES));
        let found = residency::read_resident(&self.file, buffer.memory(want), range.start);
        let found = found.map_err(failed)?;
        if let Some(read) = found {
            return Ok(Some(buffer.freeze(read)));
        }
        let (file, offset) = (Arc::clone(&self.file), range.start);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            residency::advise(&file, offset, len);
            let read = file.read_at(buffer.memory(want), offset)?;
            Ok(buffer.freeze(read))
        }));
        Ok(None)
    }

    /// The next window; `None` if this file system cannot map.
    fn map(&self, windows: &Windows, range: &Range<u64>) -> Result<Option<Bytes>, FileBodyError> {
        let len = (range.end - range.start).min(WINDOW_BYTES);
        let length = self.length(range.start)?;
        if length < range.start + len {
            return Err(FileBodyError::Truncated { length, end: range.end });
        }
        let whole = self.mapped.as_ref().zip(usize::try_from(len).ok());
        if let Some(bytes) = whole.and_then(|(file, len)| file.open(windows, range.start, len)) {
            return Ok(Some(bytes));
        }
        let len = usize::try_from(len).expect("8 MiB are addressable");
        Ok(windows.open(&self.file, range.start, len).ok())
    }

    fn length(&self, offset: u64) -> Result<u64, FileBodyError> {
        let metadata = self.file.metadata();
        metadata.map(|is| is.len()).map_err(|source| FileBodyError::Read { offset, source })
    }

    /// Takes `bytes` off the first part, a range of the file.
    fn sent(&mut self, bytes: Bytes) -> Result<Frame<Bytes>, FileBodyError> {
        let Some(Part::File(range)) = self.parts.front_mut() else {
            unreachable!("pieces are taken from a range in front")
        };
        if bytes.is_empty() {
            let (offset, end) = (range.start, range.end);
            return Err(FileBodyError::Truncated { length: self.length(offset)?, end });
        }
        range.start += bytes.len() as u64;
        if range.start >= range.end {
            self.parts.pop_front();
        }
        self.remaining -= bytes.len() as u64;
        Ok(Frame::data(bytes))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = FileBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FileBodyError>>> {
        let this = self.get_mut();
        loop {
            let range = match this.parts.front_mut() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    this.parts.pop_front();
                    this.remaining -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Part::File(range)) => range.clone(),
            };
            let piece = match &mut this.reading {
                None => this.piece(&range)?,
                Some(reading) => {
                    let read = ready!(Pin::new(reading).poll(cx)).unwrap_or_else(|error| {
                        Err(io::Error::other(error)) // the runtime is shutting down
                    });
                    this.reading = None;
                    let at = range.start;
                    Some(read.map_err(|source| FileBodyError::Read { offset: at, source })?)
                }
            };
            if let Some(bytes) = piece {
                return Poll::Ready(Some(this.sent(bytes)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl From<FileBody> for axum::body::Body {
    fn from(body: FileBody) -> Self {
        axum::body::Body::new(body)
    }
}
