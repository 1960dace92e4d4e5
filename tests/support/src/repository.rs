//! A real `stratus-repository` with TLS on loopback.

use crate::programs::{program, run};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The password of every person in the password file.
pub const PASSWORD: &str = "correct horse";

/// What a repository is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Lines put into `[repository]` after the usual ones.
    pub repository: String,
    /// The tables behind `[repository]` (endorsers, limits, …); a rule for `base/**` by default.
    pub tables: String,
    /// The `[identity]` section; a password file with the people below by default.
    pub identity: String,
    /// Logins of the password file.
    pub people: Vec<&'static str>,
    /// Environment of the server.
    pub environment: Vec<(String, String)>,
    /// Size of a file system of its own for the data, as `mount` takes it; only the server sees it.
    pub small_disk: Option<&'static str>,
    /// Trust anchors other than the repository's own `signer.crt`.
    pub trust: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            repository: String::new(),
            tables: "[[repository.endorsers]]\npath = \"**\"\nsubject = \"/O=Example/CN=*\"\n"
                .to_owned(),
            identity: "[identity]\npassword_file = \"users.htpasswd\"\n".to_owned(),
            people: vec!["signer", "other"],
            environment: Vec::new(),
            small_disk: None,
            trust: None,
        }
    }
}

/// A repository that runs. Its folder holds `signer.crt`, `signer.key`, `server.crt` (also the CA that
/// clients need) and the data; both go when this is dropped.
pub struct Repository {
    folder: TempDir,
    server: Option<Child>,
    url: String,
    plain_url: Option<String>,
    setup: Setup,
}

impl Repository {
    /// Starts one with embedded defaults.
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    /// Starts one with settings of its own.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn with(setup: Setup) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        prepare(folder.path(), &setup);
        let mut repository =
            Self { folder, server: None, url: String::new(), plain_url: None, setup };
        repository.restart();
        repository
    }

    /// Ends the server as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server ends");
        }
    }

    /// Asks the server to end, and waits until it did.
    pub fn stop(&mut self) -> Option<i32> {
        let mut child = self.server.take()?;
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .expect("the server can be told");
        child.wait().expect("the server ends").code()
    }

    /// Starts the server over the same data; ends a running one first.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn restart(&mut self) {
        self.kill();
        let child = self.spawn();
        self.adopt(child);
    }

    /// Sets one variable of the server's environment from its next start on; `None` takes it away.
    pub fn set_environment(&mut self, name: &str, value: Option<&str>) {
        self.setup.environment.retain(|(known, _)| known != name);
        self.setup.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Waits until the server has ended by itself, and gives the signal that ended it.
    ///
    /// # Panics
    /// It does not run.
    pub fn wait(&mut self) -> Option<i32> {
        let mut child = self.server.take().expect("the server runs");
        child.wait().expect("the server ends").signal()
    }

    /// Starts the server program, and does not wait for it.
    ///
    /// # Panics
    /// It cannot be started at all.
    pub fn spawn(&self) -> Child {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path("repository.log"))
            .expect("a log");
        self.server_command()
            .args(["--config", "site.toml"])
            .envs(self.setup.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts")
    }

    /// The server's program, in a mount namespace where the disk is small.
    fn server_command(&self) -> Command {
        const MOUNTED: &str =
            "mkdir -p data && mount -t tmpfs -o size=\"$0\" tmpfs data && exec \"$@\"";
        let server = self.command("stratus-repository");
        let Some(size) = self.setup.small_disk else { return server };
        let mut command = crate::tool("unshare", "util-linux");
        command
            .current_dir(self.folder.path())
            .args(["--map-root-user", "--mount", "sh", "-c", MOUNTED, size])
            .arg(server.get_program());
        command
    }

    fn adopt(&mut self, mut child: Child) {
        let out = child.stdout.take().expect("standard output is piped");
        let mut plain = None;
        let mut tls = None;
        let wanted = 1 + usize::from(self.setup.repository.contains("listen_plain"));
        let mut found = 0;
        for line in BufReader::new(out).lines() {
            let line = line.expect("the server prints text");
            let Some(url) = line.strip_prefix("listening on ") else { continue };
            found += 1;
            if url.starts_with("https") {
                tls = Some(url.replace("127.0.0.1", "localhost"));
            } else {
                plain = Some(url.to_owned());
            }
            if found == wanted {
                break;
            }
        }
        self.server = Some(child);
        self.plain_url = plain;
        self.url = tls.unwrap_or_else(|| panic!("the repository did not start:\n{}", self.log()));
    }

    /// `https://localhost:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `http://127.0.0.1:<port>` where `listen_plain` was set.
    ///
    /// # Panics
    /// It was not.
    pub fn plain_url(&self) -> &str {
        self.plain_url.as_deref().expect("the setup has listen_plain")
    }

    /// Process id of the server.
    ///
    /// # Panics
    /// It does not run.
    pub fn process(&self) -> u32 {
        self.server.as_ref().expect("the server runs").id()
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("repository.log")).unwrap_or_default()
    }

    /// A command of ours, in the folder, with the password in its environment.
    pub fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.current_dir(self.folder.path()).env("STRATUS_PASSWORD", PASSWORD);
        command
    }

    /// A command of ours that talks to this server as `signer`.
    pub fn client(&self, name: &str) -> Command {
        let mut command = self.command(name);
        command
            .env("STRATUS_REPOSITORY", &self.url)
            .env("STRATUS_CA", self.path("server.crt"))
            .env("STRATUS_USER", "signer");
        command
    }

    /// `curl` that trusts this server and logs in as `login`; the answer's status is its last line.
    pub fn curl(&self, login: &str) -> Command {
        let mut command = crate::tool("curl", "curl");
        command
            .current_dir(self.folder.path())
            .args(["--silent", "--show-error", "--max-time", "60", "--cacert", "server.crt"])
            .args(["-w", "\n%{http_code}", "-u"])
            .arg(format!("{login}:{PASSWORD}"));
        command
    }

    /// An HTTP client that trusts this server.
    ///
    /// # Panics
    /// The certificate cannot be read.
    pub fn http(&self) -> reqwest::Client {
        let certificate = fs::read(self.path("server.crt")).expect("the server has a certificate");
        let certificate = reqwest::Certificate::from_pem(&certificate).expect("it is PEM");
        reqwest::Client::builder()
            .tls_certs_only([certificate])
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client")
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.kill();
    }
}

fn prepare(folder: &Path, setup: &Setup) {
    let cert = |arguments: &[&str]| {
        run(program("stratus-generate-cert").current_dir(folder).args(arguments)).good();
    };
    cert(&[
        "--subject",
        "/O=Example/CN=signer",
        "--email",
        "signer@example.org",
        "--out",
        "signer",
    ]);
    cert(&["--server", "localhost", "--server", "127.0.0.1", "--out", "server"]);
    let hash =
        run(program("stratus-repository").arg("hash-password").env("STRATUS_PASSWORD", PASSWORD))
            .good();
    let mut users = File::create(folder.join("users.htpasswd")).expect("a password file");
    for login in &setup.people {
        writeln!(users, "{login}:{}", hash.stdout.trim()).expect("a line");
    }
    let trust = setup.trust.clone().unwrap_or_else(|| PathBuf::from("signer.crt"));
    let site = format!(
        "[repository]\nlisten = \"127.0.0.1:0\"\ndata = \"data\"\ntls_certificate = \"server.crt\"\ntls_key = \"server.key\"\ntrust = \"{}\"\n{}\n{}\n{}",
        trust.display(),
        setup.repository,
        setup.tables,
        setup.identity
    );
    fs::write(folder.join("site.toml"), site).expect("a site file");
}
