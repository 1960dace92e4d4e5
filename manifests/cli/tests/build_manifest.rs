//! `stratus-build-manifest`: one pass over an image, and a manifest that others accept.

mod support;

use assert_cmd::Command;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use support::{Bench, stderr, stdout};

const NAME: [&str; 12] = [
    "--type",
    "base",
    "--os",
    "ubuntu",
    "--os-version",
    "24.04",
    "--arch",
    "x86_64",
    "--version",
    "1.0",
    "--user",
    "Image team",
];

/// A folder with `vm.img` alone: 2.5 MB, the last part zeros.
fn bench() -> Bench {
    let bench = Bench::new();
    let mut image: Vec<u8> = (0u32..300_000).flat_map(|n| (n / 7).to_le_bytes()).collect();
    image.resize(2_500_000, 0);
    bench.write("vm.img", &image);
    bench
}

fn build(bench: &Bench, image: &str) -> Command {
    let mut command = bench.command("stratus-build-manifest");
    command.arg(image).args(NAME);
    command
}

fn element(bench: &Bench, name: &str) -> String {
    let asked = bench.command("stratus-manifest").args(["vm.xml", "-e", name]).assert().code(0);
    stdout(&asked).trim().to_owned()
}

fn sum(bench: &Bench, program: &str, file: &str) -> String {
    let output = bench.peer(program, &[file], "coreutils");
    String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default().to_owned()
}

fn files(bench: &Bench) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(bench.path("."))
        .expect("the scratch folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn is_by_schema(bench: &Bench, file: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/manifest-1.xsd");
    let schema = schema.to_str().expect("a path that is text");
    bench.peer("xmllint", &["--noout", "--schema", schema, file], "libxml2-utils");
}

#[test]
fn a_gzip_file_is_described() {
    let bench = Bench::with_image();
    fs::remove_file(bench.path("vm.xml")).unwrap();
    let before = fs::read(bench.path("vm.img.gz")).unwrap();
    build(&bench, "vm.img.gz")
        .args(["--title", "Ubuntu 24.04 base", "-o", "vm.xml"])
        .assert()
        .code(0)
        .stdout("");
    is_by_schema(&bench, "vm.xml");
    for (name, value) in [
        ("type", "base"),
        ("os", "ubuntu"),
        ("osversion", "24.04"),
        ("title", "Ubuntu 24.04 base"),
        ("filename", "vm.img.gz"),
        ("format", "raw"),
        ("bytes", "1200000"),
    ] {
        assert_eq!(element(&bench, name), value);
    }
    assert_eq!(element(&bench, "sha256"), sum(&bench, "sha256sum", "vm.img"));
    assert_eq!(element(&bench, "sha512"), sum(&bench, "sha512sum", "vm.img"));
    assert_eq!(element(&bench, "compressed.sha256"), sum(&bench, "sha256sum", "vm.img.gz"));
    assert_eq!(fs::read(bench.path("vm.img.gz")).unwrap(), before);
}

#[test]
fn the_manifest_can_be_signed_and_validated_with_its_image() {
    let bench = bench();
    bench.certificate("signer");
    build(&bench, "vm.img").assert().code(0);
    assert_eq!(files(&bench), ["signer.crt", "signer.key", "vm.img", "vm.img.gz", "vm.xml"]);
    bench.sign("vm.xml", "signer");
    bench
        .command("stratus-validate-manifest")
        .args(["vm.xml", "--image", "vm.img.gz", "--trust", "signer.crt"])
        .assert()
        .code(0);
}

#[test]
fn an_image_is_compressed_beside_itself_and_stays() {
    let bench = bench();
    build(&bench, "vm.img").args(["-o", "vm.xml", "--level", "1"]).assert().code(0);
    bench.peer("gzip", &["-t", "vm.img.gz"], "gzip");
    let back = bench.peer("zcat", &["vm.img.gz"], "gzip").stdout;
    assert!(back == fs::read(bench.path("vm.img")).unwrap());
    is_by_schema(&bench, "vm.xml");
    assert_eq!(element(&bench, "bytes"), "2500000");
    assert_eq!(element(&bench, "filename"), "vm.img.gz");
    assert_eq!(element(&bench, "compressed.sha256"), sum(&bench, "sha256sum", "vm.img.gz"));
}

#[test]
fn a_qcow2_image_is_known_by_its_bytes() {
    let bench = bench();
    let convert = ["convert", "-f", "raw", "-O", "qcow2", "vm.img", "disk"];
    bench.peer("qemu-img", &convert, "qemu-utils");
    build(&bench, "disk").args(["--image-out", "out.gz", "-o", "vm.xml"]).assert().code(0);
    assert_eq!(element(&bench, "format"), "qcow2");
    build(&bench, "out.gz").args(["-o", "vm.xml", "--force", "--format", "raw"]).assert().code(0);
    assert_eq!(element(&bench, "format"), "raw");
}

#[test]
fn the_same_image_at_the_same_time_gives_the_same_files() {
    let bench = bench();
    let when = ["--created", "2026-11-20T12:00:00Z", "--valid", "1 year"];
    build(&bench, "vm.img")
        .args(when)
        .args(["--image-out", "a.gz", "-o", "a.xml"])
        .assert()
        .code(0);
    let epoch = ["--image-out", "sub/a.gz", "-o", "b.xml", "--valid", "2027-11-20T12:00:00Z"];
    fs::create_dir(bench.path("sub")).unwrap();
    build(&bench, "vm.img").env("SOURCE_DATE_EPOCH", "1795176000").args(epoch).assert().code(0);
    assert!(fs::read(bench.path("a.gz")).unwrap() == fs::read(bench.path("sub/a.gz")).unwrap());
    assert_eq!(bench.read("a.xml"), bench.read("b.xml"));
    assert!(bench.read("a.xml").contains("<valid>2027-11-20T12:00:00Z</valid>"));
}

#[test]
fn every_option_reaches_the_manifest() {
    let bench = bench();
    build(&bench, "vm.img")
        .args(["--description", "A base.", "--comment", "one", "--comment", "two & <three>"])
        .args(["--location", "https://a.example.org/x.gz", "--location", "https://b.example.org/x"])
        .args(["--hypervisor", "kvm", "--hypervisor", "xen", "--bus", "virtio"])
        .args(["--minimum-cpu", "2", "--minimum-memory", "1.5 GiB", "--minimum-disk", "4096"])
        .args(["--replaces", "MMZu9WvwKIro-rtBQfDk4PsKO7_", "--valid", "2030-01-31"])
        .args(["-o", "vm.xml", "--quiet"])
        .assert()
        .code(0)
        .stderr("");
    is_by_schema(&bench, "vm.xml");
    let xml = bench.read("vm.xml");
    for part in [
        "<description>A base.</description>",
        "<comment>one</comment>",
        "<comment>two &amp; &lt;three&gt;</comment>",
        "<location>https://a.example.org/x.gz</location>",
        "<hypervisor>xen</hypervisor>",
        "<bus>virtio</bus>",
        "<cpu>2</cpu>",
        "<memory>1536</memory>",
        "<disk>4096</disk>",
        "<replaces>MMZu9WvwKIro-rtBQfDk4PsKO7_</replaces>",
        "<valid>2030-01-31T23:59:59Z</valid>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
}

#[test]
fn json_says_what_was_found() {
    let bench = bench();
    let made = build(&bench, "vm.img").arg("--json").assert().code(0);
    let found: serde_json::Value = serde_json::from_str(&stdout(&made)).unwrap();
    assert_eq!(found["name"], "ubuntu-24.04-x86_64-base-1.0");
    assert_eq!((&found["file"], &found["image"]), (&"vm.xml".into(), &"vm.img.gz".into()));
    assert_eq!(found["manifest"]["bytes"], 2_500_000);
    assert_eq!(found["manifest"]["osversion"], "24.04");
    build(&bench, "vm.img").args(["--json", "-o", "-", "--force"]).assert().code(2);
}

#[test]
fn a_manifest_may_go_to_standard_output() {
    let bench = Bench::with_image();
    let printed = stdout(&build(&bench, "vm.img.gz").args(["-o", "-"]).assert().code(0));
    assert!(printed.starts_with("<?xml") && printed.ends_with("</manifest>\n"), "{printed}");
}

#[test]
fn names_that_are_none_are_wrong_usage() {
    let bench = bench();
    for (option, value) in [
        ("--os", "ub/untu"),
        ("--os", ".."),
        ("--type", "grid..ce"),
        ("--version", ""),
        ("--arch", "x86 64"),
        ("--os-version", "24.04\n"),
    ] {
        let mut arguments: Vec<&str> = NAME.to_vec();
        let at = arguments.iter().position(|a| *a == option).unwrap();
        arguments[at + 1] = value;
        let mut command = bench.command("stratus-build-manifest");
        command.arg("vm.img").args(arguments).assert().code(2);
    }
    for (option, value) in [
        ("--user", "two\nlines"),
        ("--title", "bell\u{7}"),
        ("--location", "ftp://example.org/x"),
        ("--bus", "Vir tio"),
        ("--valid", "2020-01-01"),
        ("--valid", "soon"),
        ("--minimum-cpu", "0"),
        ("--minimum-memory", "much"),
        ("--replaces", "not-an-identifier"),
        ("--created", "yesterday"),
        ("--format", "vmdk"),
        ("--level", "0"),
    ] {
        let mut command = bench.command("stratus-build-manifest");
        let mut name = NAME.to_vec();
        if option == "--user" {
            name.truncate(10);
        }
        command.arg("vm.img").args(name).args([option, value]).assert().code(2);
    }
    assert_eq!(files(&bench), ["vm.img"]);
}

#[test]
fn files_that_exist_are_kept() {
    let bench = bench();
    bench.write("vm.img.gz", b"mine");
    let refused = build(&bench, "vm.img").assert().code(1);
    assert!(stderr(&refused).contains("`vm.img.gz` exists"), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--force"));
    assert_eq!((bench.read("vm.img.gz"), files(&bench).len()), ("mine".to_owned(), 2));
    build(&bench, "vm.img").arg("--force").assert().code(0);
    assert_eq!(files(&bench), ["vm.img", "vm.img.gz", "vm.xml"]);
    build(&bench, "vm.img.gz").args(["-o", "vm.xml"]).assert().code(1);
    for output in ["vm.img", "vm.img.gz"] {
        build(&bench, "vm.img").args(["--force", "-o", output]).assert().code(2);
    }
    build(&bench, "vm.img.gz").args(["--image-out", "x.gz", "--force"]).assert().code(2);
}

#[test]
fn what_is_no_image_is_refused_and_leaves_nothing() {
    let bench = bench();
    bench.peer("tar", &["-cf", "archive.img", "vm.img"], "tar");
    let archive = bench.peer("gzip", &["-c", "archive.img"], "gzip").stdout;
    bench.write("inside.img.gz", &archive);
    bench.write("empty.img", b"");
    bench.write("vm.vmdk", b"KDMV and the rest");
    bench.peer("gzip", &["-k", "vm.img"], "gzip");
    let gz = fs::read(bench.path("vm.img.gz")).unwrap();
    bench.write("cut.img.gz", &gz[..gz.len() - 5]);
    bench.write("padded.img.gz", &[&gz[..], &[0; 512]].concat());
    let before = files(&bench);
    for (image, reason) in [
        ("archive.img", "tar archive"),
        ("inside.img.gz", "tar archive"),
        ("empty.img", "empty"),
        ("vm.vmdk", "VMDK"),
        ("cut.img.gz", "cut off"),
        ("padded.img.gz", "padded with zeros"),
    ] {
        let refused = build(&bench, image).args(["-o", "vm.xml"]).assert().code(1);
        let said = stderr(&refused);
        assert!(said.contains(reason) && said.contains(image), "{image}: {said}");
    }
    build(&bench, "missing.img").assert().code(2);
    assert_eq!(files(&bench), before);
}

#[test]
fn ctrl_c_leaves_nothing_half_made() {
    let bench = Bench::new();
    // The image comes through a pipe that stays open, so that the command is in the middle of it.
    bench.peer("mkfifo", &["vm.img"], "coreutils");
    let program = assert_cmd::cargo::cargo_bin("stratus-build-manifest");
    let mut running = std::process::Command::new(program)
        .arg("vm.img")
        .args(NAME)
        .current_dir(bench.path("."))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = OpenOptions::new().write(true).open(bench.path("vm.img")).unwrap();
    // More than the pipe and all buffers hold: when it is gone, compressing has begun.
    (0..40).for_each(|_| pipe.write_all(&vec![7; 1 << 20]).unwrap());
    assert_eq!(files(&bench).len(), 2, "the pipe and the unfinished image");
    bench.peer("kill", &["-INT", &running.id().to_string()], "procps");
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(files(&bench), ["vm.img"]);
}

#[test]
fn it_explains_itself() {
    let bench = Bench::new();
    let help = stdout(&bench.command("stratus-build-manifest").arg("--help").assert().code(0));
    assert!(help.contains("Examples:") && help.contains("--image-out"), "{help}");
    let version = stdout(&bench.command("stratus-build-manifest").arg("-V").assert().code(0));
    assert!(version.starts_with("stratus-build-manifest "), "{version}");
    bench.command("stratus-build-manifest").assert().code(2);
}
