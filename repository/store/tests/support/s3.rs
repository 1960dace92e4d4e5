//! A real S3 server program on loopback.
//!
//! `versitygw` keeps objects as files and speaks all of S3 that the store needs, conditional writes
//! included. It takes a port by itself; which one is read from the kernel's list of sockets.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use url::Url;

pub(super) const BUCKET: &str = "appliances";
pub(super) const KEY: &str = "stratus";
pub(super) const SECRET: &str = "stratus-secret";

const MISSING: &str = "no S3 server program: set STRATUS_TEST_S3_SERVER to `versitygw`, put it on the \
    PATH, or install it into target/tools with\n\n    \
    GOBIN=$PWD/target/tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0\n";

/// A running server; ends with the last test that uses it.
pub(super) struct Server {
    program: Child,
    port: u16,
    _objects: TempDir,
}

impl Server {
    /// The one that is running, or a new one.
    pub(super) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start());
        *shared = Arc::downgrade(&server);
        server
    }

    pub(super) fn start() -> Self {
        let objects = tempfile::tempdir().unwrap();
        // A bucket is a folder here.
        fs::create_dir(objects.path().join(BUCKET)).unwrap();
        let program = Command::new(program())
            .args([
                "--access",
                KEY,
                "--secret",
                SECRET,
                "--port",
                "127.0.0.1:0",
                "--quiet",
                "posix",
            ])
            .arg(objects.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { program, port: 0, _objects: objects };
        let started = Instant::now();
        while server.port == 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "the S3 server does not listen");
            assert!(server.program.try_wait().unwrap().is_none(), "the S3 server ended at once");
            std::thread::sleep(Duration::from_millis(10));
            server.port = listening(server.program.id())
                .into_iter()
                .find(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
                .unwrap_or(0);
        }
        server
    }

    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("STRATUS_TEST_S3_SERVER") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = [
        std::env::var_os("STRATUS_TOOLS").map(PathBuf::from),
        // Where `cargo xtask test` puts it; examples are not told that place.
        option_env!("CARGO_TARGET_TMPDIR").map(|folder| Path::new(folder).join("../tools")),
    ];
    std::env::split_paths(&path)
        .chain(tools.into_iter().flatten().flat_map(|t| [t.clone(), t.join("bin")]))
        .map(|folder| folder.join("versitygw"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{MISSING}"))
}

/// Ports of 127.0.0.1 that a process listens on: its sockets by inode, in proc(5)'s `net/tcp`.
fn listening(process: u32) -> Vec<u16> {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    let inodes: Vec<String> = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let text = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(text.to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[3] == "0A" && inodes.iter().any(|i| i == row[9]))
        .filter_map(|row| u16::from_str_radix(row[1].split_once(':')?.1, 16).ok())
        .collect()
}
