//! May this document be published here, by this person?
//!
//! Pure decisions over verified facts; the order is that of what a person should hear first: the
//! document, the signer, the place, the login.

use crate::error::ApiError;
use jiff::Timestamp;
use stratus_identity::Person;
use stratus_manifest::deprecation::{self, Deprecation};
use stratus_manifest::{Checks, Policy, Validation, validate_with};
use stratus_model::{
    AppliancePath, FileKind, Layout, Manifest, PolicyState, SignatureState, SignerState, Subject,
    Verdict,
};
use stratus_repository_api::problem::ProblemKind;
use stratus_repository_api::route::Route;
use stratus_x509::TrustStore;

/// What a decision needs to know about the site and the moment.
pub(crate) struct Site<'a> {
    pub(crate) trust: Option<&'a TrustStore>,
    pub(crate) policy: &'a Policy,
    pub(crate) layout: &'a Layout,
    /// Whether a login without any bound subject may publish what the rules allow.
    pub(crate) unbound_may_publish: bool,
    pub(crate) now: Timestamp,
}

/// A manifest that may be published.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) manifest: Manifest,
    pub(crate) endorser: Option<Subject>,
}

/// Decides about a manifest that `person` sends for `path`.
pub(crate) fn manifest(
    bytes: &[u8],
    path: &AppliancePath,
    person: &Person,
    site: &Site<'_>,
) -> Result<Admitted, ApiError> {
    let groups: Vec<String> = person.groups.iter().cloned().collect();
    let checks = Checks {
        trust: site.trust,
        policy: Some(site.policy),
        groups: &groups,
        path: Some(path),
        now: site.now,
    };
    let validation = validate_with(bytes, &checks);
    readable(
        validation.fault.as_deref(),
        validation.problems.iter().map(stratus_manifest::Problem::sentence).collect(),
    )?;
    signed(&validation.verdict)?;
    let endorser = validation.endorser.clone();
    let manifest = accepted(validation)?;
    at_its_place(&manifest, path, site.layout)?;
    may_endorse(person, endorser.as_ref(), site)?;
    // What the image must be has to be said in full, or nothing could be compared.
    manifest.expected().map_err(|e| ApiError::public(ProblemKind::BadManifest, e))?;
    Ok(Admitted { manifest, endorser })
}

/// Decides about a statement that `path` should no longer be used. `endorser` stands for the
/// appliance itself.
pub(crate) fn deprecation(
    bytes: &[u8],
    endorser: Option<&Subject>,
    person: &Person,
    site: &Site<'_>,
) -> Result<(Deprecation, Option<Subject>), ApiError> {
    let validation = deprecation::validate(bytes, site.trust, Some(site.policy), site.now);
    readable(
        validation.fault.as_deref(),
        validation.problems.iter().map(stratus_manifest::Problem::sentence).collect(),
    )?;
    signed(&validation.verdict)?;
    if !validation.accepted() {
        return Err(not_trusted(&validation.verdict));
    }
    let signer = validation.endorser.clone();
    // Its own endorser takes an appliance back; administrators may for anybody.
    if signer.as_ref() != endorser && !person.administrator {
        let sentence = "Only the endorser of the appliance, or an administrator, can deprecate it.";
        return Err(ApiError::public(ProblemKind::NotAllowed, sentence));
    }
    may_endorse(person, signer.as_ref(), site)?;
    let statement = validation
        .deprecation
        .ok_or_else(|| ApiError::internal("an accepted statement has no content"))?;
    Ok((statement, signer))
}

/// Where an appliance with this manifest goes, whoever signed it.
pub(crate) fn place(manifest: &Manifest, layout: &Layout) -> Result<AppliancePath, ApiError> {
    let coordinates =
        manifest.coordinates().map_err(|e| ApiError::public(ProblemKind::BadManifest, e))?;
    layout.place(&coordinates).map_err(|e| ApiError::public(ProblemKind::BadManifest, e))
}

fn readable(fault: Option<&str>, problems: Vec<String>) -> Result<(), ApiError> {
    match fault {
        None => Ok(()),
        Some(fault) => {
            let reasons = if problems.is_empty() { vec![fault.to_owned()] } else { problems };
            Err(ApiError::with_reasons(
                ProblemKind::BadManifest,
                "The document cannot be used.",
                reasons,
            ))
        }
    }
}

/// A signature that is absent or wrong is a fault of the document, not of the signer.
fn signed(verdict: &Verdict) -> Result<(), ApiError> {
    let detail = match verdict.signature {
        SignatureState::Good | SignatureState::Weak => return Ok(()),
        SignatureState::Absent => {
            "The document is not signed; sign it with `stratus-sign-manifest`."
        }
        SignatureState::Bad => "The signature of the document is not good.",
    };
    Err(ApiError::with_reasons(ProblemKind::BadManifest, detail, verdict.reasons.clone()))
}

fn accepted(validation: Validation) -> Result<Manifest, ApiError> {
    validation
        .verified()
        .map(stratus_manifest::Verified::into_inner)
        .map_err(|v| not_trusted(&v.verdict))
}

fn not_trusted(verdict: &Verdict) -> ApiError {
    let detail = match (verdict.signer, verdict.policy) {
        (SignerState::Trusted, PolicyState::Refused) => {
            "The rules of this repository do not allow this signer here."
        }
        (SignerState::Expired, _) => "The signer's certificate was not valid.",
        (SignerState::Revoked, _) => "The signer's certificate was revoked.",
        _ => "The signer is not trusted by this repository.",
    };
    ApiError::with_reasons(ProblemKind::NotTrusted, detail, verdict.reasons.clone())
}

fn at_its_place(
    manifest: &Manifest,
    path: &AppliancePath,
    layout: &Layout,
) -> Result<(), ApiError> {
    let place = place(manifest, layout)?;
    if place == *path {
        return Ok(());
    }
    let right = Route::file(&place, FileKind::Manifest).to_path();
    let detail =
        format!("This manifest describes another appliance than this place; its place is {right}.");
    Err(ApiError::public(ProblemKind::BadManifest, detail))
}

/// A login publishes only what was signed with a certificate that is bound to it.
fn may_endorse(
    person: &Person,
    endorser: Option<&Subject>,
    site: &Site<'_>,
) -> Result<(), ApiError> {
    let Some(endorser) = endorser else {
        return Err(ApiError::public(ProblemKind::NotTrusted, "The document names no signer."));
    };
    if person.subjects.is_empty() && site.unbound_may_publish {
        return Ok(());
    }
    stratus_identity::may_endorse_as(person, endorser)
        .map_err(|error| ApiError::public(ProblemKind::NotAllowed, error))
}
