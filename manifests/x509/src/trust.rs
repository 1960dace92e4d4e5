//! Does the site know the signer?
//!
//! Path building is rustls-webpki's. Around it stand the steps no library has: RFC 3820 proxies,
//! signing policies of grid directories, revocation lists of version 1 and 2 alike, and a sentence
//! for each thing that is not as it should be.

use crate::certificate::{Certificate, CertificateError};
use crate::proxy::{Proxies, walk};
use crate::revocation::{RevocationLists, RevocationPolicy, Revoked};
use crate::signing_policy::SigningPolicy;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;
use stratus_model::{SignerState, Subject};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    KeyUsage, RequiredEkuNotFoundContext, VerifiedPath, anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most certificates in a chain.
const CHAIN_LIMIT: usize = 10;
/// An endorsement or a revocation list may be this far in the future: clocks differ.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

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
    /// lists, `*.signing_policy`; others are passed over. A broken file is a warning. An authority
    /// without a policy may certify anybody; one whose own policy file does not speak of it, nobody.
    pub fn from_grid_files(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(Self, Vec<String>), TrustError> {
        let (mut store, mut warnings) = (Self::default(), Vec::new());
        let mut lists = false;
        let (mut authorities, mut policies) = (Vec::new(), Vec::new());
        for (name, bytes) in files {
            let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if number(ending) || matches!(ending, "pem" | "crt") {
                match Certificate::all_from_pem(&bytes) {
                    Ok(all) => {
                        let names = all.iter().filter(|c| c.is_ca());
                        let names = names.map(|c| c.compat_names().0.to_owned());
                        authorities.extend(names.map(|subject| (stem.to_owned(), subject)));
                        for certificate in all {
                            store.add(certificate);
                        }
                    }
                    Err(error) => warnings.push(format!("`{name}`: {error}")),
                }
            } else if ending.strip_prefix('r').is_some_and(number) {
                lists = true;
                if let Err(reason) = store.revocation.add_file(&bytes) {
                    warnings.push(format!("`{name}`: {reason}"));
                }
            } else if ending == "signing_policy" {
                let policy = SigningPolicy::parse(&String::from_utf8_lossy(&bytes));
                policies.push((stem.to_owned(), policy));
            }
        }
        for (stem, policy) in policies {
            for (_, subject) in authorities.iter().filter(|(s, _)| *s == stem) {
                if !policy.speaks_of(subject) {
                    warnings.push(format!(
                        "`{stem}.signing_policy` has no rule for `{subject}`, which therefore may certify nobody"
                    ));
                    store.policies.push(SigningPolicy::closed(subject));
                }
            }
            store.policies.push(policy);
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
        self.judge(chain, at, Question::Now)
    }

    /// Judges the chain of an endorsement: right when it was made and right now. A revocation counts
    /// whenever it happened.
    pub fn check_endorsement(
        &self,
        chain: &[Vec<u8>],
        endorsed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> ChainOutcome {
        let mut outcome = self.judge(chain, now, Question::Now);
        let Some(at) = endorsed_at else { return outcome };
        if at > now.saturating_add(CLOCK_SKEW).unwrap_or(now) {
            outcome.reasons.push(format!("the endorsement is dated in the future: {at}"));
            if outcome.state == SignerState::Trusted {
                outcome.state = SignerState::Untrusted;
            }
            return outcome;
        }
        let then = self.judge(chain, at, Question::Then);
        if then.state != SignerState::Trusted && outcome.state == SignerState::Trusted {
            outcome.state = then.state;
            outcome.reasons.extend(
                then.reasons.into_iter().map(|r| format!("at the endorsement ({at}): {r}")),
            );
        }
        outcome
    }

    fn judge(&self, chain: &[Vec<u8>], at: Timestamp, question: Question) -> ChainOutcome {
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
        let outcome = match walk(&parsed, at) {
            Ok(proxies) => self.judge_person(&ours, &parsed, proxies, at, question),
            Err(reason) => return untrusted(ours[0].subject().clone(), reason),
        };
        if outcome.state == SignerState::Expired && question != Question::Ever {
            return self.judge_expired(chain, &ours, outcome);
        }
        outcome
    }

    /// "Expired" is said of a chain that was right once. The times at which all its certificates were
    /// valid, if there are any, begin when one of them began. Anchors count at any time: a renewed one
    /// stands for its predecessor.
    fn judge_expired(
        &self,
        chain: &[Vec<u8>],
        certificates: &[Certificate],
        mut outcome: ChainOutcome,
    ) -> ChainOutcome {
        let begins: BTreeSet<Timestamp> =
            certificates.iter().chain(&self.intermediates).map(Certificate::not_before).collect();
        let mut refused = None;
        for begin in begins {
            let then = self.judge(chain, begin, Question::Ever);
            match then.state {
                SignerState::Trusted => return outcome,
                SignerState::Expired => {}
                _ => refused = refused.or(Some(then.reasons)),
            }
        }
        let never = || vec!["its certificates were never valid at one time".to_owned()];
        outcome.state = SignerState::Untrusted;
        outcome.reasons.extend(refused.unwrap_or_else(never));
        outcome
    }

    fn judge_person(
        &self,
        chain: &[Certificate],
        parsed: &[X509Certificate<'_>],
        proxies: Proxies,
        at: Timestamp,
        question: Question,
    ) -> ChainOutcome {
        let chain = &chain[proxies.count..];
        let person = &chain[0];
        // The keys of the proxies sign too, each for the one in front of it.
        let found = parsed[..proxies.count].iter().try_for_each(usage).and_then(|()| {
            match self.anchors.contains(person) {
                true if person.is_valid_at(at) => Ok(Vec::new()),
                true => Err((SignerState::Expired, not_valid(person, at))),
                false => {
                    usage(&parsed[proxies.count]).and_then(|()| self.path(chain, at, question))
                }
            }
        });
        let judged = found.and_then(|path| {
            self.policies_allow(person, &path)?;
            let looked_up = question == Question::Now;
            if looked_up { self.not_revoked(person, &path, at) } else { Ok(Vec::new()) }
        });
        let (state, reasons) = match judged {
            Ok(_) if proxies.out_of_time => {
                (SignerState::Expired, vec!["a proxy is not valid at that time".to_owned()])
            }
            Ok(notes) => (SignerState::Trusted, notes),
            Err((state, reason)) => (state, vec![reason]),
        };
        let identity = person.subject().clone();
        ChainOutcome { state, reasons, identity, proxies: proxies.count, limited: proxies.limited }
    }

    /// The certificates from the person's issuer up to the anchor.
    fn path(
        &self,
        chain: &[Certificate],
        at: Timestamp,
        question: Question,
    ) -> Result<Vec<Certificate>, Fault> {
        let person = &chain[0];
        let authorities: Vec<(&Certificate, CertificateDer<'_>)> = self
            .anchors
            .iter()
            .filter(|c| c.is_ca())
            .map(|c| (c, CertificateDer::from(c.der())))
            .collect();
        let anchors: Vec<(&Certificate, TrustAnchor<'_>)> = authorities
            .iter()
            .filter_map(|(c, der)| Some((*c, anchor_from_trusted_cert(der).ok()?)))
            .collect();
        let tops: Vec<TrustAnchor<'_>> = anchors.iter().map(|(_, anchor)| anchor.clone()).collect();
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
        // The first path that is right in every way counts; of the others, the last fault is told.
        let (found, fault) = (RefCell::new(None), RefCell::new(None));
        let accept = |path: &VerifiedPath<'_>| {
            let mut last = None;
            let candidates = anchors.iter().filter(|(_, anchor)| anchor == path.anchor());
            for (anchor, _) in candidates {
                match accept_path(path, anchor, at, question) {
                    Ok(certificates) => {
                        found.replace(Some(certificates));
                        return Ok(());
                    }
                    Err(reason) => last = Some(reason),
                }
            }
            fault.replace(last);
            Err(Error::UnknownIssuer)
        };
        let algorithms = ALL_VERIFICATION_ALGS;
        match end.verify_for_usage(algorithms, &tops, &between, time, Usage, None, Some(&accept)) {
            Ok(_) => found.into_inner().ok_or_else(|| wrong("no path was found".to_owned())),
            Err(error) => {
                Err(fault.into_inner().unwrap_or_else(|| self.explain(&error, chain, at)))
            }
        }
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
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                let text = format!(
                    "a certificate in the chain of `{}` is signed with an algorithm that is not accepted",
                    person.subject()
                );
                (SignerState::Untrusted, text)
            }
            Error::RequiredEkuNotFoundContext(_) => {
                let text = format!(
                    "the purposes of `{}` or of its authorities do not include signing: clientAuth, codeSigning or emailProtection",
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
        // A self-issued authority is the same authority with another key; a person never is.
        let authorities = path.iter().filter(|c| !c.is_self_issued());
        for certificate in std::iter::once(person).chain(authorities) {
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

/// What is asked of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Is it right now? Revocation lists count.
    Now,
    /// Was it right then? Revocation is asked of today only.
    Then,
    /// The same, under anchors of any time.
    Ever,
}

/// What the library leaves to us: usages of authorities, and limits of the anchor's own certificate.
fn accept_path(
    path: &VerifiedPath<'_>,
    anchor: &Certificate,
    at: Timestamp,
    question: Question,
) -> Result<Vec<Certificate>, Fault> {
    let mut certificates: Vec<Certificate> = path
        .intermediate_certificates()
        .map(|c| Certificate::from_der(&c.der()))
        .collect::<Result<_, _>>()
        .map_err(|error| (SignerState::Untrusted, error.to_string()))?;
    let below = certificates.iter().filter(|c| !c.is_self_issued()).count();
    certificates.push(anchor.clone());
    for certificate in &certificates {
        if let Some(fault) = certificate.authority_fault() {
            let text = format!("`{}` cannot be an authority: {fault}", certificate.subject());
            return Err((SignerState::Untrusted, text));
        }
    }
    if anchor.path_length().is_some_and(|limit| below > limit as usize) {
        let text = format!("`{}` does not allow so many authorities below it", anchor.subject());
        return Err((SignerState::Untrusted, text));
    }
    if question != Question::Ever && !anchor.is_valid_at(at) {
        return Err((SignerState::Expired, not_valid(anchor, at)));
    }
    Ok(certificates)
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
        if any {
            let (required, present) = (KeyUsage::client_auth(), Vec::new());
            return Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
                required,
                present,
            }));
        }
        Ok(())
    }
}
