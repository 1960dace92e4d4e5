//! An authority that is kept: made once, read again from its PEM, with serial numbers and instants
//! as arguments.

use super::{GenerateError, Generated, KeyChoice, generated, instant, key_pair, parameters};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SerialNumber,
};

/// What a certificate of a tunnel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be connected to.
    Server,
    /// To connect.
    Client,
}

/// A serial number and the instants between which a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The serial number, positive (RFC 5280, 4.1.2.2).
    pub serial: u128,
    /// Begin.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
}

/// A certificate that counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: u128,
    /// Since when.
    pub at: Timestamp,
}

/// A revocation list.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// Goes up with each list of an authority.
    pub number: u64,
    /// When it was made.
    pub from: Timestamp,
    /// When the next one must be there.
    pub to: Timestamp,
    /// What it names.
    pub revoked: &'a [Revoked],
}

/// An authority that issues again and again.
pub struct KeptAuthority(Issuer<'static, KeyPair>);

impl KeptAuthority {
    /// A new authority for leaf certificates only.
    pub fn make(common_name: &str, span: Span) -> Result<Generated, GenerateError> {
        let pair = key_pair(KeyChoice::P384)?;
        let mut params = dated(common_name, span)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(generated(&params.self_signed(&pair)?, &pair))
    }

    /// The authority that [`KeptAuthority::make`] made.
    pub fn from_pem(pem: &Generated) -> Result<Self, GenerateError> {
        let pair = KeyPair::from_pem(&pem.key_pem)?;
        Ok(Self(Issuer::from_ca_cert_pem(&pem.cert_pem, pair)?))
    }

    /// A certificate with a new key (ECDSA on P-256), for one purpose.
    pub fn issue(
        &self,
        common_name: &str,
        purpose: Purpose,
        span: Span,
    ) -> Result<Generated, GenerateError> {
        let pair = key_pair(KeyChoice::P256)?;
        let mut params = dated(common_name, span)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        Ok(generated(&params.signed_by(&pair, &self.0)?, &pair))
    }

    /// A revocation list, PEM.
    pub fn revocation_list(&self, list: List<'_>) -> Result<String, GenerateError> {
        let entry = |revoked: &Revoked| {
            Ok(RevokedCertParams {
                serial_number: serial(revoked.serial),
                revocation_time: instant(revoked.at)?,
                reason_code: Some(RevocationReason::CessationOfOperation),
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update: instant(list.from)?,
            next_update: instant(list.to)?,
            crl_number: SerialNumber::from(list.number),
            issuing_distribution_point: None,
            revoked_certs: list.revoked.iter().map(entry).collect::<Result<_, GenerateError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.0)?.pem()?)
    }
}

fn dated(common_name: &str, span: Span) -> Result<CertificateParams, GenerateError> {
    let whole = super::Validity { from: span.from, days: 0 };
    let mut params = parameters(&format!("/CN={common_name}"), whole)?;
    params.not_after = instant(span.to)?;
    params.serial_number = Some(serial(span.serial));
    Ok(params)
}

/// The shortest form: leading zeros are no part of a number in DER.
fn serial(number: u128) -> SerialNumber {
    let bytes = number.to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    SerialNumber::from_slice(&bytes[start..])
}
