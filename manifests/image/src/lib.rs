//! Disk images as bytes: measure, compress, inflate, inspect while they arrive.
//!
//! An image is kept and served as one gzip file, so it has two forms, and every digest and size
//! belongs to one of them ([`Form`]). Whatever is done with an image is one pass over its bytes,
//! with inflating or deflating, each digest, and writing on threads of their own:
//!
//! | to do | here | bytes come from |
//! |---|---|---|
//! | look at an upload while it arrives | [`Inspector`] | whoever pushes them |
//! | size and digests for a manifest | [`measure`], [`measure_from`] | a file, a reader |
//! | make the gzip file of an image | [`compress`] | a reader |
//! | get the image back, verified | [`inflate`] | a reader |
//! | compare a file with its manifest | [`check`] | a file |
//! | use pieces before the rest is there | [`ChunkVerifier`] | anywhere |
//!
//! Bytes are never trusted: every function takes limits, none keeps a file in memory, and each
//! [`ImageError`] says what is wrong, where, and what to do.

mod check;
mod compress;
mod crew;
mod error;
mod expected;
mod gzip;
mod hash;
mod header;
mod inflate;
mod inspector;
mod lanes;
mod measure;
mod member;
mod pool;
mod queue;
mod sniff;
mod sparse;

pub use check::check;
pub use compress::{CompressOptions, compress};
pub use error::{ChunkError, Form, ImageError};
pub use expected::{Mismatch, Mismatches, compare};
pub use hash::{ChunkCheck, ChunkVerifier, Hasher};
pub use inflate::{InflateOptions, inflate};
pub use inspector::{Inspector, TryPushError};
pub use measure::{Measurement, measure, measure_from};
pub use member::Level;
pub use sniff::Seen;
pub use sparse::SparseWriter;

use std::ops::ControlFlow;
use stratus_model::{Algorithm, Chunks, Compressed, Digest, DiskFormat, Expected};

/// Called now and then with the number of input bytes done; the answer `Break` stops the work with
/// [`ImageError::Cancelled`].
pub type Progress<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Which digests to compute of each form. Repetitions do no harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// Of the gzip file. The list of chunk digests comes in any case.
    pub compressed: Vec<Algorithm>,
    /// Of the image inside.
    pub content: Vec<Algorithm>,
}

impl Algorithms {
    /// SHA-256 of both: what a server computes while an upload arrives.
    pub fn upload() -> Self {
        Self { compressed: vec![Algorithm::Sha256], content: vec![Algorithm::Sha256] }
    }

    /// What a new manifest says: SHA-256 and SHA-512 of both, and SHA-1 for the identifier.
    pub fn manifest() -> Self {
        let all = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
        Self { compressed: all.to_vec(), content: all.to_vec() }
    }

    /// What is needed to compare with a manifest.
    pub fn expected(expected: &Expected) -> Self {
        let named = |digests: &[Digest]| digests.iter().map(Digest::algorithm).collect();
        let content: Vec<Algorithm> = named(&expected.checksums);
        let compressed = match &expected.compressed {
            Some(compressed) => named(&compressed.checksums),
            // An old manifest may mean the file as it is.
            None => content.clone(),
        };
        Self { compressed, content }
    }
}

/// How large the two forms may be, in bytes.
///
/// The limit on the content is what stops a gzip bomb; it holds whatever the ratio, and there is
/// always one: [`Limits::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the gzip file.
    pub compressed: u64,
    /// Of the image inside.
    pub content: u64,
}

impl Limits {
    /// 16 TiB for each form, for whoever has no better knowledge.
    pub const MAX: Self = Self { compressed: 1 << 44, content: 1 << 44 };

    /// What a manifest declares.
    pub fn expected(expected: &Expected) -> Self {
        let compressed = expected.compressed.as_ref().map_or(Self::MAX.compressed, |c| c.bytes);
        Self { compressed, content: expected.bytes }
    }
}

/// Size and digests of one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its size.
    pub bytes: u64,
    /// Its digests, weakest algorithm first.
    pub digests: Vec<Digest>,
    /// Digests of its 4 MiB pieces; only for the compressed form.
    pub chunks: Option<Chunks>,
}

impl Measured {
    /// The digest in one algorithm, if it was computed.
    pub fn digest(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == algorithm)
    }
}

impl From<Measured> for Compressed {
    fn from(measured: Measured) -> Self {
        Self { bytes: measured.bytes, checksums: measured.digests, chunks: measured.chunks }
    }
}

/// What a gzip file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The file itself.
    pub compressed: Measured,
    /// The image inside.
    pub content: Measured,
    /// Layout of the disk.
    pub disk_format: DiskFormat,
    /// Whether the image is also an ISO 9660 file system, as installation media are.
    pub iso9660: bool,
    /// Number of gzip members.
    pub gzip_members: u64,
}
