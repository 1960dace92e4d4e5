//! Rings of figures on disk.
//!
//! ```text
//! shelf = file of up to `columns` series
//!   block 0 | block 1 | … | block n-1        a block is `slots` steps long; the ring of them wraps
//!     number (8 bytes) | column 0: slot 0, slot 1, … | column 1: … | …
//! ```
//!
//! A series lies together within a block, so that reading one of 20,000 takes a few hundred short
//! reads; writing a step rewrites the block's part of the file. A block whose number is not the one
//! expected at its place is from an earlier turn, and holds nothing.

use super::{Coding, FIGURES, Point};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a block's number.
const HEAD: usize = 8;

/// The form of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Seconds of a step.
    pub step: i64,
    /// Steps in a block.
    pub slots: usize,
    /// Blocks in the ring.
    pub blocks: usize,
    /// Series in one file.
    pub columns: usize,
    /// How the figures are kept.
    pub codings: [Coding; FIGURES],
}

impl Shape {
    fn width(&self) -> usize {
        self.codings.iter().map(|coding| coding.width()).sum()
    }

    fn block_bytes(&self) -> usize {
        HEAD + self.columns * self.slots * self.width()
    }

    /// The number of the block with this moment, and the slot in it.
    fn place(&self, at: i64) -> (i64, usize) {
        let slots = i64::try_from(self.slots).unwrap_or(1);
        let step = at.div_euclid(self.step);
        (step.div_euclid(slots), usize::try_from(step.rem_euclid(slots)).unwrap_or(0))
    }

    fn offset(&self, number: i64) -> u64 {
        let blocks = i64::try_from(self.blocks).unwrap_or(1);
        let turn = usize::try_from(number.rem_euclid(blocks)).unwrap_or(0);
        (turn * self.block_bytes()) as u64
    }
}

/// A ring of figures.
#[derive(Debug)]
pub struct Ring {
    folder: PathBuf,
    name: String,
    shape: Shape,
}

impl Ring {
    /// A ring in files of this name; they are made when the first figure comes.
    pub fn new(folder: &Path, name: &str, shape: Shape) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned(), shape }
    }

    /// Its form.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn shelf(&self, shelf: usize) -> PathBuf {
        self.folder.join(format!("{}.{shelf}", self.name))
    }

    /// Writes the figures of a step.
    pub fn write(&self, at: i64, figures: &[(usize, [f32; FIGURES])]) -> io::Result<()> {
        let shelves = figures.iter().map(|(column, _)| column / self.shape.columns).max();
        let Some(last) = shelves else { return Ok(()) };
        let mut result = Ok(());
        for shelf in 0..=last {
            let mine = figures.iter().filter(|(column, _)| column / self.shape.columns == shelf);
            let mine: Vec<_> = mine.copied().collect();
            if !mine.is_empty() {
                result = result.and(self.write_shelf(shelf, at, &mine));
            }
        }
        result
    }

    fn write_shelf(
        &self,
        shelf: usize,
        at: i64,
        figures: &[(usize, [f32; FIGURES])],
    ) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(self.shelf(shelf))?;
        let (number, slot) = self.shape.place(at);
        let offset = self.shape.offset(number);
        let mut block = vec![0; self.shape.block_bytes()];
        fill(&file, &mut block, offset)?;
        if block[..HEAD] != number.to_le_bytes() {
            block.fill(0);
            block[..HEAD].copy_from_slice(&number.to_le_bytes());
        }
        let width = self.shape.width();
        for (column, figures) in figures {
            let column = column % self.shape.columns;
            let mut place = HEAD + (column * self.shape.slots + slot) * width;
            for (coding, figure) in self.shape.codings.iter().zip(figures) {
                coding.encode(*figure, &mut block[place..place + coding.width()]);
                place += coding.width();
            }
        }
        file.write_all_at(&block, offset)
    }

    /// The points of a series from one moment to another, oldest first, without empty ones.
    pub fn read(&self, column: usize, from: i64, to: i64) -> io::Result<Vec<Point>> {
        let file = match File::open(self.shelf(column / self.shape.columns)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let blocks = i64::try_from(self.shape.blocks).unwrap_or(1);
        let (newest, _) = self.shape.place(to);
        let oldest = self.shape.place(from).0.max(newest - blocks + 1);
        let column = column % self.shape.columns;
        let (width, slots) = (self.shape.width(), self.shape.slots);
        let mut points = Vec::new();
        let mut series = vec![0; slots * width];
        for number in oldest..=newest {
            let offset = self.shape.offset(number);
            let mut head = [0; HEAD];
            fill(&file, &mut head, offset)?;
            if head != number.to_le_bytes() {
                continue;
            }
            fill(&file, &mut series, offset + (HEAD + column * slots * width) as u64)?;
            // Another turn may have begun in its place meanwhile; its number is written first.
            fill(&file, &mut head, offset)?;
            if head != number.to_le_bytes() {
                continue;
            }
            let begins = number * i64::try_from(slots).unwrap_or(1) * self.shape.step;
            for (slot, bytes) in series.chunks_exact(width).enumerate() {
                let at = begins + i64::try_from(slot).unwrap_or(0) * self.shape.step;
                let figures = self.figures(bytes);
                if (from..=to).contains(&at) && figures.iter().any(|f| !f.is_nan()) {
                    points.push((at, figures));
                }
            }
        }
        Ok(points)
    }

    fn figures(&self, bytes: &[u8]) -> [f32; FIGURES] {
        let mut place = 0;
        self.shape.codings.map(|coding| {
            let figure = coding.decode(&bytes[place..]);
            place += coding.width();
            figure
        })
    }

    /// Bytes that its files take on the disk.
    pub fn bytes(&self) -> u64 {
        let sizes = (0..).map_while(|shelf| std::fs::metadata(self.shelf(shelf)).ok());
        sizes.map(|file| file.blocks() * 512).sum()
    }
}

/// Reads at a place; what is behind the end of the file is zero.
fn fill(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset) {
            Ok(0) => {
                bytes.fill(0);
                return Ok(());
            }
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(folder: &Path) -> Ring {
        let codings = [Coding::Number, Coding::Percent, Coding::Percent, Coding::Rate];
        Ring::new(folder, "test", Shape { step: 60, slots: 5, blocks: 4, columns: 3, codings })
    }

    #[test]
    fn a_ring_keeps_as_much_as_it_holds_and_no_more() {
        let folder = tempfile::TempDir::new().unwrap();
        let ring = ring(folder.path());
        for minute in 0..1000_i64 {
            let figures = [minute as f32, 50.0, f32::NAN, 0.0];
            ring.write(minute * 60, &[(0, figures), (4, figures)]).unwrap();
        }
        let points = ring.read(4, 0, 999 * 60).unwrap();
        assert_eq!(points.len(), 20, "four blocks of five");
        assert_eq!((points[0].0, points[19].0), (980 * 60, 999 * 60));
        assert_eq!(points[19].1[..2], [999.0, 50.0]);
        assert!(points[0].1[2].is_nan());
        assert_eq!(ring.read(1, 0, 999 * 60).unwrap(), []);
        let size = std::fs::metadata(folder.path().join("test.0")).unwrap().len();
        assert_eq!(size, 4 * (8 + 3 * 5 * 7));
    }

    #[test]
    fn a_new_ring_over_the_same_files_goes_on() {
        let folder = tempfile::TempDir::new().unwrap();
        ring(folder.path()).write(600, &[(2, [1.0; FIGURES])]).unwrap();
        let again = ring(folder.path());
        again.write(660, &[(2, [2.0; FIGURES])]).unwrap();
        let points: Vec<i64> = again.read(2, 0, 700).unwrap().into_iter().map(|p| p.0).collect();
        assert_eq!(points, [600, 660]);
    }

    #[test]
    fn a_clock_that_went_back_writes_where_it_is_now() {
        let folder = tempfile::TempDir::new().unwrap();
        let ring = ring(folder.path());
        ring.write(60_000, &[(0, [1.0; FIGURES])]).unwrap();
        ring.write(0, &[(0, [3.0; FIGURES])]).unwrap();
        assert_eq!(ring.read(0, 0, 60).unwrap().len(), 1);
    }
}
