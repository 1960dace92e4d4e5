//! Whether a signed document may be relied on, before a single byte of an image is asked for.

use crate::error::{ClientError, NotAccepted};
use crate::wanted::Wanted;
use jiff::Timestamp;
use stratus_manifest::{Policy, deprecation, validate};
use stratus_model::{
    Algorithm, AppliancePath, Coordinates, Digest, Exit, Identifier, Layout, Manifest,
    SignatureState, SignerState,
};
use stratus_repository_api::route::ApplianceKey;
use stratus_x509::TrustStore;

/// Whom this machine trusts, and its own rules.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Trust anchors.
    pub anchors: &'a TrustStore,
    /// Rules about endorsers, if there are any.
    pub policy: Option<&'a Policy>,
    /// The time of the check.
    pub now: Timestamp,
}

/// A manifest that may be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was signed.
    pub manifest: Manifest,
    /// What a person should know all the same.
    pub notes: Vec<String>,
}

/// Accepts a manifest for a download: signature, signer and rules, and that it is about what was
/// asked for. `path` is where it came from.
///
/// A repository cannot pass one appliance off as another: a signature is only worth something for
/// the name that was signed.
pub fn accept_manifest(
    bytes: &[u8],
    wanted: &Wanted,
    path: &AppliancePath,
    trust: &Trust<'_>,
) -> Result<Accepted, ClientError> {
    let what = format!("the manifest of `{path}`");
    let refuse = |reasons, exit| Err(ClientError::NotAccepted(NotAccepted { what, reasons, exit }));
    let validation = validate(bytes, Some(trust.anchors), trust.policy, trust.now);
    if validation.fault.is_some() {
        return refuse(validation.verdict.reasons, Exit::Failed);
    }
    let notes = validation.verdict.reasons.clone();
    let manifest = match validation.verified() {
        Ok(verified) => verified.into_inner(),
        Err(validation) => {
            let mut reasons = validation.verdict.reasons;
            if reasons.is_empty() {
                reasons.push(summary(validation.verdict.signature, validation.verdict.signer));
            }
            return refuse(reasons, Exit::Refused);
        }
    };
    if let Some(reason) = other_than(&manifest, wanted, path) {
        return refuse(vec![reason], Exit::Refused);
    }
    Ok(Accepted { manifest, notes })
}

/// Why an appliance should no longer be used, if somebody trusted says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deprecated {
    /// A trusted person says so, for this reason, with what to use instead.
    For(String),
    /// There is a statement that proves nothing, for this reason.
    Doubtful(String),
}

/// Reads a statement that lies beside a manifest.
pub fn read_deprecation(bytes: &[u8], manifest: &Manifest, trust: &Trust<'_>) -> Deprecated {
    let validation = deprecation::validate(bytes, Some(trust.anchors), trust.policy, trust.now);
    let accepted = validation.accepted();
    match validation.deprecation {
        Some(statement) if accepted && statement.concerns(manifest) => {
            Deprecated::For(match statement.replaced_by {
                Some(name) => format!("{}; use `{name}` instead", statement.reason),
                None => statement.reason,
            })
        }
        Some(_) if accepted => Deprecated::Doubtful("it is about another image".to_owned()),
        _ => {
            let reasons = validation.verdict.reasons;
            let verdict = validation.verdict.signature;
            let reason = if reasons.is_empty() {
                summary(verdict, validation.verdict.signer)
            } else {
                reasons.join("; ")
            };
            Deprecated::Doubtful(reason)
        }
    }
}

fn summary(signature: SignatureState, signer: SignerState) -> String {
    match (signature, signer) {
        (SignatureState::Good, SignerState::Trusted) => "a rule refuses it",
        (SignatureState::Good, _) => "its signer is not trusted",
        (SignatureState::Weak, _) => "its signature is too weak to prove anything",
        (SignatureState::Bad, _) => "its signature does not match",
        (SignatureState::Absent, _) => "it is not signed",
    }
    .to_owned()
}

/// How the manifest differs from what was asked for.
fn other_than(manifest: &Manifest, wanted: &Wanted, path: &AppliancePath) -> Option<String> {
    if let Wanted::Key(key) = wanted {
        return (!has_key(manifest, key)).then(|| format!("it does not describe image `{key}`"));
    }
    match manifest.coordinates() {
        Ok(coordinates) if is_at(&coordinates, path) => None,
        Ok(coordinates) => Some(format!("it describes `{}`", coordinates.name())),
        Err(missing) => Some(missing.to_string()),
    }
}

fn has_key(manifest: &Manifest, key: &ApplianceKey) -> bool {
    match key {
        ApplianceKey::Identifier(identifier) => {
            let sha1 = manifest.checksum(Algorithm::Sha1).and_then(Identifier::from_digest);
            [manifest.identifier, sha1].contains(&Some(*identifier))
        }
        ApplianceKey::Sha256(digest) => {
            let compressed = manifest.compressed.iter().flat_map(|c| &c.checksums);
            let mut all = manifest.checksums.iter().chain(compressed);
            all.any(|d: &Digest| d == digest)
        }
    }
}

/// Whether an appliance of this name may live at this path. The usual layout is compared exactly; a
/// site may have its own, which has each of the five parts somewhere in the path.
fn is_at(coordinates: &Coordinates, path: &AppliancePath) -> bool {
    if Layout::default().place(coordinates).is_ok_and(|usual| usual == *path)
        || coordinates.name() == path.name()
    {
        return true;
    }
    let kind = coordinates.kind.as_str();
    let folders = coordinates.kind.as_path();
    let parts: Vec<&str> = path.as_str().split(['/', '-']).collect();
    let has = |part: &str| {
        let wanted: Vec<&str> = part.split(['/', '-']).collect();
        parts.windows(wanted.len()).any(|window| window == wanted)
    };
    (has(kind) || has(&folders))
        && [&coordinates.os, &coordinates.os_version, &coordinates.arch, &coordinates.version]
            .into_iter()
            .all(|part| has(part.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinates() -> Coordinates {
        Coordinates {
            kind: "grid.ce".parse().unwrap(),
            os: "sl".parse().unwrap(),
            os_version: "5.5".parse().unwrap(),
            arch: "x86_64".parse().unwrap(),
            version: "1.0".parse().unwrap(),
        }
    }

    #[test]
    fn a_manifest_is_believed_only_about_its_own_place() {
        for (path, good) in [
            ("grid/ce/sl-5.5-x86_64-grid.ce/1.0/sl-5.5-x86_64-grid.ce-1.0", true),
            ("elsewhere/sl-5.5-x86_64-grid.ce-1.0", true),
            ("sl/5.5/x86_64/grid.ce/1.0", true),
            ("sl/5.5/x86_64/grid/ce/image-1.0", true),
            ("grid/ce/sl-5.5-x86_64-grid.ce/1.1/sl-5.5-x86_64-grid.ce-1.1", false),
            ("grid/ce/sl-5.4-x86_64-grid.ce/1.0/sl-5.4-x86_64-grid.ce-1.0", false),
            ("base/sl-5.5-x86_64-base/1.0/sl-5.5-x86_64-base-1.0", false),
            ("grid/ce/sl-5.5-x86_64-grid.ce/11.0/sl-5.5-x86_64-grid.ce-11.0", false),
        ] {
            assert_eq!(is_at(&coordinates(), &AppliancePath::parse(path).unwrap()), good, "{path}");
        }
    }

    #[test]
    fn an_image_asked_for_by_digest_has_that_digest() {
        let mut manifest = Manifest::empty();
        let key = ApplianceKey::Sha256(Digest::sha256([1; 32]));
        assert!(!has_key(&manifest, &key));
        manifest.checksums.push(Digest::sha256([1; 32]));
        assert!(has_key(&manifest, &key));
        let sha1 = Digest::new(Algorithm::Sha1, &[7; 20]).unwrap();
        let identifier = ApplianceKey::Identifier(Identifier::from_sha1([7; 20]));
        assert!(!has_key(&manifest, &identifier));
        manifest.checksums.push(sha1);
        assert!(has_key(&manifest, &identifier));
    }
}
