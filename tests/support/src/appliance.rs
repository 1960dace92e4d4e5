//! A signed appliance to publish, made with our own commands.

use crate::programs::{program, run};
use std::path::{Path, PathBuf};

/// An image, its manifest, and who signed it, in a folder.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// The uncompressed disk.
    pub disk: PathBuf,
    /// The gzip file.
    pub image: PathBuf,
    /// The signed manifest.
    pub manifest: PathBuf,
    /// Its name: `<os>-<osversion>-<arch>-<type>-<version>`.
    pub name: String,
    /// Its path below `/images`, without endings.
    pub path: String,
}

/// Bytes that look like a disk: a boot record, text that repeats, noise, and nothing; the same for the
/// same seed.
pub fn disk(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut disk = Vec::with_capacity(bytes);
    while disk.len() < bytes {
        match noise() % 3 {
            0 => disk.extend(std::iter::repeat_n(0u8, 4096)),
            1 => disk.extend(b"a line of text that a log would hold, over and over\n".repeat(64)),
            _ => disk.extend((0..512).flat_map(|_| noise().to_le_bytes())),
        }
    }
    disk.truncate(bytes);
    if bytes >= 512 {
        disk[..446].fill(0xf4);
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    }
    disk
}

impl Appliance {
    /// Builds and signs one in `folder`, with `signer.crt` and `signer.key` there.
    pub fn build(folder: &Path, os: &str, version: &str, disk: &[u8]) -> Self {
        Self::build_titled(folder, os, version, disk, &format!("{os} for tests"))
    }

    /// The same with a title of its own.
    ///
    /// # Panics
    /// A command of ours failed.
    pub fn build_titled(folder: &Path, os: &str, version: &str, disk: &[u8], title: &str) -> Self {
        let name = format!("{os}-1-x86_64-base-{version}");
        let file = folder.join(format!("{name}.img"));
        std::fs::write(&file, disk).expect("the disk is written");
        let manifest = folder.join(format!("{name}.xml"));
        run(program("stratus-build-manifest")
            .current_dir(folder)
            .arg(&file)
            .args([
                "--type",
                "base",
                "--os",
                os,
                "--os-version",
                "1",
                "--arch",
                "x86_64",
                "--version",
                version,
            ])
            .args(["--user", "Image team", "--title", title, "-o"])
            .arg(&manifest))
        .good();
        run(program("stratus-sign-manifest").current_dir(folder).arg(&manifest).args([
            "--cert",
            "signer.crt",
            "--key",
            "signer.key",
        ]))
        .good();
        let path = format!("base/{os}-1-x86_64-base/{version}/{name}");
        Self { disk: file, image: folder.join(format!("{name}.img.gz")), manifest, name, path }
    }

    /// The path of the image on a server.
    pub fn image_path(&self) -> String {
        format!("/images/{}.img.gz", self.path)
    }

    /// The path of the manifest on a server.
    pub fn manifest_path(&self) -> String {
        format!("/images/{}.img.manifest.xml", self.path)
    }
}
