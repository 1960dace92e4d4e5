//! What a bundle's program does on machines of each family: on this one, with folders and package
//! managers of the test's own in place of the system's.

use super::{FRONTEND_KEY, Site, node_program, unpacked};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use stratus_tests::{Output, run, tool};

/// Says what it was asked, and answers as a system whose packages come, or do not.
const STUB: &str = r#"#!/bin/sh
echo "${0##*/} $*" >> "$BENCH/log"
case "${0##*/} $*" in
*install*) [ ! -e "$BENCH/away" ] || exit 1; : > "$BENCH/installed" ;;
dpkg-query*) [ -e "$BENCH/installed" ] && echo 'ii ' ;;
'rpm -q'*) [ -e "$BENCH/installed" ] ;;
esac
"#;

const STUBS: [&str; 10] = [
    "apt-get",
    "dpkg-query",
    "dnf",
    "zypper",
    "rpm",
    "systemctl",
    "virsh",
    "usermod",
    "restorecon",
    "setsebool",
];

/// A machine of a cloud, as far as the program sees it.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(system: &str, site: &Site) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for folder in ["bin", "etc/libvirt", "lib/one"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for stub in STUBS {
            machine.write(&format!("bin/{stub}"), STUB);
            let path = machine.path(&format!("bin/{stub}"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (id, version) = system.split_once(' ').unwrap();
        machine.write("etc/os-release", &format!("ID={id}\nVERSION_ID=\"{version}\"\n"));
        machine.write("etc/hosts", "127.0.0.1 localhost\n");
        // As OpenNebula's packages make them.
        machine.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\noneadmin:x:9869:9869::/var/lib/one:/bin/sh\n",
        );
        machine.write("etc/group", "root:x:0:\noneadmin:x:9869:\nlibvirt:x:120:\nkvm:x:121:\n");
        machine.write("etc/libvirt/qemu.conf", "user = \"root\"\nmax_files = 9\n");
        let (script, _) = unpacked(&site.bundle("cloud-init").good().stdout);
        machine.write("node.sh", node_program(&script));
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs the program in its own view of files; what it asked of other programs.
    fn node(&self) -> (Output, String) {
        let _none = fs::remove_file(self.path("log"));
        let line = "mount --bind \"$BENCH/etc\" /etc && mount --bind \"$BENCH/lib\" /var/lib && exec sh \"$BENCH/node.sh\"";
        let mut command = tool("unshare", "util-linux");
        command.args(["--mount", "sh", "-c", line]).env("BENCH", self.0.path());
        let system = "/usr/sbin:/usr/bin:/sbin:/bin";
        command.env("PATH", format!("{}:{system}", self.path("bin").display()));
        let out = run(&mut command);
        (out, fs::read_to_string(self.path("log")).unwrap_or_default())
    }
}

#[test]
fn a_machine_of_each_family_becomes_a_node() {
    let site = Site::new();
    for (system, brings, repository, line, starts) in [
        (
            "debian 12",
            "apt-get -qy",
            "apt/sources.list.d/stratus-opennebula.sources",
            "repo/7.4/Debian/12\n",
            "libvirtd.service",
        ),
        (
            "almalinux 9.6",
            "dnf -qy --setopt=install_weak_deps=False install opennebula-node-kvm",
            "yum.repos.d/stratus-opennebula.repo",
            "repo/7.4/AlmaLinux/9/$basearch\n",
            "virtqemud.socket",
        ),
        (
            "sles 16.0",
            "zypper -nq install --no-recommends opennebula-node-kvm",
            "zypp/repos.d/stratus-opennebula.repo",
            "repo/7.4/SLES/16/$basearch\n",
            "virtqemud.socket",
        ),
    ] {
        let machine = Machine::new(system, &site);
        let (out, log) = machine.node();
        assert_eq!(out.code, 0, "{system}: {out:?}\n{log}");
        assert!(log.contains(brings), "{log}");
        assert!(log.contains(&format!("systemctl enable --now {starts}\n")), "{log}");
        assert!(log.contains("usermod --append --groups libvirt oneadmin\n"), "{log}");
        assert!(machine.text(&format!("etc/{repository}")).contains(line), "{system}");
        assert_eq!(machine.text("lib/one/.ssh/authorized_keys"), FRONTEND_KEY);
        let own = fs::metadata(machine.path("lib/one/.ssh/id_ed25519")).unwrap();
        assert_eq!(own.permissions().mode() & 0o777, 0o600);
        assert_eq!(
            machine.text("etc/libvirt/qemu.conf"),
            "max_files = 9\nuser = \"oneadmin\"\ngroup = \"oneadmin\"\ndynamic_ownership = 0\n"
        );
        assert!(machine.text("etc/hosts").ends_with("10.50.0.1 front.example.org\n"));

        // At the next boot nothing is brought, and nothing written twice.
        let files = ["etc/hosts", "etc/libvirt/qemu.conf", "lib/one/.ssh/authorized_keys"];
        let before = files.map(|file| machine.text(file));
        let (out, log) = machine.node();
        assert_eq!(out.code, 0, "{out:?}");
        assert!(!log.contains("install"), "{log}");
        assert_eq!(before, files.map(|file| machine.text(file)));
    }
}

#[test]
fn the_release_says_what_else_is_needed() {
    let site = Site::new();
    let alma = Machine::new("almalinux 9.6", &site);
    let (_, log) = alma.node();
    let at = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what}: {log}"));
    assert!(
        at("rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-stratus-opennebula")
            < at("dnf -qy install epel-release")
    );
    assert!(alma.text("etc/yum.repos.d/stratus-crb.repo").contains("/9/crb"));

    let sles = Machine::new("sles 16.0", &site);
    sles.write("away", "");
    let (out, _) = sles.node();
    assert_eq!(out.code, 1);
    for words in
        ["cannot be had; this machine is in the VPN and no host of OpenNebula", "Package Hub"]
    {
        assert!(out.stderr.contains(words), "{}", out.stderr);
    }
    // Tried again, it goes well.
    fs::remove_file(sles.path("away")).unwrap();
    assert_eq!(sles.node().0.code, 0);

    let (out, log) = Machine::new("gentoo 2", &site).node();
    assert_eq!((out.code, &*log), (3, ""));
    assert!(out.stderr.contains("take an image of debian-12, "), "{}", out.stderr);
}

#[test]
fn the_datastores_are_mounted_where_nodes_share_them() {
    let site = Site::new();
    let text =
        site.text("site.toml").replace("[networks.private]", "share = \"nfs\"\n[networks.private]");
    fs::write(site.path("site.toml"), text).unwrap();
    let machine = Machine::new("debian 12", &site);
    let (out, log) = machine.node();
    assert_eq!(out.code, 0, "{out:?}");
    assert!(log.contains("opennebula-node-kvm nfs-common\n"), "{log}");
    assert!(log.contains("systemctl enable --now var-lib-one-datastores.automount\n"), "{log}");
    let unit = machine.text("etc/systemd/system/var-lib-one-datastores.mount");
    assert!(unit.contains("What=10.50.0.1:/var/lib/one/datastores\n"), "{unit}");
    machine.text("etc/systemd/system/var-lib-one-datastores.automount");
}
