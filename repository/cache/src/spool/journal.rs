//! What is written beside an object's bytes: a file of lines that only grows.
//!
//! ```text
//! <CRC-32 of the rest, 8 digits> <JSON>
//! ```
//!
//! A line counts when its checksum is right; the first one that is not ends the reading, so a line
//! that a crash tore is as if it had not been written. Bytes of the object count only as far as a
//! line names them, and only if they have the checksum that the line gives: nothing need be synced
//! for that, and what a power cut took is simply not there.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use stratus_cache_policy::Stored;

/// Changes with the meaning of the lines; objects of another version are thrown away.
const VERSION: u32 = 1;

/// Longest journal that is read, in bytes: lines for some 100 GiB.
pub(crate) const JOURNAL_LIMIT: u64 = 64 << 20;

/// What an object is, from its first line on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    version: u32,
    /// What it is asked for by.
    pub(crate) key: String,
    /// Its size, where the upstream told it.
    pub(crate) total: Option<u64>,
    /// What its bytes must be.
    #[serde(default)]
    pub(crate) promise: Promise,
}

impl Identity {
    pub(crate) fn new(key: &str, total: Option<u64>, promise: Promise) -> Self {
        Self { version: VERSION, key: key.to_owned(), total, promise }
    }
}

/// Digests that are known before the bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promise {
    /// SHA-256 of all of it, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// SHA-256 of its pieces, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pieces: Option<Pieces>,
    /// Other places of the same bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) locations: Vec<String>,
}

/// Digests of consecutive pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pieces {
    /// Bytes of each but the last.
    pub(crate) size: u64,
    /// SHA-256 of each.
    #[serde(with = "digests")]
    pub(crate) sha256: Vec<[u8; 32]>,
}

/// Bytes that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bytes: Range<u64>,
    pub(crate) crc: u32,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line<H = Box<Stored>> {
    /// The first line.
    Object(Identity),
    /// The response as it is since then.
    Head(H),
    /// Bytes that are there: from, to, CRC-32.
    Bytes(u64, u64, u32),
    /// Bytes that were found to be wrong.
    Lost(u64, u64),
    /// The size, where the upstream did not tell it before.
    Ends(u64),
    /// All bytes were compared with their digest.
    Verified,
    /// Whether an administrator wants it to stay.
    Pinned(bool),
}

/// An object as its journal tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Journal {
    pub(crate) identity: Identity,
    /// Where the newest head is.
    pub(crate) head: HeadLine,
    pub(crate) records: Vec<Record>,
    pub(crate) verified: bool,
    pub(crate) pinned: bool,
    /// Bytes of the journal up to the last line that counts.
    pub(crate) length: usize,
}

/// A line with its checksum and end.
pub(crate) fn encode(line: &Line) -> Vec<u8> {
    let json = serde_json::to_string(line).unwrap_or_default();
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

/// Which line of a journal has a head. Smaller than a head by far: there is one for each of very many
/// objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadLine {
    /// Where it begins.
    pub(crate) start: u32,
    /// Its length in bytes, with its end.
    pub(crate) length: u32,
    /// CRC-32 of all of it: another head in its place is not this one.
    crc: u32,
}

impl HeadLine {
    fn new(text: &[u8], place: Range<usize>) -> Self {
        // Journals are shorter ([`JOURNAL_LIMIT`]); of others a head is simply not found.
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (start, length) = (small(place.start), small(place.len()));
        Self { start, length, crc: crc32fast::hash(text.get(place).unwrap_or_default()) }
    }

    /// The head, from the text that is in its place now.
    pub(crate) fn head(self, line: &[u8]) -> Option<Stored> {
        if crc32fast::hash(line) != self.crc {
            return None;
        }
        let (Line::Head(head), _) = decode::<Box<Stored>>(line)? else { return None };
        Some(*head)
    }
}

/// The line at the beginning of the text, and how long it is.
fn decode<H: DeserializeOwned>(text: &[u8]) -> Option<(Line<H>, usize)> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (crc, json) = std::str::from_utf8(text.get(..end)?).ok()?.split_once(' ')?;
    let is_right = u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(json.as_bytes());
    is_right.then(|| serde_json::from_str(json).ok()).flatten().map(|line| (line, end + 1))
}

/// Reads a journal; `None` if there is no object in it that this version can use. Heads are not read:
/// of very many objects few are asked for after a start.
pub(crate) fn read(text: &[u8]) -> Option<Journal> {
    let (Line::<IgnoredAny>::Object(identity), first) = decode(text)? else { return None };
    if identity.version != VERSION {
        return None;
    }
    let (Line::<IgnoredAny>::Head(_), length) = decode(text.get(first..)?)? else { return None };
    let at = first + length;
    let mut journal = Journal {
        identity,
        head: HeadLine::new(text, first..at),
        records: Vec::new(),
        verified: false,
        pinned: false,
        length: at,
    };
    while let Some((line, length)) = text.get(journal.length..).and_then(decode) {
        let place = journal.length..journal.length + length;
        journal.length = place.end;
        match line {
            Line::Head(_) => journal.head = HeadLine::new(text, place),
            line => journal.apply(line),
        }
    }
    Some(journal)
}

impl Journal {
    fn apply(&mut self, line: Line<IgnoredAny>) {
        match line {
            Line::Bytes(from, to, crc) if from < to => {
                self.records.push(Record { bytes: from..to, crc });
            }
            Line::Object(_) | Line::Head(_) | Line::Bytes(..) => {}
            Line::Lost(from, to) => {
                self.records.retain(|r| r.bytes.end <= from || r.bytes.start >= to);
                self.verified = false;
            }
            Line::Ends(total) => self.identity.total = Some(total),
            Line::Verified => self.verified = true,
            Line::Pinned(pinned) => self.pinned = pinned,
        }
    }
}

mod digests {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// One text for all: 64 digits for each piece.
    pub(super) fn serialize<S: Serializer>(list: &[[u8; 32]], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(list.concat()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let bytes = hex::decode(String::deserialize(d)?).map_err(de::Error::custom)?;
        let (pieces, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            Ok(pieces.to_vec())
        } else {
            Err(de::Error::custom("a digest is cut off"))
        }
    }
}
