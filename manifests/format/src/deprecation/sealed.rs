//! Signing and checking the statement.

use super::{Deprecation, read, write};
use crate::endorse::{self, EndorseError, EndorseOptions, Endorsed};
use crate::problem::ReadError;
use crate::seal;
use crate::xml;
use crate::{Policy, Problem};
use jiff::Timestamp;
use stratus_model::{PolicyState, SignatureState, SignerState, Subject, Verdict};
use stratus_x509::{Credential, TrustStore};

/// What validation found out about a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecationValidation {
    /// The answers. The policy is unchecked: who may deprecate what is known to who keeps the image.
    pub verdict: Verdict,
    /// The content: as signed where the signature is good or weak, as claimed otherwise.
    pub deprecation: Option<Deprecation>,
    /// Who signed, where the signature is good or weak.
    pub endorser: Option<Subject>,
    /// Why the document cannot be read, if it cannot: one line for each problem.
    pub fault: Option<String>,
    /// The same problems with line and column.
    pub problems: Vec<Problem>,
}

impl DeprecationValidation {
    /// Whether a known person made the statement.
    pub fn accepted(&self) -> bool {
        self.fault.is_none() && self.verdict.accepted()
    }

    fn unsigned(signature: SignatureState) -> Self {
        let verdict = Verdict {
            signature,
            signer: SignerState::Unknown,
            policy: PolicyState::Unchecked,
            reasons: Vec::new(),
        };
        Self { verdict, deprecation: None, endorser: None, fault: None, problems: Vec::new() }
    }
}

/// Endorses and signs a statement with the certificate's own e-mail address.
pub fn endorse(
    unsigned_xml: &str,
    credential: &Credential,
    now: Timestamp,
) -> Result<String, EndorseError> {
    endorse_with(unsigned_xml, credential, now, &EndorseOptions::default()).map(|e| e.xml)
}

/// As [`endorse()`], with choices; `upgrade` means nothing here.
pub fn endorse_with(
    unsigned_xml: &str,
    credential: &Credential,
    now: Timestamp,
    options: &EndorseOptions,
) -> Result<Endorsed, EndorseError> {
    let unverified = read(unsigned_xml.as_bytes()).map_err(EndorseError::Read)?;
    let signature = unverified.carries_signature();
    let mut deprecation = unverified.into_unverified_deprecation();
    let notes = endorse::replaced(signature, deprecation.endorsement.is_some());
    deprecation.endorsement =
        Some(endorse::endorsement(credential, now, options.email.as_deref())?);
    let xml = write(&deprecation).map_err(EndorseError::Write)?;
    Ok(Endorsed { xml: endorse::sign(&xml, credential)?, notes: notes.into_iter().collect() })
}

/// Validates a statement at a moment, against trust anchors where given. Of the policy only
/// `accept_weak` is asked.
pub fn validate(
    bytes: &[u8],
    trust: Option<&TrustStore>,
    policy: Option<&Policy>,
    now: Timestamp,
) -> DeprecationValidation {
    let claimed = match read(bytes) {
        Ok(claimed) => claimed,
        Err(error) => return faulty(&error),
    };
    let opened =
        xml::text(bytes).map_err(|e| seal::Unsealed::bad(e.to_string())).and_then(seal::open);
    let seal = match opened {
        Ok(seal) => seal,
        Err(unsealed) => return unsealed_outcome(unsealed, claimed.into_unverified_deprecation()),
    };
    let signed = match read(seal.document.canonical.as_bytes()) {
        Ok(signed) => signed.into_unverified_deprecation(),
        Err(error) => return faulty(&error),
    };
    let lies = seal.mismatches(signed.endorsement.as_ref());
    if !lies.is_empty() {
        return unsealed_outcome(seal::Unsealed::bad(lies.join("; ")), signed);
    }
    let endorsed = signed.endorsement.as_ref().and_then(|e| e.created);
    let signer = seal.signer(trust, policy, endorsed, now);
    let mut validation = DeprecationValidation::unsigned(seal.state());
    validation.verdict.signer = signer.state;
    validation.verdict.reasons = signer.reasons;
    validation.deprecation = Some(signed);
    validation.endorser = Some(signer.subject);
    validation
}

fn unsealed_outcome(unsealed: seal::Unsealed, claimed: Deprecation) -> DeprecationValidation {
    let mut validation = DeprecationValidation::unsigned(unsealed.state);
    validation.verdict.reasons.push(unsealed.reason);
    validation.deprecation = Some(claimed);
    validation
}

fn faulty(error: &ReadError) -> DeprecationValidation {
    let mut validation = DeprecationValidation::unsigned(SignatureState::Absent);
    validation.verdict.reasons = error.problems().iter().map(ToString::to_string).collect();
    validation.fault = Some(error.to_string());
    validation.problems = error.problems().to_vec();
    validation
}
