//! Comparing a file with its manifest.

use crate::expected::too_large_is_a_mismatch;
use crate::measure::{Kinds, pass};
use crate::{Algorithms, Form, ImageError, Limits, Mismatch, Mismatches, Progress, compare};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use stratus_model::Expected;

/// Whether the file at `path` is what a manifest promises: the gzip file, or the image itself.
///
/// Whichever it is shows in its first bytes. A gzip file is compared in both forms, including its
/// chunk list; a file that is not compressed, in the only one. A size that is wrong is found without
/// reading the file. Fails with [`ImageError::Mismatch`], which names all that differs.
pub fn check(
    path: &Path,
    expected: &Expected,
    progress: &mut Progress<'_>,
) -> Result<(), ImageError> {
    let mut file = File::open(path).map_err(ImageError::Read)?;
    check_size(&mut file, expected)?;
    let algorithms = Algorithms::expected(expected);
    // Where an old manifest means the gzip file, its content has no declared size.
    let limits =
        if expected.compressed.is_some() { Limits::expected(expected) } else { Limits::MAX };
    let found = pass(&mut file, &algorithms, limits, Kinds::Any, progress)
        .map_err(too_large_is_a_mismatch)?;
    compare(expected, found.compressed.as_ref(), &found.content).map_err(ImageError::Mismatch)
}

fn check_size(file: &mut File, expected: &Expected) -> Result<(), ImageError> {
    let metadata = file.metadata().map_err(ImageError::Read)?;
    if !metadata.is_file() {
        return Ok(());
    }
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(ImageError::Read)?;
    file.rewind().map_err(ImageError::Read)?;
    let (form, expected) = match (magic == [0x1f, 0x8b], &expected.compressed) {
        (true, Some(compressed)) => (Form::Compressed, compressed.bytes),
        (true, None) => return Ok(()),
        (false, _) => (Form::Content, expected.bytes),
    };
    let found = metadata.len();
    if found == expected {
        Ok(())
    } else {
        let mismatch = Mismatch::Bytes { form, expected, found };
        Err(ImageError::Mismatch(Mismatches(vec![mismatch])))
    }
}
