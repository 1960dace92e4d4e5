//! The share of a LAN host's: nfs-ganesha, a file server outside of the kernel.

use crate::bed::{Bed, Process, eventually, start};
use rustix::fs::{FlockOperation, fcntl_lock};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::PathBuf;
use stratus_tests::{run, unpacked, unpacked_libraries};

/// The options of the line for `/etc/fstab` in the guide.
pub(crate) fn options() -> &'static str {
    let guide = include_str!("../../../docs/guide/burst.md");
    let line = guide.lines().find(|line| line.contains(":/share /share nfs4 ")).unwrap();
    line.split(' ').nth(3).unwrap()
}

/// A folder that is served while the value lives.
pub(crate) struct Share {
    folder: PathBuf,
    _server: Process,
}

impl Share {
    pub(crate) fn of(bed: &Bed) -> Self {
        let folder = bed.path("share");
        let modules = unpacked("usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so");
        for folder in [&folder, &bed.path("recovery")] {
            fs::create_dir(folder).unwrap();
        }
        // The LAN side works on the folder itself, so the server must look again each time.
        let settings = format!(
            "NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Plugins_Dir = \"{}\"; }}
NFSv4 {{ Graceless = true; Minor_Versions = 0, 1, 2; RecoveryRoot = \"{}\"; Only_Numeric_Owners = true; UseGetpwnam = true; }}
EXPORT {{
    Export_Id = 1; Path = {}; Pseudo = /share; Access_Type = RW; Squash = None; SecType = sys;
    Attr_Expiration_Time = 0;
    FSAL {{ Name = VFS; }}
}}
",
            modules.parent().unwrap().display(),
            bed.path("recovery").display(),
            folder.display(),
        );
        fs::write(bed.path("ganesha.conf"), settings).unwrap();
        let server = unpacked("usr/bin/ganesha.nfsd");
        let mut command = bed.lan.command(&[server.to_str().unwrap(), "-F"]);
        command.arg("-f").arg(bed.path("ganesha.conf")).arg("-p").arg(bed.path("ganesha.pid"));
        command.arg("-L").arg(bed.path("nfs-ganesha.log"));
        command.env("LD_LIBRARY_PATH", unpacked_libraries());
        let server = start(&mut command, &bed.path("ganesha.log"));
        let listens = ["ss", "-tlnH", "sport", "=", ":2049"];
        eventually("the file server listens", || {
            !run(&mut bed.lan.command(&listens)).good().stdout.is_empty()
        });
        Self { folder, _server: server }
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(name), bytes).unwrap();
    }

    /// A lock on a file while the value lives; none where somebody else has it.
    pub(crate) fn lock(&self, name: &str) -> Option<File> {
        let file = File::options().write(true).open(self.folder.join(name)).unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file)
    }
}

/// As `sha256sum` writes it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
