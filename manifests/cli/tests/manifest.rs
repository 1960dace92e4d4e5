//! `stratus-manifest`: one element of a manifest of any format.

mod support;

use support::{Bench, stderr, stdout};

#[test]
fn an_element_is_printed_alone() {
    let bench = Bench::with_image();
    for (element, printed) in [
        ("os", "ubuntu\n"),
        ("osversion", "24.04\n"),
        ("type", "base\n"),
        ("compression", "gz\n"),
        ("format", "raw\n"),
        ("bytes", "1200000\n"),
        ("location", "https://a.example.org/vm.img.gz\n"),
        ("locations", "https://a.example.org/vm.img.gz\nhttps://b.example.org/vm.img.gz\n"),
    ] {
        bench
            .command("stratus-manifest")
            .args(["vm.xml", "-e", element])
            .assert()
            .code(0)
            .stdout(printed);
    }
    let digest = stdout(
        &bench.command("stratus-manifest").args(["vm.xml", "-e", "sha256"]).assert().code(0),
    );
    let sum = bench.peer("sha256sum", &["vm.img"], "coreutils");
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(digest.trim()));
    let served = stdout(
        &bench
            .command("stratus-manifest")
            .args(["vm.xml", "-e", "compressed.sha256"])
            .assert()
            .code(0),
    );
    let sum = bench.peer("sha256sum", &["vm.img.gz"], "coreutils");
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(served.trim()));
}

#[test]
fn a_missing_element_is_exit_code_1() {
    let bench = Bench::with_image();
    for element in ["deprecated", "no-such-element", "md5"] {
        let missing =
            bench.command("stratus-manifest").args(["vm.xml", "-e", element]).assert().code(1);
        missing.stdout("").stderr(format!("the manifest has no element `{element}`\n"));
    }
}

#[test]
fn historical_manifests_have_their_own_names_too() {
    let bench = Bench::new();
    bench.animal("valid-rdf-2013-every-field", "old.xml");
    for (element, printed) in [
        ("os-arch", "i486\n"),
        ("arch", "i486\n"),
        ("publisher", "Example laboratory\n"),
        ("tag", "small\nttylinux-latest\n"),
        ("endorser.subject", "CN=signer,O=Example\n"),
    ] {
        bench
            .command("stratus-manifest")
            .args(["old.xml", "-e", element])
            .assert()
            .code(0)
            .stdout(printed);
    }
    let all = bench.command("stratus-manifest").arg("old.xml").assert().code(0);
    insta::assert_snapshot!(stdout(&all));
}

#[test]
fn a_malformed_manifest_is_exit_code_1_with_the_place() {
    let bench = Bench::new();
    bench.animal("compression-tags-swapped", "vm.xml");
    let refused = bench.command("stratus-manifest").args(["vm.xml", "-e", "os"]).assert().code(1);
    insta::assert_snapshot!(stderr(&refused));
    bench.command("stratus-manifest").args(["no.xml", "-e", "os"]).assert().code(2);
}

#[test]
fn a_huge_manifest_is_refused_unread() {
    let bench = Bench::new();
    let file = std::fs::File::create(bench.path("huge.xml")).unwrap();
    // Sparse: 2 GiB that take no room.
    file.set_len(2 << 30).unwrap();
    let refused = bench.command("stratus-manifest").args(["huge.xml", "-e", "os"]).assert().code(1);
    assert!(stderr(&refused).contains("(4 MiB) are allowed"), "{}", stderr(&refused));
}
