//! `stratus-repository` as an administrator meets it: settings, checks, tokens, looking after.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs;
use std::os::unix::fs::FileExt;
use stratus_tests::{Appliance, Output, Repository, disk, program, run};

fn check(site: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.toml"), site).unwrap();
    run(program("stratus-repository").current_dir(folder.path()).args([
        "--config",
        "site.toml",
        "check",
    ]))
}

#[test]
fn every_mistake_of_the_site_file_is_reported_at_once_with_its_place_and_cure() {
    let out = check(
        "[repository]\nlisten = \"0.0.0.0:8443\"\ndatta = \"x\"\ntls_key = \"k\"\n[repository.limits]\nimage = \"big\"\n\
         [[repository.endorsers]]\npath = \"/base\"\nsubject = \"/O=x\"\n[identity]\npassword_file = \"u\"\n[identity.ldap]\nbase = \"o=x\"\n",
    );
    assert_eq!(out.code, 2, "{}", out.stderr);
    for expected in [
        "site.toml:2:10",
        "`0.0.0.0:8443` would be served without TLS",
        "give `tls_certificate` and `tls_key`",
        "site.toml:3:1",
        "[repository] has no key `datta`",
        "did you mean `data`?",
        "`tls_key` is given without `tls_certificate`",
        "site.toml:6:9",
        "`image` must be a size",
        "is no pattern of paths",
        "people are known by a password file or by LDAP, not by both",
        "[identity.ldap] needs `urls`",
    ] {
        assert!(out.stderr.contains(expected), "`{expected}` is not in:\n{}", out.stderr);
    }
}

#[test]
fn a_good_site_file_is_good_and_other_sections_are_not_ours() {
    let out = check("[site]\nname = \"x\"\n[repository]\ndata = \"d\"\n[cache]\nanything = 1\n");
    assert_eq!(out.code, 0, "{}", out.stderr);
}

#[test]
fn a_missing_site_file_is_named() {
    let out = run(program("stratus-repository").args(["--config", "/nonexistent/site.toml"]));
    assert_eq!(out.code, 2);
    assert!(out.stderr.contains("/nonexistent/site.toml"), "{}", out.stderr);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let repository = Repository::start();
    let mut second = repository.spawn();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(repository.log().contains("in use by another server"), "{}", repository.log());
}

#[test]
fn a_damaged_image_is_found_by_scrub_and_never_served() {
    let mut repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), "scrubbed", "1.0", &disk(200_000, 7));
    let upload = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(upload)).good();
    repository.stop();
    let scrub = |expected| {
        let out =
            run(repository.command("stratus-repository").args(["--config", "site.toml", "scrub"]));
        assert_eq!(out.code, expected, "{}\n{}", out.stdout, out.stderr);
        out.stdout
    };
    assert!(scrub(0).contains("1 appliances checked, 0 damaged"));
    let stored = repository.path("data").join(appliance.image_path().trim_start_matches('/'));
    let mut permissions = fs::metadata(&stored).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file goes with its folder")]
    permissions.set_readonly(false);
    fs::set_permissions(&stored, permissions).unwrap();
    let file = fs::File::options().read(true).write(true).open(&stored).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 1000).unwrap();
    file.sync_all().unwrap();
    assert!(scrub(1).contains("damaged: base/scrubbed"));
    repository.restart();
    let out = run(repository.curl("signer").arg(format!(
        "{}{}",
        repository.url(),
        appliance.image_path()
    )));
    assert!(out.stdout.ends_with("500"), "{}", out.stdout);
    assert!(out.stdout.contains("urn:stratus:problem:damaged"), "{}", out.stdout);
}

#[test]
fn the_index_can_be_thrown_away() {
    let mut repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), "indexed", "1.0", &disk(50_000, 8));
    let upload = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(upload)).good();
    repository.stop();
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        if let Err(error) = fs::remove_file(repository.path("data").join(name)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    let out =
        run(repository.command("stratus-repository").args(["--config", "site.toml", "reindex"]))
            .good();
    assert_eq!(out.stdout, "1 appliances\n");
    repository.restart();
    let found = run(repository.client("stratus-search-image").args(["indexed", "--json"])).good();
    assert!(found.stdout.contains(&appliance.name), "{}", found.stdout);
}

#[test]
fn tokens_are_made_listed_and_ended() {
    let repository = Repository::start();
    let token = |arguments: &[&str]| {
        let base = ["--config", "site.toml", "token"];
        run(repository.command("stratus-repository").args(base).args(arguments)).good().stdout
    };
    let secret = token(&[
        "create", "--owner", "signer", "--path", "base/**", "--days", "3", "--note", "nightly",
    ]);
    assert!(secret.starts_with("stratus_"), "{secret}");
    let list = token(&["list"]);
    assert!(
        list.contains("signer") && list.contains("publish base/**") && list.contains("nightly"),
        "{list}"
    );
    assert!(!list.contains(secret.trim()));
    let id = list.split('\t').next().unwrap();
    // Earlier versions gave names that begin with a dash.
    let file = repository.path("data/tokens.json");
    let kept = fs::read_to_string(&file).unwrap();
    fs::write(&file, kept.replace(id, "-kept-before")).unwrap();
    assert!(token(&["list"]).starts_with("-kept-before\t"));
    token(&["revoke", "-kept-before"]);
    assert_eq!(token(&["list"]), "");
}
