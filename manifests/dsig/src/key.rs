//! The key that signs.

use crate::error::{KeyError, SignError};
use crate::profile::Method;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use std::fmt;

/// A private key in memory. Shows nothing of itself.
pub struct SigningKey(Kind);

enum Kind {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads a key in PKCS#8 (RFC 5958), DER.
    ///
    /// # Errors
    /// The key is of another kind or size than manifests are signed with.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
            let bits = key.public_modulus_len() * 8;
            let fits = (2048..=8192).contains(&bits);
            return if fits {
                Ok(Self(Kind::Rsa(Box::new(key))))
            } else {
                Err(KeyError::Unsupported)
            };
        }
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Kind::P256);
        let any = p256.or_else(|_| {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Kind::P384)
        });
        any.map(Self).map_err(|_| KeyError::Unsupported)
    }

    pub(crate) fn method(&self) -> Method {
        match self.0 {
            Kind::Rsa(_) => Method::RsaSha256,
            Kind::P256(_) => Method::EcdsaSha256,
            Kind::P384(_) => Method::EcdsaSha384,
        }
    }

    /// The public key as certificates hold it (RFC 8017 RSAPublicKey, or the point).
    pub(crate) fn public(&self) -> &[u8] {
        match &self.0 {
            Kind::Rsa(key) => key.public_key().as_ref(),
            Kind::P256(key) | Kind::P384(key) => key.public_key().as_ref(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match &self.0 {
            Kind::Rsa(key) => {
                let mut value = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut value)
                    .map_err(|_| SignError::Key)?;
                Ok(value)
            }
            Kind::P256(key) | Kind::P384(key) => {
                key.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| SignError::Key)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.method())
    }
}
