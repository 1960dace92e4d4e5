//! A certificate, read once.

use crate::subject::{compat, parts_of, rfc4514, slash};
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::fmt;
use stratus_model::{Digest, Subject};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Bytes that are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The DER cannot be read.
    #[error("this is not an X.509 certificate")]
    Unreadable,
    /// Something follows the certificate.
    #[error("there are {0} bytes behind the certificate")]
    Trailing(usize),
    /// The PEM text holds none.
    #[error("there is no certificate in this PEM text")]
    None,
    /// A date that cannot be a date.
    #[error("the certificate's dates cannot be read")]
    Dates,
}

/// What kind of key a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with its size in bits.
    Rsa(usize),
    /// Elliptic curve, with the size of its field in bits.
    Ec(usize),
    /// Anything else.
    Other,
}

/// A certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: Subject,
    issuer: Subject,
    compat: (String, String),
    rfc4514: String,
    emails: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    is_ca: bool,
    is_self_issued: bool,
    path_length: Option<u32>,
    authority_fault: Option<&'static str>,
    key: KeyKind,
    spki: Vec<u8>,
}

impl Certificate {
    /// Reads DER (RFC 5280); bytes behind it are refused.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, x) = X509Certificate::from_der(der).map_err(|_| CertificateError::Unreadable)?;
        if !rest.is_empty() {
            return Err(CertificateError::Trailing(rest.len()));
        }
        let (subject, issuer) = (parts_of(x.subject()), parts_of(x.issuer()));
        let instant = |t: x509_parser::time::ASN1Time| {
            Timestamp::from_second(t.timestamp()).map_err(|_| CertificateError::Dates)
        };
        Ok(Self {
            der: der.to_vec(),
            subject: Subject::new(slash(&subject)),
            issuer: Subject::new(slash(&issuer)),
            compat: (compat(&subject), compat(&issuer)),
            rfc4514: rfc4514(&subject),
            emails: emails(&x, &subject),
            not_before: instant(x.validity().not_before)?,
            not_after: instant(x.validity().not_after)?,
            is_ca: x.is_ca() || is_v1_root(&x),
            is_self_issued: is_self_issued(&x),
            path_length: path_length(&x),
            authority_fault: authority_fault(&x),
            key: key_kind(&x),
            spki: x.public_key().raw.to_vec(),
        })
    }

    /// Every certificate of a PEM text, in order; other things in it are passed over.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let ders = CertificateDer::pem_slice_iter(pem);
        let all: Vec<Self> = ders
            .map(|der| Self::from_der(&der.map_err(|_| CertificateError::Unreadable)?))
            .collect::<Result<_, _>>()?;
        if all.is_empty() { Err(CertificateError::None) } else { Ok(all) }
    }

    /// The first certificate of a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        Ok(Self::all_from_pem(pem)?.swap_remove(0))
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose it is, in slash form.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Who issued it, in slash form.
    pub fn issuer(&self) -> &Subject {
        &self.issuer
    }

    /// Whose it is, as LDAP writes names (RFC 4514).
    pub fn subject_rfc4514(&self) -> &str {
        &self.rfc4514
    }

    /// E-mail addresses: of the alternative names, then of the subject.
    pub fn emails(&self) -> &[String] {
        &self.emails
    }

    /// Begin of validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// End of validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it may issue certificates: by its basicConstraints, or as a version 1 root.
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Whether subject and issuer are one name.
    pub fn is_self_issued(&self) -> bool {
        self.is_self_issued
    }

    /// What kind of key it holds.
    pub fn key(&self) -> KeyKind {
        self.key
    }

    /// SHA-256 of the bytes.
    pub fn fingerprint(&self) -> Digest {
        let bytes = digest(&SHA256, &self.der).as_ref().try_into().unwrap_or([0; 32]);
        Digest::sha256(bytes)
    }

    /// Subject and issuer without escapes, as signing policies are written.
    pub(crate) fn compat_names(&self) -> (&str, &str) {
        (&self.compat.0, &self.compat.1)
    }

    /// How many authorities it lets stand below it.
    pub(crate) fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    /// Why it may certify nobody, where its extensions say so.
    pub(crate) fn authority_fault(&self) -> Option<&'static str> {
        self.authority_fault
    }

    /// SubjectPublicKeyInfo, DER.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(crate) fn is_valid_at(&self, at: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&at)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject, self.fingerprint())
    }
}

/// Extensions whose meaning is known where an authority stands at the top of a chain: key
/// identifiers, usages, alternative names, constraints, distribution points and policies.
const KNOWN_OF_AUTHORITIES: [&str; 13] = [
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
];

/// The names are compared as DER: spelled out, two different names can look alike.
fn is_self_issued(x: &X509Certificate<'_>) -> bool {
    x.subject().as_raw() == x.issuer().as_raw()
}

fn path_length(x: &X509Certificate<'_>) -> Option<u32> {
    let constraints = x.basic_constraints().ok().flatten()?;
    constraints.value.path_len_constraint
}

/// RFC 5280 sections 4.2 and 4.2.1.3.
fn authority_fault(x: &X509Certificate<'_>) -> Option<&'static str> {
    match x.key_usage() {
        Ok(Some(usage)) if !usage.value.key_cert_sign() => {
            return Some("its key usage does not allow it to sign certificates");
        }
        Ok(_) => {}
        Err(_) => return Some("its key usage cannot be read"),
    }
    let known = |oid: &str| KNOWN_OF_AUTHORITIES.contains(&oid);
    x.extensions()
        .iter()
        .any(|e| e.critical && !known(&e.oid.to_id_string()))
        .then_some("it has a critical extension that is not known")
}

/// Version 1 has no extensions; a self-issued one is a root of the old kind.
fn is_v1_root(x: &X509Certificate<'_>) -> bool {
    x.version() == x509_parser::prelude::X509Version::V1 && is_self_issued(x)
}

fn emails(x: &X509Certificate<'_>, subject: &crate::subject::Parts) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if let Ok(Some(names)) = x.subject_alternative_name() {
        found.extend(names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::RFC822Name(email) => Some((*email).to_owned()),
            _ => None,
        }));
    }
    let in_subject = subject.iter().flatten().filter(|(name, _)| name == "emailAddress");
    for (_, email) in in_subject {
        if !found.contains(email) {
            found.push(email.clone());
        }
    }
    found
}

fn key_kind(x: &X509Certificate<'_>) -> KeyKind {
    match x.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => KeyKind::Rsa(rsa.key_size()),
        Ok(PublicKey::EC(point)) => KeyKind::Ec(point.key_size()),
        _ => KeyKind::Other,
    }
}
