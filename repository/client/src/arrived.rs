//! What of the image is here: told by the transfer, waited for by whoever reads it in order.

use crate::pieces::Pieces;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The state of one transfer, shared between the connections and the reader.
#[derive(Debug)]
pub(crate) struct Arrived {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    pieces: Pieces,
    /// Bytes from the start that are here without having been checked by pieces.
    prefix: u64,
    /// Bytes in the whole file, where that is known.
    total: Option<u64>,
    stopped: bool,
}

impl Arrived {
    /// A transfer whose pieces are checked one by one.
    pub(crate) fn in_pieces(pieces: Pieces, total: u64) -> Self {
        Self::new(State { pieces, prefix: 0, total: Some(total), stopped: false })
    }

    /// A transfer that goes from the start to the end; `prefix` bytes are here already.
    pub(crate) fn in_order(prefix: u64) -> Self {
        Self::new(State { pieces: Pieces::none(0, 1), prefix, total: None, stopped: false })
    }

    fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single step, so the state is right whatever panicked meanwhile.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks or changes something about the pieces.
    pub(crate) fn pieces<T>(&self, ask: impl FnOnce(&Pieces) -> T) -> T {
        ask(&self.state().pieces)
    }

    /// A piece is here and verified.
    pub(crate) fn add(&self, index: usize) {
        self.state().pieces.add(index);
        self.changed.notify_all();
    }

    /// Bytes up to here are on the disk.
    pub(crate) fn reach(&self, prefix: u64) {
        self.state().prefix = prefix;
        self.changed.notify_all();
    }

    /// How many bytes from the start are on the disk.
    pub(crate) fn prefix(&self) -> u64 {
        self.state().prefix
    }

    /// The size of the whole file is known.
    pub(crate) fn set_total(&self, total: u64) {
        self.state().total = Some(total);
        self.changed.notify_all();
    }

    /// Nothing more will come; whoever waits gets an error.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until there is something at `offset`; gives the end of what can be read from there,
    /// `offset` itself at the end of the file.
    fn wait(&self, offset: u64) -> io::Result<u64> {
        let mut state = self.state();
        loop {
            let until = state.pieces.here_until(offset).max(state.prefix);
            if until > offset || state.total == Some(offset) {
                return Ok(until.max(offset));
            }
            if state.stopped {
                return Err(io::Error::other("the transfer ended before the file was complete"));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Reads the file in order while it arrives.
#[derive(Debug)]
pub(crate) struct Follow {
    file: Arc<File>,
    arrived: Arc<Arrived>,
    position: u64,
    /// How far can be read without asking again.
    until: u64,
}

impl Follow {
    pub(crate) fn new(file: Arc<File>, arrived: Arc<Arrived>) -> Self {
        Self { file, arrived, position: 0, until: 0 }
    }
}

impl Read for Follow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.until {
            self.until = self.arrived.wait(self.position)?;
        }
        let most = usize::try_from(self.until - self.position).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(most);
        let count = self.file.read_at(&mut buffer[..wanted], self.position)?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut meanwhile"));
        }
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::thread;

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Arc::new(file)
    }

    #[test]
    fn pieces_are_read_in_order_whatever_order_they_come_in() {
        let arrived = Arc::new(Arrived::in_pieces(Pieces::none(10, 4), 10));
        let mut follow = Follow::new(file(b"0123456789"), Arc::clone(&arrived));
        let reader = thread::spawn(move || {
            let mut text = String::new();
            follow.read_to_string(&mut text).map(|_| text)
        });
        for index in [2, 0, 1] {
            arrived.add(index);
        }
        assert_eq!(reader.join().unwrap().unwrap(), "0123456789");
    }

    #[test]
    fn a_transfer_in_order_ends_where_its_total_says() {
        let arrived = Arc::new(Arrived::in_order(3));
        let mut follow = Follow::new(file(b"0123456789"), Arc::clone(&arrived));
        let mut three = [0; 8];
        assert_eq!(follow.read(&mut three).unwrap(), 3);
        let reader = thread::spawn(move || {
            let mut text = String::new();
            follow.read_to_string(&mut text).map(|_| text)
        });
        arrived.set_total(6);
        arrived.reach(6);
        assert_eq!(reader.join().unwrap().unwrap(), "345");
    }

    #[test]
    fn a_reader_does_not_wait_for_a_transfer_that_stopped() {
        let arrived = Arc::new(Arrived::in_pieces(Pieces::none(10, 4), 10));
        let mut follow = Follow::new(file(b"0123456789"), Arc::clone(&arrived));
        let reader = thread::spawn(move || follow.read_to_end(&mut Vec::new()));
        arrived.add(0);
        arrived.stop();
        assert!(reader.join().unwrap().is_err());
    }
}
