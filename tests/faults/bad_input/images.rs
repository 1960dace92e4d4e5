//! Images that are not what they should be.

use crate::{invisible, publishes};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use stratus_tests::{Answer, Appliance, Repository, Setup, disk, run, tool};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a bad image gets, sent before the manifest or after it.
fn both_orders(name: &str, bad: impl Fn(Vec<u8>) -> Vec<u8>, status: u16, text: &str) {
    let repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), name, "1.0", &disk(300_000, 1));
    let image = bad(fs::read(&appliance.image).unwrap());
    let manifest = fs::read(&appliance.manifest).unwrap();
    let put = |path: &str, bytes: &[u8]| repository.put("signer", path, bytes.to_vec());

    let mut answers: Vec<Answer> = vec![put(&appliance.image_path(), &image)];
    answers.push(put(&appliance.manifest_path(), &manifest));
    let refused = answers.iter().find(|a| a.status >= 400).expect("one of the two is refused");
    refused.clone().expect("image first", status, text);
    invisible(&repository, &appliance);

    publishes(&repository, &appliance);

    let appliance = Appliance::build(repository.folder(), name, "2.0", &disk(300_000, 1));
    let manifest = fs::read(&appliance.manifest).unwrap();
    put(&appliance.manifest_path(), &manifest).expect("manifest first", 202, "image");
    put(&appliance.image_path(), &image).expect("manifest first", status, text);
    invisible(&repository, &appliance);
    publishes(&repository, &appliance);
}

#[test]
fn wrong_digest() {
    let other = |good: Vec<u8>| {
        // The same length in both states: stored blocks.
        let mut bad = good;
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        bad
    };
    both_orders("flipped", other, 422, "reasons");
}

#[test]
fn another_image_of_the_right_shape() {
    both_orders("another", |_| gzip(&disk(300_000, 2)), 422, "SHA-256");
}

#[test]
fn wrong_size() {
    both_orders("longer", |_| gzip(&disk(300_001, 1)), 422, "bytes");
    both_orders("shorter", |_| gzip(&disk(299_999, 1)), 422, "bytes");
}

#[test]
fn truncated_gzip() {
    for cut in [1, 4, 9, 1000] {
        let name = format!("cut{cut}");
        both_orders(&name, |good| good[..good.len() - cut].to_vec(), 422, "reasons");
    }
}

#[test]
fn padded_gzip() {
    let padded = |padding: &'static [u8]| {
        move |mut good: Vec<u8>| {
            good.extend(padding);
            good
        }
    };
    both_orders("zeros", padded(&[0; 512]), 422, "reasons");
    both_orders("garbage", padded(b"and more"), 422, "reasons");
    both_orders("half-member", padded(&[0x1f, 0x8b, 8, 0]), 422, "reasons");
}

#[test]
fn no_gzip_at_all() {
    both_orders("raw", |_| disk(300_000, 1), 422, "gzip");
    both_orders("empty", |_| Vec::new(), 422, "reasons");
    both_orders("xz", |_| b"\xfd7zXZ\0and so on".to_vec(), 422, "gzip");
}

#[test]
fn several_gzip_members_are_one_image() {
    let repository = Repository::start();
    let content = disk(500_000, 3);
    let members: Vec<u8> = content.chunks(70_000).flat_map(gzip).collect();
    let file = repository.path("members.img.gz");
    fs::write(&file, members).unwrap();
    let words =
        "--type base --os members --os-version 1 --arch x86_64 --version 1.0 --user T -o m.xml";
    let build = std::iter::once("members.img.gz").chain(words.split(' '));
    run(repository.command("stratus-build-manifest").args(build)).good();
    let sign = ["m.xml", "--cert", "signer.crt", "--key", "signer.key"];
    run(repository.command("stratus-sign-manifest").args(sign)).good();
    run(repository.client("stratus-upload-image").args(["members.img.gz", "m.xml"])).good();
    let pull = ["members-1-x86_64-base-1.0", "--trust", "signer.crt", "-o", "pulled.img"];
    run(repository.client("stratus-download-image").args(pull)).good();
    assert!(fs::read(repository.path("pulled.img")).unwrap() == content);
}

#[test]
fn a_tar_file_inside() {
    let repository = Repository::start();
    fs::write(repository.path("disk.img"), disk(100_000, 4)).unwrap();
    let folder = repository.folder();
    run(tool("tar", "tar").current_dir(folder).args(["-czf", "vm.img.gz", "disk.img"])).good();
    let words = "vm.img.gz --type base --os tar --os-version 1 --arch x86_64 --version 1.0 --user T -o t.xml";
    let built = run(repository.command("stratus-build-manifest").args(words.split(' ')));
    assert_eq!(built.code, 1, "{}", built.stderr);
    assert!(built.stderr.contains("tar"), "{}", built.stderr);
    let path = "/images/base/tar-1-x86_64-base/1.0/tar-1-x86_64-base-1.0.img.gz";
    let image = fs::read(repository.path("vm.img.gz")).unwrap();
    repository.put("signer", path, image).expect("tar", 422, "tar");
}

#[test]
fn a_bomb_before_its_manifest_ends_at_the_sites_limit() {
    let tables = format!("[repository.limits]\ncontent = \"8 MiB\"\n{}", Setup::default().tables);
    let repository = Repository::with(Setup { tables, ..Setup::default() });
    let appliance = Appliance::build(repository.folder(), "bomb", "1.0", &disk(200_000, 5));
    let bomb = gzip(&vec![0; 256 << 20]);
    repository.put("signer", &appliance.image_path(), bomb).expect(
        "bomb",
        413,
        "urn:stratus:problem:too-large",
    );
    publishes(&repository, &appliance);
}

#[test]
fn a_bomb_after_its_manifest_ends_at_the_declared_size() {
    let repository = Repository::start();
    let appliance = Appliance::build(repository.folder(), "bomb", "1.0", &disk(4 << 20, 6));
    let manifest = fs::read(&appliance.manifest).unwrap();
    repository.put("signer", &appliance.manifest_path(), manifest).expect("manifest", 202, "image");
    // As long as the true one, and inflates to 25 times as much.
    let mut bomb = gzip(&vec![0; 100 << 20]);
    let length = usize::try_from(fs::metadata(&appliance.image).unwrap().len()).unwrap();
    assert!(bomb.len() < length);
    bomb.resize(length, 0);
    let before = peak(&repository);
    let answer = repository.put("signer", &appliance.image_path(), bomb);
    assert!([413, 422].contains(&answer.status), "{}", answer.text());
    assert!(peak(&repository) < before + (64 << 10), "the bomb was not kept in memory");
    invisible(&repository, &appliance);
    publishes(&repository, &appliance);
}

#[test]
fn an_image_over_the_sites_limit() {
    let tables = format!("[repository.limits]\nimage = \"100 KiB\"\n{}", Setup::default().tables);
    let repository = Repository::with(Setup { tables, ..Setup::default() });
    let large = Appliance::build(repository.folder(), "large", "1.0", &disk(800_000, 7));
    let small = Appliance::build(repository.folder(), "small", "1.0", &disk(20_000, 7));
    let image = fs::read(&large.image).unwrap();
    repository.put("signer", &large.image_path(), image).expect("large", 413, "too-large");
    publishes(&repository, &small);
}

/// Peak resident memory of the server, in KiB.
fn peak(repository: &Repository) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", repository.process())).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
