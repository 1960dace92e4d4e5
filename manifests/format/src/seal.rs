//! The signature of a document and what the certificate behind it says.
//!
//! Shared by manifests and deprecations. The verified octets come back, and they are what is then
//! read: another reading of the original could see another document.

use crate::Policy;
use jiff::Timestamp;
use stratus_dsig::{SignatureError, SignedDocument, Strength};
use stratus_model::{Endorsement, SignatureState, SignerState, Subject};
use stratus_x509::{Certificate, TrustStore, subject};

/// A signature that fits its document.
pub(crate) struct Seal {
    pub(crate) document: SignedDocument,
    pub(crate) leaf: Certificate,
}

/// Why there is no such signature.
pub(crate) struct Unsealed {
    pub(crate) state: SignatureState,
    pub(crate) reason: String,
}

impl Unsealed {
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self { state: SignatureState::Bad, reason: reason.into() }
    }
}

/// Verifies the signature's mathematics.
pub(crate) fn open(text: &str) -> Result<Seal, Unsealed> {
    let document = stratus_dsig::verify(text).map_err(|error| match error {
        SignatureError::Absent => Unsealed {
            state: SignatureState::Absent,
            reason: "the document carries no signature".to_owned(),
        },
        other => Unsealed::bad(format!("the signature is not good: {}", with_causes(&other))),
    })?;
    let leaf =
        document.certificates.first().ok_or_else(|| Unsealed::bad("there is no certificate"))?;
    let leaf = Certificate::from_der(leaf).map_err(|e| {
        Unsealed::bad(format!("the certificate is not readable: {}", with_causes(&e)))
    })?;
    Ok(Seal { document, leaf })
}

/// One sentence of an error and its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl Seal {
    pub(crate) fn state(&self) -> SignatureState {
        match self.document.strength {
            Strength::Strong => SignatureState::Good,
            Strength::Weak(_) => SignatureState::Weak,
        }
    }

    /// What the endorsement says about the signer must be what the certificate says. Rule 10 of the
    /// historical tools, for every signed format.
    pub(crate) fn mismatches(&self, endorsement: Option<&Endorsement>) -> Vec<String> {
        let Some(endorsement) = endorsement else {
            return vec!["the signed document has no endorsement".to_owned()];
        };
        let endorser = &endorsement.endorser;
        let mut found = Vec::new();
        for (what, claimed, certified) in [
            ("subject", endorser.subject.as_ref(), self.leaf.subject()),
            ("issuer", endorser.issuer.as_ref(), self.leaf.issuer()),
        ] {
            match claimed {
                None => found.push(format!("the endorsement names no {what}")),
                Some(claimed) if !same_name(claimed, certified) => found.push(format!(
                    "the endorsement's {what} `{}` is not the certificate's, `{certified}`",
                    crate::problem::printable_line(claimed.as_str())
                )),
                Some(_) => {}
            }
        }
        let emails = self.leaf.emails();
        if let Some(email) = &endorser.email
            && !emails.is_empty()
            && !emails.iter().any(|e| e.eq_ignore_ascii_case(email))
        {
            found.push(format!(
                "the endorsement's e-mail address `{email}` is not in the certificate"
            ));
        }
        found
    }

    /// Whether the site knows the signer, and who that is.
    pub(crate) fn signer(
        &self,
        trust: Option<&TrustStore>,
        policy: Option<&Policy>,
        endorsed: Option<Timestamp>,
        now: Timestamp,
    ) -> Signer {
        let Some(trust) = trust else {
            let reason = "there are no trust anchors to compare the signer with".to_owned();
            let subject = self.leaf.subject().clone();
            return Signer { state: SignerState::Unknown, subject, reasons: vec![reason] };
        };
        let outcome = trust.check_endorsement(&self.document.certificates, endorsed, now);
        let mut signer =
            Signer { state: outcome.state, subject: outcome.identity, reasons: outcome.reasons };
        let weak_counts = policy.is_some_and(|p| p.accept_weak);
        if let Strength::Weak(why) = self.document.strength
            && !weak_counts
        {
            signer.reasons.push(format!("the signature {why}, so nobody is trusted for it"));
            if signer.state == SignerState::Trusted {
                signer.state = SignerState::Untrusted;
            }
        }
        signer
    }
}

/// The name of an algorithm without the address of the standard that defines it.
pub(crate) fn short(algorithm: &'static str) -> &'static str {
    algorithm.rsplit('#').next().unwrap_or(algorithm)
}

/// What is known about the signer.
pub(crate) struct Signer {
    pub(crate) state: SignerState,
    pub(crate) subject: Subject,
    pub(crate) reasons: Vec<String>,
}

/// Historical endorsements have the name as RFC 4514 writes it, later ones in slash form.
fn same_name(claimed: &Subject, certified: &Subject) -> bool {
    claimed == certified
        || !claimed.as_str().starts_with('/')
            && subject::slash_from_rfc4514(claimed.as_str()).is_ok_and(|s| s == *certified)
}
