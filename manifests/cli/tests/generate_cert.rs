//! `stratus-generate-cert`: two files that other programs can read.

mod support;

use std::os::unix::fs::PermissionsExt;
use support::{Bench, stderr};

#[test]
fn openssl_reads_the_certificate_and_its_key() {
    let bench = Bench::new();
    let arguments =
        ["--subject", "/O=Example/CN=signer", "--email", "signer@example.org", "--out", "signer"];
    bench.command("stratus-generate-cert").args(arguments).assert().code(0).stdout("");
    let shown = bench.peer(
        "openssl",
        &["x509", "-in", "signer.crt", "-noout", "-subject", "-email", "-nameopt", "compat"],
        "openssl",
    );
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown, "subject=/O=Example/CN=signer\nsigner@example.org\n");
    bench.peer("openssl", &["pkey", "-in", "signer.key", "-noout", "-check"], "openssl");
    let mode = std::fs::metadata(bench.path("signer.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn files_that_are_there_are_kept() {
    let bench = Bench::new();
    bench.certificate("signer");
    let before = bench.read("signer.key");
    let arguments = ["--subject", "/CN=again", "--out", "signer", "--key-type", "p256"];
    let refused = bench.command("stratus-generate-cert").args(arguments).assert().code(1);
    insta::assert_snapshot!(stderr(&refused));
    assert_eq!(bench.read("signer.key"), before);
    bench.command("stratus-generate-cert").args(arguments).arg("--force").assert().code(0);
    assert_ne!(bench.read("signer.key"), before);
}

#[test]
fn what_is_no_name_is_wrong_usage() {
    let bench = Bench::new();
    for subject in ["", "signer", "/O", "/=x"] {
        let arguments = ["--subject", subject, "--out", "signer", "--key-type", "p256"];
        bench.command("stratus-generate-cert").args(arguments).assert().code(2);
        assert!(!bench.path("signer.crt").exists(), "{subject}");
    }
}
