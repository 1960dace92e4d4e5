//! A fixed number of buffers that go round.
//!
//! Waiting for a free buffer is what keeps a fast producer from running ahead: memory is bounded by
//! the number of buffers, not by trust in the consumers' speed. A buffer comes back when the last
//! [`Bytes`] that shares it is dropped, on whichever thread that happens.

use bytes::Bytes;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    free: Condvar,
    size: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Vec<u8>>,
    not_made: usize,
}

impl Pool {
    /// At most `count` buffers of `size` bytes, each made when first needed.
    pub(crate) fn new(size: usize, count: usize) -> Arc<Self> {
        let state = State { free: Vec::with_capacity(count), not_made: count };
        Arc::new(Self { state: Mutex::new(state), free: Condvar::new(), size })
    }

    /// Waits for a free buffer. What it holds is whatever was in it before.
    pub(crate) fn take(self: &Arc<Self>) -> Buffer {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(bytes) = state.free.pop() {
                return Buffer { bytes, filled: 0, pool: Arc::clone(self) };
            }
            if state.not_made > 0 {
                state.not_made -= 1;
                drop(state);
                return Buffer { bytes: vec![0; self.size], filled: 0, pool: Arc::clone(self) };
            }
            state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A buffer on loan.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    /// The part that holds nothing yet.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Counts the next `count` bytes of the spare part as filled.
    pub(crate) fn advance(&mut self, count: usize) {
        self.filled = self.bytes.len().min(self.filled + count);
    }

    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// The filled part, to be shared; the buffer returns to its pool after the last use.
    pub(crate) fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.pool.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(bytes);
        self.pool.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_buffer_comes_back_after_its_last_use() {
        let pool = Pool::new(4, 1);
        let mut buffer = pool.take();
        buffer.spare()[..2].copy_from_slice(b"ab");
        buffer.advance(2);
        assert!(!buffer.is_full());
        let first = buffer.share();
        let second = first.clone();
        let waiting = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.take().filled())
        };
        assert_eq!(&first[..], b"ab");
        drop(first);
        drop(second);
        assert_eq!(waiting.join().unwrap(), 0);
    }
}
