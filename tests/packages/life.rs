//! The life of the packages: made, signed, installed, used, upgraded, downgraded, removed, purged, on
//! real hosts. What each stage promises is asserted by `packaging/verify-install.sh`, on the host.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use stratus_tests::hosts::{Base, Host, HostSetup, Lab, SigningKey, Tree};
use stratus_tests::{program, run, tool};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The command that makes releases, with the programs that these tests run too.
fn release(out: &Path) -> Command {
    let mut command = program("stratus-release");
    let programs = Path::new(command.get_program()).parent().unwrap().to_owned();
    command.arg("--quick").arg("--programs").arg(programs).arg("--out").arg(out);
    command
}

/// A tree in which the site file says more than in ours, as that of a later version may.
fn later_tree(folder: &Path) -> PathBuf {
    let tree = folder.join("root");
    run(Command::new("cp").arg("-a").arg(checkout().join("packaging/root")).arg(&tree)).good();
    let site = tree.join("etc/stratus/stratus.toml");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text + "\n# A later version has more to say.\n").unwrap();
    tree
}

const FIRST: &str = "0.1.0-1";
const SECOND: &str = "0.1.1~rc1-2";

#[test]
fn a_release_lives_on_every_family() {
    let lab = Lab::start();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (out, keys) = (folder.path().join("packages"), folder.path().join("keys"));
    let key = SigningKey::new(&keys);
    let url = lab.serve("packages", &out);
    let make = |version: &str| {
        let mut command = release(&out);
        command.env("GNUPGHOME", &keys).args(["--key", "Tests", "--url", &url]);
        command.args(["--version", version]);
        command
    };
    run(&mut make(FIRST)).good();
    is_signed_and_counted(&out, &keys);
    nginx_serves_it_as_the_guide_says(&out, folder.path());
    let mut hosts = lab.boot([
        HostSetup::new("twelve").without_mirrors(),
        HostSetup::new("thirteen").base(Base::Trixie).without_mirrors(),
        HostSetup::new("el").base(Base::El9),
        HostSetup::new("suse").base(Base::Leap16),
    ]);
    let before = hosts.each_ref().map(before);
    let first = [files(&out.join("apt/pool/stratus")), files(&out.join("yum/x86_64"))];
    std::thread::scope(|scope| {
        // They take as long as all the rest, and have nothing to do with the hosts.
        scope.spawn(|| linters_are_content(&first));
        on_all(&mut hosts, |host| {
            stages(host, &[&["install", &url], &["started"], &["configure"], &["round-trip"]]);
        });
        let services = "stratus-cache,stratus-common,stratus-monitor,stratus-repository";
        let mut second = make(SECOND);
        second.args(["--package", services, "--root"]).arg(later_tree(folder.path()));
        run(&mut second).good();
        on_all(&mut hosts, |host| {
            stages(
                host,
                &[&["upgrade", SECOND], &["downgrade", FIRST], &["remove"], &["again"], &["purge"]],
            );
        });
    });
    for (host, before) in hosts.iter().zip(&before) {
        nothing_is_left(host, before);
    }
    drop(key);
}

/// The files before anything of ours was there; the host has what the stages need.
fn before(host: &Host) -> Tree {
    let script = fs::read(checkout().join("packaging/verify-install.sh")).unwrap();
    host.write("/usr/local/sbin/verify-install", 0o755, script);
    // Every genuine system of RPM's family has it.
    host.run("mkdir -p /usr/share/licenses").good();
    host.tree()
}

fn on_all<const N: usize>(hosts: &mut [Host; N], work: impl Fn(&Host) + Sync) {
    std::thread::scope(|scope| {
        let work = &work;
        let threads = hosts.each_mut().map(|host| scope.spawn(move || work(host)));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

fn stages(host: &Host, stages: &[&[&str]]) {
    for words in stages {
        let out = host.run(&format!("verify-install {}", words.join(" ")));
        assert_eq!(out.code, 0, "{}: {words:?}\n{}\n{}", host.name(), out.stdout, out.stderr);
    }
}

/// What package managers write down about their own work, and the copies of the lists of accounts that
/// the system's tools keep.
const BOOKS: [&str; 14] = [
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/cache/dnf",
    "/var/cache/zypp",
    "/var/lib/YaST2",
    "/var/lib/apt",
    "/var/lib/dnf",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/zypp",
];

fn nothing_is_left(host: &Host, before: &Tree) {
    let without = |tree: Tree| BOOKS.iter().fold(tree, |tree, path| tree.without(path));
    let differences = without(before.clone()).differences(&without(host.tree()));
    assert!(differences.is_empty(), "{}:\n{}", host.name(), differences.join("\n"));
    let known = host.run("dpkg-query -W 2>/dev/null; rpm -qa 2>/dev/null").stdout;
    assert!(!known.contains("stratus"), "{}:\n{known}", host.name());
}

/// Every file is in the list of checksums, and what is signed has a good signature.
fn is_signed_and_counted(out: &Path, keys: &Path) {
    run(tool("sha256sum", "coreutils").current_dir(out).args(["--check", "--quiet", "SHA256SUMS"]))
        .good();
    let listed = fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let index = ["apt/dists/stable/InRelease", "yum/x86_64/repodata/repomd.xml", "cdx.json"];
    for name in index.iter().chain(&["stratus-cache_0.1.0-1_", "stratus-cache-0.1.0-1."]) {
        assert!(listed.contains(name), "{name}:\n{listed}");
    }
    for (signature, file) in [
        ("SHA256SUMS.asc", "SHA256SUMS"),
        ("apt/dists/stable/Release.gpg", "apt/dists/stable/Release"),
        ("yum/x86_64/repodata/repomd.xml.asc", "yum/x86_64/repodata/repomd.xml"),
    ] {
        let mut gpg = tool("gpg", "gnupg");
        gpg.current_dir(out).env("GNUPGHOME", keys).args(["--verify", signature, file]);
        run(&mut gpg).good();
    }
    // The installer looks for each system's packages below its own name.
    assert!(out.join("Debian/12/dists/stable/InRelease").is_file());
    assert!(out.join("AlmaLinux/9/x86_64/repodata/repomd.xml").is_file());
}

/// The front-end may serve the folder to the site, by the lines that the guide has for nginx. In a
/// network of its own, for the port is the guide's.
fn nginx_serves_it_as_the_guide_says(out: &Path, folder: &Path) {
    const SCRIPT: &str = r#"
        set -e
        ip link set lo up
        "$1" -c "$2" & trap "kill $!" EXIT
        cd "$3"
        for file in apt/dists/stable/InRelease Debian/12/dists/stable/InRelease \
            AlmaLinux/9/x86_64/repodata/repomd.xml stratus.asc; do
            curl -fsS --retry 20 --retry-delay 1 --retry-connrefused \
                "http://127.0.0.1:8090/$file" | cmp - "$file"
        done
    "#;
    let guide = fs::read_to_string(checkout().join("docs/guide/packages.md")).unwrap();
    let lines = guide.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
    let lines = lines.replace("/srv/stratus", out.to_str().unwrap());
    let conf = folder.join("nginx.conf");
    let pid = folder.join("nginx.pid");
    let text = format!(
        "daemon off;\nuser root;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{lines}}}\n",
        pid.display()
    );
    fs::write(&conf, text).unwrap();
    let mut alone = tool("unshare", "util-linux");
    alone.args(["--net", "--", "bash", "-o", "pipefail", "-c", SCRIPT, "serve"]);
    alone.arg(tool("nginx", "nginx-light").get_program()).args([&conf, out]);
    run(&mut alone).good();
}

/// `lintian` and `rpmlint` have nothing to say; what is not minded is listed with reasons.
fn linters_are_content([debs, rpms]: &[Vec<PathBuf>; 2]) {
    let packaging = checkout().join("packaging");
    let mut lintian = tool("lintian", "lintian");
    lintian.args([
        "--fail-on",
        "error,warning",
        "--no-cfg",
        "--allow-root",
        "--suppress-tags-from-file",
    ]);
    lintian.arg(packaging.join("lintian-tags")).args(debs);
    let said = run(&mut lintian);
    assert!(said.code == 0 && said.stdout.is_empty(), "{}{}", said.stdout, said.stderr);
    let mut rpmlint = tool("rpmlint", "rpmlint");
    rpmlint.arg("--config").arg(packaging.join("rpmlint.toml"));
    let said = run(rpmlint.args(rpms));
    let good = said.stdout.contains(" 0 errors, 0 warnings,");
    assert!(said.code == 0 && good, "{}{}", said.stdout, said.stderr);
}

/// The packages in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = files.filter(|file| file.is_file()).collect();
    assert!(!found.is_empty(), "{}", folder.display());
    found
}

#[test]
fn the_same_commit_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let out = folder.path().join(name);
        let mut command = release(&out);
        command.args([
            "--unsigned",
            "--package",
            "stratus-config,stratus-common,stratus-repository",
        ]);
        (command, out)
    };
    let (mut refused, _) = make("refused");
    let said = run(&mut refused);
    assert!(said.code == 1 && said.stderr.contains("no package `stratus-config`"), "{said:?}");
    let only = ["--unsigned", "--package", "stratus-common,stratus-repository"];
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    run(release(&one).args(only)).good();
    // Whoever makes it has another clock, language and mask of rights.
    let mut later = Command::new("sh");
    later
        .args(["-c", "umask 077 && exec \"$@\"", "sh"])
        .envs([("TZ", "Asia/Tokyo"), ("LC_ALL", "C")]);
    let command = release(&other);
    run(later.arg(command.get_program()).args(command.get_args()).args(only)).good();
    let sums = |out: &Path| fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&one), sums(&other));
    assert!(sums(&one).contains("stratus-repository") && sums(&one).contains("repomd.xml"));
    // A package that was given to others never changes under its name.
    let again = run(release(&one).args(only));
    assert!(again.code == 1 && again.stderr.contains("use another `--version`"), "{again:?}");
}

/// The most that `systemd-analyze security` may say of a service: 0 is shut in, 10 is at large.
const EXPOSURE: f64 = 1.5;

#[test]
fn services_are_shut_in() {
    let units = checkout().join("packaging/root/usr/lib/systemd/system");
    let services =
        files(&units).into_iter().filter(|f| f.extension().is_some_and(|e| e == "service"));
    let mut seen = 0;
    for unit in services {
        let mut analyze = tool("systemd-analyze", "systemd");
        let said = run(analyze.args(["security", "--offline=true", "--no-pager"]).arg(&unit));
        let line = said.stdout.lines().find(|line| line.contains("Overall exposure level"));
        let line = line.unwrap_or_else(|| panic!("{}{}", said.stdout, said.stderr));
        let level = line.rsplit_once(": ").unwrap().1.split(' ').next().unwrap();
        assert!(level.parse::<f64>().unwrap() <= EXPOSURE, "{}: {line}", unit.display());
        // What systemd does not understand it only warns of.
        assert!(!said.stderr.contains("ignoring"), "{}", said.stderr);
        assert_eq!(fs::metadata(&unit).unwrap().permissions().mode() & 0o777, 0o644);
        seen += 1;
    }
    assert_eq!(seen, 4);
}
