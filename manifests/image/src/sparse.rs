//! Files with holes where the image is zero.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// A hole begins and ends on such a border; file systems keep holes in their own blocks.
const BLOCK: usize = 4096;

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (pieces, rest) = bytes.as_chunks::<64>();
    // Folding a whole piece lets the compiler use vector registers.
    pieces.iter().all(|piece| piece.iter().fold(0, |all, b| all | b) == 0)
        && rest.iter().all(|b| *b == 0)
}

/// Writes to a new, empty file and leaves holes for blocks of zeros.
///
/// [`Write::flush`] gives the file its exact length; without it, a hole at the end is missing.
#[derive(Debug)]
pub struct SparseWriter {
    file: File,
    position: u64,
    /// Zeros that were passed over since the last write.
    skipped: bool,
}

impl SparseWriter {
    /// A writer for a file that is empty and positioned at its start.
    pub fn new(file: File) -> Self {
        Self { file, position: 0, skipped: false }
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.skipped {
            self.file.seek(SeekFrom::Start(self.position))?;
            self.skipped = false;
        }
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn hole(&mut self, length: usize) {
        self.position += length as u64;
        self.skipped = true;
    }

    /// Length of the next run of blocks that are all zero, or all not; cut at block borders of the
    /// file.
    fn run(&self, bytes: &[u8]) -> (usize, bool) {
        let to_border = BLOCK - usize::try_from(self.position % BLOCK as u64).unwrap_or(0);
        let first = to_border.min(bytes.len());
        let zero = is_zero(&bytes[..first]);
        let same = bytes[first..].chunks(BLOCK).take_while(|block| is_zero(block) == zero);
        (first + same.map(<[u8]>::len).sum::<usize>(), zero)
    }
}

impl Write for SparseWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (length, zero) = self.run(bytes);
            if zero {
                self.hole(length);
            } else {
                self.data(&bytes[..length])?;
            }
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.skipped {
            self.file.set_len(self.position)?;
        }
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    proptest! {
        #[test]
        fn the_file_reads_back_as_written(
            runs in proptest::collection::vec((0usize..9000, any::<bool>()), 0..12),
            step in 1usize..10_000,
        ) {
            let bytes: Vec<u8> =
                runs.iter().flat_map(|(n, zero)| vec![if *zero { 0 } else { 9 }; *n]).collect();
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer = SparseWriter::new(file.reopen().unwrap());
            bytes.chunks(step).try_for_each(|piece| writer.write_all(piece)).unwrap();
            writer.flush().unwrap();
            prop_assert!(fs::read(file.path()).unwrap() == bytes);
        }
    }

    #[test]
    fn zeros_take_no_room_on_the_disk() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = SparseWriter::new(file.reopen().unwrap());
        writer.write_all(&[1; 4096]).unwrap();
        (0..64).for_each(|_| writer.write_all(&vec![0; 1 << 20]).unwrap());
        writer.flush().unwrap();
        let metadata = fs::metadata(file.path()).unwrap();
        assert_eq!(metadata.len(), 4096 + (64 << 20));
        assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    }
}
