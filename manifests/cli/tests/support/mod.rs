//! A folder to work in, the commands, and a small image with its manifest.

#![allow(dead_code, reason = "each test file uses its part")]

use assert_cmd::Command;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Output;
use stratus_image::{Algorithms, measure};
use stratus_model::{Compressed, Compression, Identifier, Manifest};

/// A scratch folder in which commands run without anybody's settings.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a scratch folder"))
    }

    /// With `vm.img`, `vm.img.gz` and the unsigned `vm.xml`.
    pub(crate) fn with_image() -> Self {
        let bench = Self::new();
        let image: Vec<u8> = (0u32..300_000).flat_map(|n| (n / 7).to_le_bytes()).collect();
        bench.write("vm.img", &image);
        bench.peer("gzip", &["-k", "-n", "vm.img"], "gzip");
        bench.write("vm.xml", bench.manifest().as_bytes());
        bench
    }

    /// And `signer.crt`, `signer.key`, and the manifest signed.
    pub(crate) fn signed() -> Self {
        let bench = Self::with_image();
        bench.certificate("signer");
        bench.sign("vm.xml", "signer");
        bench
    }

    pub(crate) fn certificate(&self, name: &str) {
        let subject = format!("/O=Example/CN={name}");
        let email = format!("{name}@example.org");
        let out = ["--subject", &subject, "--email", &email, "--out", name, "--key-type", "p256"];
        self.command("stratus-generate-cert").args(out).assert().code(0);
    }

    pub(crate) fn sign(&self, file: &str, name: &str) {
        let (cert, key) = (format!("{name}.crt"), format!("{name}.key"));
        let arguments = [file, "--cert", &cert, "--key", &key];
        self.command("stratus-sign-manifest").args(arguments).assert().code(0);
    }

    fn manifest(&self) -> String {
        let found = measure(&self.path("vm.img.gz"), &Algorithms::manifest(), &mut |_| {
            ControlFlow::Continue(())
        })
        .expect("an image");
        let served = found.compressed.expect("a gzip file");
        let text = |value: &str| Some(value.to_owned());
        let mut manifest = Manifest {
            created: "2026-11-01T10:00:00Z".parse().ok(),
            kind: text("base"),
            version: text("1.0"),
            arch: text("x86_64"),
            user: text("Image team"),
            os: text("ubuntu"),
            osversion: text("24.04"),
            compression: Some(Compression::Gz),
            format: Some(found.disk_format),
            bytes: Some(found.content.bytes),
            title: text("Ubuntu 24.04 base"),
            compressed: Some(Compressed {
                bytes: served.bytes,
                checksums: served.digests,
                chunks: served.chunks,
            }),
            locations: vec![
                "https://a.example.org/vm.img.gz".into(),
                "https://b.example.org/vm.img.gz".into(),
            ],
            ..Manifest::empty()
        };
        manifest.identifier = found.content.digests.iter().find_map(Identifier::from_digest);
        manifest.checksums = found.content.digests;
        stratus_manifest::write(&manifest).expect("a manifest")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("a scratch file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a scratch file")
    }

    /// Takes an animal of the zoo of manifests.
    pub(crate) fn animal(&self, name: &str, to: &str) {
        let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../format/testdata");
        let document = fs::read(zoo.join(name).join("document.xml")).expect("an animal");
        self.write(to, &document);
    }

    /// One of our commands, in the folder, with an empty home.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::cargo_bin(name).expect("the command is built");
        command.current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Another program, in the folder; it must succeed.
    pub(crate) fn peer(&self, program: &str, arguments: &[&str], package: &str) -> Output {
        let output = std::process::Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap_or_else(|e| {
                panic!("{program} cannot be started ({e}); run: apt-get install {package}")
            });
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        output
    }
}

/// Standard error of a finished command.
pub(crate) fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

/// Standard output of a finished command.
pub(crate) fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}
