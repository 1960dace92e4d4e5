//! Bytes of a run on their way into the file: written, summed, compared, made visible.

use super::{Object, Verdict, wake};
use crate::spool::journal::{Line, Record};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::IoSlice;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use stratus_cache_policy::flight::Run;
use stratus_cache_policy::spans::Spans;

/// Bytes that are read at once when a digest is made from the file.
const READ_BYTES: usize = 1 << 20;
/// Bytes that one line of the journal is about, where no piece says otherwise.
const RECORD_BYTES: u64 = 256 << 10;

/// The digest of the first bytes, as far as they came in order.
#[derive(Clone, Default)]
pub(super) struct Prefix {
    at: u64,
    sha256: Sha256,
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteFault {
    /// The disk takes no more.
    #[error("no room")]
    NoRoom,
    /// The file cannot be written.
    #[error("cannot write to the cache")]
    Io(#[source] std::io::Error),
    /// A piece has another digest than it should.
    #[error("the bytes {} to {} are not what the manifest says", .0.start, .0.end)]
    WrongPiece(Range<u64>),
}

/// Writes the bytes of one run.
pub(crate) struct Writer {
    object: Arc<Object>,
    file: Arc<File>,
    run: Run,
    at: u64,
    /// Of the piece that is being received.
    piece: Sha256,
    /// Of the bytes that are not in the journal yet, and where they begin.
    crc: crc32fast::Hasher,
    noted: u64,
}

impl Writer {
    pub(crate) fn new(object: Arc<Object>, run: Run) -> Result<Self, WriteFault> {
        let file = Arc::clone(object.data().map_err(WriteFault::Io)?.file());
        let at = run.at;
        let (piece, crc) = (Sha256::new(), crc32fast::Hasher::new());
        Ok(Self { object, file, run, at, piece, crc, noted: at })
    }

    /// Where the next byte goes.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Takes consecutive bytes. Answers whether the run has all it is for.
    pub(crate) fn write(&mut self, batch: &[Bytes]) -> Result<bool, WriteFault> {
        let Some(run) = self.object.run(&self.run) else { return Ok(true) };
        // Where the length was known, room was made before the first byte came.
        let bytes = batch.iter().map(|part| part.len() as u64).sum();
        let is_within = || self.object.total().is_some() || self.object.has_room_for(bytes);
        let has_room = is_within() || (self.object.make_room() && is_within());
        if !has_room {
            return Err(WriteFault::NoRoom);
        }
        match self.object.promise.pieces.as_ref().map(|pieces| pieces.size) {
            None => self.write_as_it_comes(batch, run.end),
            Some(size) => self.write_pieces(batch, run.end, size),
        }
    }

    /// Every byte may be read as soon as it is written.
    fn write_as_it_comes(&mut self, batch: &[Bytes], end: Option<u64>) -> Result<bool, WriteFault> {
        let bytes = self.put(batch, end)?;
        self.at = bytes.end;
        self.object.sum_up(&bytes, batch);
        if self.object.has_none(&bytes) {
            self.sum_record(batch, bytes.end - bytes.start);
        } else {
            self.note_up_to(bytes.start);
            // What was there already is in the journal; the rest is read again for its checksum.
            self.object.note_unnoted(&bytes);
            self.noted = bytes.end;
        }
        let is_last = end.is_some_and(|end| self.at >= end);
        if self.at - self.noted >= RECORD_BYTES || is_last {
            self.finish();
        }
        Ok(self.object.arrived(&self.run, &bytes))
    }

    fn sum_record(&mut self, batch: &[Bytes], bytes: u64) {
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        for part in batch {
            let take = left.min(part.len());
            self.crc.update(&part[..take]);
            left -= take;
        }
    }

    /// Puts what came since the last line into the journal.
    pub(crate) fn finish(&mut self) {
        // Half of a piece is nothing to note.
        if self.object.promise.pieces.is_none() {
            self.note_up_to(self.at);
        }
    }

    fn note_up_to(&mut self, end: u64) {
        if self.noted < end {
            let crc = std::mem::take(&mut self.crc).finalize();
            self.object.note_bytes(Record { bytes: self.noted..end, crc });
            self.noted = end;
        }
    }

    /// Only whole pieces may be read, after they were compared.
    fn write_pieces(
        &mut self,
        batch: &[Bytes],
        end: Option<u64>,
        size: u64,
    ) -> Result<bool, WriteFault> {
        self.put(batch, end)?;
        for bytes in batch {
            let mut bytes = bytes.clone();
            while !bytes.is_empty() {
                if end.is_some_and(|end| self.at >= end) {
                    return Ok(true);
                }
                let total = self.object.total().unwrap_or(u64::MAX);
                let number = self.at / size;
                let piece = number * size..((number + 1) * size).min(total);
                let left = usize::try_from(piece.end - self.at).unwrap_or(usize::MAX);
                let part = bytes.split_to(left.min(bytes.len()));
                self.piece.update(&part);
                self.crc.update(&part);
                self.at += part.len() as u64;
                if self.at == piece.end && self.piece_ends(number, piece)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn piece_ends(&mut self, number: u64, piece: Range<u64>) -> Result<bool, WriteFault> {
        let digest: [u8; 32] = std::mem::take(&mut self.piece).finalize().into();
        let crc = std::mem::take(&mut self.crc).finalize();
        let pieces = self.object.promise.pieces.as_ref();
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        if pieces.and_then(|pieces| pieces.sha256.get(number)) != Some(&digest) {
            self.at = piece.start;
            return Err(WriteFault::WrongPiece(piece));
        }
        if self.object.has_none(&piece) {
            self.object.note_bytes(Record { bytes: piece.clone(), crc });
        }
        self.noted = piece.end;
        Ok(self.object.arrived(&self.run, &piece))
    }

    /// Writes where nothing is yet: what is there may be being read. Answers what the batch is about,
    /// without what lies behind the end of the run.
    fn put(&self, batch: &[Bytes], end: Option<u64>) -> Result<Range<u64>, WriteFault> {
        let came: u64 = batch.iter().map(|part| part.len() as u64).sum();
        let range = self.at..(self.at + came).min(end.unwrap_or(u64::MAX)).max(self.at);
        let gaps = self.object.state().flight.present().gaps(&range);
        for gap in gaps {
            let within = gap.start - range.start..gap.end - range.start;
            let write = || write_all(&self.file, batch, within.clone(), gap.start).map_err(fault);
            match write() {
                // Once: where that does not help, the disk has other troubles.
                Err(WriteFault::NoRoom) if self.object.make_room() => write()?,
                written => written?,
            }
        }
        Ok(range)
    }
}

/// Slices of one write, far below what the system takes.
const SLICES: usize = 64;

/// Writes the bytes `within` what the parts are together, at a place of the file.
fn write_all(file: &File, parts: &[Bytes], within: Range<u64>, mut to: u64) -> std::io::Result<()> {
    let mut from = 0;
    let slices = parts.iter().map(|part| {
        let start: u64 = from;
        from += part.len() as u64;
        let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        let (first, last) = (place(within.start), place(within.end).min(part.len()));
        IoSlice::new(part.get(first..last).unwrap_or_default())
    });
    let mut slices: Vec<IoSlice<'_>> = slices.filter(|slice| !slice.is_empty()).collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        let some = &left[..left.len().min(SLICES)];
        match rustix::io::pwritev(file, some, to) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                to += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn fault(error: std::io::Error) -> WriteFault {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => WriteFault::NoRoom,
        _ => WriteFault::Io(error),
    }
}

impl Object {
    /// Whether none of these bytes are there.
    fn has_none(&self, bytes: &Range<u64>) -> bool {
        self.state().flight.present().gaps(bytes).as_slice() == [bytes.clone()]
    }

    /// Bytes are in the file: lets readers have them. Answers whether the run has all it is for.
    fn arrived(&self, run: &Run, bytes: &Range<u64>) -> bool {
        let mut state = self.state();
        let gaps = state.flight.present().gaps(bytes);
        self.shared.grew(gaps.iter().map(|gap| gap.end - gap.start).sum());
        let over = state.flight.arrived(run.id, bytes.clone());
        wake(&mut state);
        over
    }

    /// Notes what bytes there are.
    fn note_bytes(&self, record: Record) {
        self.note(&Line::Bytes(record.bytes.start, record.bytes.end, record.crc));
        let mut state = self.state();
        let at = state.records.partition_point(|r| r.bytes.start < record.bytes.start);
        state.records.insert(at, record);
    }

    /// Notes the bytes of a range that no record is about yet.
    fn note_unnoted(&self, range: &Range<u64>) {
        let mut noted = Spans::default();
        self.state().records.iter().for_each(|record| noted.insert(record.bytes.clone()));
        for bytes in noted.gaps(range) {
            if let Ok(crc) = self.crc_of(&bytes) {
                self.note_bytes(Record { bytes, crc });
            }
        }
    }

    /// The checksum of bytes in the file.
    pub(super) fn crc_of(&self, bytes: &Range<u64>) -> std::io::Result<u32> {
        let mut crc = crc32fast::Hasher::new();
        self.read_through(bytes.clone(), |piece| crc.update(piece))?;
        Ok(crc.finalize())
    }

    fn read_through(
        &self,
        mut range: Range<u64>,
        mut each: impl FnMut(&[u8]),
    ) -> std::io::Result<()> {
        let data = self.data()?;
        let mut buffer = vec![0; READ_BYTES];
        while !range.is_empty() {
            let want = usize::try_from(range.end - range.start).unwrap_or(READ_BYTES);
            let part = &mut buffer[..want.min(READ_BYTES)];
            data.file().read_exact_at(part, range.start)?;
            each(part);
            range.start += part.len() as u64;
        }
        Ok(())
    }

    /// Goes on with the digest of the whole while the bytes are still at hand.
    fn sum_up(&self, bytes: &Range<u64>, batch: &[Bytes]) {
        if self.promise.sha256.is_none() || self.promise.pieces.is_some() {
            return;
        }
        let mut state = self.state();
        let stored = state.flight.present().gaps(bytes).as_slice() == [bytes.clone()];
        if state.prefix.at != bytes.start || !stored {
            return;
        }
        let mut prefix = std::mem::take(&mut state.prefix);
        drop(state);
        let mut left = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX);
        for part in batch {
            let take = left.min(part.len());
            prefix.sha256.update(&part[..take]);
            left -= take;
        }
        prefix.at = bytes.end;
        self.state().prefix = prefix;
    }

    /// The digest of the bytes that are there from the beginning on, at most up to `limit`, and
    /// where they end.
    pub(crate) fn sum_beginning(&self, limit: u64) -> std::io::Result<(Sha256, u64)> {
        let end = self.state().flight.present().reach(0).min(limit);
        let mut sha256 = Sha256::new();
        if end > 0 {
            self.read_through(0..end, |part| sha256.update(part))?;
        }
        Ok((sha256, end))
    }

    /// Whether these bytes are what a piece must be.
    pub(crate) fn is_piece(&self, number: u64, bytes: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let pieces = self.promise.pieces.as_ref();
        pieces.and_then(|pieces| pieces.sha256.get(number)) == Some(&digest)
    }

    /// All bytes are there: compares the digest, and lets the last bytes go or throws all away.
    pub(crate) fn conclude(&self) {
        {
            let mut state = self.state();
            let is_told = self.promise.sha256.is_some() || self.promise.pieces.is_some();
            let is_due = is_told && state.flight.is_complete() && state.condemned.is_none();
            if !is_due || state.verdict != Verdict::None {
                return;
            }
            state.verdict = Verdict::Coming;
        }
        // What was stored before the start may have changed: better a part again than all of it.
        self.check_all();
        self.compare();
        let mut state = self.state();
        if state.verdict == Verdict::Coming {
            state.verdict = Verdict::None;
        }
        wake(&mut state);
    }

    fn compare(&self) {
        let (mut prefix, total) = {
            let mut state = self.state();
            let Some(total) = state.flight.total() else { return };
            if !state.flight.is_complete() {
                return;
            }
            (std::mem::take(&mut state.prefix), total)
        };
        if self.promise.pieces.is_none() {
            let Some(expected) = &self.promise.sha256 else { return };
            let summed = self.read_through(prefix.at..total, |part| prefix.sha256.update(part));
            if let Err(error) = summed {
                return self.condemn(&format!("its file cannot be read: {error}"));
            }
            let found = hex::encode(prefix.sha256.finalize());
            if found != *expected {
                return self.condemn(&format!("its SHA-256 is {found}, not {expected}"));
            }
        }
        let mut state = self.state();
        // A scrub may have found something meanwhile.
        if state.verdict == Verdict::Coming && state.flight.is_complete() {
            state.verdict = Verdict::Right;
            self.note(&Line::Verified);
        }
    }
}
