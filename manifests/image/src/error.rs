//! What can be wrong with an image file, each with the place and the cure.

use std::fmt;
use std::io;

/// Which of the two byte sequences of an image something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The gzip file, as it is kept and served.
    Compressed,
    /// The disk image inside it.
    Content,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compressed => "compressed file",
            Self::Content => "uncompressed image",
        })
    }
}

/// Why a file cannot be used as an image.
///
/// Offsets count bytes of the compressed file from 0, members count from 1. The texts name no
/// file: whoever opened it adds its name.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There are no bytes at all, or the gzip file holds none.
    #[error("the {0} is empty")]
    Empty(Form),
    /// The first bytes are not those of RFC 1952 section 2.3.1.
    #[error("this is not a gzip file{}", guess(*.found))]
    NotGzip {
        /// What it looks like instead.
        found: Option<&'static str>,
    },
    /// The file ends inside a member.
    #[error("the gzip file is cut off: it ends at byte {at}, inside a member; transfer it again")]
    Truncated {
        /// Length of what there is.
        at: u64,
    },
    /// Zero bytes follow the last member.
    #[error("the gzip file is padded with zeros from byte {at} on; cut it off there")]
    Padded {
        /// Where the padding begins.
        at: u64,
    },
    /// Something that is no member follows the last member.
    #[error("bytes that are no gzip member follow at byte {at}; cut the file off there")]
    TrailingGarbage {
        /// Where it begins.
        at: u64,
    },
    /// A header or the compressed data breaks RFC 1952 or RFC 1951.
    #[error("the gzip file is damaged in member {member}, near byte {offset}: {what}")]
    Corrupt {
        /// Number of the member.
        member: u64,
        /// How far the file had been read.
        offset: u64,
        /// Which rule is broken.
        what: &'static str,
    },
    /// The content of a member does not have the CRC-32 of its trailer.
    #[error(
        "the gzip file is damaged in member {member}, which ends at byte {offset}: the CRC-32 of its content does not match"
    )]
    BadCrc {
        /// Number of the member.
        member: u64,
        /// End of the member.
        offset: u64,
    },
    /// The content is a tar archive.
    #[error(
        "the file holds a tar archive, not a single disk image; take the image out of it and compress that"
    )]
    TarInside,
    /// The content is of a kind that is no disk image Stratus can use.
    #[error("the image is {found}; {}", cure(found))]
    WrongContent {
        /// What it is, with its article.
        found: &'static str,
    },
    /// A qcow2 image that is a layer over another file, or keeps its data in one.
    #[error(
        "the qcow2 image needs {needs} beside it; make it whole with `qemu-img convert -O qcow2`"
    )]
    NotWhole {
        /// `a backing file` or `an external data file`.
        needs: &'static str,
    },
    /// More bytes than allowed.
    #[error("the {form} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Which form.
        form: Form,
        /// The limit that was given.
        limit: u64,
    },
    /// The file is not what its manifest says.
    #[error("the file is not what its manifest says")]
    Mismatch(#[source] crate::Mismatches),
    /// The caller asked to stop.
    #[error("stopped")]
    Cancelled,
    /// Input after an error that was already reported.
    #[error("the image was already refused")]
    Ended,
    /// The source could not be read.
    #[error("cannot read the image")]
    Read(#[source] io::Error),
    /// The target could not be written.
    #[error("cannot write the image")]
    Write(#[source] io::Error),
    /// The system gives no more threads, or one of ours broke.
    #[error("cannot run the threads that look at the image")]
    Threads(#[source] io::Error),
}

impl ImageError {
    /// Whether the bytes are at fault. Otherwise the machine is (disk, threads), or the caller
    /// stopped, and the same bytes may be good another time.
    pub const fn is_about_the_bytes(&self) -> bool {
        !matches!(
            self,
            Self::Cancelled | Self::Ended | Self::Read(_) | Self::Write(_) | Self::Threads(_)
        )
    }
}

fn guess(found: Option<&'static str>) -> String {
    found.map_or_else(String::new, |what| format!(" but {what}"))
}

fn cure(found: &str) -> &'static str {
    if found.contains("disk image") {
        "convert it with `qemu-img convert -O qcow2`"
    } else {
        "unpack it, so that the disk image itself is compressed with gzip, once"
    }
}

/// Why a piece of a compressed file, or a list of pieces, cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The manifest lists no pieces.
    #[error("the manifest has no list of chunks")]
    NoList,
    /// The list is longer or shorter than the file needs.
    #[error("the manifest lists {listed} chunks for a file that has {needed}")]
    WrongCount {
        /// Number of pieces the size asks for.
        needed: u64,
        /// Number of digests there are.
        listed: u64,
    },
    /// Past the last piece.
    #[error("there is no chunk {index}; the file has {count}")]
    NoSuchChunk {
        /// Which was asked for, from 0.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// Not all of a piece, or more than it.
    #[error("chunk {index} has {needed} bytes, not {found}")]
    WrongLength {
        /// Which piece, from 0.
        index: u64,
        /// Its length.
        needed: u64,
        /// What was given.
        found: u64,
    },
    /// Other bytes than the manifest's.
    #[error("chunk {index} is not what the manifest says")]
    Differs {
        /// Which piece, from 0.
        index: u64,
    },
}
