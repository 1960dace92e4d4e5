//! A certificate chain with the private key of its first certificate, from the files people have.

use crate::certificate::{Certificate, CertificateError};
use crate::der::{OCTET_STRING, SEQUENCE, only, take};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RsaKeyPair,
};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

/// A private key in PKCS#8. Wiped when dropped; shows nothing of itself.
pub struct PrivateKey(Zeroizing<Vec<u8>>);

/// Who signs: a chain, the signer's certificate first, and its key.
#[derive(Debug)]
pub struct Credential {
    /// The certificates, the signer's first.
    pub chain: Vec<Certificate>,
    /// The key of the first certificate.
    pub key: PrivateKey,
}

/// Files that make no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate(#[source] CertificateError),
    /// There is no private key.
    #[error("there is no private key in this file")]
    NoKey,
    /// The key is encrypted, and no password was given.
    #[error("the private key is encrypted and needs its password")]
    PasswordNeeded,
    /// The password does not open the key or the file.
    #[error("the password is wrong")]
    WrongPassword,
    /// The file is of a kind that is not read.
    #[error("{0}")]
    NotSupported(&'static str),
    /// Key and certificate are two people's.
    #[error("the private key does not belong to any of the certificates")]
    Mismatch,
}

impl PrivateKey {
    /// The key in PKCS#8 (RFC 5958), DER.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl Credential {
    /// From PEM files: certificates, and a key in PKCS#8 (encrypted too), PKCS#1 or SEC1. Both
    /// arguments may be one file, such as a grid proxy.
    pub fn from_pem(
        certificates: &[u8],
        key: &[u8],
        password: Option<&SecretString>,
    ) -> Result<Self, CredentialError> {
        let chain =
            Certificate::all_from_pem(certificates).map_err(CredentialError::Certificate)?;
        Self::join(chain, key_from_pem(key, password)?)
    }

    /// From a PKCS#12 file (RFC 7292).
    pub fn from_pkcs12(der: &[u8], password: &SecretString) -> Result<Self, CredentialError> {
        let store =
            KeyStore::from_pkcs12(der, password.expose_secret(), Pkcs12ImportPolicy::Relaxed);
        let store = store.map_err(|error| pkcs12_error(&error))?;
        let (_, chain) = store.private_key_chain().ok_or(CredentialError::NoKey)?;
        let key = Zeroizing::new(chain.key().as_der().to_vec());
        let certificates: Result<Vec<Certificate>, _> =
            chain.certs().iter().map(|c| Certificate::from_der(c.as_der())).collect();
        Self::join(certificates.map_err(CredentialError::Certificate)?, key)
    }

    /// From one file that holds everything: PEM or PKCS#12, told by its content.
    pub fn load_bytes(
        bytes: &[u8],
        password: Option<&SecretString>,
    ) -> Result<Self, CredentialError> {
        let is_pem = bytes.windows(11).any(|w| w == b"-----BEGIN ");
        match (is_pem, password) {
            (true, password) => Self::from_pem(bytes, bytes, password),
            (false, Some(password)) => Self::from_pkcs12(bytes, password),
            (false, None) if bytes.first() == Some(&0x30) => Err(CredentialError::PasswordNeeded),
            (false, None) => Err(CredentialError::NotSupported("this is neither PEM nor PKCS#12")),
        }
    }

    /// The certificate of the key comes first; the others keep their order.
    fn join(mut chain: Vec<Certificate>, key: Zeroizing<Vec<u8>>) -> Result<Self, CredentialError> {
        let public = public_key(&key)?;
        let own = chain.iter().position(|c| subject_public_key(c).as_deref() == Some(&public));
        let own = own.ok_or(CredentialError::Mismatch)?;
        let leaf = chain.remove(own);
        chain.insert(0, leaf);
        Ok(Self { chain, key: PrivateKey(key) })
    }
}

fn pkcs12_error(error: &p12_keystore::error::Error) -> CredentialError {
    use p12_keystore::error::Error;
    match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => {
            CredentialError::WrongPassword
        }
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            CredentialError::NotSupported(
                "this PKCS#12 file uses an encryption that is not supported",
            )
        }
        _ => {
            CredentialError::NotSupported("this is not a PKCS#12 file with a key and certificates")
        }
    }
}

fn key_from_pem(
    pem: &[u8],
    password: Option<&SecretString>,
) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    if let Some(encrypted) = encrypted_section(pem) {
        let password = password.ok_or(CredentialError::PasswordNeeded)?;
        let encrypted = encrypted?;
        let info = EncryptedPrivateKeyInfoRef::try_from(encrypted.as_slice());
        let info = info.map_err(|_| encryption_error(&encrypted))?;
        let plain = info.decrypt(password.expose_secret());
        return Ok(Zeroizing::new(plain.map_err(decryption_error)?.as_bytes().to_vec()));
    }
    if pem.windows(OLD_HEADER.len()).any(|w| w == OLD_HEADER) {
        return Err(OLD_ENCRYPTION);
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| CredentialError::NoKey)?;
    match &key {
        PrivateKeyDer::Pkcs8(der) => Ok(Zeroizing::new(der.secret_pkcs8_der().to_vec())),
        PrivateKeyDer::Pkcs1(der) => Ok(pkcs8_of_pkcs1(der.secret_pkcs1_der())),
        PrivateKeyDer::Sec1(der) => pkcs8_of_sec1(der.secret_sec1_der()),
        _ => Err(CredentialError::NotSupported("this kind of private key is not supported")),
    }
}

/// RFC 1421 section 4.6.1.1, as openssl wrote it before PKCS#8.
const OLD_HEADER: &[u8] = b"Proc-Type: 4,ENCRYPTED";
const UNREADABLE: CredentialError =
    CredentialError::NotSupported("the encrypted private key cannot be read");
const OLD_ENCRYPTION: CredentialError = CredentialError::NotSupported(
    "the private key is encrypted in an old or rare way; convert it with `openssl pkcs8 -topk8`",
);

/// What is wrong with an EncryptedPrivateKeyInfo that is not understood: SEQUENCE { algorithm, data }
/// of an algorithm that is not known, or something else altogether.
fn encryption_error(der: &[u8]) -> CredentialError {
    let parts = only(der, SEQUENCE).and_then(|inside| take(inside, SEQUENCE));
    let data = parts.and_then(|(_, rest)| only(rest, OCTET_STRING));
    if data.is_some() { OLD_ENCRYPTION } else { UNREADABLE }
}

/// Why it cannot be opened. A wrong password shows as padding, or rarely content, that is none.
fn decryption_error(error: pkcs8::Error) -> CredentialError {
    use pkcs8::pkcs5::Error as Fault;
    match error {
        pkcs8::Error::EncryptedPrivateKey(
            Fault::NoPbes1CryptSupport | Fault::UnsupportedAlgorithm { .. },
        ) => OLD_ENCRYPTION,
        pkcs8::Error::EncryptedPrivateKey(Fault::AlgorithmParametersInvalid { .. }) => UNREADABLE,
        _ => CredentialError::WrongPassword,
    }
}

/// The body of an `ENCRYPTED PRIVATE KEY` section (RFC 7468 section 11), if there is one. The text
/// around it may be in any character set.
fn encrypted_section(pem: &[u8]) -> Option<Result<Vec<u8>, CredentialError>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = String::from_utf8_lossy(pem);
    let (_, rest) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----")?;
    let body = rest.split_once("-----END ENCRYPTED PRIVATE KEY-----").map(|(body, _)| body);
    let digits = |body: &str| body.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>();
    let bytes = body.and_then(|body| STANDARD.decode(digits(body)).ok());
    Some(bytes.ok_or(UNREADABLE))
}

/// Wraps an RSAPrivateKey (RFC 8017) as PKCS#8: version, rsaEncryption, the key.
fn pkcs8_of_pkcs1(key: &[u8]) -> Zeroizing<Vec<u8>> {
    const HEAD: [u8; 18] = [
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01, 0x05, 0x00,
    ];
    let mut inside = Zeroizing::new(HEAD.to_vec());
    inside.extend_from_slice(&element(0x04, key));
    element(0x30, &inside)
}

/// Re-writes an ECPrivateKey (RFC 5915) as PKCS#8.
fn pkcs8_of_sec1(key: &[u8]) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let curve = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, key).ok();
    let pair =
        curve(&ECDSA_P256_SHA256_FIXED_SIGNING).or_else(|| curve(&ECDSA_P384_SHA384_FIXED_SIGNING));
    let pair = pair.ok_or(CredentialError::NotSupported("the EC key is not on P-256 or P-384"))?;
    let der = pair
        .to_pkcs8v1()
        .map_err(|_| CredentialError::NotSupported("the EC key cannot be converted"))?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

/// A DER element with its length (X.690 section 8.1).
fn element(tag: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![tag]);
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|b| **b == 0).count()..];
    if content.len() < 0x80 {
        out.push(significant.first().copied().unwrap_or_default());
    } else {
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
    out
}

/// The public half, as the BIT STRING of a certificate holds it.
fn public_key(pkcs8: &[u8]) -> Result<Vec<u8>, CredentialError> {
    if let Ok(key) = RsaKeyPair::from_pkcs8(pkcs8) {
        return Ok(key.public_key().as_ref().to_vec());
    }
    let curve = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).ok();
    let pair =
        curve(&ECDSA_P256_SHA256_FIXED_SIGNING).or_else(|| curve(&ECDSA_P384_SHA384_FIXED_SIGNING));
    let pair = pair.ok_or(CredentialError::NotSupported(
        "the key is neither RSA of 2048 bits or more nor ECDSA on P-256 or P-384",
    ))?;
    Ok(pair.public_key().as_ref().to_vec())
}

fn subject_public_key(certificate: &Certificate) -> Option<Vec<u8>> {
    let (_, spki) =
        x509_parser::prelude::SubjectPublicKeyInfo::from_der(certificate.spki()).ok()?;
    Some(spki.subject_public_key.data.to_vec())
}
