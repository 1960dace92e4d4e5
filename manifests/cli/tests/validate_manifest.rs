//! `stratus-validate-manifest`: three answers, an image, an exit code.

mod support;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use support::{Bench, stderr, stdout};

fn json(bench: &Bench, arguments: &[&str], code: i32) -> Value {
    let answer = bench
        .command("stratus-validate-manifest")
        .args(arguments)
        .arg("--json")
        .assert()
        .code(code);
    serde_json::from_str(&stdout(&answer)).expect("one JSON object")
}

#[test]
fn a_good_manifest_with_its_image_is_exit_code_0() {
    let bench = Bench::signed();
    for image in ["vm.img.gz", "vm.img"] {
        let check = ["vm.xml", "--image", image, "--trust", "signer.crt"];
        let good = bench.command("stratus-validate-manifest").args(check).assert().code(0);
        insta::allow_duplicates! { insta::assert_snapshot!("good", stdout(&good)); }
    }
    let answer = json(&bench, &["vm.xml", "--image", "vm.img.gz", "--trust", "signer.crt"], 0);
    for (field, value) in [
        ("format", "1"),
        ("signature", "good"),
        ("signer", "trusted"),
        ("policy", "unchecked"),
        ("endorser", "/O=Example/CN=signer"),
    ] {
        assert_eq!(answer[field], value, "{field}");
    }
    assert_eq!(answer["reasons"], Value::Array(Vec::new()));
    assert_eq!(answer["manifest"]["os"], "ubuntu");
    assert_eq!(answer["manifest"]["osversion"], "24.04");
    assert_eq!(answer["manifest"]["arch"], "x86_64");
    assert_eq!(answer["image"]["matches"], true);
}

#[test]
fn whoever_is_not_known_is_exit_code_3() {
    let bench = Bench::signed();
    bench.certificate("other");
    let unknown = bench.command("stratus-validate-manifest").arg("vm.xml").assert().code(3);
    insta::assert_snapshot!("without_trust", stderr(&unknown));
    assert_eq!(json(&bench, &["vm.xml"], 3)["signer"], "unknown");
    let check = ["vm.xml", "--trust", "other.crt"];
    bench.command("stratus-validate-manifest").args(check).assert().code(3);
    assert_eq!(json(&bench, &check, 3)["signer"], "untrusted");
}

#[test]
fn nobody_reading_the_answer_does_not_change_it() {
    let bench = Bench::signed();
    bench.certificate("other");
    bench.write("tampered.xml", bench.read("vm.xml").replace("ubuntu", "debian").as_bytes());
    for (file, trust, code) in
        [("vm.xml", "signer.crt", 0), ("vm.xml", "other.crt", 3), ("tampered.xml", "signer.crt", 1)]
    {
        for json in [false, true] {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let status = std::process::Command::new(cargo_bin("stratus-validate-manifest"))
                .current_dir(bench.path(""))
                .env("HOME", bench.path(""))
                .args([file, "--trust", trust])
                .args(json.then_some("--json"))
                .stdout(writer)
                .stderr(std::process::Stdio::null())
                .status()
                .expect("the command starts");
            assert_eq!(status.code(), Some(code), "{file} {trust} {json}");
        }
    }
}

#[test]
fn the_sites_rules_allow_and_refuse() {
    let bench = Bench::signed();
    for (rules, code, policy) in [
        ("[[endorsers]]\npath = \"base/**\"\nsubject = \"/O=Example/CN=*\"\n", 0, "allowed"),
        ("[[endorsers]]\npath = \"grid/**\"\nsubject = \"/O=Example/CN=*\"\n", 3, "refused"),
        (
            "[[repository.endorsers]]\npath = \"base/**\"\nsubject = \"/O=Other/CN=*\"\n",
            3,
            "refused",
        ),
        ("[repository]\nlisten = \"127.0.0.1:8443\"\n", 0, "unchecked"),
        ("[filters]\nblack_endorsers = [\"/O=Example/CN=signer\"]\n", 3, "refused"),
    ] {
        bench.write("policy.toml", rules.as_bytes());
        let answer =
            json(&bench, &["vm.xml", "--trust", "signer.crt", "--policy", "policy.toml"], code);
        assert_eq!(answer["policy"], policy, "{rules}");
        assert_eq!(answer["signer"], "trusted");
    }
    bench.write("policy.toml", b"[[endorsers]]\npath = \"base/**\"\nsubjekt = \"x\"\n");
    let check = ["vm.xml", "--trust", "signer.crt", "--policy", "policy.toml"];
    let refused = bench.command("stratus-validate-manifest").args(check).assert().code(2);
    insta::assert_snapshot!(stderr(&refused));
}

#[test]
fn a_manifest_that_says_something_else_than_what_was_signed_is_exit_code_1() {
    let bench = Bench::signed();
    let signed = bench.read("vm.xml");
    bench.write("vm.xml", signed.replace("24.04</osversion>", "26.04</osversion>").as_bytes());
    let check = ["vm.xml", "--trust", "signer.crt"];
    let bad = bench.command("stratus-validate-manifest").args(check).assert().code(1);
    insta::assert_snapshot!(stderr(&bad));
    let answer = json(&bench, &check, 1);
    assert_eq!((&answer["signature"], &answer["signer"]), (&"bad".into(), &"unknown".into()));
    assert_eq!(answer["manifest"]["osversion"], "26.04");
}

#[test]
fn an_image_of_another_manifest_is_exit_code_1() {
    let bench = Bench::signed();
    let mut image = std::fs::read(bench.path("vm.img")).unwrap();
    image[77_777] ^= 1;
    bench.write("other.img", &image);
    let check = ["vm.xml", "--image", "other.img", "--trust", "signer.crt"];
    let differs = bench.command("stratus-validate-manifest").args(check).assert().code(1);
    assert!(stderr(&differs).contains("does not vouch for this image"), "{}", stderr(&differs));
    assert!(stdout(&differs).contains("image      differs"));
    let answer = json(&bench, &check, 1);
    assert_eq!(answer["signature"], "good");
    assert_eq!(answer["image"]["matches"], false);
    image.truncate(1000);
    bench.write("short.img", &image);
    assert_eq!(
        json(&bench, &["vm.xml", "--image", "short.img", "--trust", "signer.crt"], 1)["image"]["matches"],
        false
    );
}

#[test]
fn documents_that_are_none_are_exit_code_1_with_every_rule() {
    let bench = Bench::new();
    for (animal, signature) in [
        ("many-problems-at-once", "absent"),
        ("compression-end-tag-without-slash", "absent"),
        ("compression-tags-swapped", "absent"),
        ("entities-that-explode", "absent"),
        ("deep-nesting", "absent"),
        ("rdf-identifier-of-another-image", "absent"),
        ("signed-then-doctype", "bad"),
    ] {
        bench.animal(animal, "vm.xml");
        let broken = bench.command("stratus-validate-manifest").arg("vm.xml").assert().code(1);
        insta::assert_snapshot!(animal, stderr(&broken));
        let answer = json(&bench, &["vm.xml"], 1);
        assert_eq!(answer["signature"], signature, "{animal}");
        assert_eq!(answer["manifest"], Value::Null);
        assert!(!answer["reasons"].as_array().unwrap().is_empty());
    }
}

#[test]
fn historical_manifests_are_told_and_never_accepted() {
    let bench = Bench::new();
    for (animal, format, signature, code) in [
        ("valid-flat-2010-08-microseconds", "flat-2010", "absent", 1),
        ("valid-rdf-2013-every-field", "rdf", "absent", 1),
        ("signed-rdf-2011-sha1", "rdf", "weak", 3),
        ("signed-rdf-2011-tampered", "rdf", "bad", 1),
    ] {
        bench.animal(animal, "vm.xml");
        let answer = json(&bench, &["vm.xml"], code);
        assert_eq!(answer["format"], format, "{animal}");
        assert_eq!(answer["signature"], signature, "{animal}");
        assert!(answer["manifest"]["os"].is_string());
        assert!(
            answer["manifest"]["osversion"].is_string() && answer["manifest"]["arch"].is_string()
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_wrong_usage() {
    let bench = Bench::signed();
    bench.write("broken.pem", b"no certificates here");
    for check in [
        &["no.xml"][..],
        &["vm.xml", "--trust", "no.pem"],
        &["vm.xml", "--trust", "broken.pem"],
        &["vm.xml", "--policy", "no.toml"],
        &["vm.xml", "--trust", "signer.crt", "--image", "no.img"],
    ] {
        bench.command("stratus-validate-manifest").args(check).assert().code(2);
    }
}
