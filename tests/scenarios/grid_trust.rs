//! Trust from a grid CA directory: authorities by hash, signing policies, revocation lists.

use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::Path;
use stratus_tests::{Appliance, Repository, Setup, disk, run, tool};
use stratus_x509::generate::{KeyChoice, Validity, authority};

/// What `openssl x509` prints of a certificate.
fn ask(folder: &Path, file: &str, question: &str) -> String {
    let arguments = ["x509", "-noout", question, "-in", file];
    run(tool("openssl", "openssl").current_dir(folder).args(arguments)).good().stdout
}

#[test]
fn the_directory_decides_who_may_sign_and_follows_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, grid) = (folder.path(), folder.path().join("certificates"));
    fs::create_dir(&grid).expect("a folder");
    let validity = Validity { from: Timestamp::now() - SignedDuration::from_hours(1), days: 30 };
    let ca = authority("/O=Example/CN=CA", KeyChoice::P256, validity).expect("an authority");
    let signer =
        ca.person("/O=Example/CN=signer", None, KeyChoice::P256, validity).expect("a person");
    fs::write(home.join("ca.pem"), &ca.pem.cert_pem).expect("written");
    fs::write(home.join("signer.crt"), &signer.cert_pem).expect("written");
    fs::write(home.join("signer.key"), signer.key_pem.as_str()).expect("written");
    let hash = ask(home, "ca.pem", "-hash").trim().to_owned();
    let put = |ending: &str, text: &str| {
        fs::write(grid.join(format!("{hash}.{ending}")), text).expect("written");
    };
    let policy = |subjects: &str| {
        format!(
            "access_id_CA X509 '/O=Example/CN=CA'\npos_rights globus CA:sign\ncond_subjects globus '\"{subjects}\"'\n"
        )
    };
    put("0", &ca.pem.cert_pem);
    put("signing_policy", &policy("/O=Example/*"));

    let a = Appliance::build(home, "grid", "1.0", &disk(60_000, 1));
    let repository = Repository::with(Setup { trust: Some(grid.clone()), ..Setup::default() });
    let validate = || {
        let mut command = repository.command("stratus-validate-manifest");
        let out = run(command.arg(&a.manifest).arg("--trust").arg(&grid).arg("--json"));
        let judged: serde_json::Value = serde_json::from_str(&out.stdout).expect(&out.stderr);
        (out.code, judged["signer"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(validate(), (0, "trusted".to_owned()));
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();

    put("signing_policy", &policy("/O=Elsewhere/*"));
    assert_eq!(validate(), (3, "untrusted".to_owned()));
    put("signing_policy", &policy("/O=Example/*"));
    assert_eq!(validate(), (0, "trusted".to_owned()));

    let told = ask(home, "signer.crt", "-serial");
    let digits = told.trim().trim_start_matches("serial=");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    let serial: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    put("r0", &ca.revocation_list(&[serial], validity).expect("a list"));
    assert_eq!(validate(), (3, "revoked".to_owned()));
    let pull = [a.name.as_str(), "-o", "pulled.img", "--trust"];
    let refused = run(repository.client("stratus-download-image").args(pull).arg(&grid));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(!repository.path("pulled.img").exists());
}
