//! Records of the store as the API and the pages show them.

use jiff::Timestamp;
use stratus_model::{Algorithm, Digest};
use stratus_repository_api::listing::natural;
use stratus_repository_api::search::{
    ApplianceDetail, ApplianceSummary, Checksum, CompressedFile, Links, Minimum, Validity,
    VersionLink,
};
use stratus_store::{Facts, Record};

/// Whether an appliance should be used at `now`.
pub(crate) fn validity(record: &Record, now: Timestamp) -> Validity {
    if record.deprecated.is_some() {
        Validity::Deprecated
    } else if record.valid.is_some_and(|end| end < now) {
        Validity::Expired
    } else {
        Validity::Valid
    }
}

/// A record in a list.
pub(crate) fn summary(record: &Record, now: Timestamp) -> ApplianceSummary {
    let status = validity(record, now);
    ApplianceSummary {
        name: record.name().to_owned(),
        path: record.path.to_string(),
        kind: record.labels.kind.clone(),
        os: record.labels.os.clone(),
        osversion: record.labels.osversion.clone(),
        arch: record.labels.arch.clone(),
        version: record.labels.version.clone(),
        title: record.title.clone(),
        format: record.disk_format.map(|f| f.name().to_owned()),
        identifier: record.identifier.map(|i| i.to_string()),
        sha256: record.content_sha256().map(Digest::to_hex),
        bytes: record.content.bytes,
        compressed_bytes: record.compressed.bytes,
        published: record.published,
        valid: record.valid,
        status,
        endorser: record.endorser.as_ref().map(ToString::to_string),
        email: record.email.clone(),
        signature: record.verdict.signature,
        signer: record.verdict.signer,
        policy: record.verdict.policy,
        links: Links::of(&record.path, status),
    }
}

/// Everything about a record. `family` are the records of the same appliance, this one included.
pub(crate) fn detail(
    record: &Record,
    family: &[std::sync::Arc<Record>],
    now: Timestamp,
) -> ApplianceDetail {
    let mut versions: Vec<VersionLink> = family
        .iter()
        .map(|r| VersionLink {
            version: r.labels.version.clone(),
            path: r.path.to_string(),
            status: validity(r, now),
        })
        .collect();
    versions.sort_by(|a, b| natural(&b.version, &a.version));
    let facts = &record.facts;
    ApplianceDetail {
        summary: summary(record, now),
        description: record.description.clone(),
        user: record.user.clone(),
        created: record.created,
        endorsed: record.endorsed,
        issuer: record.issuer.as_ref().map(ToString::to_string),
        checksums: record.content.digests.iter().map(Checksum::from).collect(),
        compressed: CompressedFile {
            bytes: record.compressed.bytes,
            checksums: record.compressed.digests.iter().map(Checksum::from).collect(),
            chunk_bytes: record.chunk_bytes,
        },
        reasons: record.verdict.reasons.clone(),
        deprecated: record.deprecated.as_ref().map(|d| d.reason.clone()),
        replaced_by: record.deprecated.as_ref().and_then(|d| d.replaced_by.clone()),
        comments: facts.comments.clone(),
        hypervisors: facts.hypervisors.clone(),
        bus: facts.bus.clone(),
        minimum: minimum(facts),
        locations: facts.locations.clone(),
        replaces: facts.replaces.clone(),
        versions,
    }
}

fn minimum(facts: &Facts) -> Option<Minimum> {
    let said = facts.cpu.is_some() || facts.memory_mib.is_some() || facts.disk_mib.is_some();
    said.then_some(Minimum {
        cpu: facts.cpu,
        memory_mib: facts.memory_mib,
        disk_mib: facts.disk_mib,
    })
}

/// What names an appliance for OpenNebula: the same for ever and of this place alone, in the form
/// of a UUID.
pub(crate) fn market_id(record: &Record) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = hex::encode(Sha256::digest(record.path.as_str().as_bytes()));
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
}

/// MD5 of the file as served, where it is known.
pub(crate) fn md5(record: &Record) -> Option<String> {
    record.compressed.digest(Algorithm::Md5).map(Digest::to_hex)
}
