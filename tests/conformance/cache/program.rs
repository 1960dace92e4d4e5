//! The real `stratus-cache` on loopback, in front of one origin.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// A cache that runs; it ends, and its folder goes, when this is dropped.
pub(crate) struct Cache {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Cache {
    /// Starts one in front of `origin`; `lines` go into `[cache]`.
    pub(crate) fn start(origin: &str, lines: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let site = format!(
            "[cache]\nlisten = \"127.0.0.1:0\"\ndirectory = \"spool\"\nsize = \"1 GiB\"\n\
             free = \"1 MiB\"\n{lines}\n[[cache.upstreams]]\nprefix = \"/\"\nurl = \"{origin}\"\n\
             complete_from = 100\n"
        );
        fs::write(folder.path().join("site.toml"), site).unwrap();
        let log = fs::File::create(folder.path().join("cache.log")).unwrap();
        let mut child = stratus_tests::program("stratus-cache")
            .current_dir(folder.path())
            .args(["--config", "site.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.find_map(|line| Some(line.ok()?.strip_prefix("listening on ")?.to_owned()));
        let Some(url) = line else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{}", fs::read_to_string(folder.path().join("cache.log")).unwrap());
        };
        let address = url.trim_start_matches("http://").to_owned();
        Self { child, address, folder }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("cache.log")).unwrap_or_default()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
