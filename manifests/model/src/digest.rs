//! Digests with their algorithm, so that one can never be compared with another's bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use std::fmt;

/// A digest algorithm that manifests name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RFC 1321; broken, read for old manifests and OpenNebula's marketplace.
    Md5,
    /// FIPS 180-4; broken, kept for the 27-character identifier.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The algorithm is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    #[error("`{0}` is not a digest algorithm; known are MD5, SHA-1, SHA-256, SHA-384 and SHA-512")]
    UnknownAlgorithm(String),
    /// The value has another length than the algorithm's, or is not hexadecimal.
    #[error("`{value}` is not a {} digest; it has {} hexadecimal digits", algorithm.name(), algorithm.length() * 2)]
    Value {
        /// The algorithm the value was given for.
        algorithm: Algorithm,
        /// What was given, shortened.
        value: String,
    },
}

impl Algorithm {
    /// All, weakest first.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name as manifests write it, for example `SHA-256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Length of a digest in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Whether a match proves anything against somebody who wants to deceive: SHA-256 and up.
    pub const fn is_strong(self) -> bool {
        matches!(self, Self::Sha256 | Self::Sha384 | Self::Sha512)
    }

    /// Reads a name in any spelling met in manifests: `SHA-256`, `sha256`, `SHA_256`.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let plain: String = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        Self::ALL
            .into_iter()
            .find(|a| a.name().replace('-', "").eq_ignore_ascii_case(&plain))
            .ok_or_else(|| DigestError::UnknownAlgorithm(shorten(text)))
    }
}

/// The digest of some bytes. Two digests of different algorithms are never equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Box<[u8]>,
}

impl Digest {
    /// From raw bytes of the algorithm's length.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        if bytes.len() == algorithm.length() {
            Ok(Self { algorithm, bytes: bytes.into() })
        } else {
            Err(DigestError::Value { algorithm, value: shorten(&hex::encode(bytes)) })
        }
    }

    /// From hexadecimal digits in either case; surrounding white space is ignored.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Result<Self, DigestError> {
        let wrong = || DigestError::Value { algorithm, value: shorten(text) };
        let bytes = hex::decode(text.trim()).map_err(|_| wrong())?;
        Self::new(algorithm, &bytes).map_err(|_| wrong())
    }

    /// From the bytes of a SHA-256 digest.
    pub fn sha256(bytes: [u8; 32]) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: bytes.into() }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.to_hex())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Digest", 2)?;
        s.serialize_field("algorithm", self.algorithm.name())?;
        s.serialize_field("value", &self.to_hex())?;
        s.end()
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            algorithm: String,
            value: String,
        }
        let Fields { algorithm, value } = Fields::deserialize(deserializer)?;
        Algorithm::parse(&algorithm)
            .and_then(|algorithm| Self::from_hex(algorithm, &value))
            .map_err(de::Error::custom)
    }
}

/// Keeps an error message short, whatever a stranger sent.
fn shorten(text: &str) -> String {
    let mut short: String =
        text.chars().take(72).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(72).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_algorithm_is_known() {
        for text in ["SHA-256", "sha256", "SHA_256", "Sha-256"] {
            assert_eq!(Algorithm::parse(text), Ok(Algorithm::Sha256), "{text}");
        }
        assert!(Algorithm::parse("crc32").is_err());
        assert!(Algorithm::parse("").is_err());
    }

    #[test]
    fn a_digest_has_its_algorithms_length() {
        assert!(Digest::from_hex(Algorithm::Md5, &"0f".repeat(16)).is_ok());
        assert!(Digest::from_hex(Algorithm::Md5, &"0f".repeat(20)).is_err());
        assert!(Digest::from_hex(Algorithm::Sha1, &"zz".repeat(20)).is_err());
    }

    #[test]
    fn a_digest_reads_as_it_was_written() {
        let digest = Digest::sha256([7; 32]);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let wrong = json.replace("0707", "07");
        assert!(serde_json::from_str::<Digest>(&wrong).is_err());
    }

    #[test]
    fn either_case_is_the_same_digest() {
        let lower = Digest::from_hex(Algorithm::Sha1, &"ab".repeat(20)).unwrap();
        let upper = Digest::from_hex(Algorithm::Sha1, &"AB".repeat(20)).unwrap();
        assert_eq!(lower, upper);
        assert_eq!(upper.to_string(), "ab".repeat(20));
    }
}
