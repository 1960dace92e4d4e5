//! Mapped windows of a file, and how a connection finds the file behind a slice of memory.
//!
//! On a plain HTTP/1 connection a body does not read its file. It hands hyper a [`Window`]: a
//! mapping of the next few MiB, as [`Bytes`]. hyper queues it behind the response's head and asks
//! the connection's I/O type to write a slice of it; that type asks [`Windows::find`] whether the
//! slice lies in a window, and if so has the kernel send that part of the *file* (`sendfile(2)`).
//! The mapping is never read, so it needs no memory: it is an address that stands for a place in a
//! file. Everything between the body and the socket that does look at the bytes (a compressing
//! middleware, say) sees the right ones.
//!
//! Why a slice found in a window is that window's file. A connection keeps [`Weak`] references, and
//! [`Windows::find`] upgrades one before it compares addresses. The mapping is owned by the
//! `Window` inside the `Arc`, and is unmapped by the drop of the last `Arc`, after which no upgrade
//! succeeds. So during the comparison, and as long as the returned [`Place`] lives, the mapping is
//! in place and the kernel cannot have given its addresses to anything else: a slice of live memory
//! with these addresses *is* this mapping's memory. The other way round, a slice that hyper holds
//! keeps its `Bytes`, thereby the `Arc`, thereby the mapping: a window cannot vanish from under it.
//! No window of another connection is ever looked at, so there is nothing to lock between them.

use std::{
    fs::File,
    io,
    ops::Range,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::Bytes;
use memmap2::Mmap;

use crate::raw;

/// A mapped part of a file.
pub(crate) struct Window {
    map: Mmap,
    file: Arc<File>,
    offset: u64,
}

/// A whole file that is mapped once, for as long as it is open: answers from it need no mapping of
/// their own. For files that many small answers come from, and that never become shorter.
#[derive(Debug)]
pub struct MappedFile {
    file: Arc<File>,
    window: Option<Arc<Window>>,
}

impl MappedFile {
    /// Maps the first `length` bytes, which must be in the file. Where that cannot be done, each
    /// answer maps or reads what it needs.
    pub fn new(file: File, length: u64) -> Self {
        let file = Arc::new(file);
        let length = usize::try_from(length).ok().filter(|length| *length > 0);
        let map = length.and_then(|length| raw::map(&file, 0, length).ok());
        let window = map.map(|map| Arc::new(Window { map, file: Arc::clone(&file), offset: 0 }));
        Self { file, window }
    }

    /// The file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Bytes of it, for a connection that knows `windows`; none if they are not mapped.
    pub(super) fn open(&self, windows: &Windows, offset: u64, len: usize) -> Option<Bytes> {
        let window = self.window.as_ref()?;
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(len).filter(|end| *end <= window.map.len())?;
        windows.know(window);
        Some(Bytes::from_owner(Held(Arc::clone(window))).slice(start..end))
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Window {
    fn addresses(&self) -> Range<usize> {
        let start = self.map.as_ptr().addr();
        start..start + self.map.len()
    }
}

/// What hyper holds: the window's bytes, and with them the window.
struct Held(Arc<Window>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.map
    }
}

/// Where in a file a slice of memory is. The mapping stays while this lives.
pub(crate) struct Place {
    window: Arc<Window>,
    /// Of the slice's first byte, from the start of the file.
    pub(crate) offset: u64,
    /// How much of the slice is in the window, never 0.
    pub(crate) len: usize,
}

impl Place {
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.window.file
    }
}

/// The windows of one connection that may still be on their way to its socket.
#[derive(Default)]
pub(crate) struct Windows(Mutex<Vec<(Range<usize>, Weak<Window>)>>);

impl Windows {
    /// Maps `len` bytes of `file` from `offset`, which must lie in the file.
    pub(crate) fn open(&self, file: &Arc<File>, offset: u64, len: usize) -> io::Result<Bytes> {
        let map = raw::map(file, offset, len)?;
        let window = Arc::new(Window { map, file: Arc::clone(file), offset });
        self.know(&window);
        Ok(Bytes::from_owner(Held(window)))
    }

    /// Slices of this window are found from now on.
    fn know(&self, window: &Arc<Window>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = Arc::downgrade(window);
        if known.iter().any(|(_, other)| other.ptr_eq(&ours)) {
            return;
        }
        known.retain(|(_, window)| window.strong_count() > 0);
        known.push((window.addresses(), ours));
    }

    /// The place of `slice` in a file, if its first byte is in one of our windows.
    pub(crate) fn find(&self, slice: &[u8]) -> Option<Place> {
        let start = slice.as_ptr().addr();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(addresses, _)| addresses.contains(&start)).find_map(|(_, window)| {
            let window = window.upgrade()?;
            let addresses = window.addresses();
            let len = slice.len().min(addresses.end - start);
            let offset = window.offset + (start - addresses.start) as u64;
            (len > 0).then_some(Place { window, offset, len })
        })
    }
}

tokio::task_local! {
    /// Set while a plain HTTP/1 connection is polled, and only then: hyper polls the bodies of an
    /// HTTP/1 connection from the connection's own task, so a body that sees this is on its way to
    /// a socket that knows these windows. HTTP/2 streams have tasks of their own and never see it.
    pub(crate) static WINDOWS: Arc<Windows>;
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(content).expect("the content is written");
        Arc::new(file)
    }

    #[test]
    fn a_slice_of_a_window_is_found_with_its_offset() {
        let content: Vec<u8> = (0..20_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (file, windows) = (file(&content), Windows::default());
        let bytes = windows.open(&file, 4099, 9000).unwrap();
        assert_eq!(bytes, content[4099..13_099]);
        let place = windows.find(&bytes[1000..2000]).unwrap();
        assert_eq!((place.offset, place.len), (5099, 1000));
        assert!(Arc::ptr_eq(place.file(), &file));
        assert!(windows.find(b"elsewhere").is_none());
        assert!(windows.find(&bytes[9000..]).is_none(), "an empty slice is nowhere");
    }

    #[test]
    fn a_window_lives_as_long_as_any_slice_of_it_and_no_longer() {
        let (file, windows) = (file(&[7; 8192]), Windows::default());
        let bytes = windows.open(&file, 0, 8192).unwrap();
        let piece = bytes.slice(100..200);
        drop(bytes);
        assert_eq!(windows.find(&piece).unwrap().offset, 100);
        assert_eq!(piece[..], [7; 100]);
        drop(piece);
        let known = windows.0.lock().unwrap();
        assert!(known.iter().all(|(_, window)| window.upgrade().is_none()));
    }

    /// Many threads map and unmap as fast as they can, so that the kernel hands the same addresses
    /// out again and again; every find must name the file that the bytes are from.
    #[test]
    fn reused_addresses_never_name_another_file() {
        std::thread::scope(|scope| {
            for seed in 0..4_u8 {
                scope.spawn(move || {
                    let windows = Windows::default();
                    let files = [file(&[seed; 8192]), file(&[seed + 100; 8192])];
                    let mut older: Option<Bytes> = None;
                    for round in 0..2000_usize {
                        let file = &files[round % 2];
                        let bytes = windows.open(file, 4096, 4096).unwrap();
                        let place = windows.find(&bytes[10..]).unwrap();
                        assert!(Arc::ptr_eq(place.file(), file));
                        assert_eq!((place.offset, place.len), (4106, 4086));
                        assert_eq!(bytes[0], seed + 100 * u8::try_from(round % 2).unwrap());
                        older = if round % 3 == 0 { Some(bytes) } else { None };
                    }
                    drop(older);
                });
            }
        });
    }
}
