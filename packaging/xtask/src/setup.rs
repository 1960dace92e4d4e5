//! What the tests use beside Rust, installed by name and named before.

mod pan;

use crate::run::{check, fetch, find, tools};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs by the Debian package that brings them.
const PROGRAMS: [(&str, &str); 34] = [
    ("slapd", "slapd"),
    ("ldapadd", "ldap-utils"),
    ("xmlsec1", "xmlsec1"),
    ("xmllint", "libxml2-utils"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("qemu-img", "qemu-utils"),
    ("unzip", "unzip"),
    ("nginx", "nginx-light"),
    ("nsenter", "util-linux"),
    ("ssh", "openssh-client"),
    ("sshd", "openssh-server"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("dnsmasq", "dnsmasq-base"),
    ("ping", "iputils-ping"),
    ("openvpn", "openvpn"),
    ("wg-quick", "wireguard-tools"),
    // For kernels without WireGuard.
    ("wireguard-go", "wireguard-go"),
    // A machine with a kernel of its own, and what it has beside it.
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("bash", "bash"),
    ("python3", "python3"),
    // Clocks that are set, and days that pass.
    ("faketime", "faketime"),
    ("ruby", "ruby"),
    // Whole hosts.
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    // What packages are judged by.
    ("lintian", "lintian"),
    ("rpmlint", "rpmlint"),
    // The database that APEL's schema is loaded into.
    ("mariadbd", "mariadb-server-core"),
    ("mariadb-install-db", "mariadb-server-core"),
    ("mariadb", "mariadb-client-core"),
];

/// What makes packages and their repositories, for releases and for tests' own.
pub(crate) const RELEASE: [(&str, &str); 10] = [
    ("strip", "binutils"),
    ("objcopy", "binutils"),
    ("dpkg-deb", "dpkg"),
    ("dpkg-shlibdeps", "dpkg-dev"),
    ("dpkg-scanpackages", "dpkg-dev"),
    ("apt-ftparchive", "apt-utils"),
    ("gpg", "gnupg"),
    ("rpmbuild", "rpm"),
    ("rpmsign", "rpm"),
    ("createrepo_c", "createrepo-c"),
];

/// What is only unpacked, by a file of it and the Debian package that brings it. Installed, they might
/// take over the network of whoever runs the tests, start a file server, or be what boots next.
const UNPACKED: [(&str, &str); 7] = [
    ("usr/libexec/netplan/generate", "netplan.io"),
    ("usr/bin/nmcli", "network-manager"),
    ("sbin/ifup", "ifupdown"),
    // A machine with a kernel of its own, and the share that it mounts.
    ("usr/share/bug/linux-image-cloud-amd64/presubj", "linux-image-cloud-amd64"),
    ("sbin/mount.nfs", "nfs-common"),
    ("usr/bin/ganesha.nfsd", "nfs-ganesha"),
    ("usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so", "nfs-ganesha-vfs"),
];

/// Modules of Python and Ruby by their file, and the Debian package that brings them.
const MODULES: [(&str, &str); 2] = [
    ("/usr/lib/python3/dist-packages/tusclient/client.py", "python3-tuspy"),
    ("/usr/lib/ruby/vendor_ruby/net/ldap.rb", "ruby-net-ldap"),
];

/// Every Debian package that may be installed or unpacked.
pub(crate) fn packages() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().chain(&RELEASE).chain(&UNPACKED).chain(&MODULES).map(|(_, package)| *package)
}

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    let modules = MODULES.iter().filter(|(file, _)| !Path::new(file).is_file());
    install(
        missing(&PROGRAMS)
            .chain(missing(&RELEASE))
            .chain(modules.map(|(_, package)| *package))
            .collect(),
    )?;
    unpack()?;
    axe().map(|file| println!("axe-core: {}", file.display()))?;
    if let Some(file) = s3_server()? {
        println!("S3 server: {}", file.display());
    }
    pan::compiler()?;
    apel()
}

/// Installs those of these programs that are missing.
pub(crate) fn programs(wanted: &[(&str, &'static str)]) -> Result<()> {
    install(missing(wanted).collect())
}

fn missing(wanted: &[(&str, &'static str)]) -> impl Iterator<Item = &'static str> {
    let absent = wanted.iter().filter(|(program, _)| find(program).is_none());
    absent.map(|(_, package)| *package)
}

fn install(packages: Vec<&str>) -> Result<()> {
    if packages.is_empty() {
        println!("every program that is needed is here");
        return Ok(());
    }
    debian(&packages)
}

/// Installs Debian packages. slapd's own service is not started: the tests run their own.
fn debian(packages: &[&str]) -> Result<()> {
    println!("installing with apt-get: {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!("there is no apt-get here; install these by hand: {}", packages.join(" "));
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        command
    };
    fetch(apt().args(["update", "-qq"]))?;
    fetch(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
        .context("apt-get needs root; run `apt-get install` with these packages yourself otherwise")
}

/// Unpacks those of [`UNPACKED`] that are not on the machine, with the libraries that they need and
/// the machine lacks, into `target/tools/unpacked`. No script of theirs runs.
fn unpack() -> Result<()> {
    let folder = tools().join("unpacked");
    let absent = |file: &str| !Path::new("/").join(file).is_file() && !folder.join(file).is_file();
    let wanted: Vec<&str> =
        UNPACKED.iter().filter(|(file, _)| absent(file)).map(|(_, package)| *package).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    println!("unpacking into {}: {}", folder.display(), wanted.join(" "));
    if find("apt-get").is_none() {
        bail!("there is no apt-get here; install these by hand: {}", wanted.join(" "));
    }
    let archives = folder.join("archives");
    std::fs::create_dir_all(archives.join("partial"))?;
    fetch(Command::new("apt-get").args(["update", "-qq"]))?;
    let place = format!("Dir::Cache::archives={}", archives.display());
    fetch(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", "--download-only", "-o"])
            .args([&place, "-o", "APT::Sandbox::User=root"])
            .args(&wanted),
    )
    .context("apt-get needs root")?;
    for entry in std::fs::read_dir(&archives)?.flatten() {
        let package = entry.path();
        if package.extension().is_some_and(|e| e == "deb") {
            check(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&folder))?;
        }
    }
    std::fs::remove_dir_all(&archives).context("the packages stay where they were unpacked from")
}

/// axe-core, the accessibility checker, as one script file; taken from the Python package that
/// carries it.
pub(crate) fn axe() -> Result<PathBuf> {
    let file = tools().join("axe.min.js");
    if file.is_file() {
        return Ok(file);
    }
    println!("installing axe-core from the Python package axe-playwright-python");
    let folder = tools().join("axe");
    std::fs::create_dir_all(&folder)?;
    let pip = pip()?;
    fetch(
        Command::new(pip)
            .args(["download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest"])
            .arg(&folder)
            .arg("axe-playwright-python==0.1.8"),
    )?;
    let wheel = first_file(&folder, "whl").context("pip brought no wheel")?;
    check(
        Command::new("unzip")
            .args(["-o", "-q"])
            .arg(&wheel)
            .arg("*/axe.min.js")
            .arg("-d")
            .arg(&folder),
    )?;
    let script = find_below(&folder, "axe.min.js").context("the wheel holds no axe.min.js")?;
    std::fs::copy(script, &file)?;
    Ok(file)
}

/// The Python modules that APEL's parser uses, by their packages.
const APEL_MODULES: [&str; 3] = ["dirq==1.8", "future==1.0.0", "iso8601==1.1.0"];
/// APEL's own programs and database schema, which are on no package index.
const APEL: &str = "https://github.com/apel/apel/archive/refs/tags/2.5.0-1.tar.gz";

/// APEL's parser and schema, for the records that accounting publishes. Where they cannot be had,
/// that part of the tests is left out, and said to be.
fn apel() -> Result<()> {
    let (folder, modules) = (tools().join("apel"), tools().join("python"));
    if !modules.join("dirq").is_dir() {
        println!("installing Python packages for APEL into {}", modules.display());
        let pip = pip()?;
        fetch(
            Command::new(pip)
                .args(["install", "--quiet", "--no-deps", "--disable-pip-version-check"])
                .arg("--target")
                .arg(&modules)
                .args(APEL_MODULES),
        )?;
    }
    if folder.join("schemas/cloud.sql").is_file() {
        return Ok(());
    }
    let archive = tools().join("apel.tar.gz");
    let curl = find("curl").context("there is no curl")?;
    let mut curl = Command::new(curl);
    curl.args(["--fail", "--silent", "--location", "--max-time", "60", "--output"]);
    if !curl.arg(&archive).arg(APEL).status()?.success() {
        println!(
            "LEFT OUT: the comparison with APEL's own parser and database: {APEL} cannot be had; \
             STRATUS_TEST_APEL may name a checkout"
        );
        return Ok(());
    }
    std::fs::create_dir_all(&folder)?;
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(&archive).args(["--strip-components", "1", "-C"]).arg(&folder);
    check(&mut unpack)?;
    std::fs::remove_file(&archive)?;
    Ok(())
}

/// OpenNebula's Python package in an environment of its own, for the monitor's bench.
pub(crate) fn pyone() -> Result<()> {
    let folder = tools().join("pyone");
    if folder.join("done").is_file() {
        return Ok(());
    }
    println!("installing the Python package pyone into {}", folder.display());
    let python = find("python3").context("there is no python3")?;
    check(Command::new(python).args(["-m", "venv", "--without-pip"]).arg(&folder))?;
    let mut install = Command::new(pip()?);
    install.arg("--python").arg(folder.join("bin/python"));
    // six is used by pyone and not asked for by it.
    install.args(["install", "--quiet", "--disable-pip-version-check"]);
    fetch(install.args(["pyone==7.2.0", "six==1.17.0"]))?;
    std::fs::write(folder.join("done"), "").context("the environment cannot be written")
}

fn pip() -> Result<PathBuf> {
    let pip = || find("pip3").or_else(|| find("pip"));
    if pip().is_none() {
        debian(&["python3-pip"])?;
    }
    pip().context("there is no pip")
}

/// A real S3 server program: versitygw, built from its Go module. None where there is no Go that can
/// build it; the bucket is then left out, and said to be.
pub(crate) fn s3_server() -> Result<Option<PathBuf>> {
    let file = tools().join("bin/versitygw");
    if file.is_file() {
        return Ok(Some(file));
    }
    if let Some(installed) = find("versitygw") {
        return Ok(Some(installed));
    }
    let Some(go) = find("go").filter(|go| is_recent(go)) else {
        println!(
            "LEFT OUT: the conformance tests of the S3 bucket, which need versitygw; install Go 1.24 or newer, \
             or put versitygw on the PATH"
        );
        return Ok(None);
    };
    println!("installing versitygw from its Go module into {}", tools().display());
    // Go's own caches too stay below the checkout.
    let cache = tools().join("go");
    fetch(
        Command::new(go)
            .args(["install", "-modcacherw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"])
            .env("GOBIN", tools().join("bin"))
            .env("GOPATH", &cache)
            .env("GOCACHE", cache.join("build")),
    )?;
    std::fs::remove_dir_all(&cache)?;
    Ok(Some(file))
}

/// Whether a Go is 1.24 or newer.
fn is_recent(go: &Path) -> bool {
    let version =
        crate::run::output(Command::new(go).args(["env", "GOVERSION"])).unwrap_or_default();
    let minor =
        version.trim().strip_prefix("go1.").and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 24)
}

fn first_file(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == extension))
}

fn find_below(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find_below(&path, name) {
                return Some(found);
            }
        } else if path.file_name().is_some_and(|n| n == name) {
            return Some(path);
        }
    }
    None
}
