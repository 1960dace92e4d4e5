//! The I/O type of plain HTTP/1 connections: a TCP stream that sends slices of mapped windows with
//! `sendfile(2)`, and everything else as usual.

use std::{
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::JoinHandle,
};

use super::{
    residency,
    window::{Place, Windows},
};
use crate::stall::Socket;

/// Bytes of one `sendfile`, and of one look at what is in memory.
const SEND_BYTES: usize = 2 << 20;

/// A plain connection.
pub(crate) struct FileStream {
    socket: TcpStream,
    windows: Arc<Windows>,
    /// The part of a file (by its address) that was in memory when we last looked.
    resident: (usize, Range<u64>),
    /// A read on a blocking thread, after which the pages are in memory.
    fetching: Option<JoinHandle<io::Result<()>>>,
}

impl FileStream {
    /// `windows` must be the ones that the bodies of this connection use.
    pub(crate) fn new(socket: TcpStream, windows: Arc<Windows>) -> FileStream {
        FileStream { socket, windows, resident: (0, 0..0), fetching: None }
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, place: &Place) -> Poll<io::Result<usize>> {
        loop {
            if let Some(task) = &mut self.fetching {
                let fetched = ready!(Pin::new(task).poll(cx));
                self.fetching = None;
                fetched.map_err(io::Error::other)??;
            }
            // First the socket, then the disk: a client that takes nothing causes no reads.
            ready!(self.socket.poll_write_ready(cx))?;
            let len = self.resident(place)?;
            if len == 0 {
                self.fetch(place);
                continue;
            }
            let mut offset = place.offset;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(&self.socket, place.file(), Some(&mut offset), len)?)
            });
            return match sent {
                Ok(0) => Poll::Ready(Err(truncated())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                sent => Poll::Ready(sent),
            };
        }
    }

    /// How much of the place to send now: what is in memory, at most [`SEND_BYTES`].
    fn resident(&mut self, place: &Place) -> io::Result<usize> {
        let file = Arc::as_ptr(place.file()).addr();
        if self.resident.0 != file || !self.resident.1.contains(&place.offset) {
            let len = residency::resident(place.file(), place.offset, want(place))?;
            self.resident = (file, place.offset..place.offset + len);
        }
        let known = self.resident.1.end - place.offset;
        Ok(usize::try_from(known).unwrap_or(SEND_BYTES).min(place.len).min(SEND_BYTES))
    }

    /// Has the place read, and takes it for resident afterwards: were it evicted at once, waiting
    /// again would not help.
    fn fetch(&mut self, place: &Place) {
        let (file, offset, len) = (Arc::clone(place.file()), place.offset, want(place));
        self.resident.1 = offset..offset + len;
        self.fetching =
            Some(tokio::task::spawn_blocking(move || residency::fetch(&file, offset, len)));
    }

    /// Sends bytes that a file follows: the kernel may put both into one packet.
    fn poll_send_more(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                let mut nothing = SendAncillaryBuffer::default();
                Ok(rustix::net::sendmsg(&self.socket, slices, &mut nothing, flags)?)
            });
            return match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                sent => Poll::Ready(sent),
            };
        }
    }
}

/// How far to look, and to fetch: to the end of the slice, at most [`SEND_BYTES`].
fn want(place: &Place) -> u64 {
    place.len.min(SEND_BYTES) as u64
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent")
}

/// Whether this file cannot be sent by the kernel, so that its mapping must be read after all.
fn not_sendable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS))
}

impl Socket for FileStream {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl AsyncRead for FileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for FileStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slice: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(place) = self.windows.find(slice) {
            match ready!(self.poll_send_file(cx, &place)) {
                Err(error) if not_sendable(&error) => {}
                sent => return Poll::Ready(sent),
            }
        }
        Pin::new(&mut self.socket).poll_write(cx, slice)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.iter().position(|slice| self.windows.find(slice).is_some()) {
            None => Pin::new(&mut self.socket).poll_write_vectored(cx, slices),
            Some(0) => self.poll_write(cx, &slices[0]),
            Some(file) => self.poll_send_more(cx, &slices[..file]),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
