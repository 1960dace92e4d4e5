//! Manifests that must not be published: documents, signatures, signers.

use crate::{invisible, publishes};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::fs::File;
use std::path::PathBuf;
use stratus_tests::{Appliance, Output, Repository, Setup, disk, run, tool};
use stratus_x509::Credential;
use stratus_x509::generate::{Generated, KeyChoice, Validity, authority, self_signed};

/// A document that the server refuses with this status and text, and that the command refuses with this
/// exit code. The image waits meanwhile, and the right manifest still publishes it.
#[track_caller]
fn refused(name: &str, bad: impl Fn(&str) -> String, status: u16, text: &str, code: i32) {
    let repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), name, "1.0", &disk(50_000, 1));
    let good = fs::read_to_string(&appliance.manifest).unwrap();
    let bad = bad(&good);
    assert_ne!(good, bad, "{name}: nothing was changed");
    let image = fs::read(&appliance.image).unwrap();
    repository.put("signer", &appliance.image_path(), image).expect(name, 202, "manifest");
    repository.put("signer", &appliance.manifest_path(), bad.clone()).expect(name, status, text);
    invisible(&repository, &appliance);
    let checked = validate(&repository, &bad);
    assert_eq!(checked.code, code, "{name}: {}{}", checked.stdout, checked.stderr);
    publishes(&repository, &appliance);
}

fn validate(repository: &Repository, text: &str) -> Output {
    fs::write(repository.path("bad.xml"), text).unwrap();
    let arguments = ["bad.xml", "--trust", "signer.crt", "--json"];
    run(repository.command("stratus-validate-manifest").args(arguments))
}

fn signature(text: &str) -> (usize, usize) {
    let end = "</ds:Signature>";
    (text.find("<ds:Signature ").unwrap(), text.find(end).unwrap() + end.len())
}

fn without_signature(text: &str) -> String {
    let (from, to) = signature(text);
    format!("{}{}", &text[..from], &text[to..])
}

fn the_signature(text: &str) -> &str {
    let (from, to) = signature(text);
    &text[from..to]
}

#[test]
fn unsigned() {
    refused("unsigned", without_signature, 422, "is not signed", 1);
}

#[test]
fn changed_after_signing() {
    refused("changed", |t| t.replace("Image team", "Imaqe team"), 422, "signature", 1);
}

#[test]
fn another_signers_certificate_put_in() {
    let other = self_signed("/O=Example/CN=signer", None, KeyChoice::P256, now_for(1)).unwrap();
    let inner: String =
        other.cert_pem.lines().filter(|l| !l.starts_with("-----")).collect::<Vec<_>>().concat();
    let swap = |text: &str| {
        let (start, end) = ("<ds:X509Certificate>", "</ds:X509Certificate>");
        let from = text.find(start).unwrap() + start.len();
        format!("{}{inner}{}", &text[..from], &text[text.find(end).unwrap()..])
    };
    refused("swapped", swap, 422, "signature", 1);
}

#[test]
fn signature_wrapped() {
    // The signed document sits inside the signature of another one.
    let wrap = |text: &str| {
        let body = text.split_once("?>").unwrap().1;
        let outer = without_signature(text).replace("Image team", "Somebody");
        let signature = the_signature(text)
            .replace("</ds:Signature>", &format!("<ds:Object>{body}</ds:Object></ds:Signature>"));
        outer.replace("</manifest>", &format!("{signature}</manifest>"))
    };
    refused("wrapped", wrap, 422, "signature", 1);
}

#[test]
fn signed_part_named_by_its_identifier() {
    let wrap = |text: &str| {
        let inner = without_signature(text.split_once("?>").unwrap().1);
        let inner = inner.replacen("<manifest ", "<manifest Id=\"it\" ", 1);
        let signature = the_signature(text).replace("URI=\"\"", "URI=\"#it\"");
        format!("<manifest xmlns=\"urn:stratus:manifest:1\">{inner}{signature}</manifest>")
    };
    refused("named", wrap, 422, "reasons", 1);
}

#[test]
fn signature_moved() {
    let deeper = |text: &str| {
        let signature = the_signature(text).to_owned();
        without_signature(text).replace("</endorsement>", &format!("{signature}</endorsement>"))
    };
    refused("moved", deeper, 422, "reasons", 1);
}

#[test]
fn two_signatures() {
    let twice = |text: &str| {
        let signature = the_signature(text).to_owned();
        text.replace("</manifest>", &format!("{signature}</manifest>"))
    };
    refused("twice", twice, 422, "reasons", 1);
}

#[test]
fn doctype() {
    let with = |text: &str| text.replacen("<manifest", "<!DOCTYPE manifest>\n<manifest", 1);
    refused("doctype", with, 422, "DOCTYPE", 1);
}

#[test]
fn entity() {
    let with = |text: &str| {
        let doctype =
            "<!DOCTYPE m [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<manifest";
        text.replacen("<manifest", doctype, 1).replace("Image team", "&b;&b;")
    };
    refused("entity", with, 422, "DOCTYPE", 1);
    let reads_a_file = |text: &str| {
        let doctype = "<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<manifest";
        text.replacen("<manifest", doctype, 1).replace("Image team", "&x;")
    };
    refused("external", reads_a_file, 422, "DOCTYPE", 1);
}

#[test]
fn deep_nesting() {
    let deep = |text: &str| {
        let (open, close) = ("<a>".repeat(50_000), "</a>".repeat(50_000));
        text.replace("</manifest>", &format!("{open}{close}</manifest>"))
    };
    refused("deep", deep, 422, "deep", 1);
}

#[test]
fn many_attributes() {
    let many = |text: &str| {
        let attributes: String = (0..40_000).map(|n| format!(" a{n}=\"\"")).collect();
        text.replacen("<user>", &format!("<user{attributes}>"), 1)
    };
    refused("attributes", many, 422, "attributes", 1);
}

#[test]
fn not_xml() {
    refused("halved", |text| text[..text.len() / 2].to_owned(), 422, "reasons", 1);
    refused("empty", |_| String::new(), 422, "reasons", 1);
    refused("binary", |_| "\u{1}\u{2}\u{3}".to_owned(), 422, "reasons", 1);
}

#[test]
fn for_another_place() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "here", "1.0", &disk(50_000, 2));
    let manifest = fs::read(&a.manifest).unwrap();
    let elsewhere = a.manifest_path().replace("here", "there");
    repository.put("signer", &elsewhere, manifest).expect("place", 422, "its place is");
    publishes(&repository, &a);
}

#[test]
fn two_gibibytes() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "huge", "1.0", &disk(50_000, 3));
    let huge = repository.path("huge.xml");
    File::create(&huge).unwrap().set_len(2 << 30).unwrap();
    let url = format!("{}{}", repository.url(), a.manifest_path());
    let sent = run(repository.curl("signer").arg("-T").arg(&huge).arg(url));
    assert!(sent.stdout.ends_with("413"), "{}{}", sent.stdout, sent.stderr);
    let checked = run(repository
        .command("stratus-validate-manifest")
        .arg(&huge)
        .args(["--trust", "signer.crt"]));
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    publishes(&repository, &a);
}

#[test]
fn two_gibibytes_of_unknown_length() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "endless", "1.0", &disk(50_000, 3));
    let url = format!("{}{}", repository.url(), a.manifest_path());
    let script = "head -c 2147483648 /dev/zero | \"$0\" \"$@\"";
    let curl = repository.curl("signer");
    let mut shell = tool("sh", "dash");
    shell.current_dir(repository.folder()).args(["-c", script]).arg(curl.get_program());
    shell.args(curl.get_args()).args(["-T", "-", &url]);
    let sent = run(&mut shell);
    assert!(sent.stdout.ends_with("413"), "{}{}", sent.stdout, sent.stderr);
    publishes(&repository, &a);
}

fn now_for(days: u32) -> Validity {
    Validity { from: Timestamp::now() - SignedDuration::from_hours(1), days }
}

/// A site that trusts what `trust` holds, with one appliance signed by `signer` at the time `at`.
fn signed_by(trust: &str, signer: &Generated, at: Timestamp) -> (Repository, Appliance) {
    let mut repository = Repository::start();
    let a = Appliance::build(repository.folder(), "signed", "1.0", &disk(50_000, 4));
    repository.stop();
    fs::write(repository.path("trusted.pem"), trust).unwrap();
    let site = fs::read_to_string(repository.path("site.toml")).unwrap();
    let site = site.replace("trust = \"signer.crt\"", "trust = \"trusted.pem\"");
    fs::write(repository.path("site.toml"), site).unwrap();
    repository.restart();
    let unsigned = without_signature(&fs::read_to_string(&a.manifest).unwrap());
    let credential =
        Credential::from_pem(signer.cert_pem.as_bytes(), signer.key_pem.as_bytes(), None).unwrap();
    let signed = stratus_manifest::endorse(&unsigned, &credential, at).unwrap();
    fs::write(&a.manifest, signed).unwrap();
    (repository, a)
}

/// The answer to the manifest, and what the command says of it.
fn judged(repository: &Repository, a: &Appliance, state: &str, text: &str) {
    let manifest = fs::read_to_string(&a.manifest).unwrap();
    repository.put("signer", &a.manifest_path(), manifest).expect(state, 403, text);
    invisible(repository, a);
    let trust: PathBuf = repository.path("trusted.pem");
    let checked = run(repository
        .command("stratus-validate-manifest")
        .arg(&a.manifest)
        .arg("--trust")
        .arg(trust)
        .arg("--json"));
    assert_eq!(checked.code, 3, "{}{}", checked.stdout, checked.stderr);
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&checked["signature"], &checked["signer"]), (&"good".into(), &state.into()));
}

#[test]
fn signed_by_somebody_untrusted() {
    let known = self_signed("/O=Example/CN=known", None, KeyChoice::P256, now_for(9)).unwrap();
    let stranger =
        self_signed("/O=Example/CN=stranger", None, KeyChoice::P256, now_for(9)).unwrap();
    let (repository, a) = signed_by(&known.cert_pem, &stranger, Timestamp::now());
    judged(&repository, &a, "untrusted", "not trusted");
}

#[test]
fn signed_by_somebody_of_the_same_name() {
    let known = self_signed("/O=Example/CN=known", None, KeyChoice::P256, now_for(9)).unwrap();
    let stranger = self_signed("/O=Example/CN=known", None, KeyChoice::P256, now_for(9)).unwrap();
    let (repository, a) = signed_by(&known.cert_pem, &stranger, Timestamp::now());
    judged(&repository, &a, "untrusted", "not trusted");
}

#[test]
fn signed_by_the_wrong_person() {
    let signer = self_signed("/O=Elsewhere/CN=x", None, KeyChoice::P256, now_for(9)).unwrap();
    let (repository, a) = signed_by(&signer.cert_pem, &signer, Timestamp::now());
    let manifest = fs::read(&a.manifest).unwrap();
    repository.put("signer", &a.manifest_path(), manifest).expect(
        "rules",
        403,
        "do not allow this signer here",
    );
    invisible(&repository, &a);
}

#[test]
fn expired() {
    let ago = |days: i64| Timestamp::now() - SignedDuration::from_hours(24 * days);
    let validity = Validity { from: ago(30), days: 20 };
    let signer = self_signed("/O=Example/CN=signer", None, KeyChoice::P256, validity).unwrap();
    let (repository, a) = signed_by(&signer.cert_pem, &signer, ago(15));
    judged(&repository, &a, "expired", "not valid");
}

#[test]
fn revoked() {
    let ca = authority("/O=Example/CN=CA", KeyChoice::P256, now_for(90)).unwrap();
    let signer = ca.person("/O=Example/CN=signer", None, KeyChoice::P256, now_for(30)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("signer.pem"), &signer.cert_pem).unwrap();
    let ask = ["x509", "-noout", "-serial", "-in", "signer.pem"];
    let told = run(tool("openssl", "openssl").current_dir(folder.path()).args(ask)).good().stdout;
    let digits = told.trim().trim_start_matches("serial=");
    let serial: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    let list = ca.revocation_list(&[serial], now_for(7)).unwrap();
    let trust = format!("{}{list}", ca.pem.cert_pem);
    let (repository, a) = signed_by(&trust, &signer, Timestamp::now());
    judged(&repository, &a, "revoked", "revoked");
}

#[test]
fn without_a_rule_for_this_place() {
    let tables = "[[repository.endorsers]]\npath = \"desktop/**\"\nsubject = \"/O=Example/CN=*\"\n";
    let repository = Repository::with(Setup { tables: tables.to_owned(), ..Setup::default() });
    let a = Appliance::build(repository.folder(), "placed", "1.0", &disk(50_000, 5));
    let manifest = fs::read(&a.manifest).unwrap();
    repository.put("signer", &a.manifest_path(), manifest).expect(
        "rules",
        403,
        "do not allow this signer here",
    );
    invisible(&repository, &a);
}
