//! An image beside its manifest, with the digests that are known so far.

use crate::record::{Check, CheckState, FormFacts};
use crate::{ImageFacts, Record};
use stratus_image::{Algorithms, Form, Inspected, Mismatches};
use stratus_model::{Algorithm, Chunks, Digest, Expected};

/// Which digests of a manifest must be computed before it can be believed: none, where a SHA-256 of
/// the content is there to compare with what every upload is measured by.
pub(crate) fn missing(expected: &Expected) -> Option<Algorithms> {
    let known = |d: &Digest| d.algorithm() == Algorithm::Sha256;
    if expected.checksums.iter().any(known) {
        return None;
    }
    Some(plus_sha256(Algorithms::expected(expected)))
}

/// With SHA-256 of both forms.
pub(crate) fn plus_sha256(mut algorithms: Algorithms) -> Algorithms {
    for list in [&mut algorithms.compressed, &mut algorithms.content] {
        if !list.contains(&Algorithm::Sha256) {
            list.push(Algorithm::Sha256);
        }
    }
    algorithms
}

/// Compares sizes, chunks, and every digest that was computed.
pub(crate) fn compare(expected: &Expected, facts: &ImageFacts) -> Result<(), Mismatches> {
    let measured = |form: &FormFacts, chunks: Option<Chunks>| stratus_image::Measured {
        bytes: form.bytes,
        digests: form.digests.clone(),
        chunks,
    };
    let chunks = Chunks { size: Chunks::SIZE, sha256: facts.chunks.clone() };
    let compressed = measured(&facts.compressed, Some(chunks));
    let content = measured(&facts.content, None);
    stratus_image::compare(&known(expected, facts), Some(&compressed), &content)
}

/// What the manifest says, without the digests that were not computed.
fn known(expected: &Expected, facts: &ImageFacts) -> Expected {
    let mut known = expected.clone();
    // A historical manifest may mean the gzip file, which has the same algorithms computed.
    known.checksums.retain(|d| facts.content.digest(d.algorithm()).is_some());
    if let Some(compressed) = &mut known.compressed {
        compressed.checksums.retain(|d| facts.compressed.digest(d.algorithm()).is_some());
    }
    known
}

/// Which form a manifest's own checksums are about. Historical ones may mean the gzip file.
fn form_of_checksums(expected: &Expected, facts: &ImageFacts) -> Form {
    let compressed = &facts.compressed;
    let is_gzip = expected.compressed.is_none()
        && expected.bytes == compressed.bytes
        && expected.checksums.iter().any(|d| compressed.digests.contains(d));
    if is_gzip { Form::Compressed } else { Form::Content }
}

/// Fills in what was measured, and which digests are still to be compared.
///
/// `all` says that every digest of the manifest was computed.
pub(crate) fn fill(record: &mut Record, expected: &Expected, facts: &ImageFacts) {
    record.content = facts.content.clone();
    record.compressed = facts.compressed.clone();
    record.disk_format = Some(facts.disk_format);
    record.checks.clear();
    let form = form_of_checksums(expected, facts);
    let mut add = |form: Form, digest: &Digest| {
        let facts = match form {
            Form::Compressed => &facts.compressed,
            Form::Content => &facts.content,
        };
        let state = match facts.digest(digest.algorithm()) {
            Some(found) if found == digest => CheckState::Verified,
            Some(_) => CheckState::Failed,
            None => CheckState::Pending,
        };
        let check = Check { form, digest: digest.clone(), state };
        if !record.checks.contains(&check) {
            record.checks.push(check);
        }
    };
    expected.checksums.iter().for_each(|d| add(form, d));
    for digest in expected.compressed.iter().flat_map(|c| &c.checksums) {
        add(Form::Compressed, digest);
    }
    if let Some(identifier) = record.identifier {
        add(Form::Content, &identifier.sha1());
    }
}

/// Takes the manifest's digests for the image's, as after a restart: they were compared when the
/// appliance was published. `None` where the manifest does not say enough of the gzip file.
pub(crate) fn believed(
    expected: &Expected,
    record: &Record,
    compressed_bytes: u64,
) -> Option<ImageFacts> {
    let compressed = expected.compressed.as_ref()?;
    let has = |list: &[Digest]| list.iter().any(|d| d.algorithm() == Algorithm::Sha256);
    if !has(&compressed.checksums)
        || !has(&expected.checksums)
        || compressed.bytes != compressed_bytes
    {
        return None;
    }
    let only_sha256 = |list: &[Digest]| {
        list.iter().filter(|d| d.algorithm() == Algorithm::Sha256).cloned().collect()
    };
    Some(ImageFacts {
        compressed: FormFacts {
            bytes: compressed_bytes,
            digests: only_sha256(&compressed.checksums),
        },
        chunks: Vec::new(),
        content: FormFacts { bytes: expected.bytes, digests: only_sha256(&expected.checksums) },
        disk_format: record.disk_format.unwrap_or(stratus_model::DiskFormat::Raw),
        gzip_members: 1,
    })
}

/// What the background comparison computes: every pending digest, and the SHA-512 of the gzip file,
/// which is served beside it.
pub(crate) fn pending(record: &Record) -> Algorithms {
    let of = |form: Form| -> Vec<Algorithm> {
        record
            .checks
            .iter()
            .filter(|c| c.form == form && c.state != CheckState::Verified)
            .map(|c| c.digest.algorithm())
            .collect()
    };
    let mut algorithms =
        Algorithms { compressed: of(Form::Compressed), content: of(Form::Content) };
    if record.compressed.digest(Algorithm::Sha512).is_none() {
        algorithms.compressed.push(Algorithm::Sha512);
    }
    plus_sha256(algorithms)
}

/// Compares what was read again with what the record says, and notes the outcome: digests, states,
/// and damage.
pub(crate) fn conclude(record: &mut Record, found: &Inspected) {
    let mut wrong = Vec::new();
    for (name, stored, now) in [
        ("compressed file", &record.compressed, &found.compressed),
        ("image inside", &record.content, &found.content),
    ] {
        if stored.bytes != now.bytes {
            wrong.push(format!("the {name} has {} bytes, not {}", now.bytes, stored.bytes));
        }
        let sha256 = stored.digest(Algorithm::Sha256);
        if sha256 != now.digest(Algorithm::Sha256) {
            wrong.push(format!("the SHA-256 of the {name} is no longer what it was"));
        }
    }
    for check in &mut record.checks {
        let form = match check.form {
            Form::Compressed => &found.compressed,
            Form::Content => &found.content,
        };
        if let Some(digest) = form.digest(check.digest.algorithm()) {
            check.state =
                if *digest == check.digest { CheckState::Verified } else { CheckState::Failed };
            if check.state == CheckState::Failed {
                let (name, form) = (check.digest.algorithm().name(), check.form);
                wrong.push(format!("the {name} of the {form} is not what the manifest says"));
            }
        }
    }
    if wrong.is_empty() {
        found.compressed.digests.iter().for_each(|d| record.compressed.add(d));
        found.content.digests.iter().for_each(|d| record.content.add(d));
        record.damaged = None;
    } else {
        record.damaged = Some(wrong.join("; "));
    }
}
