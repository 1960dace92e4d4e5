//! One row: what the origin answers, what is asked, and what has to come of it.

use crate::message::{self, Fields};
use crate::origin::{Asked, Origin, Reply, reply};
use crate::program::Cache;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A sentence that begins with its section, and how it is tried.
pub(crate) type Row = (&'static str, fn(&Case<'_>));

/// Tries rows against one cache; tells all that do not hold.
pub(crate) fn try_rows(rows: &[Row]) {
    try_rows_with("", "", rows);
}

/// The same with lines in the cache's settings, and in front of a folder of the origin.
pub(crate) fn try_rows_with(settings: &str, folder: &'static str, rows: &[Row]) {
    let origin = Origin::start();
    let cache = Cache::start(&format!("{}{folder}", origin.url()), settings);
    let mut broken = Vec::new();
    for (at, (sentence, body)) in rows.iter().enumerate() {
        let case = Case { origin: &origin, cache: &cache, folder, path: format!("/row/{at}") };
        if catch_unwind(AssertUnwindSafe(|| body(&case))).is_err() {
            eprintln!("does not hold: {sentence}\n");
            broken.push(*sentence);
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {} rows do not hold:\n{}\n\n{}",
        broken.len(),
        rows.len(),
        broken.join("\n"),
        cache.log()
    );
}

/// A path of its own, at the origin and at the cache.
pub(crate) struct Case<'a> {
    origin: &'a Origin,
    cache: &'a Cache,
    folder: &'static str,
    path: String,
}

impl Case<'_> {
    /// The next answer of the origin.
    pub(crate) fn origin(&self, status: u16, fields: &[&str]) {
        self.replies(reply(status, fields));
    }

    /// The next answer of the origin, made by hand.
    pub(crate) fn replies(&self, reply: Reply) {
        self.origin.script(&self.there(), reply);
    }

    /// Another path.
    pub(crate) fn at(&self, more: &str) -> Self {
        Self { path: format!("{}{more}", self.path), ..*self }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn origin_url(&self) -> &str {
        self.origin.url()
    }

    /// The path at the origin.
    fn there(&self) -> String {
        format!("{}{}", self.folder, self.path)
    }

    /// What the origin was asked for this path.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.origin.asked(&self.there())
    }

    /// The last that it was asked.
    #[track_caller]
    pub(crate) fn last_asked(&self) -> Asked {
        self.asked().pop().expect("the origin was asked")
    }

    pub(crate) fn wait_asked(&self, times: usize) -> Vec<Asked> {
        self.origin.wait_asked(&self.there(), times)
    }

    /// Waits until so many requests wait for another's answer.
    #[track_caller]
    pub(crate) fn wait_waiting(&self, many: usize) {
        let line = format!("stratus_cache_waiting_requests {many}");
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let page = self.ask_for("GET", "/-/cache/metrics", &[], b"").is(200).text();
            if page.lines().any(|own| own == line) {
                return;
            }
            assert!(Instant::now() < until, "not {many}: {page}");
        }
    }

    pub(crate) fn away(&self, away: bool) {
        self.origin.away(&self.there(), away);
    }

    pub(crate) fn release(&self) {
        self.origin.release(&self.there());
    }

    /// GET with these fields.
    #[track_caller]
    pub(crate) fn get(&self, fields: &[&str]) -> Got {
        self.ask("GET", fields, b"")
    }

    #[track_caller]
    pub(crate) fn head(&self, fields: &[&str]) -> Got {
        self.ask("HEAD", fields, b"")
    }

    /// Any request.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, fields: &[&str], body: &[u8]) -> Got {
        self.ask_for(method, &self.path, fields, body)
    }

    /// Any request for any target.
    #[track_caller]
    pub(crate) fn ask_for(&self, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Got {
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        let named = |name: &str| fields.iter().any(|field| message::is_named(field, name));
        if !named("host") {
            text += "host: cache.example\r\n";
        }
        if !named("connection") {
            text += "connection: close\r\n";
        }
        for field in fields {
            text += &format!("{}\r\n", message::with_dates(field));
        }
        if !body.is_empty() && !named("content-length") && !named("transfer-encoding") {
            text += &format!("content-length: {}\r\n", body.len());
        }
        text += "\r\n";
        self.raw(method, &[text.as_bytes(), body].concat())
    }

    /// Bytes as they are.
    #[track_caller]
    pub(crate) fn raw(&self, method: &str, bytes: &[u8]) -> Got {
        let mut socket = TcpStream::connect(self.cache.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(bytes).unwrap();
        read(method, &mut BufReader::new(socket), || {})
    }

    /// GET that lets the final answer go when an interim one is there.
    #[track_caller]
    pub(crate) fn get_released_by_interim(&self) -> Got {
        let mut socket = TcpStream::connect(self.cache.address()).unwrap();
        write!(socket, "GET {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", self.path)
            .unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        read("GET", &mut BufReader::new(socket), || self.release())
    }

    /// The same request so many times, all at once on one connection.
    #[track_caller]
    pub(crate) fn pipelined(&self, request: &str, times: usize) -> Vec<Got> {
        let mut socket = TcpStream::connect(self.cache.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(request.repeat(times).as_bytes()).unwrap();
        let mut from = BufReader::new(socket);
        (0..times).map(|_| read("GET", &mut from, || {})).collect()
    }
}

/// Reads one answer, and the interim ones before it.
#[track_caller]
fn read(method: &str, from: &mut BufReader<TcpStream>, on_interim: impl Fn()) -> Got {
    let mut interim = Vec::new();
    loop {
        let (start, fields) = message::head(from).unwrap().expect("an answer");
        let status: u16 = start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
        if (100..200).contains(&status) {
            interim.push((status, fields));
            on_interim();
            continue;
        }
        let bodiless = method == "HEAD" || matches!(status, 204 | 304);
        let body = if bodiless { Ok(vec![]) } else { message::body(from, &fields, true) };
        return Got { status, fields, body: body.expect("all of the body"), interim };
    }
}

/// What the cache answered.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) interim: Vec<(u16, Fields)>,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field's value; its lines joined.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.fields.get(name)
    }

    /// A number in a field.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.field(name).and_then(|value| value.parse().ok()).expect("a number")
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?} {}", self.text());
        self
    }

    #[track_caller]
    pub(crate) fn with(self, body: &str) -> Self {
        assert_eq!(self.text(), body, "{self:#?}");
        self
    }

    /// The origin's Nth answer at this path, complete.
    #[track_caller]
    pub(crate) fn answer(self, number: usize) -> Self {
        self.is(200).with(&format!("answer {number}"))
    }

    /// `Cache-Status` has this member, as a whole.
    #[track_caller]
    pub(crate) fn says(self, member: &str) -> Self {
        assert!(self.members().iter().any(|own| own == member), "no `{member}`: {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn does_not_say(self, member: &str) -> Self {
        assert!(self.members().iter().all(|own| own != member), "`{member}`: {self:#?}");
        self
    }

    fn members(&self) -> Vec<String> {
        let status = self.field("cache-status").unwrap_or_default();
        let own = status.rsplit(", ").next().unwrap_or_default().to_owned();
        own.split("; ").map(str::to_owned).collect()
    }

    /// It came from the store.
    #[track_caller]
    pub(crate) fn hit(self) -> Self {
        self.says("hit")
    }

    /// The origin was asked for it.
    #[track_caller]
    pub(crate) fn missed(self) -> Self {
        self.does_not_say("hit")
    }

    #[track_caller]
    pub(crate) fn has(self, name: &str, value: &str) -> Self {
        assert_eq!(self.field(name).as_deref(), Some(value), "{name}: {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn lacks(self, name: &str) -> Self {
        assert_eq!(self.field(name), None, "{self:#?}");
        self
    }
}
