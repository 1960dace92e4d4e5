//! OpenNebula's `one` market driver, request for request, against the repository.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use stratus_tests::{Appliance, Repository, Setup, disk, run, tool};

/// What the driver of OpenNebula 7.4.0 writes to the socket: Ruby's `Net::HTTP` with its own headers, the
/// version as user agent, and the path that comes of an endpoint which ends in a slash.
fn driver(repository: &Repository, path: &str) -> (String, Vec<u8>) {
    let host = repository.plain_url().trim_start_matches("http://").to_owned();
    let request = format!(
        "GET {path} HTTP/1.1\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\n\
         Accept: */*\r\nUser-Agent: OpenNebula 7.4.0 (Market Driver)\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    );
    let mut socket = TcpStream::connect(&host).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    (head, answer[end + 4..].to_vec())
}

fn published() -> (Repository, Appliance) {
    let repository = Repository::with(Setup {
        repository: "listen_plain = \"127.0.0.1:0\"\n".to_owned(),
        ..Setup::default()
    });
    let a = Appliance::build_titled(
        repository.folder(),
        "market",
        "1.0",
        &disk(2 << 20, 1),
        "A title: with | and \"quotes\" & <more>",
    );
    let files = [a.image.as_os_str(), a.manifest.as_os_str()];
    run(repository.client("stratus-upload-image").args(files)).good();
    (repository, a)
}

#[test]
fn the_driver_gets_its_list() {
    let (repository, a) = published();
    let (head, body) = driver(&repository, "//appliance");
    assert!(head.starts_with("http/1.1 200 ok"), "redirects are not followed here: {head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let list: Value = serde_json::from_slice(&body).unwrap();
    let [app] = list["appliances"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert!(list["sEcho"].is_string() || list["sEcho"].is_number(), "{list}");

    let name = app["name"].as_str().unwrap();
    assert!(name.ends_with(&a.name), "{name}");
    assert!(name.len() <= 128 && !name.contains(|c| "&|:\\\";/'#{}$<>".contains(c)), "{name}");
    // minione looks for the raw text.
    let raw = String::from_utf8(body).unwrap();
    assert!(raw.contains(&format!("\"name\":\"{name}\"")), "{raw}");

    assert!(!app["_id"]["$oid"].as_str().unwrap().is_empty());
    assert_eq!(app["type"], "IMAGE");
    for text in ["version", "publisher", "short_description", "os-arch", "hypervisor"] {
        assert!(app[text].is_string(), "{text} in {app}");
    }
    assert_eq!(app["format"], "raw");
    assert!(app["creation_time"].is_number() || app["creation_time"].is_string(), "{app}");
    assert!(app["tags"].as_array().unwrap().iter().all(Value::is_string), "{app}");

    let file = &app["files"][0];
    let size: u64 = match &file["size"] {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_u64().unwrap(),
    };
    assert_eq!(size, 2 << 20, "bytes of the disk");
    let template: Value =
        serde_json::from_str(app["opennebula_template"].as_str().unwrap()).unwrap();
    for (key, value) in template.as_object().unwrap() {
        assert!(!value.is_number(), "the number in {key} makes the whole template vanish");
    }
}

#[test]
fn a_prefix_and_a_single_slash_are_read_as_well() {
    let (repository, _) = published();
    let (_, twice) = driver(&repository, "//appliance");
    let (_, once) = driver(&repository, "/appliance");
    assert!(once == twice);
}

#[test]
fn the_link_leads_to_the_file() {
    let (repository, a) = published();
    let (_, body) = driver(&repository, "//appliance");
    let list: Value = serde_json::from_slice(&body).unwrap();
    let id = list["appliances"][0]["_id"]["$oid"].as_str().unwrap().to_owned();
    let (head, one) = driver(&repository, &format!("/appliance/{id}"));
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let one: Value = serde_json::from_slice(&one).unwrap();
    assert_eq!(one, list["appliances"][0], "the same object");

    // The datastore follows SOURCE with curl, without looking at certificates.
    let source = format!("{}/appliance/{id}/download/0", repository.plain_url());
    let fetch = ["--silent", "--show-error", "-k", "-L", "-o", "pulled.img.gz", &source];
    run(tool("curl", "curl").current_dir(repository.folder()).args(fetch)).good();
    assert!(fs::read(repository.path("pulled.img.gz")).unwrap() == fs::read(&a.image).unwrap());
    let (head, _) = driver(&repository, &format!("/appliance/{id}/download/0"));
    assert!(head.starts_with("http/1.1 302"), "{head}");
    assert!(head.contains(&format!("opennebula-appmarket-size: {}", 2 << 20)), "{head}");
    let (head, _) = driver(&repository, &format!("/appliance/{id}/download/1"));
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, _) = driver(&repository, "/appliance/nobody");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[test]
fn a_deprecated_appliance_leaves_the_market() {
    let (repository, a) = published();
    let deprecate = [&a.name, "--reason", "old", "--cert", "signer.crt", "--key", "signer.key"];
    run(repository.client("stratus-deprecate-image").args(deprecate)).good();
    let (_, body) = driver(&repository, "//appliance");
    let list: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(list["appliances"], Value::Array(Vec::new()));
}
