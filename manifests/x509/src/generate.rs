//! Making certificates: for trying things, for tests, for a site's own small authority.

mod kept;

pub use kept::{KeptAuthority, List, Purpose, Revoked, Span};

use crate::subject::{NameError, oid_of, parse_slash};
use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize,
    SanType, SerialNumber,
};
use std::net::IpAddr;

/// The kind of key to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyChoice {
    /// ECDSA on P-256.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// A certificate and its key, PEM.
pub struct Generated {
    /// The certificate.
    pub cert_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: zeroize::Zeroizing<String>,
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The subject is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An attribute of the subject has no known type.
    #[error("`{0}` is not an attribute type that is known; use one such as CN, O, OU, C, DC")]
    Attribute(String),
    /// The same attribute type twice, which the library cannot write.
    #[error("the subject has more than one `{0}`; certificates made here have each attribute once")]
    Repeated(String),
    /// A text that certificates cannot hold there.
    #[error("`{0}` has characters that a certificate cannot hold there")]
    Text(String),
    /// The validity lies outside of what certificates can say.
    #[error("the validity lies outside of the years 1950 to 9999")]
    Validity,
    /// The library refused.
    #[error("the certificate could not be made: {0}")]
    Library(String),
}

impl From<rcgen::Error> for GenerateError {
    fn from(error: rcgen::Error) -> Self {
        Self::Library(error.to_string())
    }
}

/// For how long, from when.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// Begin.
    pub from: Timestamp,
    /// Length in days.
    pub days: u32,
}

/// A certificate authority that can issue.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate and key.
    pub pem: Generated,
}

/// A person's certificate that vouches for itself: for signing where the site trusts this very
/// certificate.
pub fn self_signed(
    subject: &str,
    email: Option<&str>,
    key: KeyChoice,
    validity: Validity,
) -> Result<Generated, GenerateError> {
    let pair = key_pair(key)?;
    let params = person(subject, email, validity)?;
    Ok(generated(&params.self_signed(&pair)?, &pair))
}

/// A server's certificate that vouches for itself; names are host names or addresses.
pub fn self_signed_server(
    names: &[String],
    key: KeyChoice,
    validity: Validity,
) -> Result<Generated, GenerateError> {
    let pair = key_pair(key)?;
    Ok(generated(&server(names, validity)?.self_signed(&pair)?, &pair))
}

/// A certificate authority.
pub fn authority(
    subject: &str,
    key: KeyChoice,
    validity: Validity,
) -> Result<Authority, GenerateError> {
    let pair = key_pair(key)?;
    let mut params = parameters(subject, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let pem = generated(&params.self_signed(&pair)?, &pair);
    Ok(Authority { issuer: Issuer::new(params, pair), pem })
}

impl Authority {
    /// A person's certificate.
    pub fn person(
        &self,
        subject: &str,
        email: Option<&str>,
        key: KeyChoice,
        validity: Validity,
    ) -> Result<Generated, GenerateError> {
        let pair = key_pair(key)?;
        Ok(generated(&person(subject, email, validity)?.signed_by(&pair, &self.issuer)?, &pair))
    }

    /// A server's certificate; names are host names or addresses.
    pub fn server(
        &self,
        names: &[String],
        key: KeyChoice,
        validity: Validity,
    ) -> Result<Generated, GenerateError> {
        let pair = key_pair(key)?;
        Ok(generated(&server(names, validity)?.signed_by(&pair, &self.issuer)?, &pair))
    }

    /// A revocation list, PEM, of certificates by their serial numbers.
    pub fn revocation_list(
        &self,
        serials: &[Vec<u8>],
        validity: Validity,
    ) -> Result<String, GenerateError> {
        let (this_update, next_update) = dates(validity)?;
        let entry = |serial: &Vec<u8>| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

fn generated(certificate: &rcgen::Certificate, pair: &KeyPair) -> Generated {
    Generated {
        cert_pem: certificate.pem(),
        key_pem: zeroize::Zeroizing::new(pair.serialize_pem()),
    }
}

fn key_pair(choice: KeyChoice) -> Result<KeyPair, GenerateError> {
    Ok(match choice {
        KeyChoice::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        KeyChoice::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
        KeyChoice::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        KeyChoice::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)?,
        KeyChoice::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096)?,
    })
}

fn person(
    subject: &str,
    email: Option<&str>,
    validity: Validity,
) -> Result<CertificateParams, GenerateError> {
    let mut params = parameters(subject, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::EmailProtection];
    if let Some(email) = email {
        let name = Ia5String::try_from(email).map_err(|_| GenerateError::Text(email.to_owned()))?;
        params.subject_alt_names.push(SanType::Rfc822Name(name));
    }
    Ok(params)
}

fn server(names: &[String], validity: Validity) -> Result<CertificateParams, GenerateError> {
    let first = names.first().map_or("localhost", String::as_str);
    let mut params = parameters(&format!("/CN={first}"), validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(
                Ia5String::try_from(name.as_str())
                    .map_err(|_| GenerateError::Text(name.clone()))?,
            ),
        });
    }
    Ok(params)
}

fn parameters(subject: &str, validity: Validity) -> Result<CertificateParams, GenerateError> {
    let mut params = CertificateParams::default();
    let (from, to) = dates(validity)?;
    params.not_before = from;
    params.not_after = to;
    params.distinguished_name = DistinguishedName::new();
    for (name, value) in parse_slash(subject)?.into_iter().flatten() {
        let oid = oid_of(&name).ok_or_else(|| GenerateError::Attribute(name.clone()))?;
        let ia5 = matches!(name.as_str(), "DC" | "emailAddress");
        let value = if ia5 {
            DnValue::Ia5String(
                Ia5String::try_from(value.as_str())
                    .map_err(|_| GenerateError::Text(value.clone()))?,
            )
        } else {
            DnValue::Utf8String(value)
        };
        let kind = DnType::from_oid(&oid);
        if params.distinguished_name.get(&kind).is_some() {
            return Err(GenerateError::Repeated(name));
        }
        params.distinguished_name.push(kind, value);
    }
    Ok(params)
}

fn dates(
    validity: Validity,
) -> Result<(time::OffsetDateTime, time::OffsetDateTime), GenerateError> {
    let length = SignedDuration::from_hours(24 * i64::from(validity.days));
    let end = validity.from.checked_add(length).map_err(|_| GenerateError::Validity)?;
    Ok((instant(validity.from)?, instant(end)?))
}

fn instant(t: Timestamp) -> Result<time::OffsetDateTime, GenerateError> {
    time::OffsetDateTime::from_unix_timestamp(t.as_second()).map_err(|_| GenerateError::Validity)
}
