//! Answers that are known at once beside those of the router: nobody can tell which it was.

use super::*;
use crate::control::status;
use crate::spool::journal::{Identity, Line, Promise, encode};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::path::Path;
use stratus_cache_policy::{Exchange, Options, Storing, store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const BYTES: &[u8] = b"0123456789 the bytes of an object";
const TAG: &str = "\"v1\"";

/// Puts an object into a spool that no cache has open, of which the first `there` bytes are there.
fn put(
    spool: &Path,
    name: &str,
    fields: &[(&'static str, &str)],
    age: SignedDuration,
    there: usize,
) {
    let mut headers = HeaderMap::new();
    for (name, value) in [("etag", TAG), ("content-type", "text/plain")].iter().chain(fields) {
        let value = HeaderValue::from_str(value).unwrap();
        headers.insert(HeaderName::from_static(name), value);
    }
    let (method, asked, at) = (Method::GET, HeaderMap::new(), Timestamp::now() - age);
    let request = stratus_cache_policy::Request { method: &method, headers: &asked };
    let response = stratus_cache_policy::Response { status: StatusCode::OK, headers: &headers };
    let exchange = Exchange { requested_at: at, received_at: at };
    let Storing::Store(head) = store(&request, &response, exchange, &Options::default()) else {
        panic!("{name} can be stored")
    };
    let key = format!("http://127.0.0.1:1/{name}");
    let total = BYTES.len() as u64;
    let lines = [
        Line::Object(Identity::new(&key, Some(total), Promise::default())),
        Line::Head(head),
        Line::Bytes(0, there as u64, crc32fast::hash(&BYTES[..there])),
    ];
    let folder = spool.join("objects/00");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.log")), lines.map(|l| encode(&l)).concat()).unwrap();
    std::fs::write(folder.join(format!("{name}.data")), BYTES).unwrap();
}

/// One cache, served with and without what is known at once. Nobody is at its upstream.
struct Both {
    cache: Cache,
    addresses: [SocketAddr; 2],
    _folder: tempfile::TempDir,
}

fn both() -> Both {
    let folder = tempfile::tempdir().unwrap();
    let (new, hour) = (SignedDuration::ZERO, SignedDuration::from_hours(1));
    let (all, fresh) = (BYTES.len(), ("cache-control", "max-age=86400"));
    put(folder.path(), "fresh", &[fresh], new, all);
    put(folder.path(), "vary", &[fresh, ("vary", "accept-language")], new, all);
    put(folder.path(), "part", &[fresh], new, 10);
    put(folder.path(), "stale", &[("cache-control", "max-age=60, stale-if-error=0")], hour, all);
    let behind = "max-age=60, stale-while-revalidate=86400";
    put(folder.path(), "behind", &[("cache-control", behind)], hour, all);
    let text = format!(
        "[cache]\nlisten = \"127.0.0.1:0\"\ndirectory = \"{}\"\nsize = \"1 GiB\"\nfree = \"0 B\"\n\
         [[cache.upstreams]]\nhost = \"cache.example.org\"\nprefix = \"/\"\n\
         url = \"http://127.0.0.1:1\"\n",
        folder.path().display()
    );
    let settings = Settings::parse(Path::new("site.toml"), &text).unwrap();
    let spool = Spool::open(&settings.directory, settings.room).unwrap();
    let upstream = Arc::new(Upstream::new(&settings.upstreams[0], Arc::default()).unwrap());
    let name = Pseudonym::new("cache-1").unwrap();
    let cache = Cache::new(settings, spool, vec![upstream], name, Metrics::new(Arc::default()));
    let own = cache.clone();
    let known = Answers::at_once(router(cache.clone()), move |parts| own.at_once(parts));
    let addresses = [known, router(cache.clone()).into()].map(|answers| {
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
        let bound = Bound::bind(&listen).unwrap();
        let address = bound.local_addr();
        tokio::spawn(serve(vec![bound], answers, Limits::default(), std::future::pending()));
        address
    });
    Both { cache, addresses, _folder: folder }
}

impl Both {
    /// The answer of one of the two, and what was counted for it.
    async fn answer(&self, which: usize, request: &str) -> (String, Vec<(String, u64)>) {
        let before = status(&self.cache).requests;
        let mut socket = TcpStream::connect(self.addresses[which]).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let all = timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
        all.unwrap_or_else(|_| panic!("no end: {request}")).unwrap();
        let counted = status(&self.cache).requests.into_iter().zip(before);
        let counted = counted.map(|((name, now), (_, before))| (name, now - before));
        (sorted(&String::from_utf8(answer).unwrap()), counted.collect())
    }

    /// What both answer to a request of these lines.
    async fn same(&self, lines: &[&str]) -> String {
        let request = [lines.join("\r\n"), "\r\nConnection: close\r\n\r\n".to_owned()].concat();
        let mut last = None;
        // The second may be over in between, which changes an age.
        for _ in 0..5 {
            let [known, routed] = [self.answer(0, &request).await, self.answer(1, &request).await];
            if known == routed {
                return known.0;
            }
            last = Some((known, routed));
        }
        panic!("{request} {last:#?}")
    }
}

/// With the fields in an order of their own: theirs says nothing.
fn sorted(answer: &str) -> String {
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    let (status, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut fields: Vec<&str> = fields.split("\r\n").collect();
    fields.sort_unstable();
    format!("{status}\r\n{}\r\n\r\n{content}", fields.join("\r\n"))
}

const HOST: &str = "Host: cache.example.org:8480";

#[tokio::test]
async fn what_is_known_at_once_is_what_the_router_answers() {
    let both = both();
    let tag = format!("If-None-Match: {TAG}");
    let table: &[(&str, &[&str], u16)] = &[
        ("GET /fresh", &[HOST], 200),
        ("GET /fresh", &[HOST, "Range: bytes=2-5"], 206),
        ("GET /fresh", &[HOST, "Range: bytes=2-5,8-9"], 206),
        ("GET /fresh", &[HOST, "Range: bytes=500-"], 416),
        ("GET /fresh", &[HOST, "Range: bytes=2-5", "If-Range: \"other\""], 200),
        ("GET /fresh", &[HOST, &tag], 304),
        ("GET /fresh", &[HOST, "If-None-Match: \"other\""], 200),
        ("GET /fresh", &[HOST, "If-Match: \"other\""], 502),
        ("GET /fresh", &[HOST, "Cache-Control: only-if-cached"], 200),
        ("GET /fresh", &[HOST, "Authorization: Basic YTpi"], 502),
        ("GET /fresh", &[HOST, "Via: 1.1 cache-1"], 508),
        ("GET /fresh", &[HOST, "Content-Length: 0"], 200),
        ("GET /./fresh", &[HOST], 200),
        ("GET http://cache.example.org/fresh", &["Host: other.example.org"], 200),
        ("GET http://other.example.org/fresh", &[HOST], 404),
        ("GET /fresh", &["Host: other.example.org"], 404),
        ("GET /fresh", &[], 404),
        ("HEAD /fresh", &[HOST], 200),
        ("HEAD /fresh", &[HOST, "Range: bytes=2-5"], 200),
        ("HEAD /fresh", &[HOST, &tag], 304),
        ("HEAD /absent", &[HOST, "Cache-Control: only-if-cached"], 504),
        ("HEAD /absent", &[HOST], 502),
        ("GET /absent", &[HOST, "Cache-Control: only-if-cached"], 504),
        ("GET /absent", &[HOST], 502),
        ("GET /vary", &[HOST], 200),
        ("GET /vary", &[HOST, "Accept-Language: de"], 502),
        ("GET /part", &[HOST, "Range: bytes=0-9"], 206),
        ("GET /part", &[HOST, "Cache-Control: only-if-cached"], 504),
        ("GET /stale", &[HOST], 504),
        ("GET /stale", &[HOST, "Cache-Control: only-if-cached"], 504),
        ("GET /behind", &[HOST], 200),
        ("POST /fresh", &[HOST, "Content-Length: 0"], 502),
        ("DELETE /fresh", &[HOST], 502),
        ("OPTIONS /fresh", &[HOST, "Max-Forwards: 0"], 204),
        ("TRACE /fresh", &[HOST], 501),
        ("GET /-/cache/healthz", &[HOST], 200),
        ("HEAD /-/cache/healthz", &["Host: other.example.org"], 200),
        ("POST /-/cache/healthz", &[HOST], 405),
        ("GET /-/cache/other", &[HOST], 502),
    ];
    for (target, fields, code) in table {
        let mut lines = vec![format!("{target} HTTP/1.1")];
        lines.extend(fields.iter().map(|field| (*field).to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = both.same(&lines).await;
        let head = answer.lines().next().unwrap_or_default();
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{lines:?}: {answer}");
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        let has_none = target.starts_with("HEAD") || *code == 304;
        assert!(!has_none || content.is_empty(), "{lines:?}: {answer}");
        let wrong_length = *code == 304 && head.to_lowercase().contains("content-length");
        assert!(!wrong_length, "{lines:?}: {answer}");
    }
    assert!(both.same(&["GET /fresh HTTP/1.0", HOST]).await.ends_with("of an object"));
}
