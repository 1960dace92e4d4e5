//! Read buffers that are used again: the newest returned one goes out first, so that a busy
//! server reads into memory that is still in the processor's cache.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of one read. Four TLS records; small enough that a few of them stay in a core's second
/// level cache between the read, the encryption and the write.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Buffers kept when nobody needs them: 8 MiB.
const KEPT: usize = 128;

static POOL: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer of [`BUFFER_BYTES`] that goes back to the pool when dropped.
pub(super) struct Buffer {
    memory: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    pub(super) fn take() -> Buffer {
        let pooled = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = pooled.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice());
        Buffer { memory, filled: 0 }
    }

    /// All of the buffer's memory, with the bytes of earlier uses in it.
    pub(super) fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// The first `filled` bytes, without copying.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.memory.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < KEPT {
            pool.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_filled_part_is_seen() {
        let mut buffer = Buffer::take();
        buffer.memory()[..5].copy_from_slice(b"hello");
        let bytes = buffer.freeze(5);
        assert_eq!(&bytes[..], b"hello");
        assert_eq!(Buffer::take().memory().len(), BUFFER_BYTES);
    }

    #[test]
    fn a_buffer_in_use_is_not_given_out_again() {
        let mut first = Buffer::take();
        first.memory()[0] = 1;
        let kept = first.freeze(1);
        let piece = kept.slice(..);
        drop(kept);
        let mut second = Buffer::take();
        second.memory()[0] = 2;
        assert_eq!(piece[0], 1);
    }
}
