//! Keys of WireGuard (X25519).

use aws_lc_rs::agreement::{PrivateKey, X25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A public key, in base64 as wg(8) writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicKey([u8; 32]);

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of WireGuard has 32 bytes, in base64")]
pub struct NoKey;

impl PublicKey {
    /// As a file may be called.
    pub(crate) fn file_name(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        // Longer ones are not decoded first.
        if text.len() != 44 {
            return Err(NoKey);
        }
        let bytes = STANDARD.decode(text).map_err(|_| NoKey)?;
        bytes.try_into().map(Self).map_err(|_| NoKey)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        text.parse()
    }
}

/// A private key and its public key.
pub struct KeyPair {
    /// The secret half, in base64 as wg(8) writes it.
    pub private: Zeroizing<String>,
    /// The other half.
    pub public: PublicKey,
}

/// A pair from random bytes.
///
/// # Panics
/// Never: X25519 takes any 32 bytes.
pub fn key_pair(mut random: Zeroizing<[u8; 32]>) -> KeyPair {
    // As `wg genkey` keeps them (RFC 7748, section 5).
    random[0] &= 0xf8;
    random[31] = (random[31] & 0x7f) | 0x40;
    let public = PrivateKey::from_private_key(&X25519, random.as_slice())
        .ok()
        .and_then(|key| key.compute_public_key().ok())
        .and_then(|public| public.as_ref().try_into().ok())
        .expect("X25519 takes every key");
    KeyPair { private: secret(&random), public: PublicKey(public) }
}

/// A key that both sides share, from random bytes.
pub(crate) fn secret(random: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748, section 6.1: Alice's keys.
    #[test]
    fn the_public_key_is_that_of_the_standard() {
        let bytes: [u8; 32] = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2,
            0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5,
            0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let pair = key_pair(Zeroizing::new(bytes));
        assert_eq!(
            pair.public.file_name(),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
        assert_eq!(pair.public.to_string().parse(), Ok(pair.public));
    }

    #[test]
    fn what_is_no_key_is_none() {
        let good = PublicKey([7; 32]).to_string();
        let other_bits = format!("{}d=", &good[..42]);
        for text in ["", "(none)", &good[1..], &format!("{good}="), &"!".repeat(44), &other_bits] {
            assert_eq!(text.parse::<PublicKey>(), Err(NoKey), "{text}");
        }
    }
}
