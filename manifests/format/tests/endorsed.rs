//! Signing: what is filled in, what is refused, and what the peers say about the result.

mod programs;

use jiff::{SignedDuration, Timestamp};
use proptest::test_runner::TestRunner;
use std::process::Command;
use stratus_manifest::deprecation::{self, Deprecation};
use stratus_manifest::{
    EndorseError, EndorseOptions, Policy, endorse, endorse_with, policy::PolicyFile, read, validate,
};
use stratus_model::{PolicyState, SignatureState, SignerState};
use stratus_x509::generate::{self, Generated, KeyChoice, Validity};
use stratus_x509::{Credential, TrustStore};

const COMPLETE: &str = include_str!("../testdata/valid-format-1/document.xml");
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

fn now() -> Timestamp {
    // xmlsec1 knows no other time than the machine's, so certificates must be valid at both.
    Timestamp::now()
}

fn made(subject: &str, email: Option<&str>, kind: KeyChoice) -> Generated {
    let validity = Validity { from: now() - SignedDuration::from_hours(1), days: 365 };
    generate::self_signed(subject, email, kind, validity).expect("a certificate")
}

fn credential(made: &Generated) -> Credential {
    Credential::from_pem(made.cert_pem.as_bytes(), made.key_pem.as_bytes(), None)
        .expect("a credential")
}

fn signer(kind: KeyChoice) -> (Credential, Generated) {
    let made = made("/O=Example/CN=signer", Some("signer@example.org"), kind);
    (credential(&made), made)
}

#[test]
fn xmlsec1_and_xmllint_accept_what_is_signed() {
    let folder = programs::Folder::new("signed");
    for (name, kind) in
        [("rsa", KeyChoice::Rsa2048), ("p256", KeyChoice::P256), ("p384", KeyChoice::P384)]
    {
        let (credential, made) = signer(kind);
        let signed = endorse(COMPLETE, &credential, now()).expect("signed");
        let file = folder.write(&format!("{name}.xml"), &signed);
        let cert = folder.write(&format!("{name}.crt"), &made.cert_pem);
        let mut command = Command::new("xmlsec1");
        command.arg("--verify").arg("--trusted-pem").arg(cert).arg(&file);
        let output = programs::run(&mut command, "xmlsec1");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        programs::xmllint_schema(&[file]);
        let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
        let validation = validate(signed.as_bytes(), Some(&trust), None, now());
        assert!(validation.accepted(), "{name}: {:?}", validation.verdict);
    }
}

#[test]
fn the_endorsement_is_the_certificates() {
    let (credential, _) = signer(KeyChoice::P256);
    let signed = endorse(COMPLETE, &credential, now()).expect("signed");
    let manifest = read(signed.as_bytes()).expect("readable").into_unverified_manifest();
    let endorser = manifest.endorsement.expect("an endorsement").endorser;
    assert_eq!(endorser.subject.expect("a subject").as_str(), "/O=Example/CN=signer");
    assert_eq!(endorser.issuer.expect("an issuer").as_str(), "/O=Example/CN=signer");
    assert_eq!(endorser.email.as_deref(), Some("signer@example.org"));
}

#[test]
fn a_second_signer_replaces_the_first_and_that_is_said() {
    let (first, _) = signer(KeyChoice::P256);
    let signed = endorse(COMPLETE, &first, now()).expect("signed");
    let second = made("/O=Example/CN=second", None, KeyChoice::P256);
    let options = EndorseOptions { email: Some("second@example.org".into()), ..Default::default() };
    let again = endorse_with(&signed, &credential(&second), now(), &options).expect("signed again");
    assert_eq!(again.notes, ["the signature and endorsement that were there are replaced"]);
    let trust = TrustStore::from_pem(second.cert_pem.as_bytes()).expect("anchors");
    let validation = validate(again.xml.as_bytes(), Some(&trust), None, now());
    assert!(validation.accepted(), "{:?}", validation.verdict);
    assert_eq!(validation.endorser.expect("an endorser").as_str(), "/O=Example/CN=second");
    assert_eq!(again.xml.matches("<endorsement>").count(), 1);
}

#[test]
fn foreign_elements_are_signed_too() {
    let foreign = include_str!("../testdata/valid-format-1-foreign-elements/document.xml");
    let compressed = &COMPLETE[COMPLETE.find("  <compressed>").expect("there")
        ..COMPLETE.find("  <title>").expect("there")];
    let complete = foreign.replace("  <x:build", &format!("{compressed}  <x:build"));
    // The compressed file comes from another manifest, and belongs before foreign elements.
    let (credential, made) = signer(KeyChoice::P256);
    let signed = endorse(&complete, &credential, now()).expect("signed");
    assert!(signed.contains("<x:number>7</x:number>") && signed.contains("by hand"));
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    assert!(validate(signed.as_bytes(), Some(&trust), None, now()).accepted());
}

#[test]
fn an_incomplete_manifest_is_not_signed() {
    let (credential, _) = signer(KeyChoice::P256);
    let minimal = include_str!("../testdata/valid-format-1-minimal/document.xml");
    let error = endorse(minimal, &credential, now()).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the manifest does not say enough to be signed; it lacks <compressed>"
    );
}

#[test]
fn a_historical_manifest_is_signed_only_when_asked_to() {
    let (credential, made) = signer(KeyChoice::P256);
    let rdf = include_str!("../testdata/valid-rdf-2013-every-field/document.xml");
    let error = endorse(rdf, &credential, now()).expect_err("refused");
    assert!(matches!(error, EndorseError::Historical(_)), "{error}");
    let options = EndorseOptions { upgrade: true, ..Default::default() };
    // Its validity ended in 2013, which signing anew does not change.
    let upgraded = endorse_with(rdf, &credential, now(), &options).expect("signed");
    insta::assert_snapshot!(upgraded.notes.join("\n"));
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    let validation = validate(upgraded.xml.as_bytes(), Some(&trust), None, now());
    assert_eq!(validation.verdict.signature, SignatureState::Good);
    assert_eq!(validation.verdict.policy, PolicyState::Refused);
    let flat = include_str!("../testdata/valid-flat-2010-10-seconds/document.xml");
    let error = endorse_with(flat, &credential, now(), &options).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the manifest does not say enough to be signed; it lacks <format>, <bytes>, <checksum> of SHA-256 or SHA-512"
    );
}

#[test]
fn a_certificate_that_is_not_valid_now_does_not_sign() {
    let (credential, _) = signer(KeyChoice::P256);
    for time in [now() - YEAR, now() + YEAR * 2] {
        let error = endorse(COMPLETE, &credential, time).expect_err("refused");
        assert!(matches!(error, EndorseError::CertificateNotValid { .. }), "{error}");
    }
}

#[test]
fn an_email_address_that_is_not_the_certificates_is_refused() {
    let (credential, _) = signer(KeyChoice::P256);
    for email in ["boss@example.org", "not an address"] {
        let options = EndorseOptions { email: Some(email.into()), ..Default::default() };
        let error = endorse_with(COMPLETE, &credential, now(), &options).expect_err("refused");
        assert!(matches!(error, EndorseError::Email(_)), "{error}");
    }
}

#[test]
fn a_key_of_another_certificate_does_not_sign() {
    let (mut one, _) = signer(KeyChoice::P256);
    let (other, _) = signer(KeyChoice::P256);
    one.key = other.key;
    assert!(endorse(COMPLETE, &one, now()).is_err());
}

#[test]
fn the_policy_is_asked_about_the_place_and_the_person() {
    let (credential, made) = signer(KeyChoice::P256);
    let signed = endorse(COMPLETE, &credential, now()).expect("signed");
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    let judged = |path: &str, subject: &str| {
        let rule = format!(r#"{{"endorsers": [{{"path": "{path}", "subject": "{subject}"}}]}}"#);
        let file: PolicyFile = serde_json::from_str(&rule).expect("a policy");
        let policy: Policy = file.check().expect("a policy");
        validate(signed.as_bytes(), Some(&trust), Some(&policy), now())
    };
    assert!(judged("base/**", "/O=Example/CN=*").accepted());
    for (path, subject) in [("grid/**", "/O=Example/CN=*"), ("base/**", "/O=Other/*")] {
        let validation = judged(path, subject);
        assert_eq!(validation.verdict.policy, PolicyState::Refused);
        assert_eq!(validation.verdict.signer, SignerState::Trusted);
        assert!(!validation.accepted());
    }
}

#[test]
fn a_changed_byte_never_goes_unseen() {
    let (credential, made) = signer(KeyChoice::P256);
    let signed = endorse(COMPLETE, &credential, now()).expect("signed");
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    let manifest = read(signed.as_bytes()).expect("readable").into_unverified_manifest();
    let mut runner = TestRunner::deterministic();
    for _ in 0..150 {
        let (at, byte): (usize, u8) = {
            use proptest::prelude::*;
            use proptest::strategy::ValueTree;
            (0..signed.len(), 32u8..127).new_tree(&mut runner).expect("a case").current()
        };
        let mut bytes = signed.clone().into_bytes();
        bytes[at] = byte;
        let validation = validate(&bytes, Some(&trust), None, now());
        if validation.accepted() {
            assert_eq!(validation.manifest.as_ref(), Some(&manifest), "byte {at} became {byte}");
        }
    }
}

#[test]
fn a_deprecation_is_signed_and_judged() {
    let (credential, made) = signer(KeyChoice::Rsa2048);
    let manifest = read(COMPLETE.as_bytes()).expect("readable").into_unverified_manifest();
    let statement = Deprecation::of(&manifest, "x-1.0".into(), "broken".into(), now());
    let xml = deprecation::write(&statement).expect("written");
    let signed = deprecation::endorse(&xml, &credential, now()).expect("signed");
    let folder = programs::Folder::new("deprecation-signed");
    let file = folder.write("x.xml", &signed);
    let cert = folder.write("x.crt", &made.cert_pem);
    let mut command = Command::new("xmlsec1");
    command.arg("--verify").arg("--trusted-pem").arg(cert).arg(&file);
    let output = programs::run(&mut command, "xmlsec1");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    programs::xmllint_schema(&[file]);
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    let validation = deprecation::validate(signed.as_bytes(), Some(&trust), None, now());
    assert!(validation.accepted(), "{:?}", validation.verdict);
    assert!(validation.deprecation.expect("content").concerns(&manifest));
    let tampered = signed.replace("broken", "fine");
    let validation = deprecation::validate(tampered.as_bytes(), Some(&trust), None, now());
    assert_eq!(validation.verdict.signature, SignatureState::Bad);
    let unsigned = deprecation::validate(xml.as_bytes(), Some(&trust), None, now());
    assert_eq!(unsigned.verdict.signature, SignatureState::Absent);
    let manifest = deprecation::validate(COMPLETE.as_bytes(), Some(&trust), None, now());
    assert!(manifest.fault.is_some());
}

#[test]
fn foreign_elements_keep_their_namespaces_in_their_new_place() {
    let complete = COMPLETE
        .replace("<manifest xmlns=", "<s:manifest xmlns:x=\"urn:x\" xmlns:y=\"urn:y\" xmlns:s=")
        .replace("</manifest>", "<x:a b='xmlns:y=1' y:c=\"&lt;\"><d/><x:e/></x:a></s:manifest>");
    // Every element of ours gets the prefix, so that there is no default namespace.
    let names = [
        "created",
        "type",
        "version",
        "arch",
        "user",
        "os",
        "osversion",
        "compression",
        "filename",
        "format",
        "bytes",
        "checksum",
        "compressed",
        "chunks",
        "title",
        "description",
        "comment",
        "valid",
        "location",
        "hypervisor",
        "bus",
        "minimum",
        "cpu",
        "memory",
        "disk",
        "replaces",
        "identifier",
    ];
    let prefixed = names.iter().fold(complete, |text, name| {
        text.replace(&format!("<{name}>"), &format!("<s:{name}>"))
            .replace(&format!("<{name} "), &format!("<s:{name} "))
            .replace(&format!("</{name}>"), &format!("</s:{name}>"))
    });
    let (credential, made) = signer(KeyChoice::P256);
    let signed = endorse(&prefixed, &credential, now()).expect("signed");
    assert!(signed.contains("<x:a xmlns=\"\" xmlns:x=\"urn:x\" xmlns:y=\"urn:y\""), "{signed}");
    let trust = TrustStore::from_pem(made.cert_pem.as_bytes()).expect("anchors");
    assert!(validate(signed.as_bytes(), Some(&trust), None, now()).accepted());
}
