//! `stratus-repository` as an administrator meets it: settings, checks, tokens, looking after.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use reqwest::Method;
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
fn files_addresses_and_sections_that_cannot_be_used_are_reported_at_once_too() {
    let site = "[repositry]\n[repository]\nurl = \"ftp://x\"\ntrust = \"none.pem\"\n\
         tls_certificate = \"none.crt\"\ntls_key = \"none.key\"\n\
         [identity.ldap]\nurls = [\"http://x\"]\nbase = \"o=x\"\nuser_filter = \"(uid={login}\"\n\
         bind_dn = \"cn=x\"\nbind_password_file = \"none.pw\"\n";
    let out = check(site);
    assert_eq!(out.code, 2, "{}", out.stderr);
    for expected in [
        "site.toml:1:2",
        "did you mean `repository`?",
        "site.toml:3:7",
        "`ftp://x/` is no http or https address",
        "site.toml:4:9",
        "none.pem",
        "site.toml:5:19",
        "none.crt",
        "site.toml:6:11",
        "none.key",
        "site.toml:8:8",
        "is not an address such as `ldaps://ldap.example.org`",
        "site.toml:10:15",
        "is no filter of RFC 4515",
        "none.pw",
    ] {
        assert!(out.stderr.contains(expected), "`{expected}` is not in:\n{}", out.stderr);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.toml"), site).unwrap();
    let mut start = program("stratus-repository");
    let started = run(start.current_dir(folder.path()).args(["--config", "site.toml"]));
    assert_eq!(started.code, 2, "{}", started.stderr);
    let out = run(program("stratus-repository").current_dir(folder.path()).args([
        "--config",
        "site.toml",
        "check",
        "--json",
    ]));
    let report: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(report["problems"][0]["line"], 1, "{report}");
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
    for task in ["scrub", "reindex"] {
        let out =
            run(repository.command("stratus-repository").args(["--config", "site.toml", task]));
        assert_eq!(out.code, 1);
        assert!(out.stderr.contains("hint: stop the service first"), "{}", out.stderr);
    }
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

#[test]
fn a_running_service_follows_the_token_command() {
    let repository = Repository::start();
    let token = |arguments: &[&str]| {
        let base = ["--config", "site.toml", "token"];
        run(repository.command("stratus-repository").args(base).args(arguments))
    };
    let made = token(&["create", "--owner", "signer", "--path", "base/**", "--json"]).good();
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let bearer = |status: u16| {
        let proof = format!("Bearer {secret}");
        let path = "/images/base/x/1.0/x-1.0.img.manifest.xml";
        let answer =
            repository.request(Method::PUT, None, path, &[("authorization", &proof)], "no XML");
        assert_eq!(answer.status, status, "{}", answer.text());
    };
    bearer(422);
    let list: serde_json::Value =
        serde_json::from_str(&token(&["list", "--json"]).good().stdout).unwrap();
    assert_eq!((&list[0]["id"], &list[0]["owner"]), (&id.into(), &"signer".into()));
    token(&["revoke", id]).good();
    bearer(401);
    let again = token(&["revoke", id]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains(&format!("there is no token `{id}`")), "{}", again.stderr);
    let nobody = token(&["create", "--owner", "robot"]);
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("`robot` is no login here"), "{}", nobody.stderr);
}

#[test]
fn versions_with_the_same_image_are_told_apart() {
    let repository = Repository::start();
    let names = ["1.0", "2.0"].map(|version| {
        let appliance = Appliance::build(repository.folder(), "twin", version, &disk(50_000, 4));
        let upload = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
        run(repository.client("stratus-upload-image").args(upload)).good();
        appliance.name
    });
    for name in names {
        let shown = run(repository.client("stratus-show-image").args([&name, "--json"])).good();
        let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["name"], name.as_str());
    }
}

#[test]
fn a_second_deprecation_and_what_to_use_instead_are_told() {
    let repository = Repository::start();
    let [old, new] = [("1.0", 4), ("2.0", 5)].map(|(version, seed)| {
        let appliance = Appliance::build(repository.folder(), "aged", version, &disk(50_000, seed));
        let upload = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
        run(repository.client("stratus-upload-image").args(upload)).good();
        appliance.name
    });
    let deprecate = |reason: &str, instead: &str| {
        let said = [old.as_str(), "--reason", reason, "--replaced-by", instead];
        let sign = ["--cert", "signer.crt", "--key", "signer.key"];
        run(repository.client("stratus-deprecate-image").args(said).args(sign))
    };
    let slip = deprecate("holes", "aged-1-x86_64-base-3.0");
    assert_eq!(slip.code, 1);
    assert!(slip.stderr.contains("no appliance `aged-1-x86_64-base-3.0`"), "{}", slip.stderr);
    deprecate("holes", &new).good();
    let again = deprecate("more holes", &new);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("deprecated already (\"holes\")"), "{}", again.stderr);
    assert!(!again.stderr.contains("another version"), "{}", again.stderr);
    assert!(!again.stderr.contains("new version"), "{}", again.stderr);
    let shown = run(repository.client("stratus-show-image").arg(&old)).good().stdout;
    assert!(shown.contains(&format!("use instead  {new}")), "{shown}");
    assert!(shown.contains(", deprecated"), "{shown}");
    let pull = [old.as_str(), "--trust", "signer.crt"];
    let refused = run(repository.client("stratus-download-image").args(pull));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("use `{new}` instead")), "{}", refused.stderr);
}

#[test]
fn what_is_wrong_with_an_upload_is_said_as_it_is() {
    let repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), "sent", "1.0", &disk(50_000, 5));
    let files = [appliance.image.as_os_str(), appliance.manifest.as_os_str()];
    let mut wrong = repository.client("stratus-upload-image");
    let out = run(wrong.args(files).env("STRATUS_PASSWORD", "not it"));
    assert_eq!(out.code, 4);
    assert!(out.stderr.contains("The login or the password is wrong"), "{}", out.stderr);
    assert!(!out.stderr.contains("use `--user NAME`"), "{}", out.stderr);
    fs::write(repository.path("plain.img.gz"), "no gzip").unwrap();
    for (image, code) in [("none.img.gz", 2), ("plain.img.gz", 1)] {
        let mut upload = repository.client("stratus-upload-image");
        let out = run(upload.arg(image).arg(&appliance.manifest));
        assert_eq!(out.code, code, "{image}: {}", out.stderr);
    }
    let out = run(repository.client("stratus-download-image").args([&appliance.name, "-o", "-"]));
    assert_eq!(out.code, 2, "{}", out.stderr);
    assert!(!repository.path("-").exists());
    let mut hash = program("stratus-repository");
    let empty = run(hash.arg("hash-password").env("STRATUS_PASSWORD", ""));
    assert_eq!((empty.code, empty.stdout.as_str()), (2, ""), "{}", empty.stderr);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = repository.request(Method::POST, None, "/login", &form, "x=1");
    answer.expect("a form without its fields", 400, "urn:stratus:problem:bad-request");
}
