//! Signatures that the path library does not look at: of proxies, and of revocation lists of both
//! versions.
//!
//! Certificates and lists share one shape: SEQUENCE { content, algorithm, signature }, where the
//! content begins with a version, a number and the algorithm again. What is around the content is
//! not signed, so it is read strictly, in the one way that DER allows.

use crate::der::{SEQUENCE, bits, only, take};
use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use webpki::ALL_VERIFICATION_ALGS;

const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
/// sha1WithRSAEncryption, with its empty parameters.
const SHA1_WITH_RSA: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00];

/// Whether a key (SubjectPublicKeyInfo) signed a certificate.
pub(crate) fn signed_certificate(key: &[u8], der: &[u8]) -> bool {
    matches!((Signed::read(der), Key::read(key)), (Some(signed), Some(key)) if signed.is_by(&key))
}

/// Whether a key (SubjectPublicKeyInfo) signed a revocation list. Old authorities may use SHA-1 for
/// that: without the list, those whom it revokes would be trusted.
pub(crate) fn signed_list(key: &[u8], der: &[u8]) -> bool {
    let (Some(signed), Some(key)) = (Signed::read(der), Key::read(key)) else { return false };
    signed.is_by(&key) || signed.is_by_with_sha1(&key)
}

struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

struct Key<'a> {
    algorithm: &'a [u8],
    bits: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let all = only(der, SEQUENCE)?;
        let (content, rest) = take(all, SEQUENCE)?;
        let (algorithm, rest) = take(rest, SEQUENCE)?;
        let signature = bits(rest)?;
        let mut inside = content.value;
        for optional in [VERSION, INTEGER] {
            inside = take(inside, optional).map_or(inside, |(_, rest)| rest);
        }
        let (repeated, _) = take(inside, SEQUENCE)?;
        (repeated.whole == algorithm.whole).then_some(Self {
            content: content.whole,
            algorithm: algorithm.value,
            signature,
        })
    }

    fn is_by(&self, key: &Key<'_>) -> bool {
        ALL_VERIFICATION_ALGS
            .iter()
            .filter(|a| a.signature_alg_id().as_ref() == self.algorithm)
            .filter(|a| a.public_key_alg_id().as_ref() == key.algorithm)
            .any(|a| a.verify_signature(key.bits, self.content, self.signature).is_ok())
    }

    fn is_by_with_sha1(&self, key: &Key<'_>) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, key.bits);
        self.algorithm == SHA1_WITH_RSA && key.verify(self.content, self.signature).is_ok()
    }
}

impl<'a> Key<'a> {
    fn read(spki: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = take(only(spki, SEQUENCE)?, SEQUENCE)?;
        Some(Self { algorithm: algorithm.value, bits: bits(rest)? })
    }
}
