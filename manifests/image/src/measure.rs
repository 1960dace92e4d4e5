//! Sizes, digests and kind of an image file in one pass.

use crate::crew::Crew;
use crate::inspector::Sizes;
use crate::lanes::{Lanes, Plan};
use crate::pool::{Buffer, Pool};
use crate::queue::Gone;
use crate::sniff::Sniffer;
use crate::{Algorithms, Form, ImageError, Inspected, Inspector, Limits, Measured, Progress};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use stratus_model::{Algorithm, DiskFormat};

/// What an image file is, compressed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The gzip file; `None` if the file was an image that is not compressed.
    pub compressed: Option<Measured>,
    /// The image itself.
    pub content: Measured,
    /// Layout of the disk.
    pub disk_format: DiskFormat,
    /// Whether the image is also an ISO 9660 file system, as installation media are.
    pub iso9660: bool,
    /// Number of gzip members; 0 if the file was not compressed.
    pub gzip_members: u64,
}

impl From<Inspected> for Measurement {
    fn from(inspected: Inspected) -> Self {
        Self {
            compressed: Some(inspected.compressed),
            content: inspected.content,
            disk_format: inspected.disk_format,
            iso9660: inspected.iso9660,
            gzip_members: inspected.gzip_members,
        }
    }
}

/// Measures the file at `path`: a gzip file by its first bytes (not by its name), else an image
/// that is not compressed.
///
/// Archives, foreign disk formats and other compressions are refused by name.
pub fn measure(
    path: &Path,
    algorithms: &Algorithms,
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    let mut file = File::open(path).map_err(ImageError::Read)?;
    measure_from(&mut file, algorithms, progress)
}

/// Measures what a reader gives, as [`measure`].
pub fn measure_from(
    source: &mut dyn Read,
    algorithms: &Algorithms,
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    pass(source, algorithms, Limits::MAX, Kinds::Usable, progress)
}

/// Which files that are not compressed are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Disk images.
    Usable,
    /// Any file, whatever it holds.
    Any,
}

/// One pass over a file, compressed or not.
pub(crate) fn pass(
    source: &mut dyn Read,
    algorithms: &Algorithms,
    limits: Limits,
    kinds: Kinds,
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    let mut pieces = Pieces::new(source);
    let first = pieces.next()?;
    if first.as_ref().is_some_and(|piece| piece.as_ref().starts_with(&[0x1f, 0x8b])) {
        let inspector = Inspector::with(algorithms, limits, None, Sizes::LARGE)?;
        gzip(inspector, first, pieces, progress)
    } else {
        let sniffer = (kinds == Kinds::Usable).then(Sniffer::new);
        plain(sniffer, first, pieces, &algorithms.content, progress)
    }
}

fn gzip(
    mut inspector: Inspector,
    mut next: Option<Buffer>,
    mut pieces: Pieces<'_>,
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    while let Some(piece) = next {
        inspector.push(piece.share())?;
        report(progress, inspector.received())?;
        next = pieces.next()?;
    }
    inspector.finish().map(Measurement::from)
}

fn plain(
    mut sniffer: Option<Sniffer>,
    mut next: Option<Buffer>,
    mut pieces: Pieces<'_>,
    algorithms: &[Algorithm],
    progress: &mut Progress<'_>,
) -> Result<Measurement, ImageError> {
    if sniffer.is_some() && next.is_none() {
        return Err(ImageError::Empty(Form::Content));
    }
    let plan = Plan { algorithms, ..Plan::default() };
    let mut lanes = Lanes::start(&Crew::default(), plan, Sizes::LARGE.queue)?;
    let mut done = 0;
    while let Some(piece) = next {
        sniffer.iter_mut().try_for_each(|sniffer| sniffer.take(piece.as_ref()))?;
        done += piece.filled() as u64;
        if lanes.push(&piece.share()) == Err(Gone) {
            return Err(lanes.failure());
        }
        report(progress, done)?;
        next = pieces.next()?;
    }
    let seen = sniffer.unwrap_or_else(Sniffer::new).finish()?;
    Ok(Measurement {
        compressed: None,
        content: lanes.finish()?,
        disk_format: seen.disk_format,
        iso9660: seen.iso9660,
        gzip_members: 0,
    })
}

pub(crate) fn report(progress: &mut Progress<'_>, done: u64) -> Result<(), ImageError> {
    if progress(done).is_break() { Err(ImageError::Cancelled) } else { Ok(()) }
}

/// A reader cut into buffers.
struct Pieces<'a> {
    source: &'a mut dyn Read,
    pool: Arc<Pool>,
}

impl<'a> Pieces<'a> {
    fn new(source: &'a mut dyn Read) -> Self {
        Self { source, pool: Pool::new(Sizes::LARGE.block, Sizes::LARGE.blocks) }
    }

    /// The next full buffer, the last part, or nothing.
    fn next(&mut self) -> Result<Option<Buffer>, ImageError> {
        let mut buffer = self.pool.take();
        let count = read_full(self.source, buffer.spare())?;
        buffer.advance(count);
        Ok((buffer.filled() > 0).then_some(buffer))
    }
}

/// Reads until the buffer is full or the source ends.
pub(crate) fn read_full(source: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, ImageError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ImageError::Read(error)),
        }
    }
    Ok(filled)
}
