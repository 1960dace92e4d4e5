//! The zoo judged: what validation says about each animal, with `testdata/trusted.pem` as the one
//! trust anchor and a fixed time. The signed animals were signed by `xmlsec1`.

use jiff::Timestamp;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use stratus_manifest::{Policy, Validation, validate};
use stratus_model::{SignatureState, SignerState};
use stratus_x509::TrustStore;

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn animals() -> Vec<String> {
    let mut found: Vec<_> = std::fs::read_dir(zoo())
        .expect("the zoo is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("document.xml").exists())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

fn document(animal: &str) -> Vec<u8> {
    std::fs::read(zoo().join(animal).join("document.xml")).expect("a document")
}

fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().expect("a time")
}

fn anchors() -> TrustStore {
    TrustStore::from_pem(include_bytes!("../testdata/trusted.pem")).expect("an anchor")
}

fn judged(animal: &str) -> Validation {
    validate(&document(animal), Some(&anchors()), None, now())
}

fn shown(validation: &Validation) -> String {
    let verdict = &validation.verdict;
    let mut text = format!(
        "format {:?}\nsignature {:?}\nsigner {:?}\npolicy {:?}\naccepted {}\n",
        validation.format,
        verdict.signature,
        verdict.signer,
        verdict.policy,
        validation.accepted()
    );
    if let Some(endorser) = &validation.endorser {
        let _ = writeln!(text, "endorser {endorser}");
    }
    for reason in &verdict.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    text
}

#[test]
fn every_signed_animal_is_judged_as_written_down() {
    let signed: Vec<_> = animals().into_iter().filter(|a| a.starts_with("signed-")).collect();
    assert!(signed.len() > 30, "the zoo lost animals: {}", signed.len());
    for animal in signed {
        let validation = judged(&animal);
        assert_eq!(
            validation.accepted(),
            animal.starts_with("signed-good-") || animal == "signed-deprecated-inside",
            "{animal}: {:?}",
            validation.verdict
        );
        insta::with_settings!({
            snapshot_path => zoo().join(&animal),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!("verdict", shown(&validation));
        });
        assert_eq!(validation.accepted(), validation.verified().is_ok(), "{animal}");
    }
}

#[test]
fn nothing_unsigned_is_ever_accepted() {
    for animal in animals().into_iter().filter(|a| !a.starts_with("signed-")) {
        let validation = judged(&animal);
        assert!(!validation.accepted(), "{animal}");
        assert_eq!(validation.verdict.signature, SignatureState::Absent, "{animal}");
        assert_eq!(validation.verdict.signer, SignerState::Unknown, "{animal}");
        assert!(!validation.verdict.reasons.is_empty(), "{animal}");
        assert_eq!(validation.fault.is_none(), animal.starts_with("valid-"), "{animal}");
        assert_eq!(validation.manifest.is_some(), animal.starts_with("valid-"), "{animal}");
    }
}

#[test]
fn without_anchors_nobody_is_known() {
    let validation = validate(&document("signed-good-rsa"), None, None, now());
    assert_eq!(validation.verdict.signature, SignatureState::Good);
    assert_eq!(validation.verdict.signer, SignerState::Unknown);
    assert!(!validation.accepted());
    assert!(validation.verified().is_err());
}

#[test]
fn a_weak_signature_counts_only_where_the_site_says_so() {
    let bytes = document("signed-rdf-2011-sha1");
    // At the time: the certificate was valid, the validity had not ended.
    let then: Timestamp = "2013-06-01T00:00:00Z".parse().expect("a time");
    let strict = validate(&bytes, Some(&anchors()), None, then);
    assert_eq!(strict.verdict.signature, SignatureState::Weak);
    assert_eq!(strict.verdict.signer, SignerState::Untrusted);
    assert!(!strict.accepted());
    let lenient = Policy { accept_weak: true, ..Policy::default() };
    let accepted = validate(&bytes, Some(&anchors()), Some(&lenient), then);
    assert_eq!(accepted.verdict.signer, SignerState::Trusted, "{:?}", accepted.verdict);
    assert!(accepted.verified().is_ok());
}

#[test]
fn what_is_verified_is_what_was_signed() {
    let verified = judged("signed-good-later-comment").verified().expect("accepted");
    assert_eq!(verified.os.as_deref(), Some("ubuntu"));
    assert_eq!(
        verified.endorsement.as_ref().and_then(|e| e.endorser.email.as_deref()),
        Some("signer@example.org")
    );
    assert!(verified.into_inner().expected().is_ok());
}
