//! What was found beside what a manifest promises.

use crate::{Form, ImageError, Measured};
use std::fmt;
use stratus_model::{Chunks, Digest, Expected};

/// One thing that is not as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The size.
    Bytes {
        /// Of which form.
        form: Form,
        /// By the manifest.
        expected: u64,
        /// By the file.
        found: u64,
    },
    /// The size, where reading stopped at the size that the manifest says.
    Larger {
        /// Of which form.
        form: Form,
        /// By the manifest.
        expected: u64,
    },
    /// A digest.
    Digest {
        /// Of which form.
        form: Form,
        /// By the manifest.
        expected: Digest,
        /// By the file.
        found: Digest,
    },
    /// A digest that the manifest gives was not computed.
    NotComputed {
        /// Of which form.
        form: Form,
        /// By the manifest.
        expected: Digest,
    },
    /// The number or size of the chunks.
    ChunkList {
        /// Number of chunks by the manifest.
        expected: usize,
        /// Number of chunks of the manifest's chunk size that the file has; 0 if that size is not
        /// 4 MiB.
        found: usize,
    },
    /// One chunk; others may differ as well.
    Chunk {
        /// The first that differs, from 0.
        first: usize,
        /// How many differ.
        count: usize,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { form, expected, found } => {
                write!(f, "the {form} has {found} bytes, the manifest says {expected}")
            }
            Self::Larger { form, expected } => {
                write!(f, "the {form} has more than the {expected} bytes that the manifest says")
            }
            Self::Digest { form, expected, found } => {
                let name = expected.algorithm().name();
                write!(f, "the {name} of the {form} is {found}, the manifest says {expected}")
            }
            Self::NotComputed { form, expected } => {
                write!(f, "the {} of the {form} was not computed", expected.algorithm().name())
            }
            Self::ChunkList { expected, found } => {
                write!(f, "the manifest lists {expected} chunks, the compressed file has {found}")
            }
            Self::Chunk { first, count: 1 } => {
                write!(f, "chunk {first} of the compressed file is not what the manifest says")
            }
            Self::Chunk { first, count } => write!(
                f,
                "{count} chunks of the compressed file, from chunk {first} on, are not what the manifest says"
            ),
        }
    }
}

/// All that is not as the manifest says; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatches(pub Vec<Mismatch>);

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mismatch) in self.0.iter().enumerate() {
            write!(f, "{}{mismatch}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mismatches {}

/// Compares a file with its manifest: sizes, all digests, and the chunk list.
///
/// `compressed` is `None` where the file is not compressed; then only the content is compared. Old
/// manifests say nothing of a compressed form, and their size and checksums may be those of the gzip
/// file: for them, either form may be the one that matches, wholly.
pub fn compare(
    expected: &Expected,
    compressed: Option<&Measured>,
    content: &Measured,
) -> Result<(), Mismatches> {
    let mut found = form(Form::Content, expected.bytes, &expected.checksums, content);
    match (&expected.compressed, compressed) {
        (Some(expected), Some(measured)) => {
            found.extend(form(Form::Compressed, expected.bytes, &expected.checksums, measured));
            found.extend(expected.chunks.as_ref().and_then(|list| chunks(list, measured)));
        }
        (None, Some(measured)) => {
            if form(Form::Compressed, expected.bytes, &expected.checksums, measured).is_empty() {
                found.clear();
            }
        }
        (_, None) => {}
    }
    if found.is_empty() { Ok(()) } else { Err(Mismatches(found)) }
}

/// Where the limit was the size in the manifest, passing it is a mismatch.
pub(crate) fn too_large_is_a_mismatch(error: ImageError) -> ImageError {
    match error {
        ImageError::TooLarge { form, limit } => {
            ImageError::Mismatch(Mismatches(vec![Mismatch::Larger { form, expected: limit }]))
        }
        other => other,
    }
}

fn form(form: Form, bytes: u64, digests: &[Digest], measured: &Measured) -> Vec<Mismatch> {
    let size = (bytes != measured.bytes).then_some(Mismatch::Bytes {
        form,
        expected: bytes,
        found: measured.bytes,
    });
    let digests =
        digests.iter().filter_map(|expected| match measured.digest(expected.algorithm()) {
            Some(found) if found == expected => None,
            Some(found) => {
                Some(Mismatch::Digest { form, expected: expected.clone(), found: found.clone() })
            }
            None => Some(Mismatch::NotComputed { form, expected: expected.clone() }),
        });
    size.into_iter().chain(digests).collect()
}

fn chunks(expected: &Chunks, measured: &Measured) -> Option<Mismatch> {
    let listed = expected.sha256.len();
    let found = measured.chunks.as_ref().filter(|found| found.size == expected.size);
    match found {
        Some(found) if found.sha256.len() == listed => {
            let mut wrong = expected
                .sha256
                .iter()
                .zip(&found.sha256)
                .enumerate()
                .filter_map(|(index, (a, b))| (a != b).then_some(index));
            let first = wrong.next()?;
            Some(Mismatch::Chunk { first, count: 1 + wrong.count() })
        }
        _ => Some(Mismatch::ChunkList {
            expected: listed,
            found: found.map_or(0, |found| found.sha256.len()),
        }),
    }
}
