//! A private MariaDB on a socket in a temporary folder, and APEL's own programs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stratus_tests::{run, tool, tools};

pub(crate) struct Database {
    server: Child,
    folder: tempfile::TempDir,
}

impl Database {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--datadir={}", folder.path().join("data").display());
        let mut install = tool("mariadb-install-db", "mariadb-server-core");
        let made = [
            "--no-defaults",
            "--user=root",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ];
        run(install.args(made).arg(&data)).good();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let server = tool("mariadbd", "mariadb-server-core")
            .args(["--no-defaults", "--user=root", "--skip-networking", &data])
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let database = Self { server, folder };
        let end = Instant::now() + Duration::from_mins(1);
        while run(database.client().args(["-e", "SELECT 1"])).code != 0 {
            let log =
                || std::fs::read_to_string(database.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "MariaDB does not answer:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        database
    }

    fn client(&self) -> Command {
        let mut client = tool("mariadb", "mariadb-client-core");
        let socket = format!("--socket={}", self.folder.path().join("socket").display());
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names", &socket]);
        client
    }

    /// Runs a script; the rows, tab separated.
    pub(crate) fn query(&self, database: &str, script: &str) -> String {
        let mut client = self.client();
        client.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.server.kill();
        let _status = self.server.wait();
    }
}

/// APEL's own programs, where they are: `cargo xtask setup` brings them, or `STRATUS_TEST_APEL`
/// names a checkout of github.com/apel/apel.
pub(crate) struct Apel(PathBuf);

impl Apel {
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var_os("STRATUS_TEST_APEL").map(PathBuf::from);
        let folder = named.unwrap_or_else(|| tools().join("apel"));
        let found = folder.join("schemas/cloud.sql").is_file();
        if !found {
            println!(
                "LEFT OUT: APEL's own parser and database, which are not in {}",
                folder.display()
            );
        }
        found.then_some(Self(folder))
    }

    pub(crate) fn schema(&self) -> String {
        std::fs::read_to_string(self.0.join("schemas/cloud.sql")).unwrap()
    }

    /// The messages of a queue as SQL, read by `dirq` and APEL's record classes.
    pub(crate) fn load(&self, queue: &Path) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("journeys/usage_adds_up/load.py");
        let mut python = tool("python3", "python3");
        let out = run(python.arg(script).arg(&self.0).arg(tools().join("python")).arg(queue));
        out.good().stdout
    }
}

/// The messages of a queue as rows of the table `records`, read by `dirq` and by their lines.
pub(crate) fn rows(queue: &Path) -> String {
    let modules = tools().join("python");
    assert!(modules.join("dirq").is_dir(), "dirq is installed; `cargo xtask setup` does that");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("journeys/usage_adds_up/rows.py");
    let mut python = tool("python3", "python3");
    run(python.arg(script).arg(modules).arg(queue)).good().stdout
}
