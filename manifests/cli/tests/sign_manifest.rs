//! `stratus-sign-manifest`: what it needs, what it leaves behind.

mod support;

use support::{Bench, stderr, stdout};

#[test]
fn xmlsec1_agrees_with_the_signature() {
    let bench = Bench::signed();
    bench.peer("xmlsec1", &["--verify", "--trusted-pem", "signer.crt", "vm.xml"], "xmlsec1");
}

#[test]
fn the_unsigned_manifest_stays_when_another_output_is_named() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    let before = bench.read("vm.xml");
    let sign = ["vm.xml", "--cert", "signer.crt", "--key", "signer.key"];
    bench.command("stratus-sign-manifest").args(sign).args(["-o", "signed.xml"]).assert().code(0);
    assert_eq!(bench.read("vm.xml"), before);
    let printed =
        bench.command("stratus-sign-manifest").args(sign).args(["-o", "-"]).assert().code(0);
    bench.write("printed.xml", stdout(&printed).as_bytes());
    for file in ["signed.xml", "printed.xml"] {
        bench.peer("xmlsec1", &["--verify", "--trusted-pem", "signer.crt", file], "xmlsec1");
    }
}

#[test]
fn signing_again_replaces_the_signature_and_says_so() {
    let bench = Bench::signed();
    bench.certificate("second");
    let sign = ["vm.xml", "--cert", "second.crt", "--key", "second.key"];
    let signed = bench.command("stratus-sign-manifest").args(sign).assert().code(0);
    insta::assert_snapshot!(stderr(&signed));
    bench.peer("xmlsec1", &["--verify", "--trusted-pem", "second.crt", "vm.xml"], "xmlsec1");
}

#[test]
fn an_encrypted_key_needs_its_password_from_somewhere() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    let encrypt = [
        "pkcs8",
        "-topk8",
        "-in",
        "signer.key",
        "-out",
        "safe.key",
        "-passout",
        "pass:open sesame",
    ];
    bench.peer("openssl", &encrypt, "openssl");
    let sign = || {
        let mut command = bench.command("stratus-sign-manifest");
        command.args(["vm.xml", "--cert", "signer.crt", "--key", "safe.key", "-o", "signed.xml"]);
        command
    };
    insta::assert_snapshot!("no_password", stderr(&sign().assert().code(2)));
    let wrong = sign().env("STRATUS_KEY_PASSWORD", "sesame").assert().code(1);
    insta::assert_snapshot!("wrong_password", stderr(&wrong));
    assert!(!bench.path("signed.xml").exists());
    sign().env("STRATUS_KEY_PASSWORD", "open sesame").assert().code(0);
    std::fs::remove_file(bench.path("signed.xml")).unwrap();
    sign().args(["--password-file", "-"]).write_stdin("open sesame\n").assert().code(0);
    bench.peer("xmlsec1", &["--verify", "--trusted-pem", "signer.crt", "signed.xml"], "xmlsec1");
}

#[test]
fn a_pkcs12_file_signs() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    let export = [
        "pkcs12",
        "-export",
        "-in",
        "signer.crt",
        "-inkey",
        "signer.key",
        "-out",
        "signer.p12",
        "-passout",
        "pass:open sesame",
    ];
    bench.peer("openssl", &export, "openssl");
    let sign = ["vm.xml", "--p12", "signer.p12"];
    let mut command = bench.command("stratus-sign-manifest");
    command.args(sign).env("STRATUS_KEY_PASSWORD", "open sesame").assert().code(0);
    bench.peer("xmlsec1", &["--verify", "--trusted-pem", "signer.crt", "vm.xml"], "xmlsec1");
}

#[test]
fn certificate_and_key_come_from_the_users_settings() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    std::fs::create_dir_all(bench.path(".config/stratus")).unwrap();
    let settings = "cert = \"~/signer.crt\"\nkey = \"~/signer.key\"\ntrust = \"~/signer.crt\"\n";
    bench.write(".config/stratus/client.toml", settings.as_bytes());
    bench.command("stratus-sign-manifest").arg("vm.xml").assert().code(0);
    bench.command("stratus-validate-manifest").arg("vm.xml").assert().code(0);
}

#[test]
fn what_cannot_be_signed_is_left_as_it_was() {
    let bench = Bench::new();
    bench.certificate("signer");
    for (animal, name) in [
        ("compression-tags-swapped", "malformed"),
        ("many-problems-at-once", "rules"),
        ("valid-rdf-2013-every-field", "historical"),
        ("valid-format-1-minimal", "incomplete"),
    ] {
        bench.animal(animal, "vm.xml");
        let before = bench.read("vm.xml");
        let sign = ["vm.xml", "--cert", "signer.crt", "--key", "signer.key"];
        let refused = bench.command("stratus-sign-manifest").args(sign).assert().code(1);
        insta::assert_snapshot!(name, stderr(&refused));
        assert_eq!(bench.read("vm.xml"), before);
    }
}

#[test]
fn a_historical_manifest_is_written_anew_when_asked() {
    let bench = Bench::new();
    bench.certificate("signer");
    bench.animal("valid-rdf-2013-every-field", "vm.xml");
    let sign = ["vm.xml", "--cert", "signer.crt", "--key", "signer.key", "--upgrade"];
    let signed = bench.command("stratus-sign-manifest").args(sign).assert().code(0);
    insta::assert_snapshot!(stderr(&signed));
    assert!(bench.read("vm.xml").contains("urn:stratus:manifest:1"));
}

#[test]
fn files_that_cannot_be_read_are_wrong_usage() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    for sign in [
        ["no.xml", "--cert", "signer.crt", "--key", "signer.key"],
        ["vm.xml", "--cert", "no.crt", "--key", "signer.key"],
        ["vm.xml", "--cert", "signer.crt", "--key", "no.key"],
    ] {
        bench.command("stratus-sign-manifest").args(sign).assert().code(2);
    }
    let nobody = bench.command("stratus-sign-manifest").arg("vm.xml").assert().code(2);
    insta::assert_snapshot!(stderr(&nobody));
}

#[test]
fn a_key_of_somebody_else_does_not_sign() {
    let bench = Bench::with_image();
    bench.certificate("signer");
    bench.certificate("other");
    let sign = ["vm.xml", "--cert", "signer.crt", "--key", "other.key"];
    bench.command("stratus-sign-manifest").args(sign).assert().code(1);
}
