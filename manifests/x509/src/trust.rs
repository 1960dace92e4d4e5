//! Does the site know the signer?
//!
//! Path building is rustls-webpki's. Around it stand the steps no library has: RFC 3820 proxies,
//! signing policies of grid directories, revocation lists of version 1 and 2 alike, and a sentence
//! for each thing that is not as it should be.

use crate::certificate::{Certificate, CertificateError};
use crate::proxy::{Proxies, ProxyFault, walk};
use crate::revocation::{RevocationLists, RevocationPolicy, Revoked};
use crate::signing_policy::SigningPolicy;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use stratus_model::{SignerState, Subject};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most certificates in a chain.
const CHAIN_LIMIT: usize = 10;
/// An endorsement may be this far in the future: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What a site trusts.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    revocation: RevocationLists,
    policies: Vec<SigningPolicy>,
}

/// Trust anchors that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A certificate cannot be read.
    #[error("a certificate of the bundle cannot be read")]
    Certificate(#[source] CertificateError),
    /// There is no certificate at all.
    #[error(
        "there is no trust anchor; give a PEM bundle, or a directory with files such as `1a2b3c4d.0`"
    )]
    Empty,
}

/// What is thought of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainOutcome {
    /// The answer.
    pub state: SignerState,
    /// A sentence for each thing that is not as it should be.
    pub reasons: Vec<String>,
    /// The person: the certificate behind any proxies.
    pub identity: Subject,
    /// How many proxies stand in front of the person.
    pub proxies: usize,
    /// Whether one of them is limited.
    pub limited: bool,
}

impl TrustStore {
    /// From PEM: certificate authorities, single certificates that are trusted as themselves, and
    /// revocation lists.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TrustError> {
        let certificates = match Certificate::all_from_pem(pem) {
            Err(CertificateError::None) => return Err(TrustError::Empty),
            other => other.map_err(TrustError::Certificate)?,
        };
        let mut store = Self { revocation: RevocationLists::from_pem(pem), ..Self::default() };
        for certificate in certificates {
            store.add(certificate);
        }
        Ok(store)
    }

    /// From the files of a grid CA directory: `<hash>.<n>` certificates, `<hash>.r<n>` revocation
    /// lists, `*.signing_policy`; others are passed over. A broken file is a warning.
    pub fn from_grid_files(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(Self, Vec<String>), TrustError> {
        let (mut store, mut warnings) = (Self::default(), Vec::new());
        let mut lists = false;
        for (name, bytes) in files {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if number(ending) || matches!(ending, "pem" | "crt") {
                match Certificate::all_from_pem(&bytes) {
                    Ok(all) => all.into_iter().for_each(|c| store.add(c)),
                    Err(error) => warnings.push(format!("`{name}`: {error}")),
                }
            } else if ending.strip_prefix('r').is_some_and(number) {
                lists = true;
                if let Err(reason) = store.revocation.add_file(&bytes) {
                    warnings.push(format!("`{name}`: {reason}"));
                }
            } else if ending == "signing_policy" {
                store.policies.push(SigningPolicy::parse(&String::from_utf8_lossy(&bytes)));
            }
        }
        if store.anchors.is_empty() {
            return Err(TrustError::Empty);
        }
        store.revocation.policy =
            if lists { RevocationPolicy::Require } else { RevocationPolicy::IfPresent };
        Ok((store, warnings))
    }

    /// The same store with another rule about missing revocation lists.
    #[must_use]
    pub fn with_revocation(mut self, policy: RevocationPolicy) -> Self {
        self.revocation.policy = policy;
        self
    }

    /// The trusted certificates.
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    fn add(&mut self, certificate: Certificate) {
        let known =
            self.anchors.contains(&certificate) || self.intermediates.contains(&certificate);
        if known {
            return;
        }
        // An authority that somebody else certified helps to build paths; only self-issued ones and
        // single certificates are where trust begins.
        if certificate.is_ca() && !certificate.is_self_issued() {
            self.intermediates.push(certificate);
        } else {
            self.anchors.push(certificate);
        }
    }

    /// Judges a chain (DER, the leaf first) as of one instant; revocation lists included.
    pub fn check(&self, chain: &[Vec<u8>], at: Timestamp) -> ChainOutcome {
        self.judge(chain, at, true)
    }

    /// Judges the chain of an endorsement: right when it was made and right now. A revocation counts
    /// whenever it happened.
    pub fn check_endorsement(
        &self,
        chain: &[Vec<u8>],
        endorsed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> ChainOutcome {
        let mut outcome = self.judge(chain, now, true);
        let Some(at) = endorsed_at else { return outcome };
        if at > now.saturating_add(CLOCK_SKEW).unwrap_or(now) {
            outcome.reasons.push(format!("the endorsement is dated in the future: {at}"));
            if outcome.state == SignerState::Trusted {
                outcome.state = SignerState::Untrusted;
            }
            return outcome;
        }
        let then = self.judge(chain, at, false);
        if then.state != SignerState::Trusted && outcome.state == SignerState::Trusted {
            outcome.state = then.state;
            outcome.reasons.extend(
                then.reasons.into_iter().map(|r| format!("at the endorsement ({at}): {r}")),
            );
        }
        outcome
    }

    fn judge(&self, chain: &[Vec<u8>], at: Timestamp, revocation: bool) -> ChainOutcome {
        let untrusted = |identity: Subject, reason: String| ChainOutcome {
            state: SignerState::Untrusted,
            reasons: vec![reason],
            identity,
            proxies: 0,
            limited: false,
        };
        let nobody = || Subject::new("");
        if chain.is_empty() || chain.len() > CHAIN_LIMIT {
            let reason = format!(
                "the chain has {} certificates; 1 to {CHAIN_LIMIT} are accepted",
                chain.len()
            );
            return untrusted(nobody(), reason);
        }
        let ours: Result<Vec<Certificate>, _> =
            chain.iter().map(|der| Certificate::from_der(der)).collect();
        let parsed: Result<Vec<X509Certificate<'_>>, _> =
            chain.iter().map(|der| X509Certificate::from_der(der).map(|(_, x)| x)).collect();
        let (Ok(ours), Ok(parsed)) = (ours, parsed) else {
            return untrusted(nobody(), "a certificate of the chain cannot be read".to_owned());
        };
        let proxies = match walk(&parsed, at) {
            Ok(proxies) => proxies,
            Err(ProxyFault::Wrong(reason)) => return untrusted(ours[0].subject().clone(), reason),
            Err(ProxyFault::Expired(reason)) => {
                let identity = ours[0].subject().clone();
                return ChainOutcome { state: SignerState::Expired, ..untrusted(identity, reason) };
            }
        };
        self.judge_person(&ours[proxies.count..], &parsed[proxies.count], proxies, at, revocation)
    }

    fn judge_person(
        &self,
        chain: &[Certificate],
        parsed: &X509Certificate<'_>,
        proxies: Proxies,
        at: Timestamp,
        revocation: bool,
    ) -> ChainOutcome {
        let person = &chain[0];
        let found = match self.is_anchor_itself(person) {
            true if person.is_valid_at(at) => Ok(Vec::new()),
            true => Err((SignerState::Expired, not_valid(person, at))),
            false => usage(parsed).and_then(|()| self.path(chain, at)),
        };
        let judged = found.and_then(|path| {
            self.policies_allow(person, &path)?;
            if revocation { self.not_revoked(person, &path, at) } else { Ok(Vec::new()) }
        });
        let (state, reasons) = match judged {
            Ok(notes) => (SignerState::Trusted, notes),
            Err((state, reason)) => (state, vec![reason]),
        };
        let identity = person.subject().clone();
        ChainOutcome { state, reasons, identity, proxies: proxies.count, limited: proxies.limited }
    }

    /// A certificate that the site trusts as itself.
    fn is_anchor_itself(&self, person: &Certificate) -> bool {
        self.anchors.contains(person)
    }

    /// The certificates from the person's issuer up to the anchor.
    fn path(&self, chain: &[Certificate], at: Timestamp) -> Result<Vec<Certificate>, Fault> {
        let person = &chain[0];
        let ders: Vec<CertificateDer<'_>> = self
            .anchors
            .iter()
            .filter(|c| c.is_ca())
            .map(|c| CertificateDer::from(c.der()))
            .collect();
        let anchors: Vec<TrustAnchor<'_>> =
            ders.iter().filter_map(|d| anchor_from_trusted_cert(d).ok()).collect();
        let between: Vec<CertificateDer<'_>> = chain[1..]
            .iter()
            .chain(&self.intermediates)
            .map(|c| CertificateDer::from(c.der()))
            .collect();
        let leaf = CertificateDer::from(person.der());
        let wrong = |text: String| (SignerState::Untrusted, text);
        let end = EndEntityCert::try_from(&leaf).map_err(|e| {
            wrong(format!("`{}` cannot be a signer's certificate ({e})", person.subject()))
        })?;
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let path = end
            .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &between, time, Usage, None, None)
            .map_err(|error| self.explain(&error, chain, at))?;
        let mut certificates: Vec<Certificate> = path
            .intermediate_certificates()
            .filter_map(|c| Certificate::from_der(&c.der()).ok())
            .collect();
        let root = path.anchor();
        let anchor = ders.iter().zip(self.anchors.iter().filter(|c| c.is_ca())).find(|(der, _)| {
            anchor_from_trusted_cert(der).is_ok_and(|a| {
                a.subject == root.subject
                    && a.subject_public_key_info == root.subject_public_key_info
            })
        });
        if let Some((_, anchor)) = anchor {
            if !anchor.is_valid_at(at) {
                return Err((SignerState::Expired, not_valid(anchor, at)));
            }
            certificates.push(anchor.clone());
        }
        Ok(certificates)
    }

    fn explain(&self, error: &Error, chain: &[Certificate], at: Timestamp) -> Fault {
        let person = &chain[0];
        let out_of_time = chain.iter().chain(&self.intermediates).find(|c| !c.is_valid_at(at));
        match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                (SignerState::Expired, not_valid(out_of_time.unwrap_or(person), at))
            }
            Error::UnknownIssuer => {
                let issuer = chain.last().map_or_else(|| person.issuer(), Certificate::issuer);
                let text = format!(
                    "no trust anchor of this site stands behind `{}` (issued by `{issuer}`)",
                    person.subject()
                );
                (SignerState::Untrusted, text)
            }
            other => (
                SignerState::Untrusted,
                format!("the chain of `{}` is not accepted: {other}", person.subject()),
            ),
        }
    }

    /// Each authority may certify only what its signing policy says, where it has one.
    fn policies_allow(&self, person: &Certificate, path: &[Certificate]) -> Result<(), Fault> {
        let links = std::iter::once(person).chain(path);
        for certificate in links.filter(|c| !c.is_self_issued()) {
            let (subject, issuer) = certificate.compat_names();
            let spoken: Vec<&SigningPolicy> =
                self.policies.iter().filter(|p| p.speaks_of(issuer)).collect();
            if !spoken.is_empty() && !spoken.iter().any(|p| p.allows(issuer, subject)) {
                let text = format!(
                    "the signing policy of `{issuer}` does not allow it to certify `{subject}`"
                );
                return Err((SignerState::Untrusted, text));
            }
        }
        Ok(())
    }

    /// Looks each certificate up in its issuer's revocation list.
    fn not_revoked(
        &self,
        person: &Certificate,
        path: &[Certificate],
        at: Timestamp,
    ) -> Result<Vec<String>, Fault> {
        let mut notes = Vec::new();
        let certificates: Vec<&Certificate> = std::iter::once(person).chain(path).collect();
        for pair in certificates.windows(2) {
            match self.revocation.look_up(pair[0], pair[1], at) {
                Revoked::No => {}
                Revoked::Yes { since } => {
                    let text = format!(
                        "the certificate of `{}` was revoked on {since}",
                        pair[0].subject()
                    );
                    return Err((SignerState::Revoked, text));
                }
                Revoked::Unknown(reason) if self.revocation.policy == RevocationPolicy::Require => {
                    return Err((SignerState::Untrusted, reason));
                }
                Revoked::Unknown(reason) => {
                    notes.extend(self.revocation.speaks_of(pair[1]).then_some(reason));
                }
            }
        }
        Ok(notes)
    }
}

/// A state that is not "trusted", and why.
type Fault = (SignerState, String);

fn not_valid(certificate: &Certificate, at: Timestamp) -> String {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    format!(
        "the certificate of `{}` is valid from {from} to {to}, not at {at}",
        certificate.subject()
    )
}

/// A certificate that says what its key is for must allow signatures (RFC 5280 section 4.2.1.3).
fn usage(certificate: &X509Certificate<'_>) -> Result<(), Fault> {
    match certificate.key_usage() {
        Ok(Some(usage)) if !usage.value.digital_signature() && !usage.value.non_repudiation() => {
            Err((
                SignerState::Untrusted,
                "the certificate's key usage does not allow signatures".to_owned(),
            ))
        }
        Ok(_) => Ok(()),
        Err(_) => {
            Err((SignerState::Untrusted, "the certificate's key usage cannot be read".to_owned()))
        }
    }
}

/// Purposes that people's certificates have.
struct Usage;

impl ExtendedKeyUsageValidator for Usage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        // clientAuth, codeSigning, emailProtection (1.3.6.1.5.5.7.3.x), anyExtendedKeyUsage.
        const ACCEPTED: [&[usize]; 4] = [
            &[1, 3, 6, 1, 5, 5, 7, 3, 2],
            &[1, 3, 6, 1, 5, 5, 7, 3, 3],
            &[1, 3, 6, 1, 5, 5, 7, 3, 4],
            &[2, 5, 29, 37, 0],
        ];
        let mut any = false;
        for purpose in purposes {
            any = true;
            if ACCEPTED.contains(&purpose?.to_decoded_oid().as_slice()) {
                return Ok(());
            }
        }
        // None at all means every purpose.
        if any { Err(Error::UnsupportedCriticalExtension) } else { Ok(()) }
    }
}
