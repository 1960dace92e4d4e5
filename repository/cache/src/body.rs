//! Bodies that come from an object, as its bytes arrive.

use crate::around::{self, Coming, Passing};
use crate::object::{Broken, Object, Place};
use crate::source::Origin;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use stratus_serve::file_body::{FileBody, FileBodyError, MappedFile};

/// A part of a body.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Bytes between ranges.
    Bytes(Bytes),
    /// Bytes of the object.
    Range(Range<u64>),
    /// All bytes of an object whose size is not known yet.
    ToTheEnd,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolBodyError {
    /// No more bytes will come.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// They cannot be read from the disk.
    #[error(transparent)]
    File(#[from] FileBodyError),
}

/// Ranges of an object, one after the other, each byte as soon as it may be read.
pub(crate) struct SpoolBody {
    object: Arc<Object>,
    file: Arc<MappedFile>,
    origin: Origin,
    parts: VecDeque<Part>,
    /// Of the part in front: where the next byte is.
    at: u64,
    /// Bytes that may be read.
    readable: Option<FileBody>,
    /// The rest of the part in front, past a disk that does not take it.
    around: Option<Passing>,
    /// Where the file could not be read.
    doubted: Option<u64>,
    remaining: Option<u64>,
    seen: u64,
    served: Arc<AtomicU64>,
}

impl SpoolBody {
    /// `served` counts what goes out.
    pub(crate) fn new(
        object: Arc<Object>,
        origin: Origin,
        parts: impl IntoIterator<Item = Part>,
        served: Arc<AtomicU64>,
    ) -> std::io::Result<Self> {
        let file = object.data()?;
        let parts: VecDeque<Part> = parts.into_iter().filter(|part| !is_empty(part)).collect();
        let seen = object.enter();
        let mut body = Self {
            remaining: parts.iter().map(length).sum(),
            object,
            file,
            origin,
            parts,
            at: 0,
            readable: None,
            around: None,
            doubted: None,
            seen,
            served,
        };
        body.turn();
        Ok(body)
    }

    /// Goes to the beginning of the part in front.
    fn turn(&mut self) {
        if let Some(Part::Range(range)) = self.parts.front() {
            self.at = range.start;
        }
    }

    fn next_part(&mut self) {
        self.parts.pop_front();
        self.turn();
    }

    /// The next bytes that come past the disk; `None` at the end of the part.
    fn poll_around(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, SpoolBodyError>>> {
        let Some(passing) = &mut self.around else { return Poll::Ready(None) };
        match ready!(passing.poll_recv(cx)) {
            Some(Ok(Coming::Bytes(bytes))) => {
                self.at += bytes.len() as u64;
                self.sent(bytes.len() as u64);
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Ok(Coming::End)) => {
                self.around = None;
                self.next_part();
                Poll::Ready(None)
            }
            Some(Err(broken)) => Poll::Ready(Some(Err(broken.into()))),
            None => {
                let broken = Broken::Upstream("the transfer ended".to_owned());
                Poll::Ready(Some(Err(broken.into())))
            }
        }
    }

    fn sent(&mut self, bytes: u64) {
        self.served.fetch_add(bytes, Ordering::Relaxed);
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.saturating_sub(bytes);
        }
    }
}

fn is_empty(part: &Part) -> bool {
    match part {
        Part::Bytes(bytes) => bytes.is_empty(),
        Part::Range(range) => range.is_empty(),
        Part::ToTheEnd => false,
    }
}

fn length(part: &Part) -> Option<u64> {
    match part {
        Part::Bytes(bytes) => Some(bytes.len() as u64),
        Part::Range(range) => Some(range.end - range.start),
        Part::ToTheEnd => None,
    }
}

impl Body for SpoolBody {
    type Data = Bytes;
    type Error = SpoolBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SpoolBodyError>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = ready!(this.poll_around(cx)) {
                return Poll::Ready(Some(bytes.map(Frame::data)));
            }
            if let Some(file) = &mut this.readable {
                if let Some(frame) = ready!(Pin::new(file).poll_frame(cx)) {
                    let frame = match frame {
                        Err(error @ FileBodyError::Truncated { .. }) => {
                            // Written again, it would have holes that others may be about to send.
                            this.object.condemn("others have cut its file short");
                            return Poll::Ready(Some(Err(error.into())));
                        }
                        Err(error) if this.doubted != Some(this.at) => {
                            // Somebody else touched the file: what is gone is fetched again.
                            tracing::error!(key = %this.object.key, %error, "not readable");
                            this.doubted = Some(this.at);
                            this.object.doubt(this.at);
                            this.readable = None;
                            continue;
                        }
                        frame => frame?,
                    };
                    let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                    this.at += bytes;
                    this.sent(bytes);
                    return Poll::Ready(Some(Ok(frame)));
                }
                this.readable = None;
            }
            let (from, until) = match this.parts.front_mut() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    this.next_part();
                    this.sent(bytes.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Part::Range(range)) if this.at >= range.end => {
                    this.next_part();
                    continue;
                }
                Some(Part::Range(range)) => (range.start, Some(range.end)),
                Some(Part::ToTheEnd) => (0, None),
            };
            let place = Place { from, at: this.at, until };
            let reach = this.object.poll_readable(&this.origin, place, &mut this.seen, cx);
            let reach = match ready!(reach) {
                Err(Broken::Unstorable(why)) => {
                    tracing::debug!(key = %this.object.key, at = this.at, why, "around the disk");
                    let (object, source) = (Arc::clone(&this.object), this.origin.source());
                    this.around = Some(around::start(object, source, (this.at, until), None));
                    continue;
                }
                reach => reach?,
            };
            let reach = until.map_or(reach, |until| reach.min(until));
            if reach <= this.at {
                // The end of an object whose size nobody knew.
                this.next_part();
                continue;
            }
            this.readable = Some(FileBody::mapped(&this.file, this.at..reach));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.readable.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for SpoolBody {
    fn drop(&mut self) {
        self.object.leave();
    }
}
