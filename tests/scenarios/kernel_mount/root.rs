//! What the machine boots: Debian's kernel, and a root in memory with the modules that it needs for
//! its part, the programs, and the bundle.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use stratus_tests::{run, tool, unpacked, unpacked_libraries};

/// Programs by their Debian package.
const PROGRAMS: [(&str, &str); 5] = [
    ("openvpn", "openvpn"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("perl", "perl-base"),
    ("busybox", "busybox-static"),
];

/// Those that the kernel must be told to load, if they are not built in: the port by which it is
/// told what to do, card, tunnel, share.
const MODULES: [&str; 5] = ["virtio_pci", "virtio_console", "virtio_net", "tun", "nfsv4"];

/// The first program: it sets the machine up as a cloud would, and then does what it is told.
const INIT: &str = r#"#!/usr/bin/busybox sh
/usr/bin/busybox --install -s /applets
export PATH=/usr/sbin:/usr/bin:/applets
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/net
while read -r module; do insmod "/modules/$module"; done < /modules/order
hostname burst1
ip link set lo up
ip address add 10.99.0.2/24 dev eth0
ip link set eth0 up
ip route add default via 10.99.0.1
until set -- /dev/vport*p1; [ -e "$1" ]; do sleep 0.1; done
# Whoever opens it is alone with it.
exec 3<> "$1"
exec <&3 >&3 2>&1 3>&-
echo '= 0'
while read -r line; do
    (eval "$line") < /dev/null
    printf '\n= %s\n' $?
done
"#;

/// Locks a file for writing, as F_SETLK of fcntl(2) does it, until it may give it back.
const HOLD: &str = r#"open(my $file, '+<', $ARGV[0]) or die "$ARGV[0]: $!\n";
$| = 1;
my $lock = pack('s s x4 q q l x4', 1, 0, 0, 0, 0);
fcntl($file, 6, $lock) or do { print "refused: $!\n"; exit 1 };
print "held\n";
select(undef, undef, undef, 0.1) until -e '/tmp/release';
"#;

/// A folder with kernel and root; gone with the value.
pub(crate) struct Root {
    folder: tempfile::TempDir,
    kernel: PathBuf,
}

impl Root {
    /// With this `.ovpn` file as the bundle.
    pub(crate) fn with(profile: &str) -> Self {
        let (kernel, modules) = debian();
        // For root alone: it holds the key of the node.
        let made = Self { folder: tempfile::tempdir().unwrap(), kernel };
        made.folders();
        for (name, package) in PROGRAMS {
            made.program(Path::new(tool(name, package).get_program()), &format!("usr/bin/{name}"));
        }
        made.program(&unpacked("sbin/mount.nfs"), "usr/sbin/mount.nfs");
        for name in ["mount.nfs4", "umount.nfs", "umount.nfs4"] {
            symlink("mount.nfs", made.path(&format!("root/usr/sbin/{name}"))).unwrap();
        }
        made.modules(&modules);
        made.file("init", 0o755, INIT);
        made.file("usr/bin/hold", 0o644, HOLD);
        made.file("etc/openvpn/client/stratus.conf", 0o600, profile);
        made.pack();
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// As Debian has them: `/lib` and its like are links.
    fn folders(&self) {
        for name in ["applets", "dev", "etc/openvpn/client", "mnt", "modules", "proc", "run", "sys"]
        {
            fs::create_dir_all(self.path("root").join(name)).unwrap();
        }
        fs::create_dir(self.path("root/tmp")).unwrap();
        for name in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(self.path("root/usr").join(name)).unwrap();
            symlink(format!("usr/{name}"), self.path("root").join(name)).unwrap();
        }
        fs::create_dir(self.path("root").join(LIBRARIES)).unwrap();
    }

    fn file(&self, name: &str, mode: u32, text: &str) {
        let file = self.path("root").join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }

    /// A program with the libraries that it asks for.
    fn program(&self, file: &Path, to: &str) {
        copy(file, &self.path("root").join(to));
        let mut ldd = tool("ldd", "libc-bin");
        let out = run(ldd.arg(file).env("LD_LIBRARY_PATH", unpacked_libraries()));
        // A static one has none.
        for path in out.stdout.split_whitespace().filter(|word| word.starts_with('/')) {
            let path = Path::new(path);
            let name = path.file_name().unwrap().to_str().unwrap();
            let folder = if name.starts_with("ld-linux") { "usr/lib64" } else { LIBRARIES };
            copy(path, &self.path("root").join(folder).join(name));
        }
    }

    /// The modules with those that they need, in an order in which they can be loaded.
    fn modules(&self, folder: &Path) {
        let (mut known, mut order) = (BTreeMap::new(), Vec::new());
        modules_below(folder, &mut known);
        for name in MODULES {
            place(name, &known, &mut order);
        }
        for name in &order {
            copy(&known[name], &self.path("root/modules").join(name));
        }
        self.file("modules/order", 0o644, &format!("{}\n", order.join("\n")));
    }

    /// As the kernel takes it.
    fn pack(&self) {
        let out = File::create(self.path("initrd")).unwrap();
        let mut find = tool("find", "findutils");
        let find = find.arg(".").current_dir(self.path("root")).stdout(Stdio::piped());
        let mut find = find.spawn().unwrap();
        let packed = tool("busybox", "busybox-static")
            .args(["cpio", "-o", "-H", "newc"])
            .current_dir(self.path("root"))
            .stdin(find.stdout.take().unwrap())
            .stdout(out)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(packed.success() && find.wait().unwrap().success(), "the root is not packed");
    }
}

/// Where Debian's loader looks.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Debian's kernel for clouds, and the folder of its modules.
fn debian() -> (PathBuf, PathBuf) {
    let marker = "usr/share/bug/linux-image-cloud-amd64/presubj";
    let found = unpacked(marker);
    let base = Path::new(found.to_str().unwrap().strip_suffix(marker).unwrap());
    let kernels = fs::read_dir(base.join("boot")).unwrap().flatten().map(|entry| entry.path());
    let version = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("vmlinuz-").filter(|v| v.contains("-cloud-")).map(str::to_owned)
    };
    let (kernel, version) =
        kernels.filter_map(|path| version(&path).map(|v| (path, v))).max().expect("a kernel");
    println!("kernel {version}");
    (kernel, base.join("lib/modules").join(version))
}

/// Modules by the names that others need them by.
fn modules_below(folder: &Path, known: &mut BTreeMap<String, PathBuf>) {
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            modules_below(&path, known);
        } else if path.extension().is_some_and(|kind| kind == "ko") {
            known.insert(path.file_stem().unwrap().to_str().unwrap().replace('-', "_"), path);
        }
    }
}

/// Puts a module after those that it needs. What is not there is built in.
fn place(name: &str, known: &BTreeMap<String, PathBuf>, order: &mut Vec<String>) {
    let Some(path) = known.get(name) else { return };
    if order.iter().any(|placed| placed == name) {
        return;
    }
    for needed in needs(&fs::read(path).unwrap()) {
        place(&needed, known, order);
    }
    order.push(name.to_owned());
}

/// What a module says of itself: `depends=` and names with commas between.
fn needs(module: &[u8]) -> Vec<String> {
    let said = module.split(|byte| *byte == 0).find_map(|text| text.strip_prefix(b"depends="));
    let said = String::from_utf8_lossy(said.unwrap_or_default()).into_owned();
    said.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|e| panic!("{} to {}: {e}", from.display(), to.display()));
}
