//! Two servers at one S3 bucket: what one takes in, the other serves.

#![expect(clippy::unwrap_used, reason = "a test helper")]

#[path = "../../repository/store/tests/support/s3.rs"]
mod s3;

use std::fs;
use stratus_tests::{Appliance, Repository, Setup, disk, run};

fn at_bucket(server: &s3::Server, folder: &std::path::Path) -> Repository {
    let credentials = folder.join("s3.credentials");
    fs::write(&credentials, format!("{}\n{}\n", s3::KEY, s3::SECRET)).unwrap();
    let table = format!(
        "[repository.s3]\nbucket = {:?}\nendpoint = \"{}\"\ncredentials_file = \"{}\"\n{}",
        s3::BUCKET,
        server.url(),
        credentials.display(),
        Setup::default().tables
    );
    Repository::with(Setup {
        tables: table,
        trust: Some(folder.join("signer.crt")),
        ..Setup::default()
    })
}

#[test]
fn one_takes_in_and_the_other_serves() {
    let (bucket, folder) = (s3::Server::shared(), tempfile::tempdir().unwrap());
    let certificate = ["--subject", "/O=Example/CN=signer", "--out", "signer"];
    run(stratus_tests::program("stratus-generate-cert")
        .current_dir(folder.path())
        .args(certificate))
    .good();
    let (first, second) = (at_bucket(&bucket, folder.path()), at_bucket(&bucket, folder.path()));
    let a = Appliance::build(folder.path(), "bucket", "1.0", &disk(9 << 20, 1));
    let b = Appliance::build(folder.path(), "bucket", "2.0", &disk(3 << 20, 2));
    let upload = |repository: &Repository, a: &Appliance| {
        let files = [a.image.as_os_str(), a.manifest.as_os_str()];
        run(repository.client("stratus-upload-image").args(files)).good();
    };
    upload(&first, &a);
    upload(&second, &b);
    for repository in [&first, &second] {
        for a in [&a, &b] {
            let image = fs::read(&a.image).unwrap();
            assert!(repository.get(&a.image_path()).body == image, "{}", a.name);
            let part = repository.get_with(&a.image_path(), &[("range", "bytes=1000000-1000999")]);
            assert_eq!((part.status, part.body == image[1_000_000..1_001_000]), (206, true));
            let trust = folder.path().join("signer.crt");
            let mut pull = repository.client("stratus-download-image");
            pull.arg(&a.path).arg("--trust").arg(trust).args(["-o", "pulled.img"]);
            run(&mut pull).good();
            assert!(fs::read(repository.path("pulled.img")).unwrap() == fs::read(&a.disk).unwrap());
        }
    }
    // An image at one server and its manifest at the other.
    let c = Appliance::build(folder.path(), "apart", "1.0", &disk(1 << 20, 3));
    first.put("signer", &c.image_path(), fs::read(&c.image).unwrap()).expect("image", 202, "");
    second.put("signer", &c.manifest_path(), fs::read(&c.manifest).unwrap()).expect(
        "manifest",
        201,
        "published",
    );
    assert!(first.get(&c.image_path()).body == fs::read(&c.image).unwrap());
}

#[test]
fn a_bucket_that_is_away_is_told_and_the_server_lives() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = ["--subject", "/O=Example/CN=signer", "--out", "signer"];
    run(stratus_tests::program("stratus-generate-cert")
        .current_dir(folder.path())
        .args(certificate))
    .good();
    let a = Appliance::build(folder.path(), "away", "1.0", &disk(1 << 20, 4));
    let bucket = s3::Server::start();
    let repository = at_bucket(&bucket, folder.path());
    drop(bucket);
    let answer = repository.put("signer", &a.image_path(), fs::read(&a.image).unwrap());
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert_eq!(repository.get("/healthz").status, 200);
}
