//! Base roots: what hosts are overlays of. Made once per machine and recipe, then only read.

use super::{demands, mirrors};
use crate::programs::{run, tool};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What every host has from the beginning.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,udev,iproute2,openssh-server,ca-certificates,\
    iputils-ping,netbase,procps,sudo,python3,nftables,curl";

/// What is done to a fresh root, which is `$1`.
///
/// Without an own machine id all copies would get the same one, and from it the same address for
/// every bridge of one name. Timers that change files by themselves are off: tests compare trees.
/// systemd says that it is up when its default target is, and that is when the network is. What it
/// would do once for a new `/usr` is taken as done.
const PREPARE: &str = r#"set -eu
cd "$1"
: > etc/machine-id
rm -f var/lib/dbus/machine-id etc/ssh/ssh_host_* etc/resolv.conf
ln -s /etc/machine-id var/lib/dbus/machine-id
chroot . systemctl enable systemd-networkd ssh
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim man-db motd-news; do
    ln -sf /dev/null etc/systemd/system/$timer.timer
done
drop_in() { mkdir -p "etc/systemd/system/$1.d"; cat > "etc/systemd/system/$1.d/lab.conf"; }
printf '[Unit]\nWants=network-online.target\nAfter=network-online.target\n' | drop_in multi-user.target
wait=/lib/systemd/systemd-networkd-wait-online
printf '[Service]\nExecStart=\nExecStart=%s --any --timeout=110\n' $wait |
    drop_in systemd-networkd-wait-online.service
mkdir -p root/.ssh && chmod 700 root root/.ssh
touch etc/.updated var/.updated
"#;

/// Which system a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// Ubuntu 24.04. Where the machine's own archives are not Ubuntu's, `STRATUS_UBUNTU_MIRROR` names
    /// one; without Ubuntu's keyring on the machine its signature is not checked.
    Noble,
    /// Debian 12 that passes for AlmaLinux 9: real systemd, rpm and dnf, and a package database that
    /// says that what a base system has is there. Not to be had so: SELinux, firewalld, real packages.
    El9,
    /// Debian 12 that passes for openSUSE Leap 16: real systemd, rpm and zypper, and such a package
    /// database. Not to be had so: AppArmor as it is there, firewalld, real packages.
    Leap16,
}

impl Base {
    /// The release's name in the archive.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Noble => "noble",
            Self::El9 => "el9",
            Self::Leap16 => "leap16",
        }
    }

    /// `<Distribution>/<release>` as OpenNebula's repository calls it.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Bookworm => "Debian/12",
            Self::Trixie => "Debian/13",
            Self::Noble => "Ubuntu/24.04",
            Self::El9 => "AlmaLinux/9/x86_64",
            Self::Leap16 => "openSUSE/16.0/x86_64",
        }
    }

    /// The root's folder, and a handle that keeps it from being taken away.
    pub(super) fn hold(self) -> (PathBuf, File) {
        let folder = self.root();
        let handle = File::open(&folder).expect("the base root");
        flock(&handle, FlockOperation::LockShared).expect("the base root is held");
        (folder, handle)
    }

    /// The root's folder; made if it is not there. This takes a minute or two, once.
    ///
    /// # Panics
    /// It cannot be made; with what `mmdebstrap` said.
    pub fn root(self) -> PathBuf {
        let roots = demands::tools().join("roots");
        fs::create_dir_all(&roots).expect("a folder for base roots");
        let folder = roots.join(format!("{}-{}", self.suite(), self.digest()));
        // Tests of one run ask for the same root at the same time: one makes it, the others wait.
        let lock = roots.join(format!("{}.lock", self.suite()));
        let lock = File::create(lock).expect("a lock file");
        flock(&lock, FlockOperation::LockExclusive).expect("the lock of a base root");
        if !folder.is_dir() {
            self.make(&folder);
        }
        folder
    }

    fn make(self, folder: &Path) {
        let part = folder.with_extension("part");
        // Half of one, from a run that was ended.
        let _ = fs::remove_dir_all(&part);
        let hook = folder.with_extension("sh");
        fs::write(&hook, self.recipe()).expect("the recipe");
        eprintln!("making the base root {} (once)", folder.display());
        let out = run(tool("mmdebstrap", "mmdebstrap")
            .env("TMPDIR", "/var/tmp")
            .args(["--variant=minbase", "--quiet"])
            .arg(format!("--include={}", self.packages()))
            .arg(format!("--components={}", self.components().join(",")))
            .arg(format!("--customize-hook=sh {} \"$1\"", hook.display()))
            .arg(self.archive())
            .arg(&part)
            .args(self.sources()));
        let _ = fs::remove_file(&hook);
        if out.code != 0 {
            let _ = fs::remove_dir_all(&part);
            panic!("cannot make a base root of {}:\n{}{}", self.suite(), out.stdout, out.stderr);
        }
        fs::rename(&part, folder).expect("the base root is put in place");
        self.forget_others(folder);
    }

    /// Takes away the roots of older recipes that no host stands on.
    fn forget_others(self, folder: &Path) {
        let begin = format!("{}-", self.suite());
        let roots = folder.parent().expect("the folder of base roots");
        for other in fs::read_dir(roots).into_iter().flatten().flatten() {
            let ours = other.file_name().to_string_lossy().starts_with(&begin);
            if !ours || other.path() == folder {
                continue;
            }
            let unused = File::open(other.path())
                .is_ok_and(|root| flock(&root, FlockOperation::NonBlockingLockExclusive).is_ok());
            if unused {
                let _ = fs::remove_dir_all(other.path());
            }
        }
    }

    /// The release that the root is really made of.
    fn archive(self) -> &'static str {
        if matches!(self, Self::El9 | Self::Leap16) { "bookworm" } else { self.suite() }
    }

    fn packages(self) -> String {
        let more = match self {
            Self::Bookworm | Self::Trixie => "",
            // Where Debian's required packages bring apt, Ubuntu's do not.
            Self::Noble => ",apt,ubuntu-keyring",
            Self::El9 => ",rpm,dnf,gpg",
            Self::Leap16 => ",rpm,zypper,gpg",
        };
        format!("{PACKAGES}{more}")
    }

    fn recipe(self) -> String {
        let more = match self {
            Self::El9 => concat!(include_str!("standins/el9.sh"), include_str!("standins/rpm.sh")),
            Self::Leap16 => {
                concat!(include_str!("standins/leap16.sh"), include_str!("standins/rpm.sh"))
            }
            Self::Bookworm | Self::Trixie | Self::Noble => "",
        };
        format!("{PREPARE}{more}")
    }

    fn components(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm | Self::Trixie | Self::El9 | Self::Leap16 => &["main"],
            Self::Noble => &["main", "universe"],
        }
    }

    fn sources(self) -> Vec<String> {
        if self != Self::Noble {
            return mirrors::lines("debian", self.archive(), self.components());
        }
        let Ok(mirror) = std::env::var("STRATUS_UBUNTU_MIRROR") else {
            return mirrors::lines("ubuntu", self.suite(), self.components());
        };
        let keyring = Path::new("/usr/share/keyrings/ubuntu-archive-keyring.gpg").is_file();
        let trusted = if keyring { "" } else { "[trusted=yes] " };
        vec![format!("deb {trusted}{mirror} noble main universe")]
    }

    fn digest(self) -> String {
        let digest = Sha256::new()
            .chain_update(self.suite())
            .chain_update(self.packages())
            .chain_update(self.recipe())
            .finalize();
        digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}
