//! Keys of WireGuard (X25519), for the configurations of `stratus_network::overlay::wireguard`.

use aws_lc_rs::agreement::{PrivateKey, X25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A private key and its public key, both in base64 as wg(8) writes them.
pub struct KeyPair {
    /// The secret half.
    pub private: Zeroizing<String>,
    /// The other half.
    pub public: String,
}

/// A pair from random bytes.
pub fn key_pair(mut random: Zeroizing<[u8; 32]>) -> KeyPair {
    // As `wg genkey` keeps them (RFC 7748, section 5).
    random[0] &= 0xf8;
    random[31] = (random[31] & 0x7f) | 0x40;
    let private = PrivateKey::from_private_key(&X25519, random.as_slice());
    let public = private
        .ok()
        .and_then(|key| key.compute_public_key().ok())
        // Any 32 bytes are a key.
        .expect("X25519 takes every key");
    KeyPair {
        private: Zeroizing::new(STANDARD.encode(random.as_slice())),
        public: STANDARD.encode(public.as_ref()),
    }
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
        let public = STANDARD.decode(&pair.public).unwrap();
        assert_eq!(
            hex::encode(public),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
    }
}
