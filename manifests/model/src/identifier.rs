//! The 27-character identifier of an image.
//!
//! The SHA-1 of the uncompressed image has 160 bits. Two zero bits are put in front, and the 162
//! bits are written as 27 digits of six bits, most significant first, in the alphabet
//! `A–Z a–z 0–9 - _`. It looks like base64url and is not: the first digit is always within `A–P`.

use crate::{Algorithm, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The identifier: a SHA-1 in another spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier([u8; 20]);

/// A text that is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an image identifier has 27 characters of A-Z, a-z, 0-9, `-` and `_`, the first within A to P"
)]
pub struct IdentifierError;

impl Identifier {
    /// From the SHA-1 of the uncompressed image.
    pub const fn from_sha1(sha1: [u8; 20]) -> Self {
        Self(sha1)
    }

    /// From a digest, if that is a SHA-1.
    pub fn from_digest(digest: &Digest) -> Option<Self> {
        (digest.algorithm() == Algorithm::Sha1)
            .then(|| digest.bytes().try_into().ok().map(Self))
            .flatten()
    }

    /// The SHA-1 this identifier spells.
    pub fn sha1(&self) -> Digest {
        Digest::new(Algorithm::Sha1, &self.0).expect("a SHA-1 has 20 bytes")
    }

    fn digit(&self, index: usize) -> u8 {
        (0..6).fold(0, |digit, offset| {
            // Bit 0 and 1 of the 162 are the zero bits put in front.
            let bit = index * 6 + offset;
            let value =
                if bit < 2 { 0 } else { (self.0[(bit - 2) / 8] >> (7 - (bit - 2) % 8)) & 1 };
            digit << 1 | value
        })
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..27).try_for_each(|i| write!(f, "{}", ALPHABET[usize::from(self.digit(i))] as char))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let digits: Vec<usize> = text
            .bytes()
            .map(|b| ALPHABET.iter().position(|a| *a == b).ok_or(IdentifierError))
            .collect::<Result<_, _>>()?;
        if digits.len() != 27 || digits[0] >= 16 {
            return Err(IdentifierError);
        }
        let mut sha1 = [0u8; 20];
        for bit in 2..162 {
            let value = (digits[bit / 6] >> (5 - bit % 6)) & 1;
            sha1[(bit - 2) / 8] |= u8::from(value == 1) << (7 - (bit - 2) % 8);
        }
        Ok(Self(sha1))
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_vectors_agree() {
        for (sha1, identifier) in [
            ("c319bbd5afc0a22ba3eaed0507c39383ec28eeff", "MMZu9WvwKIro-rtBQfDk4PsKO7_"),
            ("1104f3e30c030f8b93f220b04131032dddf51f21", "BEE8-MMAw-Lk_IgsEExAy3d9R8h"),
            ("972a1a11f19934401291cc99117ec614933374ce", "JcqGhHxmTRAEpHMmRF-xhSTM3TO"),
        ] {
            let digest = Digest::from_hex(Algorithm::Sha1, sha1).unwrap();
            let found = Identifier::from_digest(&digest).unwrap();
            assert_eq!(found.to_string(), identifier);
            assert_eq!(identifier.parse::<Identifier>().unwrap().sha1().to_hex(), sha1);
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in [
            "",
            "MMZu9WvwKIro-rtBQfDk4PsKO7",
            "QMZu9WvwKIro-rtBQfDk4PsKO7_",
            "MMZu9WvwKIro+rtBQfDk4PsKO7_",
        ] {
            assert_eq!(text.parse::<Identifier>(), Err(IdentifierError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_sha1_comes_back(sha1: [u8; 20]) {
            let identifier = Identifier::from_sha1(sha1);
            prop_assert_eq!(identifier.to_string().parse::<Identifier>(), Ok(identifier));
        }
    }
}
