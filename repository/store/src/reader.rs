//! What the store asks of whoever understands manifests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stratus_model::{AppliancePath, Manifest, Subject, Verdict};

/// Understands manifests: XML, signatures and trust are not the store's business.
///
/// Called on a blocking thread, at publication, and whenever the index is made again from the tree.
/// A published manifest is read for ever: a signer who has expired since changes the verdict and is
/// no reason to fail. The error is a sentence.
pub trait ManifestReader: Send + Sync + 'static {
    /// What a manifest says and what the site thinks of it.
    fn manifest(&self, path: &AppliancePath, bytes: &[u8]) -> Result<(Manifest, Verdict), String>;

    /// What a deprecation says.
    fn deprecation(&self, path: &AppliancePath, bytes: &[u8]) -> Result<Deprecation, String>;
}

/// The statement that an appliance should no longer be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprecation {
    /// Why, in the endorser's words.
    pub reason: String,
    /// Name of the appliance to use instead.
    #[serde(default)]
    pub replaced_by: Option<String>,
    /// Who says so.
    pub by: Option<Subject>,
    /// Since when.
    pub at: Option<Timestamp>,
}
