//! The whole way of an image, with the commands as people type them: described, signed, published,
//! found, pulled, proved.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs;
use std::path::Path;
use stratus_tests::{Appliance, Output, PASSWORD, Repository, Setup, disk, run, tool};

const NAME: &str = "ubuntu-24.04-x86_64-base-1.0";
const IMAGE: &str = "/images/base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0.img.gz";

/// `vm.img`, `vm.img.gz` and the signed `vm.xml`, by the commands of the guide.
fn described(repository: &Repository) {
    fs::write(repository.path("vm.img"), disk(3 << 20, 1)).unwrap();
    let build =
        ["vm.img", "--type", "base", "--os", "ubuntu", "--os-version", "24.04", "--arch", "x86_64"];
    let rest = [
        "--version",
        "1.0",
        "--user",
        "Image team",
        "--title",
        "Ubuntu 24.04 base",
        "-o",
        "vm.xml",
    ];
    run(repository.command("stratus-build-manifest").args(build).args(rest)).good();
    let sign = ["vm.xml", "--cert", "signer.crt", "--key", "signer.key"];
    run(repository.command("stratus-sign-manifest").args(sign)).good();
}

fn curl(repository: &Repository, arguments: &[&str]) -> (String, String) {
    let out = run(repository.curl("signer").args(arguments)).good();
    let (body, status) = out.stdout.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

fn url(repository: &Repository, path: &str) -> String {
    format!("{}{path}", repository.url())
}

#[test]
fn an_image_travels_from_its_manifest_to_a_node() {
    let repository = Repository::start();
    described(&repository);
    let peer = run(tool("xmlsec1", "xmlsec1").current_dir(repository.folder()).args([
        "--verify",
        "--trusted-pem",
        "signer.crt",
        "vm.xml",
    ]));
    assert_eq!(peer.code, 0, "{}", peer.stderr);
    let valid = ["vm.xml", "--image", "vm.img.gz", "--trust", "signer.crt", "--json"];
    let valid = run(repository.command("stratus-validate-manifest").args(valid)).good();
    let valid: serde_json::Value = serde_json::from_str(&valid.stdout).unwrap();
    assert_eq!((&valid["signature"], &valid["signer"]), (&"good".into(), &"trusted".into()));
    assert_eq!(valid["manifest"]["osversion"], "24.04");

    let upload = |manifest: &str| -> Output {
        run(repository.command("stratus-upload-image").args([
            "vm.img.gz",
            manifest,
            "--repository",
            repository.url(),
            "--ca",
            "server.crt",
            "--user",
            "signer",
        ]))
    };
    upload("vm.xml").good();
    // The same bytes again are no error.
    upload("vm.xml").good();

    let search = ["ubuntu", "--repository", repository.url(), "--ca", "server.crt", "--json"];
    let found = run(repository.command("stratus-search-image").args(search)).good();
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let listed = found.to_string();
    assert!(listed.contains(NAME), "{listed}");
    // A server whose authority nobody named is refused; trying again would not help.
    let refused = run(repository.command("stratus-search-image").args(&search[..3]));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("--ca FILE"), "{}", refused.stderr);
    let shown = run(repository.client("stratus-show-image").args([NAME, "--json"])).good();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["policy"], "allowed");

    let wanted = [
        NAME.to_owned(),
        IMAGE.trim_start_matches("/images/").trim_end_matches(".img.gz").to_owned(),
        shown["identifier"].as_str().unwrap().to_owned(),
        shown["sha256"].as_str().unwrap().to_owned(),
    ];
    for (index, name) in wanted.iter().enumerate() {
        let out = format!("pulled-{index}.img");
        let pull = [name, "--trust", "signer.crt", "-o", &out];
        run(repository.client("stratus-download-image").args(pull)).good();
        assert!(same(&repository.path("vm.img"), &repository.path(&out)), "{name}");
    }
    let pull = [NAME, "--trust", "signer.crt", "--compressed", "-o", "pulled.img.gz"];
    run(repository.client("stratus-download-image").args(pull)).good();
    assert!(same(&repository.path("vm.img.gz"), &repository.path("pulled.img.gz")));
}

#[test]
fn an_untrusted_signer_never_reaches_a_node() {
    let repository = Repository::start();
    described(&repository);
    let upload = ["vm.img.gz", "vm.xml"];
    run(repository.client("stratus-upload-image").args(upload)).good();
    run(repository.command("stratus-generate-cert").args([
        "--subject",
        "/O=Else/CN=x",
        "--out",
        "else",
    ]))
    .good();
    let pull = [NAME, "--trust", "else.crt", "-o", "pulled.img"];
    let out = run(repository.client("stratus-download-image").args(pull));
    assert_eq!(out.code, 3, "{}", out.stderr);
    assert!(!repository.path("pulled.img").exists());
}

#[test]
fn curl_publishes_in_either_order_and_nothing_shows_before_both_are_there() {
    let repository = Repository::start();
    for (os, image_first) in [("first", true), ("second", false)] {
        let a = Appliance::build(repository.folder(), os, "1.0", &disk(300_000, 2));
        let image = [a.image.to_str().unwrap().to_owned(), url(&repository, &a.image_path())];
        let manifest =
            [a.manifest.to_str().unwrap().to_owned(), url(&repository, &a.manifest_path())];
        let order = if image_first { [&image, &manifest] } else { [&manifest, &image] };
        assert_eq!(curl(&repository, &["-T", &order[0][0], &order[0][1]]).0, "202");
        assert_eq!(curl(&repository, &[&image[1]]).0, "404");
        assert_eq!(curl(&repository, &[&manifest[1]]).0, "404");
        let list =
            curl(&repository, &["-H", "Accept: application/json", &url(&repository, "/images/")]).1;
        assert!(!list.contains(os) && !list.contains("base") || !image_first, "{list}");
        assert_eq!(curl(&repository, &["-T", &order[1][0], &order[1][1]]).0, "201");
        assert_eq!(curl(&repository, &["-T", &image[0], &image[1]]).0, "200");
        let found =
            curl(&repository, &[&url(&repository, &format!("/api/v1/appliances?q={os}"))]).1;
        assert!(found.contains(&a.name), "{found}");
    }
}

#[test]
fn a_broken_upload_goes_on_where_it_stopped() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "broken", "1.0", &disk(4 << 20, 3));
    let bytes = fs::read(&a.image).unwrap();
    let (total, half) = (bytes.len(), bytes.len() / 2);
    fs::write(repository.path("head"), &bytes[..half]).unwrap();
    fs::write(repository.path("tail"), &bytes[half..]).unwrap();
    let place = url(&repository, &a.image_path());
    let part = |file: &str, range: String| {
        curl(&repository, &["-H", &format!("Content-Range: bytes {range}"), "-T", file, &place])
    };
    assert_eq!(part("head", format!("0-{}/{total}", half - 1)).0, "202");
    let head = curl(&repository, &["-I", &place]).1.to_lowercase();
    assert!(head.contains(&format!("upload-offset: {half}")), "{head}");
    assert!(head.contains(&format!("upload-length: {total}")), "{head}");
    // Overlap, gap, another total: each is told where to go on.
    for wrong in [
        format!("{}-{}/{total}", half - 10, half - 10 + (total - half) - 1),
        format!("{}-{}/{}", half, total - 1, total + 5),
    ] {
        let (status, body) = part("tail", wrong);
        assert_eq!(status, "409", "{body}");
        assert!(body.contains(&format!("\"offset\":{half}")), "{body}");
    }
    assert_eq!(part("tail", format!("{half}-{}/{total}", total - 1)).0, "202");
    let manifest = a.manifest.to_str().unwrap();
    assert_eq!(
        curl(&repository, &["-T", manifest, &url(&repository, &a.manifest_path())]).0,
        "201"
    );
    // curl's own way to go on sends the whole file again, which is published by now.
    assert_eq!(curl(&repository, &["-C", "-", "-T", a.image.to_str().unwrap(), &place]).0, "200");
}

#[test]
fn the_file_is_served_as_http_has_it() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "served", "1.0", &disk(2 << 20, 4));
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
    let bytes = fs::read(&a.image).unwrap();
    let place = url(&repository, &a.image_path());
    let head = curl(&repository, &["-I", &place]).1.to_lowercase();
    for header in [
        "content-type: application/gzip",
        "cache-control: public, max-age=31536000, immutable",
        "accept-ranges: bytes",
        "repr-digest: sha-256=:",
        "last-modified: ",
        "rel=\"describedby\"",
        "x-content-type-options: nosniff",
        "strict-transport-security",
    ] {
        assert!(head.contains(header), "{header} is not in\n{head}");
    }
    assert!(!head.contains("content-encoding"), "{head}");
    let etag = head.lines().find_map(|l| l.strip_prefix("etag: ")).unwrap().trim().to_owned();
    let tag = format!("If-None-Match: {etag}");
    assert_eq!(curl(&repository, &["-H", &tag, &place]).0, "304");
    let ranged = |arguments: &[&str]| {
        run(repository.curl("signer").args(["-o", "part"]).args(arguments).arg(&place))
            .good()
            .stdout
            .trim()
            .to_owned()
    };
    assert_eq!(ranged(&["-r", "1000-1999"]), "206");
    assert_eq!(fs::read(repository.path("part")).unwrap(), &bytes[1000..2000]);
    assert_eq!(ranged(&["-r", "-17"]), "206");
    assert_eq!(fs::read(repository.path("part")).unwrap(), &bytes[bytes.len() - 17..]);
    assert_eq!(ranged(&["-r", "0-9,5000-5009"]), "206");
    let multipart = fs::read(repository.path("part")).unwrap();
    let holds = |piece: &[u8]| multipart.windows(piece.len()).any(|w| w == piece);
    assert!(
        holds(&bytes[..10])
            && holds(&bytes[5000..5010])
            && holds(b"content-range: bytes 5000-5009/")
                | holds(b"Content-Range: bytes 5000-5009/")
    );
    assert_eq!(ranged(&["-r", "99999999999-"]), "416");
    assert_eq!(ranged(&["-r", "0-9", "-H", "If-Range: \"another\""]), "200");
    assert_eq!(fs::read(repository.path("part")).unwrap(), bytes);

    // The checksum file, the version-less form, the folder.
    for (ending, program) in [(".sha256", "sha256sum"), (".sha512", "sha512sum")] {
        let name = a.image.file_name().unwrap().to_str().unwrap();
        let sums = curl(&repository, &[&format!("{place}{ending}")]).1;
        fs::write(repository.path("sums"), sums + "\n").unwrap();
        assert!(repository.path(name).exists());
        run(tool(program, "coreutils").current_dir(repository.folder()).args(["-c", "sums"]))
            .good();
    }
    let versionless = a.image_path().replace("/1.0/", "/");
    let moved = curl(&repository, &["-I", &url(&repository, &versionless)]);
    assert_eq!(moved.0, "308");
    assert!(moved.1.contains(&a.image_path()), "{}", moved.1);
    let folder = a.image_path().rsplit_once('/').unwrap().0.to_owned() + "/";
    let list = curl(&repository, &["-H", "Accept: application/json", &url(&repository, &folder)]).1;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["files"].as_array().unwrap().len(), 2);
    let page = curl(&repository, &["-H", "Accept: text/html", &url(&repository, &folder)]).1;
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let manifest = curl(&repository, &[&url(&repository, &a.manifest_path())]).1;
    assert_eq!(manifest.trim(), fs::read_to_string(&a.manifest).unwrap().trim());
}

#[test]
fn an_endorser_takes_an_image_back() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "old", "1.0", &disk(100_000, 5));
    run(repository
        .client("stratus-upload-image")
        .args([a.image.as_os_str(), a.manifest.as_os_str()]))
    .good();
    let deprecate =
        [&a.name, "--reason", "it has a hole", "--cert", "signer.crt", "--key", "signer.key"];
    run(repository.client("stratus-deprecate-image").args(deprecate)).good();
    let found = |query: &str| {
        curl(&repository, &[&url(&repository, &format!("/api/v1/appliances{query}"))]).1
    };
    assert!(!found("?q=old").contains(&a.name));
    assert!(found("?q=old&status=deprecated").contains("\"deprecated\""));
    let pull = [a.name.as_str(), "--trust", "signer.crt", "-o", "old.img"];
    let out = run(repository.client("stratus-download-image").args(pull));
    assert_eq!(out.code, 3, "{}", out.stderr);
    assert!(out.stderr.contains("it has a hole"), "{}", out.stderr);
    let audit = fs::read_to_string(repository.path("data/audit.log")).unwrap();
    assert!(
        audit.contains("\"action\":\"publish\"") && audit.contains("\"action\":\"deprecate\""),
        "{audit}"
    );
}

#[test]
fn a_login_is_needed_to_publish_and_the_password_is_never_shown() {
    let repository = Repository::with(Setup::default());
    let a = Appliance::build(repository.folder(), "secret", "1.0", &disk(50_000, 6));
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    let wrong =
        run(repository.client("stratus-upload-image").env("STRATUS_PASSWORD", "wrong").args(files));
    assert_eq!(wrong.code, 4, "{}", wrong.stderr);
    run(repository.client("stratus-upload-image").args(files)).good();
    let log = repository.log()
        + &fs::read_to_string(repository.path("data/audit.log")).unwrap()
        + &wrong.stderr;
    assert!(!log.contains(PASSWORD) && !log.contains("wrong\""), "{log}");
}

fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).unwrap() == fs::read(b).unwrap()
}
