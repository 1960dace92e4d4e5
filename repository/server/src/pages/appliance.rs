//! One appliance: who vouches for it, how to get it, what it is.

use super::catalogue::status;
use super::{Frame, crumbs, render};
use crate::error::ApiError;
use axum::response::Response;
use serde::Serialize;
use stratus_model::{ByteCount, PolicyState, SignatureState, SignerState};
use stratus_repository_api::search::ApplianceDetail;

#[derive(Serialize)]
struct View {
    name: String,
    title: Option<String>,
    description: Option<String>,
    deprecated: Option<String>,
    replaced_by: Option<String>,
    damaged: bool,
    endorser_subject: String,
    endorser_email: Option<String>,
    endorsed: String,
    valid: Option<String>,
    size: String,
    image: String,
    manifest: String,
}

#[derive(Serialize)]
struct TrustLine {
    what: &'static str,
    value: &'static str,
    class: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    value: String,
    code: bool,
}

#[derive(Serialize)]
struct Commands {
    stratus: String,
    curl: String,
}

#[derive(Serialize)]
struct VersionRow {
    page: String,
    version: String,
    status: &'static str,
    current: bool,
}

/// An appliance as a page. `damaged`: the stored bytes no longer match and are not served.
pub(crate) fn appliance(
    frame: &Frame,
    detail: &ApplianceDetail,
    damaged: bool,
) -> Result<Response, ApiError> {
    let mut context = frame.context();
    context.insert("a", &view(detail, damaged));
    context.insert(
        "crumbs",
        &crumbs(detail.summary.path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    );
    context.insert("trust", &trust(detail));
    context.insert("facts", &facts(detail));
    context.insert("commands", &commands(frame, detail));
    context.insert("versions", &versions(detail));
    render("appliance.html", &context)
}

fn view(detail: &ApplianceDetail, damaged: bool) -> View {
    let a = &detail.summary;
    View {
        name: a.name.clone(),
        title: a.title.clone(),
        description: detail.description.clone(),
        deprecated: detail.deprecated.clone(),
        replaced_by: detail.replaced_by.clone(),
        damaged,
        endorser_subject: a.endorser.clone().unwrap_or_else(|| "nobody".to_owned()),
        endorser_email: a.email.clone(),
        endorsed: detail.endorsed.map_or_else(|| "not said".to_owned(), |t| t.to_string()),
        valid: a.valid.map(|t| t.to_string()),
        size: ByteCount(a.compressed_bytes).to_string(),
        image: a.links.image.clone(),
        manifest: a.links.manifest.clone(),
    }
}

/// The three results, never one. The reasons go to the first that is not as it should be.
fn trust(detail: &ApplianceDetail) -> Vec<TrustLine> {
    let a = &detail.summary;
    let reasons = detail.reasons.join(" ");
    let explain = |well: bool, sentence: &str| {
        if well || reasons.is_empty() { sentence.to_owned() } else { reasons.clone() }
    };
    let (signature, class, sentence) = match a.signature {
        SignatureState::Good => {
            ("good", "good", "The manifest is exactly what the endorser signed.")
        }
        SignatureState::Weak => (
            "weak",
            "warn",
            "The signature matches, with algorithms that no longer prove anything.",
        ),
        SignatureState::Bad => ("bad", "bad", "The signature does not match."),
        SignatureState::Absent => ("absent", "bad", "Nobody signed this."),
    };
    let signature = TrustLine {
        what: "Signature",
        value: signature,
        class,
        sentence: explain(a.signature == SignatureState::Good, sentence),
    };
    let (signer, class, sentence) = match a.signer {
        SignerState::Trusted => {
            ("trusted", "good", "A certificate authority of this site vouches for the endorser.")
        }
        SignerState::Untrusted => {
            ("untrusted", "bad", "No certificate authority of this site vouches for the endorser.")
        }
        SignerState::Expired => {
            ("expired", "warn", "The endorser's certificate is no longer valid.")
        }
        SignerState::Revoked => ("revoked", "bad", "The endorser's certificate was revoked."),
        SignerState::Unknown => {
            ("unknown", "warn", "This site has nothing to compare the endorser with.")
        }
    };
    let signer = TrustLine {
        what: "Signer",
        value: signer,
        class,
        sentence: explain(a.signer == SignerState::Trusted, sentence),
    };
    let (policy, class, sentence) = match a.policy {
        PolicyState::Allowed => {
            ("allowed", "good", "A rule of this site allows the endorser at this place.")
        }
        PolicyState::Refused => ("refused", "bad", "The rules of this site do not allow this."),
        PolicyState::Unchecked => {
            ("unchecked", "warn", "This site has no rules about who may endorse what.")
        }
    };
    let policy = TrustLine {
        what: "Rules",
        value: policy,
        class,
        sentence: explain(a.policy != PolicyState::Refused, sentence),
    };
    vec![signature, signer, policy]
}

fn facts(detail: &ApplianceDetail) -> Vec<Fact> {
    let a = &detail.summary;
    let mut facts = vec![
        fact("Operating system", format!("{} {}", a.os, a.osversion)),
        fact("Architecture", a.arch.clone()),
        fact("Type", a.kind.clone()),
        fact("Version", a.version.clone()),
        fact(
            "Disk",
            format!(
                "{}, {} ({} bytes)",
                a.format.as_deref().unwrap_or("raw"),
                ByteCount(a.bytes),
                a.bytes
            ),
        ),
        fact(
            "Compressed",
            format!("{} ({} bytes)", ByteCount(a.compressed_bytes), a.compressed_bytes),
        ),
        fact("Published", a.published.to_string()),
    ];
    facts.extend(detail.user.clone().map(|user| fact("Made by", user)));
    facts.extend(detail.created.map(|t| fact("Made", t.to_string())));
    if !detail.hypervisors.is_empty() {
        facts.push(fact("Hypervisors", detail.hypervisors.join(", ")));
    }
    facts.extend(detail.bus.clone().map(|bus| fact("Disk bus", bus)));
    facts.extend(detail.minimum.as_ref().map(|m| {
        let parts = [
            m.cpu.map(|n| format!("{n} processors")),
            m.memory_mib.map(|n| format!("{n} MiB memory")),
            m.disk_mib.map(|n| format!("{n} MiB disk")),
        ];
        fact("Needs", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }));
    facts.extend(a.identifier.clone().map(|id| code("Identifier", id)));
    facts.extend(
        detail.checksums.iter().map(|c| code("Image", format!("{} {}", c.algorithm, c.value))),
    );
    facts.extend(
        detail
            .compressed
            .checksums
            .iter()
            .map(|c| code("File", format!("{} {}", c.algorithm, c.value))),
    );
    facts.extend(detail.comments.iter().map(|c| fact("Comment", c.clone())));
    facts
}

fn fact(label: &'static str, value: String) -> Fact {
    Fact { label, value, code: false }
}

fn code(label: &'static str, value: String) -> Fact {
    Fact { label, value, code: true }
}

fn commands(frame: &Frame, detail: &ApplianceDetail) -> Commands {
    let a = &detail.summary;
    let url = &frame.base_url;
    let file = a.links.image.rsplit('/').next().unwrap_or_default();
    Commands {
        stratus: format!(
            "stratus-download-image {} \\\n    --repository {url} --trust trusted.pem -o {}.img",
            a.name, a.name
        ),
        curl: format!(
            "curl -fO {url}{}\ncurl -fO {url}{}.sha256\nsha256sum -c {file}.sha256",
            a.links.image, a.links.image
        ),
    }
}

fn versions(detail: &ApplianceDetail) -> Vec<VersionRow> {
    let row = |v: &stratus_repository_api::search::VersionLink| VersionRow {
        page: format!("/appliances/{}", v.path),
        version: v.version.clone(),
        status: status(v.status).0,
        current: v.path == detail.summary.path,
    };
    if detail.versions.len() > 1 { detail.versions.iter().map(row).collect() } else { Vec::new() }
}
