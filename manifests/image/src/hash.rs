//! Running digests, and the list of chunk digests.

use crate::ChunkError;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::ops::Range;
use stratus_model::{Algorithm, Chunks, Compressed, Digest};

/// A digest being computed.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// A digest of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Md5(state) => state.update(bytes),
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        let (algorithm, bytes) = match self.0 {
            State::Md5(state) => (Algorithm::Md5, state.finalize().to_vec()),
            State::Sha1(state) => (Algorithm::Sha1, state.finalize().to_vec()),
            State::Sha256(state) => (Algorithm::Sha256, state.finalize().to_vec()),
            State::Sha384(state) => (Algorithm::Sha384, state.finalize().to_vec()),
            State::Sha512(state) => (Algorithm::Sha512, state.finalize().to_vec()),
        };
        Digest::new(algorithm, &bytes).expect("a finished digest has its algorithm's length")
    }

    /// The digest of some bytes.
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// SHA-256 of each consecutive 4 MiB of a stream.
#[derive(Debug)]
pub(crate) struct ChunkHasher {
    size: u64,
    filled: u64,
    current: Sha256,
    done: Vec<[u8; 32]>,
}

impl ChunkHasher {
    pub(crate) fn new(size: u64) -> Self {
        Self { size, filled: 0, current: Sha256::new(), done: Vec::new() }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.size - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.update(now);
            self.filled += now.len() as u64;
            if self.filled == self.size {
                self.done.push(self.current.finalize_reset().into());
                self.filled = 0;
            }
            bytes = later;
        }
    }

    pub(crate) fn finish(mut self) -> Chunks {
        if self.filled > 0 {
            self.done.push(self.current.finalize().into());
        }
        Chunks { size: self.size, sha256: self.done }
    }
}

/// Checks single pieces of a compressed file against its manifest's list, so that a piece can be
/// used before the rest is there, whatever source it came from.
#[derive(Clone, Debug)]
pub struct ChunkVerifier {
    bytes: u64,
    chunks: Chunks,
}

impl ChunkVerifier {
    /// From what a manifest says about the file as served.
    ///
    /// Refuses a list that does not fit the file's size.
    pub fn new(compressed: &Compressed) -> Result<Self, ChunkError> {
        let chunks = compressed.chunks.clone().ok_or(ChunkError::NoList)?;
        if chunks.size == 0 {
            return Err(ChunkError::NoList);
        }
        let needed = compressed.bytes.div_ceil(chunks.size);
        if needed == chunks.sha256.len() as u64 {
            Ok(Self { bytes: compressed.bytes, chunks })
        } else {
            Err(ChunkError::WrongCount { needed, listed: chunks.sha256.len() as u64 })
        }
    }

    /// Number of pieces.
    pub fn count(&self) -> u64 {
        self.chunks.sha256.len() as u64
    }

    /// Number of bytes in each piece but the last.
    pub fn size(&self) -> u64 {
        self.chunks.size
    }

    /// The bytes of the compressed file that a piece covers; `None` past the last one.
    pub fn range(&self, index: u64) -> Option<Range<u64>> {
        let start = index.checked_mul(self.chunks.size).filter(|start| *start < self.bytes)?;
        Some(start..self.bytes.min(start + self.chunks.size))
    }

    /// The piece that a byte of the compressed file lies in; `None` past the end.
    pub fn index_of(&self, offset: u64) -> Option<u64> {
        (offset < self.bytes).then(|| offset / self.chunks.size)
    }

    /// Whether this is piece `index`, all of it.
    pub fn verify(&self, index: u64, piece: &[u8]) -> Result<(), ChunkError> {
        let expected = self.expected(index)?;
        self.compare(index, piece.len() as u64, expected, Sha256::digest(piece).into())
    }

    /// Begins a check of piece `index` whose bytes come in parts.
    pub fn begin(&self, index: u64) -> Result<ChunkCheck<'_>, ChunkError> {
        self.expected(index)?;
        Ok(ChunkCheck { verifier: self, index, seen: 0, hasher: Sha256::new() })
    }

    fn expected(&self, index: u64) -> Result<&[u8; 32], ChunkError> {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.chunks.sha256.get(i))
            .ok_or(ChunkError::NoSuchChunk { index, count: self.count() })
    }

    fn compare(
        &self,
        index: u64,
        length: u64,
        expected: &[u8; 32],
        found: [u8; 32],
    ) -> Result<(), ChunkError> {
        let needed = self.range(index).map_or(0, |range| range.end - range.start);
        if length != needed {
            Err(ChunkError::WrongLength { index, needed, found: length })
        } else if found != *expected {
            Err(ChunkError::Differs { index })
        } else {
            Ok(())
        }
    }
}

/// A check of one piece in progress.
#[derive(Clone, Debug)]
pub struct ChunkCheck<'a> {
    verifier: &'a ChunkVerifier,
    index: u64,
    seen: u64,
    hasher: Sha256,
}

impl ChunkCheck<'_> {
    /// Takes the next bytes of the piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// Whether the bytes taken are the piece, all of it.
    pub fn finish(self) -> Result<(), ChunkError> {
        let expected = self.verifier.expected(self.index)?;
        self.verifier.compare(self.index, self.seen, expected, self.hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compressed(bytes: &[u8], size: u64) -> Compressed {
        let mut hasher = ChunkHasher::new(size);
        hasher.update(bytes);
        let chunks = Some(hasher.finish());
        Compressed { bytes: bytes.len() as u64, checksums: Vec::new(), chunks }
    }

    #[test]
    fn the_standards_own_vectors_agree() {
        for (algorithm, hex) in [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(Hasher::digest(algorithm, b"abc").to_hex(), hex);
        }
    }

    proptest! {
        #[test]
        fn chunk_digests_do_not_depend_on_how_the_bytes_arrive(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            step in 1usize..50,
        ) {
            let mut hasher = ChunkHasher::new(64);
            bytes.chunks(step).for_each(|piece| hasher.update(piece));
            let expected: Vec<[u8; 32]> =
                bytes.chunks(64).map(|c| Sha256::digest(c).into()).collect();
            prop_assert_eq!(hasher.finish().sha256, expected);
        }
    }

    #[test]
    fn each_piece_is_checked_by_itself() {
        let bytes: Vec<u8> = (0..150u8).collect();
        let verifier = ChunkVerifier::new(&compressed(&bytes, 64)).unwrap();
        assert_eq!((verifier.count(), verifier.size()), (3, 64));
        assert_eq!((verifier.range(2), verifier.range(3)), (Some(128..150), None));
        assert_eq!((verifier.index_of(127), verifier.index_of(150)), (Some(1), None));
        for (index, piece) in (0..).zip(bytes.chunks(64)) {
            assert_eq!(verifier.verify(index, piece), Ok(()));
            let mut check = verifier.begin(index).unwrap();
            piece.chunks(5).for_each(|part| check.update(part));
            assert_eq!(check.finish(), Ok(()));
        }
    }

    #[test]
    fn a_wrong_piece_is_told_apart_from_a_short_or_missing_one() {
        let bytes = [7u8; 100];
        let verifier = ChunkVerifier::new(&compressed(&bytes, 64)).unwrap();
        assert_eq!(verifier.verify(0, &[8; 64]), Err(ChunkError::Differs { index: 0 }));
        assert_eq!(
            verifier.verify(1, &[7; 64]),
            Err(ChunkError::WrongLength { index: 1, needed: 36, found: 64 })
        );
        assert_eq!(verifier.verify(2, &[]), Err(ChunkError::NoSuchChunk { index: 2, count: 2 }));
        assert!(verifier.begin(2).is_err());
    }

    #[test]
    fn a_list_that_does_not_fit_the_size_is_refused() {
        let mut wrong = compressed(&[0; 100], 64);
        wrong.bytes = 129;
        assert_eq!(
            ChunkVerifier::new(&wrong).unwrap_err(),
            ChunkError::WrongCount { needed: 3, listed: 2 }
        );
        wrong.chunks = None;
        assert_eq!(ChunkVerifier::new(&wrong).unwrap_err(), ChunkError::NoList);
        wrong.chunks = Some(Chunks { size: 0, sha256: Vec::new() });
        assert_eq!(ChunkVerifier::new(&wrong).unwrap_err(), ChunkError::NoList);
    }
}
