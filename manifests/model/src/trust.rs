//! What we think of a signed document: three answers, never one.

use serde::{Deserialize, Serialize};

/// Is the mathematics right?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureState {
    /// The signature covers the document and was made with the certificate's key.
    Good,
    /// As good, but made with algorithms that no longer prove anything (SHA-1, RSA below 2048).
    Weak,
    /// The signature does not match, or is not in the profile that Stratus accepts.
    Bad,
    /// There is none.
    Absent,
}

/// Does the site know the signer?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignerState {
    /// A chain leads to one of the site's trust anchors, now and at the endorsement.
    Trusted,
    /// No chain leads to a trust anchor.
    Untrusted,
    /// The chain is right but was not valid at the endorsement, or is not valid now.
    Expired,
    /// A certificate of the chain is on its issuer's revocation list.
    Revoked,
    /// Nothing to compare with: no anchors were given, or there is no good signature.
    Unknown,
}

/// Do the site's own rules allow this signer here?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyState {
    /// A rule allows it.
    Allowed,
    /// A rule refuses it, or rules exist and none allows it.
    Refused,
    /// There are no rules.
    Unchecked,
}

/// The three results, with a sentence for each thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Is the mathematics right?
    pub signature: SignatureState,
    /// Does the site know the signer?
    pub signer: SignerState,
    /// Do the site's own rules allow this signer here?
    pub policy: PolicyState,
    /// Sentences for the person who reads them; empty when all is well.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Whether the document may be relied on: good, trusted, and not refused.
    pub fn accepted(&self) -> bool {
        self.signature == SignatureState::Good
            && self.signer == SignerState::Trusted
            && self.policy != PolicyState::Refused
    }
}
