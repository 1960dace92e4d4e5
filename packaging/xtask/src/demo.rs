//! The main job on embedded defaults: from nothing to an image whose origin is proved.

use crate::run::{cargo, check, output, target};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How long the demo goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Ends when everything was shown.
    Done,
    /// Leaves the services running until Ctrl-C, to be looked at in a browser.
    Interrupted,
}

const PASSWORD: &str = "demo-only";
const NAME: &str = "stratus-1-x86_64-base-1.0";

/// Runs the demo in a folder of its own, which is taken away at the end.
pub(crate) fn run(until: Until) -> Result<()> {
    println!("Building the programs (the first time takes some minutes; nothing is installed).");
    check(cargo().args([
        "build",
        "--quiet",
        "--locked",
        "-p",
        "stratus-repository",
        "-p",
        "stratus-cache",
        "-p",
        "stratus-client",
        "-p",
        "stratus-manifest-cli",
        "-p",
        "stratus-monitor",
        "-p",
        "stratus-tests",
        "--bins",
    ]))?;
    let folder = Folder::new()?;
    let demo = Demo { folder: &folder.0, programs: target().join("debug") };
    demo.prepare()?;
    let server = demo.serve()?;
    demo.publish(&server.url)?;
    demo.find_and_pull(&server.url)?;
    let cache = demo.cache(&server.url)?;
    demo.pull_near(&server.url, &cache)?;
    demo.tampered(&server.url)?;
    let cloud = demo.cloud()?;
    let monitor = demo.monitor(&cloud.url, &server.url, &cache.url)?;
    demo.next_steps(&server.url, until);
    if until == Until::Interrupted {
        println!("\nUntil you press Ctrl-C these run, with the login `signer` and `{PASSWORD}`:");
        println!("   {}   the repository", server.url);
        println!("   {}   the monitor, of a SIMULATED cloud", monitor.url);
        wait_for_interrupt(server)?;
    }
    Ok(())
}

struct Demo<'a> {
    folder: &'a Path,
    programs: PathBuf,
}

impl Demo<'_> {
    fn prepare(&self) -> Result<()> {
        println!(
            "\n1. A certificate to sign with, one for the server, and a small bootable disk image"
        );
        self.shown(
            "stratus-generate-cert",
            &[
                "--subject",
                "/O=Example/CN=signer",
                "--email",
                "signer@example.org",
                "--out",
                "signer",
            ],
        )?;
        self.shown(
            "stratus-generate-cert",
            &["--server", "localhost", "--server", "127.0.0.1", "--out", "server"],
        )?;
        fs::write(self.folder.join("vm.img"), bootable_disk())?;
        println!("\n2. A manifest that describes the image, signed");
        self.shown(
            "stratus-build-manifest",
            &[
                "vm.img",
                "--type",
                "base",
                "--os",
                "stratus",
                "--os-version",
                "1",
                "--arch",
                "x86_64",
                "--version",
                "1.0",
                "--user",
                "Image team",
                "--title",
                "A disk that says hello",
                "-o",
                "vm.xml",
            ],
        )?;
        self.shown(
            "stratus-sign-manifest",
            &["vm.xml", "--cert", "signer.crt", "--key", "signer.key"],
        )?;
        self.shown(
            "stratus-validate-manifest",
            &["vm.xml", "--image", "vm.img.gz", "--trust", "signer.crt"],
        )
    }

    fn serve(&self) -> Result<Server> {
        println!("\n3. A repository with TLS on loopback");
        let hash = output(
            self.command("stratus-repository")
                .args(["hash-password"])
                .env("STRATUS_PASSWORD", PASSWORD),
        )?;
        fs::write(self.folder.join("users.htpasswd"), format!("signer:{}\n", hash.trim()))?;
        fs::write(self.folder.join("site.toml"), SITE)?;
        self.start("stratus-repository", "site.toml")
    }

    fn start(&self, program: &str, site: &str) -> Result<Server> {
        self.start_with(program, &["--config", site], Stdio::null())
    }

    fn start_with(&self, program: &str, arguments: &[&str], input: Stdio) -> Result<Server> {
        println!("   $ {program} {}", quoted(arguments));
        let log = self.folder.join(format!("{program}.log"));
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let out = child.stdout.take().context("the program has no standard output")?;
        let mut server = Server { child, url: String::new() };
        for line in BufReader::new(out).lines() {
            if let Some(url) = line?.strip_prefix("listening on ") {
                // The certificate is made out to the name.
                server.url = url.replace("127.0.0.1", "localhost");
                println!("   {}", server.url);
                return Ok(server);
            }
        }
        bail!("{program} did not start:\n{}", fs::read_to_string(log)?)
    }

    fn cache(&self, repository: &str) -> Result<Server> {
        println!("\n6. A cache in front of it, as each site has one");
        fs::write(self.folder.join("cache.toml"), CACHE.replace("REPOSITORY", repository))?;
        self.start("stratus-cache", "cache.toml")
    }

    fn pull_near(&self, repository: &str, cache: &Server) -> Result<()> {
        for file in ["first.img", "second.img"] {
            let from = ["--repository", repository, "--ca", "server.crt", "--cache", &cache.url];
            let to = ["--trust", "signer.crt", "--output", file];
            self.shown("stratus-download-image", &[&[NAME], &from[..], &to[..]].concat())?;
        }
        println!("   The image crossed the wide-area network once:");
        self.shown("stratus-cache", &["--config", "cache.toml", "status"])
    }

    fn publish(&self, url: &str) -> Result<()> {
        println!("\n4. Publish");
        self.shown(
            "stratus-upload-image",
            &["vm.img.gz", "vm.xml", "--repository", url, "--ca", "server.crt", "--user", "signer"],
        )
    }

    fn find_and_pull(&self, url: &str) -> Result<()> {
        println!("\n5. Find it, pull it, prove it");
        self.shown("stratus-search-image", &["hello", "--repository", url, "--ca", "server.crt"])?;
        self.shown(
            "stratus-download-image",
            &[
                NAME,
                "--repository",
                url,
                "--ca",
                "server.crt",
                "--trust",
                "signer.crt",
                "-o",
                "pulled.img",
            ],
        )?;
        let same =
            fs::read(self.folder.join("vm.img"))? == fs::read(self.folder.join("pulled.img"))?;
        if !same {
            bail!("the pulled image differs from the one that was published");
        }
        println!("   pulled.img is the image that was signed, byte for byte");
        Ok(())
    }

    fn tampered(&self, url: &str) -> Result<()> {
        println!("\n7. A tampered copy is refused");
        let manifest = fs::read_to_string(self.folder.join("vm.xml"))?;
        fs::write(self.folder.join("forged.xml"), manifest.replace("says hello", "says hell0"))?;
        self.refused("stratus-validate-manifest", &["forged.xml", "--trust", "signer.crt"])?;
        self.refused(
            "stratus-upload-image",
            &[
                "vm.img.gz",
                "forged.xml",
                "--repository",
                url,
                "--ca",
                "server.crt",
                "--user",
                "signer",
            ],
        )
    }

    /// The cloud that the monitor looks at: a program of the tests that talks as OpenNebula does.
    fn cloud(&self) -> Result<Server> {
        println!("\n8. The monitor of a small site");
        println!(
            "   The cloud is SIMULATED: a stand-in for OpenNebula with 12 hosts and 95 machines"
        );
        println!(
            "   that do not exist, some of them in trouble. The repository and the cache are real."
        );
        self.start_with("simulated-cloud", &[], Stdio::piped())
    }

    fn monitor(&self, cloud: &str, repository: &str, cache: &str) -> Result<Server> {
        let site = MONITOR
            .replace("CLOUD", cloud)
            .replace("REPOSITORY", repository)
            .replace("CACHE", cache);
        fs::write(self.folder.join("monitor.toml"), site)?;
        fs::create_dir(self.folder.join("monitor"))?;
        let secret = self.folder.join("one_auth");
        fs::write(&secret, "oneadmin:demo-only\n")?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        let arguments = ["--config", "monitor.toml", "status"];
        println!("   $ stratus-monitor {}", quoted(&arguments));
        let status =
            self.command("stratus-monitor").args(arguments).stdin(Stdio::null()).status()?;
        if status.code() != Some(1) {
            bail!("stratus-monitor did not see the troubles of the simulated cloud: {status}");
        }
        println!("   exit code 1: something at the (simulated) site is broken");
        self.start("stratus-monitor", "monitor.toml")
    }

    fn next_steps(&self, url: &str, until: Until) {
        println!("\nTry next:");
        println!("   cargo xtask test                       proves the rest, with real servers");
        if until == Until::Interrupted {
            println!(
                "   curl --cacert {}/server.crt {url}/api/v1/appliances",
                self.folder.display()
            );
            println!(
                "   stratus-show-image {NAME} --repository {url} --ca {}/server.crt",
                self.folder.display()
            );
        } else {
            println!(
                "   cargo xtask demo                       the same, and leaves repository and monitor running for your browser"
            );
            println!("   cargo run --bin stratus-repository -- --help");
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder).env("STRATUS_PASSWORD", PASSWORD).env("HOME", self.folder);
        command
    }

    fn shown(&self, program: &str, arguments: &[&str]) -> Result<()> {
        println!("   $ {program} {}", quoted(arguments));
        check(self.command(program).args(arguments))
    }

    fn refused(&self, program: &str, arguments: &[&str]) -> Result<()> {
        println!("   $ {program} {}", quoted(arguments));
        let status = self.command(program).args(arguments).stdin(Stdio::null()).status()?;
        if status.success() {
            bail!("{program} accepted a forged manifest");
        }
        println!("   refused with exit code {}", status.code().unwrap_or(-1));
        Ok(())
    }
}

const SITE: &str = r#"[repository]
listen = "127.0.0.1:0"
data = "repository"
tls_certificate = "server.crt"
tls_key = "server.key"
trust = "signer.crt"
title = "Demo repository"
[[repository.endorsers]]
path = "base/**"
subject = "/O=Example/CN=*"
[identity]
password_file = "users.htpasswd"
"#;

const CACHE: &str = r#"[cache]
listen = "127.0.0.1:0"
directory = "cache"
size = "1 GiB"
[[cache.upstreams]]
prefix = "/"
url = "REPOSITORY"
ca = "server.crt"
"#;

const MONITOR: &str = r#"[monitor]
listen = "127.0.0.1:0"
title = "Demo site (simulated cloud)"
endpoint = "CLOUD"
auth_file = "one_auth"
data = "monitor"
interval = "5 s"
certificates = ["server.crt"]
services_ca = "server.crt"
[repository]
url = "REPOSITORY"
[cache]
url = "CACHE"
[identity]
password_file = "users.htpasswd"
[identity.people."signer"]
administrator = true
"#;

/// A service while it runs; ended when dropped.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ctrl-C reaches the whole process group, so the server ends, and we after it.
fn wait_for_interrupt(mut server: Server) -> Result<()> {
    server.child.wait().context("cannot wait for the repository")?;
    Ok(())
}

/// A folder that is taken away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("stratus-demo-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} is left behind: {error}", self.0.display());
        }
    }
}

fn quoted(arguments: &[&str]) -> String {
    let quote = |a: &&str| if a.contains(' ') { format!("\"{a}\"") } else { (*a).to_owned() };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A disk of 8 MiB whose boot sector prints a line on the screen and the first serial port, then
/// halts: `qemu-system-x86_64 -nographic -drive format=raw,file=vm.img` shows it.
fn bootable_disk() -> Vec<u8> {
    const CODE: [u8; 28] = [
        0x31, 0xc0, 0x8e, 0xd8, // ax = 0, data segment = 0
        0xbe, 0x1c, 0x7c, // si = the text, behind this code at 0x7c00
        0xac, 0x84, 0xc0, 0x74, 0x0d, // next byte; a zero ends
        0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, // the BIOS prints it
        0xba, 0xf8, 0x03, 0xee, // and so does the serial port
        0xeb, 0xee, // again
        0xf4, 0xeb, 0xfd, // halt
    ];
    const TEXT: &[u8] = b"Hello from an image whose origin is proved.\r\n\0";
    let mut disk = vec![0; 8 << 20];
    disk[..CODE.len()].copy_from_slice(&CODE);
    disk[CODE.len()..CODE.len() + TEXT.len()].copy_from_slice(TEXT);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}
