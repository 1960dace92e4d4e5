//! Read buffers that are used again: the newest returned one goes out first, so that a busy
//! server reads into memory that is still in the processor's cache.
//!
//! They begin at a page, because the kernel copies into them from pages: on AMD's Zen 3 that copy
//! (`rep movsb`) takes several times as long when the two are a few bytes out of step, as they are
//! with memory from an ordinary allocation of this size.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use memmap2::MmapMut;

/// Bytes of one read. Some TLS records; small enough that a few buffers stay in a core's second
/// level cache between the read, the encryption and the write.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Buffers kept when nobody needs them: 8 MiB.
const KEPT: usize = 128;

static POOL: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// A buffer of [`BUFFER_BYTES`] that goes back to the pool when dropped.
pub(super) struct Buffer {
    /// `None` only while dropping.
    memory: Option<MmapMut>,
    filled: usize,
}

impl Buffer {
    pub(super) fn take() -> io::Result<Buffer> {
        let pooled = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = pooled.map_or_else(|| MmapMut::map_anon(BUFFER_BYTES), Ok)?;
        Ok(Buffer { memory: Some(memory), filled: 0 })
    }

    /// The first `len` bytes of the memory, with the bytes of earlier uses in them.
    pub(super) fn memory(&mut self, len: usize) -> &mut [u8] {
        let memory = self.memory.as_deref_mut().unwrap_or_default();
        let len = len.min(memory.len());
        &mut memory[..len]
    }

    /// The first `filled` bytes, without copying.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(BUFFER_BYTES);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.memory.as_deref().map_or(&[], |memory| &memory[..self.filled])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < KEPT {
            pool.extend(self.memory.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_filled_part_is_seen() {
        let mut buffer = Buffer::take().expect("memory");
        buffer.memory(5).copy_from_slice(b"hello");
        assert_eq!(&buffer.freeze(5)[..], b"hello");
        let mut buffer = Buffer::take().expect("memory");
        assert_eq!(buffer.memory(usize::MAX).len(), BUFFER_BYTES);
        assert_eq!(buffer.memory(1).as_ptr().addr() % 4096, 0, "begins at a page");
    }

    #[test]
    fn a_buffer_in_use_is_not_given_out_again() {
        let mut first = Buffer::take().expect("memory");
        first.memory(1)[0] = 1;
        let kept = first.freeze(1);
        let piece = kept.slice(..);
        drop(kept);
        let mut second = Buffer::take().expect("memory");
        second.memory(1)[0] = 2;
        assert_eq!(piece[0], 1);
    }
}
