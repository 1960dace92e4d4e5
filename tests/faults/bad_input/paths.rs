//! Paths that lead out of the tree, in every spelling, and names that no file should have.

use crate::{files, publishes};
use std::fs;
use stratus_tests::{Appliance, Repository, disk, run};

/// Below `/images/`; what they mean is in the last column of each line.
const ESCAPES: &[&str] = &[
    "../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2E%2E%2Fetc%2Fpasswd",
    ".%2e/etc/passwd",
    "%252e%252e/etc/passwd",
    "%c0%ae%c0%ae/etc/passwd",
    "%c0%af../etc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "base/../../etc/passwd",
    "base/%2e%2e/%2e%2e/etc/passwd",
    "base/..;/etc/passwd",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "base//a/1.0/a-1.0.img.gz",
    "./base",
    "base/.",
    "~root/x",
    ".staging/x",
    "base/.hidden/1.0/.hidden-1.0.img.gz",
    "%00",
    "base%00/a/1.0/a-1.0.img.gz",
    "base/a%0d%0aX-Injected:1/1.0/a-1.0.img.gz",
    "base/a%0a/1.0/a-1.0.img.gz",
    "base/a%1b[31m/1.0/a-1.0.img.gz",
    "base/a%7f/1.0/a-1.0.img.gz",
    "base/a%c2%85/1.0/a-1.0.img.gz",
    "base/a%e2%80%ae/1.0/a-1.0.img.gz",
    "base/%ff%fe/1.0/a-1.0.img.gz",
    "base/a%",
    "base/a%zz/1.0/a-1.0.img.gz",
    "base/a%2/1.0/a-1.0.img.gz",
    "base/con/1.0/con-1.0.img.gz%20",
    "base/a/1.0/../../../x-1.0.img.gz",
];

#[test]
fn no_path_leads_out_of_the_tree() {
    let repository = Repository::start();
    fs::write(repository.path("small"), b"\x1f\x8b").unwrap();
    let before = files(&repository.path("data"));
    for escape in ESCAPES {
        let url = format!("{}/images/{escape}", repository.url());
        for arguments in [&[][..], &["-T", "small"], &["-X", "DELETE"]] {
            let out = run(repository
                .curl("signer")
                .args(["--path-as-is", "-g"])
                .args(arguments)
                .arg(&url));
            let (body, status) = out.stdout.rsplit_once('\n').unwrap();
            assert!(
                ["308", "400", "403", "404", "405"].contains(&status.trim()),
                "{arguments:?} {escape}: {status} {body}{}",
                out.stderr
            );
            assert!(!body.contains("root:"), "{escape}: {body}");
            assert!(!body.contains('\u{1b}') && !body.contains('\u{202e}'), "{escape}: {body}");
        }
    }
    let after: Vec<String> =
        files(&repository.path("data")).into_iter().filter(|f| !f.contains("index")).collect();
    let before: Vec<String> = before.into_iter().filter(|f| !f.contains("index")).collect();
    assert_eq!(before, after, "a file was made");
    assert!(!repository.log().contains('\u{1b}'), "control characters reached the log");
    let a = Appliance::build(repository.folder(), "after", "1.0", &disk(20_000, 1));
    publishes(&repository, &a);
}

#[test]
fn a_path_of_any_length_is_answered() {
    let repository = Repository::start();
    for length in [300, 5_000, 20_000] {
        let path = format!("/images/base/{}/1.0/a-1.0.img.gz", "a".repeat(length));
        let status = repository.get(&path).status;
        assert!([400, 404, 414].contains(&status), "{length}: {status}");
    }
    let deep = format!("/images/{}x", "a/".repeat(3_000));
    let status = repository.get(&deep).status;
    assert!([400, 404, 414].contains(&status), "{status}");
}

#[test]
fn a_manifest_with_a_name_for_a_way_out() {
    let repository = Repository::start();
    fs::write(repository.path("vm.img"), disk(20_000, 2)).unwrap();
    for os in ["../../x", "a/b", "a\nb", "", ".", "-rf", "a\u{202e}b"] {
        let out = run(repository.command("stratus-build-manifest").args([
            "vm.img",
            "--type",
            "base",
            "--os",
            os,
            "--os-version",
            "1",
            "--arch",
            "x86_64",
            "--version",
            "1.0",
            "--user",
            "T",
            "-o",
            "x.xml",
        ]));
        assert_ne!(out.code, 0, "{os:?} became a manifest");
    }
}
