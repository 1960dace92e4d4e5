//! Keys of OpenVPN's control channel, tls-crypt-v2: a server key, and for each client a key of its
//! own that carries itself, wrapped for the server.
//!
//! The form is that of OpenVPN's `doc/tls-crypt-v2.txt`: the server key is two keys of 64 bytes, of
//! which the first 32 each count (Ke for AES-256-CTR, Ka for HMAC-SHA-256); a client key is
//! Kc (256 bytes) and then `T || AES-256-CTR(Ke, T[..16], Kc || metadata) || length`, with
//! `T = HMAC-SHA-256(Ka, length || Kc || metadata)`. The program itself is needed nowhere, so
//! clients can be added where it is not installed.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

const SERVER: &str = "OpenVPN tls-crypt-v2 server key";
const CLIENT: &str = "OpenVPN tls-crypt-v2 client key";
const TAG: usize = 32;
const CLIENT_KEY: usize = 256;
/// Metadata of the type "timestamp", which the program writes too.
const METADATA: usize = 1 + 8;
const WRAPPED: u16 = 32 + 256 + 9 + 2;

/// A text that holds no server key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no tls-crypt-v2 server key")]
pub struct NoServerKey;

/// The server's key.
pub struct ServerKey(Zeroizing<[u8; 128]>);

impl ServerKey {
    /// From random bytes.
    pub fn from_random(bytes: Zeroizing<[u8; 128]>) -> Self {
        Self(bytes)
    }

    /// Reads what [`ServerKey::pem`] or `openvpn --genkey tls-crypt-v2-server` wrote.
    pub fn from_pem(text: &str) -> Result<Self, NoServerKey> {
        let begin = format!("-----BEGIN {SERVER}-----");
        let end = format!("-----END {SERVER}-----");
        let inside = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        let (inside, _) = inside.ok_or(NoServerKey)?;
        let digits: Zeroizing<String> =
            Zeroizing::new(inside.chars().filter(|c| !c.is_ascii_whitespace()).collect());
        let bytes = Zeroizing::new(STANDARD.decode(digits.as_bytes()).map_err(|_| NoServerKey)?);
        let key: [u8; 128] = bytes.as_slice().try_into().map_err(|_| NoServerKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The file that the server reads.
    pub fn pem(&self) -> Zeroizing<String> {
        pem(SERVER, self.0.as_slice())
    }

    /// The file of a client: `key` is random, `made` is what the server could judge its age by.
    pub fn client(&self, key: &[u8; CLIENT_KEY], made: Timestamp) -> Zeroizing<String> {
        let mut plain = Zeroizing::new(Vec::with_capacity(CLIENT_KEY + METADATA));
        plain.extend_from_slice(key);
        plain.push(0x01);
        plain.extend_from_slice(&made.as_second().to_be_bytes());
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0[64..96]));
        mac.update(&WRAPPED.to_be_bytes());
        mac.update(&plain);
        let tag = mac.sign();
        self.encrypt(&mut plain, tag.as_ref());
        let mut whole = Zeroizing::new(key.to_vec());
        whole.extend_from_slice(tag.as_ref());
        whole.extend_from_slice(&plain);
        whole.extend_from_slice(&WRAPPED.to_be_bytes());
        pem(CLIENT, &whole)
    }

    fn encrypt(&self, text: &mut [u8], tag: &[u8]) {
        let mut iv = [0; 16];
        iv.copy_from_slice(&tag[..TAG / 2]);
        let key = UnboundCipherKey::new(&AES_256, &self.0[..32]).and_then(EncryptingKey::ctr);
        let done =
            key.and_then(|key| key.less_safe_encrypt(text, EncryptionContext::Iv128((&iv).into())));
        // Key and vector have the right lengths, and counter mode takes any length of text.
        done.expect("AES-256-CTR encrypts");
    }
}

fn pem(kind: &str, bytes: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + 100));
    text.push_str(&format!("-----BEGIN {kind}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {kind}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pem: &str) -> Vec<u8> {
        let digits: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(digits).unwrap()
    }

    #[test]
    fn a_server_key_is_read_again() {
        let key = ServerKey::from_random(Zeroizing::new([7; 128]));
        assert_eq!(ServerKey::from_pem(&key.pem()).unwrap().0, key.0);
        for wrong in ["", "-----BEGIN OpenVPN tls-crypt-v2 server key-----\nAAAA\n"] {
            assert!(ServerKey::from_pem(wrong).is_err());
        }
        let short = pem(SERVER, &[1; 127]);
        assert!(ServerKey::from_pem(&short).is_err());
    }

    /// The wrapping undone by its description, in other words than the code's.
    #[test]
    fn a_client_key_can_be_unwrapped_with_the_servers() {
        let server = ServerKey::from_random(Zeroizing::new(std::array::from_fn(|i| {
            u8::try_from(i).unwrap()
        })));
        let made: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let whole = bytes(&server.client(&[9; 256], made));
        assert_eq!(whole[..256], [9; 256]);
        let wrapped = &whole[256..];
        assert_eq!(wrapped[297..], [0x01, 0x2b]);
        assert_eq!(wrapped.len(), 299);
        let mut plain = wrapped[32..297].to_vec();
        let tag = &wrapped[..32];
        // Counter mode is its own inverse.
        server.encrypt(&mut plain, tag);
        assert_eq!(plain[..256], [9; 256]);
        assert_eq!(plain[256], 1);
        assert_eq!(plain[257..], made.as_second().to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &server.0[64..96]);
        let text = [&wrapped[297..], &plain].concat();
        assert!(hmac::verify(&key, &text, tag).is_ok());
    }
}
