//! From bytes to three answers: is the signature good, is the signer known, is it allowed here.
//!
//! ```text
//! bytes --read--> claimed content        all broken rules, with their places in the file
//!       --dsig--> canonical octets       good, weak, bad, absent
//!       --read--> signed content         compared with the certificate: a lie makes it bad
//!       --x509--> trusted, untrusted, expired, revoked, unknown
//!       --policy--> allowed, refused, unchecked
//! ```
//!
//! Decisions: a validity that has ended refuses (policy `refused`), whatever the site's rules say; a
//! deprecation inside the manifest is a reason that refuses nothing; a weak signature is never
//! trusted unless the policy says `accept_weak`; flat manifests carry no signature at all.

use crate::policy::{Case, Policy};
use crate::problem::{Problem, ReadError};
use crate::read::{Unverified, format_of, read, read_document};
use crate::seal::{self, Seal, Unsealed};
use crate::xml;
use jiff::Timestamp;
use stratus_model::{
    AppliancePath, Layout, Manifest, ManifestFormat, PolicyState, SignatureState, SignerState,
    Subject, Verdict,
};
use stratus_x509::TrustStore;

/// What a manifest is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Checks<'a> {
    /// The site's trust anchors; without them every signer is unknown.
    pub trust: Option<&'a TrustStore>,
    /// The site's rules.
    pub policy: Option<&'a Policy>,
    /// Groups of the directory that the endorser is known to be in.
    pub groups: &'a [String],
    /// Where the appliance lives; without it the built-in layout says where it would.
    pub path: Option<&'a AppliancePath>,
    /// The time of the check.
    pub now: Timestamp,
}

/// A value that a trusted person signed and the site's rules allow. Only validation makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value by itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What validation found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The format, where one was recognised.
    pub format: Option<ManifestFormat>,
    /// The three answers and the sentences behind them.
    pub verdict: Verdict,
    /// The content: as signed where the signature is good or weak, as claimed otherwise. None
    /// where the document is malformed or breaks rules of its format.
    pub manifest: Option<Manifest>,
    /// Who signed, where the signature is good or weak.
    pub endorser: Option<Subject>,
    /// What the signature was made with, where it is good or weak: `rsa-sha256`.
    pub algorithm: Option<&'static str>,
    /// Why the document cannot be read, if it cannot: one line for each problem.
    pub fault: Option<String>,
    /// The same problems with line and column.
    pub problems: Vec<Problem>,
    /// Whether the policy lets a weak signature count.
    weak_counts: bool,
}

impl Validation {
    /// Whether the manifest may be relied on.
    pub fn accepted(&self) -> bool {
        let weak = self.weak_counts && self.verdict.signature == SignatureState::Weak;
        self.fault.is_none()
            && (self.verdict.signature == SignatureState::Good || weak)
            && self.verdict.signer == SignerState::Trusted
            && self.verdict.policy != PolicyState::Refused
    }

    /// The signed content, if everything about it may be relied on.
    pub fn verified(mut self) -> Result<Verified<Manifest>, Box<Self>> {
        match self.accepted().then(|| self.manifest.take()).flatten() {
            Some(manifest) => Ok(Verified(manifest)),
            None => Err(Box::new(self)),
        }
    }

    fn unsigned(format: Option<ManifestFormat>, signature: SignatureState) -> Self {
        Self {
            format,
            verdict: Verdict {
                signature,
                signer: SignerState::Unknown,
                policy: PolicyState::Unchecked,
                reasons: Vec::new(),
            },
            manifest: None,
            endorser: None,
            algorithm: None,
            fault: None,
            problems: Vec::new(),
            weak_counts: false,
        }
    }
}

/// Validates a manifest of any format at a moment, against trust anchors and rules where given.
pub fn validate(
    bytes: &[u8],
    trust: Option<&TrustStore>,
    policy: Option<&Policy>,
    now: Timestamp,
) -> Validation {
    validate_with(bytes, &Checks { trust, policy, groups: &[], path: None, now })
}

/// As [`validate()`], with what a server knows about the place and the person.
pub fn validate_with(bytes: &[u8], checks: &Checks<'_>) -> Validation {
    let text = match xml::text(bytes) {
        Ok(text) => text,
        Err(error) => return faulty(None, &error, SignatureState::Absent),
    };
    let document = match xml::parse(text) {
        Ok(document) => document,
        Err(error) => return faulty(None, &error, unseen(text)),
    };
    let format = format_of(&document).ok();
    let opened = open(text, format);
    let claimed = match read_document(&document) {
        Ok(claimed) => claimed,
        Err(error) => {
            let state = match &opened {
                Ok(seal) => seal.state(),
                Err(unsealed) => unsealed.state,
            };
            return faulty(format, &error, state);
        }
    };
    let sealed = opened.and_then(|seal| Ok((signed_content(&seal, &claimed)?, seal)));
    let mut validation = match sealed {
        Ok((signed, seal)) => judge(signed, &seal, checks),
        Err(unsealed) => {
            let mut validation = Validation::unsigned(format, unsealed.state);
            validation.verdict.reasons.push(unsealed.reason);
            validation.verdict.reasons.extend(claimed.notes().iter().cloned());
            validation.manifest = Some(claimed.into_unverified_manifest());
            validation
        }
    };
    standing(&mut validation, checks.now);
    validation
}

/// Flat manifests have no signature, whatever elements stand in them.
fn open(text: &str, format: Option<ManifestFormat>) -> Result<Seal, Unsealed> {
    if format == Some(ManifestFormat::Flat2010) {
        return Err(Unsealed {
            state: SignatureState::Absent,
            reason: "manifests of 2010 carry no signature".to_owned(),
        });
    }
    seal::open(text)
}

/// A signature that nobody can look at is not good.
fn unseen(text: &str) -> SignatureState {
    if text.contains("SignatureValue") { SignatureState::Bad } else { SignatureState::Absent }
}

fn faulty(
    format: Option<ManifestFormat>,
    error: &ReadError,
    signature: SignatureState,
) -> Validation {
    let mut validation = Validation::unsigned(format, signature);
    validation.verdict.reasons = error.problems().iter().map(ToString::to_string).collect();
    validation.fault = Some(error.to_string());
    validation.problems = error.problems().to_vec();
    validation
}

/// The octets that were signed, read again, and their endorsement compared with the certificate.
fn signed_content(seal: &Seal, claimed: &Unverified) -> Result<Unverified, Unsealed> {
    let signed = read(seal.document.canonical.as_bytes())
        .map_err(|e| Unsealed::bad(format!("the signed content is not a manifest: {e}")))?;
    if signed.format() != claimed.format() {
        return Err(Unsealed::bad("the signed content is of another format than the document"));
    }
    let lies = seal.mismatches(signed.manifest().endorsement.as_ref());
    if lies.is_empty() { Ok(signed) } else { Err(Unsealed::bad(lies.join("; "))) }
}

/// The answers about signer and policy.
fn judge(signed: Unverified, seal: &Seal, checks: &Checks<'_>) -> Validation {
    let mut validation = Validation::unsigned(Some(signed.format()), seal.state());
    let notes = signed.notes().to_vec();
    let manifest = signed.into_unverified_manifest();
    let endorsed = manifest.endorsement.as_ref().and_then(|e| e.created);
    let signer = seal.signer(checks.trust, checks.policy, endorsed, checks.now);
    let verdict = &mut validation.verdict;
    verdict.signer = signer.state;
    verdict.reasons = signer.reasons;
    if let Some(policy) = checks.policy {
        let place = manifest.coordinates().ok().and_then(|c| Layout::default().place(&c).ok());
        let decision = policy.decide(&Case {
            path: checks.path.or(place.as_ref()),
            endorser: &signer.subject,
            groups: checks.groups,
            manifest: &manifest,
        });
        verdict.policy = decision.state;
        verdict.reasons.extend(decision.reasons);
        validation.weak_counts = policy.accept_weak;
    }
    verdict.reasons.extend(notes);
    validation.manifest = Some(manifest);
    validation.endorser = Some(signer.subject);
    validation.algorithm = Some(seal::short(seal.document.algorithm));
    validation
}

/// What the manifest says about its own end.
fn standing(validation: &mut Validation, now: Timestamp) {
    let Some(manifest) = &validation.manifest else {
        return;
    };
    if let Some(end) = manifest.valid.filter(|end| *end < now) {
        validation.verdict.policy = PolicyState::Refused;
        validation.verdict.reasons.push(format!("the manifest's validity ended on {end}"));
    }
    if let Some(reason) = &manifest.deprecated {
        validation.verdict.reasons.push(format!("the image is deprecated: {reason}"));
    }
}
