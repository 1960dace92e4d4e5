//! How the store understands manifests: through us, because XML and trust are not its business.

use jiff::Timestamp;
use std::sync::Arc;
use stratus_anchors::Anchors;
use stratus_manifest::policy::Who;
use stratus_manifest::{Checks, Policy, deprecation, validate_with};
use stratus_model::{AppliancePath, Manifest, Verdict};
use stratus_store::{Deprecation, ManifestReader};

/// Reads what is published with the trust anchors and rules of now.
pub(crate) struct Reader {
    pub(crate) anchors: Option<Arc<Anchors>>,
    pub(crate) policy: Policy,
}

impl ManifestReader for Reader {
    fn manifest(&self, path: &AppliancePath, bytes: &[u8]) -> Result<(Manifest, Verdict), String> {
        let store = self.anchors.as_ref().map(|a| a.store());
        // Who published it was checked then. A rule about a group cannot be asked again without the
        // login, so it counts as met.
        let groups: Vec<String> = self
            .policy
            .endorsers
            .iter()
            .filter_map(|rule| match &rule.who {
                Who::Group(group) => Some(group.clone()),
                Who::Subject(_) => None,
            })
            .collect();
        let checks = Checks {
            trust: store.as_deref(),
            policy: Some(&self.policy),
            groups: &groups,
            path: Some(path),
            now: Timestamp::now(),
        };
        let validation = validate_with(bytes, &checks);
        match (validation.manifest, validation.fault) {
            (Some(manifest), None) => Ok((manifest, validation.verdict)),
            (_, fault) => Err(fault.unwrap_or_else(|| validation.verdict.reasons.join("; "))),
        }
    }

    fn deprecation(&self, _path: &AppliancePath, bytes: &[u8]) -> Result<Deprecation, String> {
        let store = self.anchors.as_ref().map(|a| a.store());
        let read =
            deprecation::validate(bytes, store.as_deref(), Some(&self.policy), Timestamp::now());
        match (read.deprecation, read.fault) {
            (Some(statement), None) => Ok(Deprecation {
                reason: statement.reason,
                replaced_by: statement.replaced_by,
                by: read.endorser,
                at: Some(statement.created),
            }),
            (_, fault) => Err(fault.unwrap_or_else(|| read.verdict.reasons.join("; "))),
        }
    }
}
