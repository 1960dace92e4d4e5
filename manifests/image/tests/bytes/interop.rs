//! Other programs read what is written here, and the reverse.

use crate::support::{compressed, disk, go_on, inflated};
use std::fs;
use std::path::Path;
use std::process::Command;
use stratus_image::{Algorithms, ImageError, measure};
use stratus_model::DiskFormat;

/// Runs a program; its output, or a message that says what to install.
fn output(program: &str, package: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {program}: {e}; apt-get install {package}"));
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

#[test]
fn gzip_and_zcat_read_our_members() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.img.gz");
    let content = disk((3 << 20) + 77);
    for level in [1, 6] {
        fs::write(&path, compressed(&content, 2, level).0).unwrap();
        let complaints = output("gzip", "gzip", &["-tv", text(&path)]);
        assert!(complaints.is_empty());
        assert!(output("zcat", "gzip", &[text(&path)]) == content);
    }
}

#[test]
fn what_gzip_makes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.img");
    let content = disk(3 << 20);
    fs::write(&path, &content).unwrap();
    for level in ["-1", "-9"] {
        // With the name and time of the file in the header.
        let file = output("gzip", "gzip", &[level, "-c", text(&path)]);
        for threads in [1, 2] {
            assert!(inflated(&file, threads, 1 << 30).unwrap().0 == content);
        }
    }
}

#[test]
fn the_formats_of_qemu_img_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("vm.raw");
    fs::write(&raw, disk(1 << 20)).unwrap();
    let convert = |format: &str, option: &str| {
        let path = folder.path().join(format!("vm.{format}"));
        let mut arguments = vec!["convert", "-f", "raw", "-O", format, text(&raw), text(&path)];
        if !option.is_empty() {
            arguments.extend(["-o", option]);
        }
        output("qemu-img", "qemu-utils", &arguments);
        measure(&path, &Algorithms::upload(), &mut go_on)
    };
    for version in ["compat=0.10", "compat=1.1"] {
        assert_eq!(convert("qcow2", version).unwrap().disk_format, DiskFormat::Qcow2);
    }
    assert_eq!(
        measure(&raw, &Algorithms::upload(), &mut go_on).unwrap().disk_format,
        DiskFormat::Raw
    );
    for format in ["vmdk", "vdi", "vhdx", "vpc", "qed", "parallels"] {
        match convert(format, "") {
            Err(ImageError::WrongContent { found }) => {
                assert!(found.ends_with("disk image"), "{format} is {found}");
            }
            other => panic!("{format}: {other:?}"),
        }
    }
    let layer = folder.path().join("layer.qcow2");
    let base = folder.path().join("vm.qcow2");
    let arguments = ["create", "-f", "qcow2", "-F", "qcow2", "-b", text(&base), text(&layer)];
    output("qemu-img", "qemu-utils", &arguments);
    let error = measure(&layer, &Algorithms::upload(), &mut go_on).unwrap_err();
    assert!(matches!(error, ImageError::NotWhole { needs: "a backing file" }));
}
