//! Checking a signature: structure first, then the digest, then the key.

use crate::c14n::{C14n, canonicalize};
use crate::error::SignatureError;
use crate::parse::{line_ends, parse};
use crate::profile::{Method, SignatureElement, refuse};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use roxmltree::Node;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// A document whose signature is right. Whether its signer is anybody we know is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDocument {
    /// The octets that were signed: the canonical document without the signature. Parse these, so
    /// that nobody can show you something else than what was signed.
    pub canonical: String,
    /// The signer's certificate and those that issued it, DER. The first one's key made the signature.
    pub certificates: Vec<Vec<u8>>,
    /// Whether the algorithms still prove anything.
    pub strength: Strength,
    /// URI of the signature method (XML-DSig section 6.4).
    pub algorithm: &'static str,
}

/// What a matching signature proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// SHA-256 or better with RSA of 2048 bits or more, P-256 or P-384, over the exclusive form
    /// without comments.
    Strong,
    /// SHA-1 somewhere, or another canonical form, as old documents have it: good for reading those
    /// only. The words go on after "the signature".
    Weak(&'static str),
}

/// Checks the one signature of a document.
///
/// # Errors
/// [`SignatureError`]; `Absent` only where there is no signature element at all.
pub fn verify(xml: &str) -> Result<SignedDocument, SignatureError> {
    let text = line_ends(xml);
    let document = parse(&text)?;
    let element = SignatureElement::read(&document)?;
    // A Reference with an empty URI drops comments, whatever form is named (XML-DSig 4.4.3.3).
    let form = C14n { comments: false, ..element.reference_form };
    let canonical = canonicalize(document.root(), Some(element.node), form)?;
    let digest = element.digest.compute(canonical.as_bytes());
    if verify_slices_are_equal(&digest, &element.digest_value).is_err() {
        return Err(SignatureError::Mismatch { what: "digest" });
    }
    check_chain_order(&element)?;
    check_signature(&element)?;
    Ok(SignedDocument {
        canonical,
        strength: strength(&element),
        algorithm: element.method.uri(),
        certificates: element.certificates,
    })
}

fn strength(element: &SignatureElement<'_>) -> Strength {
    let forms = [element.reference_form, element.signed_info_form];
    if element.method == Method::RsaSha1 {
        Strength::Weak("was made with rsa-sha1, which proves nothing any more")
    } else if element.digest.is_weak() {
        Strength::Weak("covers a SHA-1 digest, which proves nothing any more")
    } else if forms.iter().any(|form| !form.exclusive) {
        Strength::Weak("covers the inclusive canonical form, which only old documents have")
    } else if forms.iter().any(|form| form.comments) {
        Strength::Weak("names the canonical form with comments, which is not that of manifests")
    } else {
        Strength::Strong
    }
}

/// Checks the signature value. Only old documents may have a short key.
fn check_signature(element: &SignatureElement<'_>) -> Result<(), SignatureError> {
    let at = element.key_info;
    let leaf = certificate(&element.certificates[0], at)?;
    let key = leaf.public_key();
    match (key.parsed(), element.method.curve_bits()) {
        (Ok(PublicKey::RSA(rsa)), None) => {
            element.check_key_value(trim(rsa.modulus), trim(rsa.exponent))?;
            if rsa.key_size() < 2048 && element.method != Method::RsaSha1 {
                return Err(refuse(at, "RSA keys below 2048 bits are not accepted"));
            }
        }
        (Ok(PublicKey::EC(point)), Some(bits)) if point.key_size() == bits => {}
        _ => return Err(refuse(at, "the certificate's key does not fit the SignatureMethod")),
    }
    let signed_info = canonicalize(element.signed_info, None, element.signed_info_form)?;
    UnparsedPublicKey::new(algorithm(element.method), &key.subject_public_key.data)
        .verify(signed_info.as_bytes(), &element.signature_value)
        .map_err(|_| SignatureError::Mismatch { what: "signature" })
}

fn algorithm(method: Method) -> &'static dyn VerificationAlgorithm {
    match method {
        Method::RsaSha1 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Method::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Method::RsaSha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Method::RsaSha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Method::EcdsaSha256 => &signature::ECDSA_P256_SHA256_FIXED,
        Method::EcdsaSha384 => &signature::ECDSA_P384_SHA384_FIXED,
    }
}

/// Leaf first, then each certificate's issuer: so nobody can show one person and use another's key.
fn check_chain_order(element: &SignatureElement<'_>) -> Result<(), SignatureError> {
    let at = element.key_info;
    let chain: Vec<X509Certificate<'_>> =
        element.certificates.iter().map(|der| certificate(der, at)).collect::<Result<_, _>>()?;
    for pair in chain.windows(2) {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            let reason = "the certificates are not one chain with the signer first";
            return Err(refuse(at, reason));
        }
    }
    Ok(())
}

fn certificate<'d>(der: &'d [u8], at: Node<'_, '_>) -> Result<X509Certificate<'d>, SignatureError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(refuse(at, "there are bytes behind a certificate")),
        Err(_) => Err(refuse(at, "a certificate cannot be read")),
    }
}

/// A number without leading zeros.
pub(crate) fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    &number[zeros..]
}
