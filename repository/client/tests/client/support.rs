//! A small HTTP/1.1 server that does what a test says, down to the byte: cuts answers, stalls,
//! forgets ranges, sends wrong bytes.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use stratus_client::{Connection, Patience, Repository};
use stratus_image::{Algorithms, CompressOptions, Hasher, Level, compress};
use stratus_model::{Algorithm, Chunks, Compressed, Expected};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The body; shorter than announced where the server was told to stop reading.
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// First and last byte asked for.
    pub(crate) fn range(&self) -> Option<(usize, Option<usize>)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()))
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// The answer to HEAD: no body, but its length.
    pub(crate) head: bool,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

type Handler = dyn Fn(usize, &Request) -> Answer + Send + Sync;
/// Bytes of a request's body after which the connection is closed.
type Impatience = dyn Fn(usize, &str) -> Option<usize> + Send + Sync;

/// The server; it ends with the test.
pub(crate) struct Server {
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers with `handler`, which gets the number of the request from 0.
    pub(crate) async fn start(
        handler: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start_impatient(|_, _| None, handler).await
    }

    /// As [`Server::start`]; `impatience` gets number and method of a request and says after how
    /// many bytes of its body the connection is closed without an answer.
    pub(crate) async fn start_impatient(
        impatience: impl Fn(usize, &str) -> Option<usize> + Send + Sync + 'static,
        handler: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (handler, impatience): (Arc<Handler>, Arc<Impatience>) =
            (Arc::new(handler), Arc::new(impatience));
        let known = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, handler, impatience) =
                    (Arc::clone(&known), Arc::clone(&handler), Arc::clone(&impatience));
                tokio::spawn(async move {
                    // A connection that ends early is what many tests are about.
                    let _ = serve(stream, &log, &*handler, &*impatience).await;
                });
            }
        });
        Self { address, log, task }
    }

    /// What was asked so far, in order.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// The requests of one method.
    pub(crate) fn asked(&self, method: &str) -> Vec<Request> {
        self.log().into_iter().filter(|r| r.method == method).collect()
    }

    /// A client that does not wait long.
    pub(crate) fn repository(&self) -> Repository {
        Repository::new(&connection(&self.address)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn connection(address: &str) -> Connection {
    let patience = Patience {
        attempts: 4,
        first_attempts: 2,
        first: std::time::Duration::from_millis(2),
        longest: std::time::Duration::from_millis(10),
        longest_asked: std::time::Duration::from_secs(2),
    };
    let login = Some(stratus_client::Login::Password {
        user: "signer".into(),
        password: "secret".to_owned().into(),
    });
    Connection { address: address.to_owned(), authorities: None, login, patience }
}

async fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    handler: &Handler,
    impatience: &Impatience,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Request { method, path, headers, body: Vec::new() };
        let length: usize =
            request.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        let number = log.lock().unwrap().len();
        let most = impatience(number, &request.method).unwrap_or(usize::MAX);
        request.body = vec![0; length.min(most)];
        stream.read_exact(&mut request.body).await?;
        log.lock().unwrap().push(request.clone());
        if most <= length {
            return Ok(());
        }
        let mut answer = handler(number, &request);
        answer.head |= request.method == "HEAD";
        write(stream.get_mut(), &answer).await?;
        if answer.cut.is_some() {
            return Ok(());
        }
    }
}

async fn write(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let given = answer.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    if !given {
        let _ = write!(head, "content-length: {}\r\n", answer.body.len());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    if !answer.head {
        let end = answer.cut.unwrap_or(usize::MAX).min(answer.body.len());
        stream.write_all(&answer.body[..end]).await?;
    }
    stream.flush().await
}

/// A disk image, its gzip file, and what a manifest would promise about both.
pub(crate) struct Image {
    pub(crate) raw: Vec<u8>,
    pub(crate) gz: Vec<u8>,
    pub(crate) expected: Expected,
}

/// Bytes in the pieces of test images: 64 KiB instead of 4 MiB, so that small files have many.
pub(crate) const PIECE: usize = 1 << 16;

/// An image of so many KiB that does not compress, with a hole in it.
pub(crate) fn image(kib: usize) -> Image {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut raw: Vec<u8> = Vec::with_capacity(kib << 10);
    while raw.len() < kib << 10 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        raw.extend_from_slice(&state.to_le_bytes());
    }
    let middle = raw.len() / 2;
    raw[middle..middle + (1 << 16)].fill(0);
    let mut gz = Vec::new();
    let options = CompressOptions {
        level: Level::new(1).unwrap(),
        algorithms: Algorithms::manifest(),
        ..CompressOptions::default()
    };
    let made = compress(&mut raw.as_slice(), &mut gz, &options, &mut |_| {
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let digest = |piece| Hasher::digest(Algorithm::Sha256, piece).bytes().try_into().unwrap();
    let sha256 = gz.chunks(PIECE).map(digest).collect();
    let mut compressed = Compressed::from(made.compressed.unwrap());
    compressed.chunks = Some(Chunks { size: PIECE as u64, sha256 });
    let expected = Expected {
        bytes: raw.len() as u64,
        checksums: made.content.digests,
        compressed: Some(compressed),
    };
    Image { raw, gz, expected }
}

/// Serves bytes as a good repository does: ranges, a strong ETag, `If-Range`.
pub(crate) fn serve_file(request: &Request, bytes: &[u8], etag: &str) -> Answer {
    let answer = Answer::new(200).with("etag", etag).with("accept-ranges", "bytes");
    let same = request.header("if-range").is_none_or(|tag| tag == etag);
    match request.range() {
        Some((first, last)) if same => {
            if first >= bytes.len() {
                return Answer::new(416);
            }
            let last = last.unwrap_or(usize::MAX).min(bytes.len() - 1);
            let range = format!("bytes {first}-{last}/{}", bytes.len());
            let part = &bytes[first..=last];
            Answer { status: 206, ..answer }.with("content-range", range).body(part)
        }
        _ => answer.body(bytes),
    }
}

/// What is in a folder, hidden files included.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A new folder and a target in it.
pub(crate) fn target(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join(name);
    (folder, target)
}
