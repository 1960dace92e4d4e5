//! The tus 1.0 protocol: a stock client, and the rules of the protocol one by one.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use sha1::{Digest, Sha1};
use std::fs;
use stratus_tests::{Answer, Appliance, PASSWORD, Repository, disk, run, tool};

/// tuspy sends two chunks and stops; a second life of it finds the upload and goes on.
const CLIENT: &str = r#"
import base64, sys
from tusclient import client
url, login, password, path, file, step = sys.argv[1:]
basic = base64.b64encode(f"{login}:{password}".encode()).decode()
tus = client.TusClient(url + "/uploads", headers={"Authorization": "Basic " + basic})
arguments = {"chunk_size": 100_000, "metadata": {"path": path}, "upload_checksum": True}
if step == "begin":
    uploader = tus.uploader(file, **arguments)
    uploader.upload_chunk()
    uploader.upload_chunk()
    print(uploader.url, uploader.offset)
else:
    uploader = tus.uploader(file, url=step, **arguments)
    print("from", uploader.offset)
    uploader.upload()
    print("to", uploader.offset)
"#;

#[test]
fn tuspy_begins_breaks_off_and_goes_on() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "tuspy", "1.0", &disk(2 << 20, 1));
    let script = repository.path("client.py");
    fs::write(&script, CLIENT).unwrap();
    let client = |step: &str| {
        let mut python = tool("python3", "python3-tuspy");
        // The system's own: that is where the Debian package is.
        if std::path::Path::new("/usr/bin/python3").exists() {
            python = std::process::Command::new("/usr/bin/python3");
        }
        python
            .env("REQUESTS_CA_BUNDLE", repository.path("server.crt"))
            .env_remove("PYTHONPATH")
            .arg(&script)
            .args([repository.url(), "signer", PASSWORD, &a.image_path()])
            .arg(&a.image)
            .arg(step);
        run(&mut python).good().stdout
    };
    let begun = client("begin");
    let (url, offset) = begun.trim().split_once(' ').unwrap();
    assert_eq!(offset, "200000");
    let told = client(url);
    let total = fs::metadata(&a.image).unwrap().len();
    assert_eq!(told, format!("from 200000\nto {total}\n"));
    let manifest = fs::read(&a.manifest).unwrap();
    repository.put("signer", &a.manifest_path(), manifest).expect("manifest", 201, "published");
    assert!(repository.get(&a.image_path()).body == fs::read(&a.image).unwrap());
}

fn ask(
    repository: &Repository,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Answer {
    let mut all = vec![("tus-resumable", "1.0.0")];
    all.extend(headers);
    repository.request(method, Some("signer"), path, &all, body)
}

/// A new upload for this place; its path on the server.
fn begin(repository: &Repository, a: &Appliance) -> String {
    let length = fs::metadata(&a.image).unwrap().len().to_string();
    let metadata = format!("path {}", STANDARD.encode(a.image_path()));
    let headers = [("upload-length", length.as_str()), ("upload-metadata", metadata.as_str())];
    let made = ask(repository, Method::POST, "/uploads", &headers, Vec::new());
    assert_eq!(made.status, 201, "{}", made.text());
    made.header("location").unwrap().to_owned()
}

fn patch(
    repository: &Repository,
    upload: &str,
    offset: usize,
    more: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let offset = offset.to_string();
    let mut headers = vec![
        ("upload-offset", offset.as_str()),
        ("content-type", "application/offset+octet-stream"),
    ];
    headers.extend(more);
    ask(repository, Method::PATCH, upload, &headers, body.to_vec())
}

#[test]
fn what_is_spoken_is_told() {
    let repository = Repository::start();
    let told = repository.request(Method::OPTIONS, None, "/uploads", &[], "");
    assert!([200, 204].contains(&told.status), "{}", told.status);
    assert_eq!(told.header("tus-version"), Some("1.0.0"));
    let extensions = told.header("tus-extension").unwrap();
    for extension in ["creation", "checksum", "expiration", "termination"] {
        assert!(extensions.split(',').any(|e| e == extension), "{extensions}");
    }
    assert!(told.header("tus-checksum-algorithm").unwrap().contains("sha1"));
    assert!(told.header("tus-max-size").unwrap().parse::<u64>().unwrap() > 1 << 30);
}

#[test]
fn the_rules_of_the_core() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "core", "1.0", &disk(300_000, 2));
    let image = fs::read(&a.image).unwrap();
    let upload = begin(&repository, &a);
    let head = || ask(&repository, Method::HEAD, &upload, &[], Vec::new());
    let first = head();
    assert_eq!((first.status, first.header("upload-offset")), (200, Some("0")));
    assert_eq!(first.header("upload-length"), Some(image.len().to_string().as_str()));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.header("tus-resumable"), Some("1.0.0"));

    let sent = patch(&repository, &upload, 0, &[], &image[..1000]);
    assert_eq!((sent.status, sent.header("upload-offset")), (204, Some("1000")));
    assert!(sent.header("upload-expires").is_some(), "expiration");
    assert_eq!(patch(&repository, &upload, 999, &[], &image[999..2000]).status, 409);
    assert_eq!(patch(&repository, &upload, 1001, &[], &image[1001..2000]).status, 409);
    let wrong_type = [("upload-offset", "1000"), ("content-type", "application/octet-stream")];
    let refused = ask(&repository, Method::PATCH, &upload, &wrong_type, image[1000..].to_vec());
    assert_eq!(refused.status, 415);
    let old = [("tus-resumable", "0.2.2"), ("upload-offset", "1000")];
    let old = repository.request(Method::PATCH, Some("signer"), &upload, &old, "");
    assert_eq!((old.status, old.header("tus-version")), (412, Some("1.0.0")));
    assert_eq!(head().header("upload-offset"), Some("1000"), "nothing of that counted");

    let rest = patch(&repository, &upload, 1000, &[], &image[1000..]);
    assert_eq!(rest.status, 204, "{}", rest.text());
    repository.put("signer", &a.manifest_path(), fs::read(&a.manifest).unwrap()).expect(
        "manifest",
        201,
        "published",
    );
}

#[test]
fn a_damaged_part_is_told_and_not_kept() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "sum", "1.0", &disk(300_000, 3));
    let image = fs::read(&a.image).unwrap();
    let upload = begin(&repository, &a);
    let sum = |bytes: &[u8]| format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)));
    let right = sum(&image[..5000]);
    let mut damaged = image[..5000].to_vec();
    damaged[17] ^= 1;
    let told = patch(&repository, &upload, 0, &[("upload-checksum", &right)], &damaged);
    assert_eq!(told.status, 460, "{}", told.text());
    let head = ask(&repository, Method::HEAD, &upload, &[], Vec::new());
    assert_eq!(head.header("upload-offset"), Some("0"));
    let unknown = [("upload-checksum", "crc32 AAAA")];
    assert_eq!(patch(&repository, &upload, 0, &unknown, &image[..10]).status, 400);
    let kept = patch(&repository, &upload, 0, &[("upload-checksum", &right)], &image[..5000]);
    assert_eq!((kept.status, kept.header("upload-offset")), (204, Some("5000")));
}

#[test]
fn an_upload_can_be_ended_and_is_its_owners() {
    let repository = Repository::start();
    let a = Appliance::build(repository.folder(), "ended", "1.0", &disk(100_000, 4));
    let upload = begin(&repository, &a);
    let tus = [("tus-resumable", "1.0.0")];
    for (method, login) in [(Method::HEAD, "other"), (Method::DELETE, "other")] {
        let answer = repository.request(method, Some(login), &upload, &tus, "");
        assert!([403, 404].contains(&answer.status), "{}", answer.status);
    }
    let anonymous = repository.request(Method::HEAD, None, &upload, &tus, "");
    assert_eq!(anonymous.status, 401);
    assert_eq!(ask(&repository, Method::DELETE, &upload, &[], Vec::new()).status, 204);
    let gone = ask(&repository, Method::HEAD, &upload, &[], Vec::new()).status;
    assert!([404, 410].contains(&gone), "{gone}");
}

#[test]
fn a_place_must_be_named() {
    let repository = Repository::start();
    for metadata in ["", "path", "path ***", "path Li4vLi4vZXRjL3Bhc3N3ZA==", "filename YQ=="] {
        let headers = [("upload-length", "10"), ("upload-metadata", metadata)];
        let answer = ask(&repository, Method::POST, "/uploads", &headers, Vec::new());
        assert_eq!(answer.status, 400, "{metadata:?}: {}", answer.text());
    }
}
