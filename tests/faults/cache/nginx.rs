//! A real nginx as the origin.

use crate::{MIB, length, noise};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use stratus_tests::{Cache, CacheSetup, Readers, await_listener, free_port, tool};
use tempfile::TempDir;

/// nginx over the files of a folder; ended by its id when dropped.
struct Nginx {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nginx {
    /// `settings` go into its `server` block.
    fn start(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let root = folder.path().display();
        let text = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{ client_body_temp_path {root}/body; log_format sent '$uri $status $body_bytes_sent';\n\
             server {{ listen 127.0.0.1:{port}; root {root}/files; access_log {root}/access.log sent;\n{settings} }} }}\n"
        );
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut nginx = Self { folder, port, child: None };
        nginx.restart();
        nginx
    }

    fn restart(&mut self) {
        let child = tool("nginx", "nginx-light")
            .arg("-p")
            .arg(self.folder.path())
            .arg("-c")
            .arg(self.folder.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        await_listener(self.port);
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// Bytes of bodies that it sent for a path, and in how many answers.
    fn sent(&self, path: &str) -> (u64, usize) {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        let lines = log.lines().filter_map(|line| line.strip_prefix(path)?.strip_prefix(' '));
        let bytes: Vec<u64> =
            lines.filter_map(|line| line.split_once(' ')?.1.parse().ok()).collect();
        (bytes.iter().sum(), bytes.len())
    }

    fn cache(&self) -> Cache {
        let upstream = format!("http://127.0.0.1:{}", self.port);
        Cache::with(CacheSetup { upstream, ..CacheSetup::default() })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn thirty_two_cold_readers_cause_one_transfer() {
    let nginx = Nginx::start("limit_rate 20m;");
    let cache = nginx.cache();
    let readers = Readers::new();
    let bytes = noise(8 * MIB, 140);
    fs::write(nginx.file("a.iso"), &bytes).unwrap();
    let url = format!("{}/a.iso", cache.url());
    let readings: Vec<_> = (0..32)
        .map(|n| {
            let range = format!("bytes={}-", n * 10_000);
            if n % 4 == 3 {
                readers.begin(&url, &[("range", &range)])
            } else {
                readers.begin(&url, &[])
            }
        })
        .collect();
    for (n, reading) in readings.into_iter().enumerate() {
        let got = readers.end(reading);
        if n % 4 == 3 {
            got.is("a part", 206, &bytes[n * 10_000..]);
        } else {
            got.is("all", 200, &bytes);
        }
    }
    cache.rests();
    let (sent, answers) = nginx.sent("/a.iso");
    assert!(sent * 100 <= length(&bytes) * 101, "{sent} bytes in {answers} answers");
    let (received, served) = cache.traffic();
    assert!(received * 100 <= length(&bytes) * 101, "{received} bytes");
    assert!(served >= 31 * length(&bytes), "{served} bytes");
}

#[test]
fn ranges_of_a_cold_file_are_right() {
    let nginx = Nginx::start("");
    let cache = nginx.cache();
    let readers = Readers::new();
    let bytes = noise(40 * MIB, 141);
    fs::write(nginx.file("a.iso"), &bytes).unwrap();
    let url = format!("{}/a.iso", cache.url());
    let total = bytes.len();
    for (first, last) in [
        (30 * MIB, 30 * MIB + 9),
        (0, 0),
        (total - 1, total - 1),
        (5, 3 * MIB),
        (20 * MIB, total - 1),
    ] {
        let range = format!("bytes={first}-{last}");
        readers.get(&url, &[("range", &range)]).is(&range, 206, &bytes[first..=last]);
    }
    let beyond = format!("bytes={total}-");
    assert_eq!(readers.get(&url, &[("range", &beyond)]).status, 416);
    readers.get(&url, &[]).is("all", 200, &bytes);
    cache.rests();
    let (sent, answers) = nginx.sent("/a.iso");
    // What was on its way when a run was cut short is lost.
    assert!(sent <= length(&bytes) + 8 * MIB as u64, "{sent} bytes in {answers} answers");
}

#[test]
fn what_is_stored_is_served_while_nginx_is_away() {
    let mut nginx = Nginx::start("add_header Cache-Control max-age=0;");
    let mut cache = nginx.cache();
    let readers = Readers::new();
    let (bytes, new) = (noise(2 * MIB, 142), noise(2 * MIB + 5, 143));
    fs::write(nginx.file("a.iso"), &bytes).unwrap();
    let url = |cache: &Cache, name: &str| format!("{}/{name}", cache.url());
    readers.get(&url(&cache, "a.iso"), &[]).is("stored", 200, &bytes);
    cache.rests();
    nginx.stop();
    for life in ["running", "after a restart"] {
        let got = readers.get(&url(&cache, "a.iso"), &[]).is(life, 200, &bytes);
        assert!(got.header("cache-status").contains("hit"), "{}", got.header("cache-status"));
        let part = readers.get(&url(&cache, "a.iso"), &[("range", "bytes=-10")]);
        part.is(life, 206, &bytes[bytes.len() - 10..]);
        assert_eq!(readers.get(&url(&cache, "b.iso"), &[]).status, 502);
        cache.restart();
    }
    fs::write(nginx.file("a.iso"), &new).unwrap();
    nginx.restart();
    readers.get(&url(&cache, "a.iso"), &[]).is("the new one", 200, &new);
    cache.rests();
}
