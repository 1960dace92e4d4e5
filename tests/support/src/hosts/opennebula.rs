//! OpenNebula's package repository with stand-ins: its names, its layout, its accounts and files, and
//! nothing that is OpenNebula's own.
//!
//! The daemon inside is a program that the test gives, or a script that says it is ready and waits.

use super::apt::{AptRepository, SigningKey};
use super::rpm::RpmRepository;
use super::{Base, Lab, Package, libvirt};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Says to systemd that it is ready, and does nothing until it is ended.
const NOTHING: &str = "#!/bin/sh\nsystemd-notify --ready\nexec sleep infinity\n";
const IDLE: &str = "#!/bin/sh\nexec sleep infinity\n";

/// Which stand-ins a repository holds.
#[derive(Clone, Debug)]
pub struct Standins {
    version: String,
    oned: Option<PathBuf>,
    with_libvirt: bool,
    with_libvirt_standin: bool,
    with_rpm: bool,
    more: Vec<Package>,
    own: Vec<Package>,
}

impl Default for Standins {
    fn default() -> Self {
        Self {
            version: "7.4.0-1".to_owned(),
            oned: None,
            with_libvirt: false,
            with_libvirt_standin: false,
            with_rpm: false,
            more: Vec::new(),
            own: Vec::new(),
        }
    }
}

impl Standins {
    /// Of another version: `<major>.<minor>.<patch>-<revision>`.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// With this program as `/usr/bin/oned`. It is started as `oned -f` by oneadmin, and has to tell
    /// systemd that it is ready.
    #[must_use]
    pub fn oned(mut self, program: impl Into<PathBuf>) -> Self {
        self.oned = Some(program.into());
        self
    }

    /// With a node package that needs libvirt and qemu as the real one does. Otherwise it needs
    /// nothing, which is enough wherever no virtual machine is to start.
    #[must_use]
    pub fn with_libvirt(mut self) -> Self {
        self.with_libvirt = true;
        self
    }

    /// With a libvirt that answers and runs nothing: for tests of all around it.
    #[must_use]
    pub fn with_libvirt_standin(mut self) -> Self {
        self.with_libvirt_standin = true;
        self.package(libvirt::standin())
    }

    /// With the same packages for [`Base::El9`] and [`Base::Leap16`] too.
    #[must_use]
    pub fn with_rpm(mut self) -> Self {
        self.with_rpm = true;
        self
    }

    /// With a package of the test's own.
    #[must_use]
    pub fn package(mut self, package: Package) -> Self {
        self.more.push(package);
        self
    }

    /// With a repository of Stratus' own packages beside it, at `http://web.lab/stratus` and signed by
    /// the same key.
    #[must_use]
    pub fn own(mut self, package: Package) -> Self {
        self.own.push(package);
        self
    }

    /// Builds and signs the repository, and serves it in the lab.
    ///
    /// # Panics
    /// It cannot be built.
    pub fn serve(self, lab: &Lab) -> OpenNebulaRepository {
        OpenNebulaRepository::new(lab, &self)
    }

    fn packages(&self) -> Vec<Package> {
        let package = |name: &str| Package::new(name, &self.version);
        let mut packages = vec![
            self.server(),
            common(package("opennebula-common")),
            node(package("opennebula-node-kvm"), self.virtualisation()),
            package("opennebula-tools")
                .field("Depends", "opennebula-common, opennebula-libs, opennebula-rubygems"),
            package("opennebula-libs").field("Depends", "opennebula-rubygems"),
            package("opennebula-rubygems"),
            package("opennebula-common-onecfg"),
            package("python3-pyone"),
        ];
        packages.extend(SERVICES.map(|(name, file, settings)| {
            let package = package(name)
                .field("Depends", "opennebula-common")
                .file(&format!("/usr/share/one/{name}"), 0o755, IDLE)
                .file(
                    &unit_file(name),
                    0o644,
                    unit(name, &format!("/usr/share/one/{name}"), "simple"),
                )
                .script("postinst", include_str!("standins/service.postinst"))
                .script("prerm", &include_str!("standins/service.prerm").replace("@UNIT@", name));
            if file.is_empty() { package } else { package.file(file, 0o640, settings) }
        }));
        packages.extend(self.more.iter().cloned());
        packages
    }

    /// What the node package needs to run machines.
    fn virtualisation(&self) -> &'static str {
        match (self.with_libvirt, self.with_libvirt_standin) {
            (true, _) => ", libvirt-daemon-system, libvirt-clients, qemu-system-x86, qemu-utils",
            (false, true) => ", libvirt-daemon-system",
            (false, false) => "",
        }
    }

    /// Where nodes have libvirt, the simulator starts machines there.
    fn daemon_unit(&self) -> String {
        let unit = unit("opennebula", "/usr/bin/oned -f", "notify");
        if !self.with_libvirt {
            return unit;
        }
        unit.replace("[Service]\n", "[Service]\nEnvironment=ONED_SIMULATOR_DRIVERS=yes\n")
    }

    fn server(&self) -> Package {
        let program = match &self.oned {
            None => NOTHING.as_bytes().to_vec(),
            Some(file) => fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())),
        };
        let depends = format!(
            "opennebula-common, opennebula-tools, opennebula-libs, opennebula-rubygems, \
             openssh-client, openssh-server, sudo{}",
            if self.with_libvirt { ", genisoimage" } else { "" }
        );
        let mut server = Package::new("opennebula", &self.version)
            .field("Depends", &depends)
            .file("/usr/bin/oned", 0o755, program)
            .file(&unit_file("opennebula"), 0o644, self.daemon_unit())
            .file(
                "/usr/share/one/ssh/config",
                0o644,
                "Host *\n    StrictHostKeyChecking accept-new\n",
            )
            .script("postinst", include_str!("standins/server.postinst"))
            .script(
                "prerm",
                &include_str!("standins/service.prerm").replace("@UNIT@", "opennebula"),
            );
        for (path, text) in SETTINGS {
            server = server.file(path, 0o640, text);
        }
        // Not below /etc, yet edited by people, and left alone by upgrades of the real package.
        for (path, text) in REMOTES {
            server = server.file(path, 0o644, text);
        }
        server
    }
}

/// OpenNebula's repository as the lab has it.
pub struct OpenNebulaRepository {
    url: String,
    key: SigningKey,
    suites: BTreeMap<&'static str, AptRepository>,
    rpm: Option<RpmRepository>,
    with_rpm: bool,
    folder: PathBuf,
}

impl OpenNebulaRepository {
    fn new(lab: &Lab, standins: &Standins) -> Self {
        let folder = lab.folder().join("opennebula");
        let key = SigningKey::new(&lab.folder().join("gpg"));
        let mut repository = Self {
            url: String::new(),
            key,
            suites: BTreeMap::new(),
            rpm: None,
            with_rpm: standins.with_rpm,
            folder: folder.clone(),
        };
        repository.add(standins);
        repository.key.publish(&folder.join("repo2.key"));
        repository.url = lab.serve("repo", &folder);
        if !standins.own.is_empty() {
            let own = lab.folder().join("stratus");
            for base in [Base::Bookworm, Base::Trixie, Base::Noble] {
                let folder = own.join(base.folder());
                AptRepository::build(&folder, "stable", "stratus", &standins.own, &repository.key);
            }
            lab.serve("stratus", &own);
        }
        repository
    }

    /// Adds the packages of another version, or builds those of this one anew, with the same key.
    ///
    /// # Panics
    /// They cannot be built.
    pub fn add(&mut self, standins: &Standins) {
        let release = standins.version.split('.').take(2).collect::<Vec<_>>().join(".");
        let packages = standins.packages();
        // Built once: every system gets the same.
        let work = tempfile::tempdir().expect("a folder for packages");
        let files: Vec<_> = packages.iter().map(|package| package.build(work.path())).collect();
        for base in [Base::Bookworm, Base::Trixie, Base::Noble] {
            let folder = self.folder.join(&release).join(base.folder());
            let built = AptRepository::of_files(&folder, "stable", "opennebula", &files, &self.key);
            self.suites.insert(base.suite(), built);
        }
        if self.with_rpm {
            let folder = |base: Base| self.folder.join(&release).join(base.folder());
            RpmRepository::build(&folder(Base::Leap16), &packages, &self.key);
            self.rpm = Some(RpmRepository::build(&folder(Base::El9), &packages, &self.key));
        }
    }

    /// Its address, with the key at `<url>/repo2.key` and packages at `<url>/7.4/Debian/12` and so on.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The repository for this system, to do wrong with; that of the version added last.
    ///
    /// # Panics
    /// Never.
    pub fn of(&self, base: Base) -> &AptRepository {
        &self.suites[base.suite()]
    }

    /// The one of the rpm family, to do wrong with.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn rpm(&self) -> &RpmRepository {
        self.rpm.as_ref().expect("the stand-ins are `with_rpm`")
    }

    /// What signs it.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Shell that lets apt or dnf use it, as OpenNebula's own manual says.
    pub fn sources(&self, base: Base, release: &str) -> String {
        let (url, folder) = (&self.url, base.folder());
        if base == Base::El9 {
            return format!(
                "printf '%s\\n' '[opennebula]' name=OpenNebula enabled=1 gpgcheck=1 repo_gpgcheck=1 \
                 'baseurl={url}/{release}/AlmaLinux/$releasever/$basearch' 'gpgkey={url}/repo2.key' \
                 > /etc/yum.repos.d/opennebula.repo"
            );
        }
        format!(
            "curl -fsS -o /etc/apt/keyrings/opennebula.asc --create-dirs {url}/repo2.key && \
             echo 'deb [signed-by=/etc/apt/keyrings/opennebula.asc] {url}/{release}/{folder} stable opennebula' \
             > /etc/apt/sources.list.d/opennebula.list"
        )
    }
}

/// Packages with one service that only runs: their names, their settings' file and what it says.
const SERVICES: [(&str, &str, &str); 4] = [
    (
        "opennebula-fireedge",
        "/etc/one/fireedge-server.conf",
        "host: '0.0.0.0'\nport: 2616\none_xmlrpc: 'http://localhost:2633/RPC2'\noneflow_server: 'http://localhost:2474'\n",
    ),
    (
        "opennebula-gate",
        "/etc/one/onegate-server.conf",
        ":server:\n  :bind: 127.0.0.1:5030\n:one_xmlrpc: http://localhost:2633/RPC2\n",
    ),
    (
        "opennebula-flow",
        "/etc/one/oneflow-server.conf",
        ":host: 127.0.0.1\n:port: 2474\n:one_xmlrpc: http://localhost:2633/RPC2\n",
    ),
    ("opennebula-guacd", "", ""),
];

const SETTINGS: [(&str, &str); 4] = [
    ("/etc/one/oned.conf", include_str!("standins/oned.conf")),
    (
        "/etc/one/monitord.conf",
        "NETWORK = [\n  ADDRESS         = \"0.0.0.0\",\n  MONITOR_ADDRESS = \"auto\",\n  PORT            = 4124,\n  THREADS         = 8\n]\n",
    ),
    (
        "/etc/one/vmm_exec/vmm_exec_kvm.conf",
        "OS       = [ ARCH = \"x86_64\" ]\nFEATURES = [ PAE = \"no\", ACPI = \"yes\", APIC = \"no\" ]\nRAW      = \"\"\n",
    ),
    (
        "/etc/one/auth/ldap_auth.conf",
        "server 1:\n    :auth_method: :simple\n    :host: localhost\n    :port: 389\n    :base: 'dc=domain'\n    :user_field: 'cn'\n:order:\n    - server 1\n",
    ),
];

const REMOTES: [(&str, &str); 2] = [
    (
        "/var/lib/one/remotes/etc/vnm/OpenNebulaNetwork.conf",
        ":validate_vlan_id: false\n:arp_cache_poisoning: true\n:vxlan_mc: 239.0.0.0\n:vxlan_ttl: 16\n",
    ),
    (
        "/var/lib/one/remotes/etc/vmm/kvm/kvmrc",
        "export LANG=C\nexport LIBVIRT_URI=qemu:///system\nexport QEMU_PROTOCOL=qemu+ssh\nSHUTDOWN_TIMEOUT=180\n",
    ),
];

fn common(package: Package) -> Package {
    package
        .field("Depends", "openssh-client, passwd")
        .file("/usr/lib/tmpfiles.d/opennebula-common.conf", 0o644, TEMPORARY)
        .script("postinst", include_str!("standins/common.postinst"))
}

const TEMPORARY: &str =
    "d /run/one 0755 oneadmin oneadmin -\nd /run/lock/one 0755 oneadmin oneadmin -\n";

fn node(package: Package, virtualisation: &str) -> Package {
    let depends = format!("opennebula-common, openssh-server, sudo, iproute2{virtualisation}");
    package
        .field("Depends", &depends)
        .file("/etc/sudoers.d/opennebula-node-kvm", 0o440, include_str!("standins/node.sudoers"))
        .file("/etc/sysctl.d/bridge-nf-call.conf", 0o644, BRIDGES)
        .script("postinst", include_str!("standins/node.postinst"))
}

const BRIDGES: &str = "net.bridge.bridge-nf-call-arptables=0\nnet.bridge.bridge-nf-call-ip6tables=0\nnet.bridge.bridge-nf-call-iptables=0\n";

fn unit_file(name: &str) -> String {
    format!("/usr/lib/systemd/system/{name}.service")
}

fn unit(name: &str, program: &str, kind: &str) -> String {
    // A script tells systemd through a child, hence NotifyAccess.
    format!(
        "[Unit]\nDescription={name} (stand-in)\nAfter=network.target\n\n\
         [Service]\nType={kind}\nNotifyAccess=all\nUser=oneadmin\nGroup=oneadmin\n\
         ExecStart={program}\nRestart=on-failure\nRestartSec=5\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    )
}
