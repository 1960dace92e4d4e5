//! The headers of resumable uploads: tus 1.0.0 with creation, creation-with-upload, checksum,
//! expiration and termination.

use crate::date;
use crate::text::{number, printable};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use stratus_model::{Algorithm, Digest};

/// The only version spoken: the value of `Tus-Resumable` and `Tus-Version`.
pub const VERSION: &str = "1.0.0";
/// The value of `Tus-Extension`.
pub const EXTENSIONS: &str = "creation,creation-with-upload,checksum,expiration,termination";
/// The value of `Tus-Checksum-Algorithm`. The protocol demands `sha1`.
pub const CHECKSUM_ALGORITHMS: &str = "sha1,sha256,sha512,md5";
/// Media type of a PATCH.
pub const MEDIA_TYPE: &str = "application/offset+octet-stream";
/// Status of a part whose checksum does not match.
pub const CHECKSUM_MISMATCH: u16 = 460;

/// Header names in lower case, as HTTP/2 writes them.
pub mod header {
    /// Version of the protocol; in every request but OPTIONS, and every answer.
    pub const RESUMABLE: &str = "tus-resumable";
    /// Versions spoken, in the answer to OPTIONS and 412.
    pub const VERSION: &str = "tus-version";
    /// Extensions spoken.
    pub const EXTENSION: &str = "tus-extension";
    /// Largest upload, in bytes.
    pub const MAX_SIZE: &str = "tus-max-size";
    /// Algorithms for `upload-checksum`.
    pub const CHECKSUM_ALGORITHM: &str = "tus-checksum-algorithm";
    /// Bytes that have arrived.
    pub const OFFSET: &str = "upload-offset";
    /// Bytes of the whole file.
    pub const LENGTH: &str = "upload-length";
    /// `1` where the length is told later (not offered here).
    pub const DEFER_LENGTH: &str = "upload-defer-length";
    /// Pairs of key and base64 value.
    pub const METADATA: &str = "upload-metadata";
    /// Algorithm and base64 digest of this part.
    pub const CHECKSUM: &str = "upload-checksum";
    /// HTTP date after which an unfinished upload is gone.
    pub const EXPIRES: &str = "upload-expires";
}

/// Longest `Upload-Metadata` that is read, in bytes.
const METADATA_LIMIT: usize = 8192;
/// Most pairs in it.
const PAIR_LIMIT: usize = 32;

/// A tus header that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TusError {
    /// `Tus-Resumable` is missing or another version: 412 with `Tus-Version`.
    #[error("this server speaks tus {VERSION}; send `Tus-Resumable: {VERSION}`")]
    Version,
    /// A header that is needed is not there.
    #[error("the request has no `{0}` header")]
    Missing(&'static str),
    /// A header has a value that means nothing.
    #[error("`{name}: {value}` is not valid: {reason}")]
    Value {
        /// The header.
        name: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The checksum's algorithm is none of [`CHECKSUM_ALGORITHMS`]: 400.
    #[error("`{0}` is not a checksum algorithm of this server; known are {CHECKSUM_ALGORITHMS}")]
    Algorithm(String),
}

/// Checks `Tus-Resumable`.
pub fn check_version(header: Option<&str>) -> Result<(), TusError> {
    if header.map(str::trim) == Some(VERSION) { Ok(()) } else { Err(TusError::Version) }
}

/// Reads `Upload-Length`, in bytes.
pub fn upload_length(header: Option<&str>) -> Result<u64, TusError> {
    count("Upload-Length", header)
}

/// Reads `Upload-Offset`, in bytes.
pub fn upload_offset(header: Option<&str>) -> Result<u64, TusError> {
    count("Upload-Offset", header)
}

fn count(name: &'static str, header: Option<&str>) -> Result<u64, TusError> {
    let text = header.ok_or(TusError::Missing(name))?;
    number(text.trim()).ok_or_else(|| value(name, text, "it is not a number of bytes"))
}

fn value(name: &'static str, text: &str, reason: &'static str) -> TusError {
    TusError::Value { name, value: printable(text), reason }
}

/// Pairs of key and value; a value may be empty, and is any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    /// Reads `Upload-Metadata`: `filename dm0uaW1nLmd6,is_confidential`.
    pub fn parse(text: &str) -> Result<Self, TusError> {
        let wrong = |reason| value("Upload-Metadata", text, reason);
        if text.len() > METADATA_LIMIT {
            return Err(wrong("it is longer than 8192 bytes"));
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in text.split(',').map(str::trim) {
            if pair.is_empty() && text.trim().is_empty() {
                break;
            }
            let (key, encoded) = pair.split_once(' ').unwrap_or((pair, ""));
            if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(wrong("a key is empty or not ASCII"));
            }
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(wrong("a key occurs twice"));
            }
            let bytes =
                STANDARD.decode(encoded.trim()).map_err(|_| wrong("a value is not base64"))?;
            pairs.push((key.to_owned(), bytes));
            if pairs.len() > PAIR_LIMIT {
                return Err(wrong("it has more than 32 pairs"));
            }
        }
        Ok(Self(pairs))
    }

    /// From pairs of texts, for a client.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.as_bytes().to_vec())).collect())
    }

    /// A value that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        let (_, bytes) = self.0.iter().find(|(known, _)| known == key)?;
        std::str::from_utf8(bytes).ok()
    }

    /// The header's value.
    pub fn to_header(&self) -> String {
        let pair = |(key, bytes): &(String, Vec<u8>)| {
            if bytes.is_empty() { key.clone() } else { format!("{key} {}", STANDARD.encode(bytes)) }
        };
        self.0.iter().map(pair).collect::<Vec<_>>().join(",")
    }
}

/// Reads `Upload-Checksum`: `sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`.
pub fn upload_checksum(text: &str) -> Result<Digest, TusError> {
    let wrong = |reason| value("Upload-Checksum", text, reason);
    let (name, encoded) =
        text.trim().split_once(' ').ok_or_else(|| wrong("write an algorithm, a blank, base64"))?;
    let algorithm = CHECKSUM_ALGORITHMS
        .split(',')
        .find(|known| *known == name)
        .and_then(|known| Algorithm::parse(known).ok())
        .ok_or_else(|| TusError::Algorithm(printable(name)))?;
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| wrong("the digest is not base64"))?;
    Digest::new(algorithm, &bytes).map_err(|_| wrong("the digest has another algorithm's length"))
}

/// Writes `Upload-Expires`.
pub fn upload_expires(at: Timestamp) -> String {
    date::format(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_one_version_is_spoken() {
        assert_eq!(check_version(Some("1.0.0")), Ok(()));
        for header in [None, Some(""), Some("0.2.2"), Some("1.0.0, 0.2.2")] {
            assert_eq!(check_version(header), Err(TusError::Version), "{header:?}");
        }
    }

    #[test]
    fn counts_are_plain_numbers() {
        assert_eq!(upload_length(Some("100")), Ok(100));
        assert_eq!(upload_offset(None), Err(TusError::Missing("Upload-Offset")));
        for text in ["", "-1", "1.5", "+1", "0x10", "18446744073709551616", "1 2"] {
            assert!(upload_length(Some(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_protocols_example_of_metadata_is_read() {
        let header = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
        let metadata = Metadata::parse(header).unwrap();
        assert_eq!(metadata.text("filename"), Some("world_domination_plan.pdf"));
        assert_eq!(metadata.text("is_confidential"), Some(""));
        assert_eq!(metadata.text("other"), None);
        assert_eq!(metadata.to_header(), header);
        assert_eq!(Metadata::parse(""), Ok(Metadata::default()));
    }

    #[test]
    fn metadata_has_limits() {
        let many: Vec<String> = (0..33).map(|i| format!("k{i} YQ==")).collect();
        for header in [
            "a b c",
            "a !!",
            ",",
            "a YQ==,",
            "a YQ==,a YQ==",
            "é YQ==",
            &many.join(","),
            &"x".repeat(8193),
        ] {
            assert!(Metadata::parse(header).is_err(), "{header}");
        }
    }

    #[test]
    fn the_protocols_example_of_a_checksum_is_read() {
        let digest = upload_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap();
        assert_eq!(digest.to_hex(), "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");
        assert!(matches!(upload_checksum("crc32 AAAA"), Err(TusError::Algorithm(_))));
        for text in ["", "sha1", "sha1 AAAA", "sha1 !", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0="] {
            assert!(upload_checksum(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn metadata_comes_back(pairs in proptest::collection::btree_map("[a-z]{1,8}", "\\PC{0,20}", 0..8)) {
            let metadata = Metadata::from_pairs(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            prop_assert_eq!(Metadata::parse(&metadata.to_header()), Ok(metadata));
        }
    }
}
