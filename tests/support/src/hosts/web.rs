//! The lab's web server: folders of the test, and the only way out to package mirrors.
//!
//! It listens inside the lab and runs in the test's process, so it serves what it is told to and, as a
//! proxy, fetches what hosts ask of mirrors with the machine's own network. What never changes
//! under its address (packages, indexes named by their digest) is kept for the next host and test.

use super::demands;
use super::lab::{GATEWAY, Lab, WEB, lock};
use rustix::net::Shutdown;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Where hosts find the proxy.
pub(super) const PROXY_PORT: u16 = 3142;

/// A web server that runs; ended when dropped.
pub(super) struct Web {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Shared {
    folders: Mutex<Vec<(String, PathBuf)>>,
    connections: Mutex<Vec<TcpStream>>,
}

/// A request's head.
struct Request {
    target: String,
    is_head: bool,
    since: Option<String>,
    closes: bool,
}

/// What is answered: status, header lines, and the file of the body.
struct Answer {
    status: u16,
    headers: String,
    body: Option<File>,
}

impl Web {
    pub(super) fn start(lab: &Lab) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let shared = Arc::new(Shared::default());
        let client = client();
        let mut listeners = Vec::new();
        for port in [80, PROXY_PORT] {
            let listener = lab.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
            let listener = listener.expect("the lab's web server listens");
            listeners.push(listener.try_clone().expect("a second handle"));
            let (shared, client, handle) =
                (shared.clone(), client.clone(), runtime.handle().clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    lock(&shared.connections).extend(stream.try_clone());
                    let (shared, client, handle) = (shared.clone(), client.clone(), handle.clone());
                    std::thread::spawn(move || {
                        // Whoever asked went away: nobody is left to be told.
                        let _ = shared
                            .converse(&stream, &|request| handle.block_on(fetch(&client, request)));
                    });
                }
            });
        }
        Self { shared, listeners, runtime: Some(runtime) }
    }

    /// Serves a folder below a path; a later one comes before an earlier one.
    pub(super) fn add(&self, at: &str, folder: &Path) {
        lock(&self.shared.folders).insert(0, (at.to_owned(), folder.to_owned()));
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        for listener in &self.listeners {
            let _ = rustix::net::shutdown(listener, Shutdown::Both);
        }
        for stream in lock(&self.shared.connections).drain(..) {
            let _ = rustix::net::shutdown(&stream, Shutdown::Both);
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn converse(
        &self,
        stream: &TcpStream,
        fetch: &dyn Fn(&Request) -> io::Result<Answer>,
    ) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader)? {
            let answer = match request.target.strip_prefix("http://") {
                Some(rest) => match rest.split_once('/').unwrap_or((rest, "")) {
                    (host, path) if host == WEB || host == GATEWAY.to_string() => self.file(path),
                    _ => fetch(&request),
                },
                None => self.file(&request.target),
            };
            let answer = answer.unwrap_or_else(|problem| {
                eprintln!("the lab's web server, asked for {}: {problem}", request.target);
                Answer { status: 502, headers: String::new(), body: None }
            });
            answer.write(stream, request.is_head)?;
            if request.closes {
                break;
            }
        }
        Ok(())
    }

    fn file(&self, path: &str) -> io::Result<Answer> {
        let path = decoded(path.trim_start_matches('/').split(['?', '#']).next().unwrap_or(""));
        let below = |(at, folder): &(String, PathBuf)| {
            let rest = path.strip_prefix(at.as_str())?.strip_prefix('/')?;
            let safe =
                Path::new(rest).components().all(|part| matches!(part, Component::Normal(_)));
            Some(folder.join(rest)).filter(|file| safe && file.is_file())
        };
        let found = lock(&self.folders).iter().find_map(below);
        let Some(file) = found else {
            return Ok(Answer { status: 404, headers: String::new(), body: None });
        };
        Ok(Answer { status: 200, headers: String::new(), body: Some(File::open(file)?) })
    }
}

impl Request {
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.by_ref().take(16 << 10).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let is_head = words.next().is_some_and(|method| method == "HEAD");
        let target = words.next().unwrap_or_default();
        let mut request = Self { target, is_head, since: None, closes: false };
        loop {
            let mut line = String::new();
            reader.by_ref().take(16 << 10).read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(Some(request));
            };
            match name.to_ascii_lowercase().as_str() {
                "if-modified-since" => request.since = Some(value.trim().to_owned()),
                "connection" => request.closes = value.trim().eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
    }
}

impl Answer {
    fn write(mut self, mut stream: &TcpStream, is_head: bool) -> io::Result<()> {
        let length = match &self.body {
            Some(file) => file.metadata()?.len(),
            None => 0,
        };
        let Self { status, headers, .. } = &self;
        write!(stream, "HTTP/1.1 {status} -\r\n{headers}Content-Length: {length}\r\n\r\n")?;
        match &mut self.body {
            Some(file) if !is_head => io::copy(file, &mut stream).map(drop),
            _ => Ok(()),
        }
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .timeout(Duration::from_mins(5))
        .build()
        .expect("a client")
}

/// Answers from what was kept, or asks the mirror.
async fn fetch(client: &reqwest::Client, request: &Request) -> io::Result<Answer> {
    let url = &request.target;
    let kept = demands::tools().join("packages").join(hex(&Sha256::digest(url)));
    if let Ok(file) = File::open(&kept) {
        return Ok(Answer { status: 200, headers: String::new(), body: Some(file) });
    }
    let mut question = client.get(url);
    if let Some(since) = &request.since {
        question = question.header("If-Modified-Since", since);
    }
    let mut answer = question.send().await.map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let mut headers = String::new();
    if let Some(modified) = answer.headers().get("last-modified").and_then(|v| v.to_str().ok()) {
        headers = format!("Last-Modified: {modified}\r\n");
    }
    fs::create_dir_all(kept.parent().expect("a folder"))?;
    let mut part = tempfile::NamedTempFile::new_in(kept.parent().expect("a folder"))?;
    while let Some(piece) = answer.chunk().await.map_err(io::Error::other)? {
        part.write_all(&piece)?;
    }
    let file = part.reopen()?;
    if status == 200 && never_changes(url) {
        part.persist(&kept).map_err(|e| e.error)?;
    }
    Ok(Answer { status, headers, body: Some(file) })
}

/// Whether the same address always means the same bytes.
fn never_changes(url: &str) -> bool {
    let ending = Path::new(url).extension().and_then(|e| e.to_str()).unwrap_or_default();
    ["deb", "udeb", "rpm"].contains(&ending) || url.contains("/by-hash/SHA256/")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path with its `%xx` resolved.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code =
            after.get(..2).and_then(|c| u8::from_str_radix(std::str::from_utf8(c).ok()?, 16).ok());
        match code {
            Some(code) if first == b'%' => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
