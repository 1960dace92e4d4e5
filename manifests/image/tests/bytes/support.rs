//! gzip files made by hand, and every reader of this crate on the same bytes.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder};
use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use stratus_image::{
    Algorithms, CompressOptions, ImageError, InflateOptions, Inspected, Inspector, Level, Limits,
    Measurement, compress, inflate, measure_from,
};

/// The parts of one gzip member; change one and join.
#[derive(Clone)]
pub(crate) struct Member {
    /// The ten fixed bytes.
    pub(crate) fixed: [u8; 10],
    /// The optional fields.
    pub(crate) optional: Vec<u8>,
    /// Deflate data.
    pub(crate) data: Vec<u8>,
    /// CRC-32 of the content.
    pub(crate) crc: u32,
    /// Length of the content.
    pub(crate) length: u32,
}

impl Member {
    /// A plain member without optional fields.
    pub(crate) fn of(content: &[u8]) -> Self {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::new(6));
        deflate.write_all(content).unwrap();
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            fixed: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
            optional: Vec::new(),
            data: deflate.finish().unwrap(),
            crc: crc.sum(),
            length: u32::try_from(content.len()).unwrap(),
        }
    }

    /// The bytes.
    pub(crate) fn join(&self) -> Vec<u8> {
        let trailer = [self.crc.to_le_bytes(), self.length.to_le_bytes()].concat();
        [&self.fixed[..], &self.optional, &self.data, &trailer].concat()
    }
}

/// Content that looks like a disk: text, noise, zeros.
pub(crate) fn disk(length: usize) -> Vec<u8> {
    const RUN: usize = 1 << 16;
    let mut state = 7u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(RUN)
    .collect();
    let text = b"The quick brown fox. ".repeat(RUN / 21);
    let mut disk = Vec::with_capacity(length + RUN);
    for number in 0.. {
        match number % 4 {
            _ if disk.len() >= length => break,
            0 => disk.resize(disk.len() + RUN, 0),
            1 => disk.extend(&text),
            // Each piece of noise differs from the others, and none compresses.
            _ => disk
                .extend(noise.iter().map(|b| b.rotate_left(number % 8) ^ number.to_le_bytes()[0])),
        }
    }
    disk.truncate(length);
    disk
}

/// Our own gzip file of an image.
pub(crate) fn compressed(content: &[u8], threads: usize, level: u8) -> (Vec<u8>, Measurement) {
    let options = CompressOptions {
        level: Level::new(level).unwrap(),
        threads: NonZeroUsize::new(threads).unwrap(),
        algorithms: Algorithms::manifest(),
    };
    let mut file = Vec::new();
    let found = compress(&mut &content[..], &mut file, &options, &mut go_on).unwrap();
    (file, found)
}

/// A progress callback that lets the work go on.
pub(crate) fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Inspects a file that arrives in pieces of one size.
pub(crate) fn inspect(
    file: &[u8],
    step: usize,
    content_limit: u64,
) -> Result<Inspected, ImageError> {
    let limits = Limits { content: content_limit, ..Limits::MAX };
    let mut inspector = Inspector::start(&Algorithms::upload(), limits)?;
    file.chunks(step).try_for_each(|piece| inspector.push(Bytes::copy_from_slice(piece)))?;
    inspector.finish()
}

/// Inflates a file in memory.
pub(crate) fn inflated(
    file: &[u8],
    threads: usize,
    content_limit: u64,
) -> Result<(Vec<u8>, Inspected), ImageError> {
    let options = InflateOptions {
        threads: NonZeroUsize::new(threads).unwrap(),
        ..InflateOptions::up_to(content_limit)
    };
    let mut content = Vec::new();
    let found = inflate(&mut &file[..], &mut content, &options, &mut go_on)?;
    Ok((content, found))
}

/// What each reader says about a file; they must all say the same.
pub(crate) fn verdicts(file: &[u8], content_limit: u64) -> Vec<Result<Inspected, ImageError>> {
    let shortest = 1 + file.len() / 4000;
    let mut all: Vec<_> =
        [shortest, 4096, 1 << 20].map(|step| inspect(file, step, content_limit)).into();
    for threads in [1, 3] {
        all.push(inflated(file, threads, content_limit).map(|(_, found)| found));
    }
    if content_limit == u64::MAX && file.starts_with(&[0x1f, 0x8b]) {
        let measured = measure_from(&mut &file[..], &Algorithms::upload(), &mut go_on);
        all.push(measured.map(|m| Inspected {
            compressed: m.compressed.expect("a gzip file"),
            content: m.content,
            disk_format: m.disk_format,
            iso9660: m.iso9660,
            gzip_members: m.gzip_members,
        }));
    }
    all
}
