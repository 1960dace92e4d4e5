//! An origin that does wrong, as told: a small HTTP/1.1 server on loopback.
//!
//! Without faults it serves pages with strong entity tags, ranges and conditions, counts what it is
//! asked and what it sends, and keeps connections. With [`Faults`] it lies, stalls and breaks off
//! exactly where a test wants it. Whoever waits for something waits for a condition, never for time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are written at once.
const PIECE: usize = 16 << 10;
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something an origin serves.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its bytes.
    pub body: Arc<Vec<u8>>,
    /// Its entity tag, with quotes; none: no validator at all.
    pub tag: Option<String>,
    /// More header lines.
    pub headers: Vec<(String, String)>,
    /// What is wrong with it.
    pub faults: Faults,
}

/// What an origin does wrong. [`Faults::default`] is nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Closes the connection after so many bytes of each body.
    pub cut_after: Option<u64>,
    /// Sends so many bytes of each body, then waits for [`FaultyOrigin::go_on`].
    pub stall_after: Option<u64>,
    /// Answers 200 and everything, whatever range is asked for.
    pub ignores_ranges: bool,
    /// Answers ranges with this entity tag, whatever `If-Range` says.
    pub range_tag: Option<String>,
    /// Adds so much to both ends of what `Content-Range` says.
    pub shifts_ranges: Option<u64>,
    /// What the length is said to be.
    pub length: Length,
    /// From this byte on, sends other bytes, though the head is that of the page.
    pub other_bytes: Option<(u64, Arc<Vec<u8>>)>,
    /// Sends a byte of the head, then waits so long for each more.
    pub trickle: Option<Duration>,
    /// Answers 302 to this place.
    pub redirect: Option<String>,
    /// Answers this status without a body.
    pub status: Option<u16>,
}

/// What `Content-Length` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The truth.
    #[default]
    Right,
    /// So many bytes more than come.
    Longer(u64),
    /// So many bytes less than come.
    Shorter(u64),
    /// Nothing: the body is chunked.
    Chunked,
}

impl Page {
    /// A page that may be stored for a day.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        let body = Arc::new(body.into());
        let tag = Some(format!("\"{:016x}\"", fingerprint(&body)));
        let headers = vec![("Cache-Control".to_owned(), "max-age=86400".to_owned())];
        Self { body, tag, headers, faults: Faults::default() }
    }

    /// The same with faults.
    #[must_use]
    pub fn with(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// The same with a header line more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a validator.
    #[must_use]
    pub fn without_tag(mut self) -> Self {
        self.tag = None;
        self
    }
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// What a path was asked, and what went out for it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The head of each request, as it came.
    pub requests: Vec<String>,
    /// Bytes of bodies.
    pub sent: u64,
    /// Answers that wait for [`FaultyOrigin::go_on`].
    pub waiting: usize,
    /// Answers under way.
    pub open: usize,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Page>,
    tallies: HashMap<String, Tally>,
    /// How often it was told to go on.
    told: u64,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self, path: &str, change: impl FnOnce(&mut Tally)) {
        change(self.state().tallies.entry(path.to_owned()).or_default());
        self.changed.notify_all();
    }

    /// Waits until the state is as it should be; `None` after a long time.
    fn wait(
        &self,
        patience: Duration,
        mut is_so: impl FnMut(&State) -> bool,
    ) -> Option<MutexGuard<'_, State>> {
        let waited = self.changed.wait_timeout_while(self.state(), patience, |s| !is_so(s));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then_some(state)
    }
}

/// The server. It ends when this is dropped.
pub struct FaultyOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyOrigin {
    /// Starts one without pages.
    ///
    /// # Panics
    /// There is no port on loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if own.state().stopped {
                    return;
                }
                let shared = Arc::clone(&own);
                if let Ok(socket) = socket {
                    std::thread::spawn(move || serve(&socket, &shared));
                }
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves a page from now on.
    pub fn put(&self, path: &str, page: Page) {
        self.shared.state().pages.insert(path.to_owned(), page);
    }

    /// Changes the faults of a page from its next answer on.
    ///
    /// # Panics
    /// There is no such page.
    pub fn faults(&self, path: &str, faults: Faults) {
        let mut state = self.shared.state();
        state.pages.get_mut(path).expect("the page is there").faults = faults;
    }

    /// Lets every answer that waits go on.
    pub fn go_on(&self) {
        self.shared.state().told += 1;
        self.shared.changed.notify_all();
    }

    /// What happened to a path so far.
    pub fn tally(&self, path: &str) -> Tally {
        self.shared.state().tallies.get(path).cloned().unwrap_or_default()
    }

    /// Waits until enough happened to a path.
    ///
    /// # Panics
    /// It does not happen.
    #[track_caller]
    pub fn wait(&self, path: &str, is_enough: impl Fn(&Tally) -> bool) -> Tally {
        let tally = |state: &State| state.tallies.get(path).cloned().unwrap_or_default();
        let waited = self.shared.wait(PATIENCE, |state| is_enough(&tally(state)));
        match waited {
            Some(state) => tally(&state),
            None => panic!("it does not happen: {:?}", self.tally(path)),
        }
    }
}

impl Drop for FaultyOrigin {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.go_on();
        let _ = TcpStream::connect(self.address);
    }
}

/// Why a connection ends.
struct Over;

type Goes = Result<(), Over>;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

fn serve(socket: &TcpStream, shared: &Shared) {
    let _ = socket.set_nodelay(true);
    let mut reader = BufReader::new(socket);
    while let Some(head) = read_head(&mut reader) {
        let path = head.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let page = shared.state().pages.get(&path).cloned();
        shared.tally(&path, |tally| {
            tally.requests.push(head.clone());
            tally.open += 1;
        });
        let answered = Answering { socket, shared, path: &path, head: &head }.answer(page);
        shared.tally(&path, |tally| tally.open -= 1);
        if answered.is_err() {
            break;
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
}

/// The head of a request, and its body read away; `None` at the end.
fn read_head(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    if field(&head, "transfer-encoding").is_some() {
        read_chunks(reader)?;
    } else if let Some(length) = field(&head, "content-length").and_then(|text| text.parse().ok()) {
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    }
    Some(head)
}

/// A chunked body, without trailers.
fn read_chunks(reader: &mut BufReader<&TcpStream>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = u64::from_str_radix(line.trim(), 16).ok()?;
        std::io::copy(&mut reader.take(length + 2), &mut std::io::sink()).ok()?;
        if length == 0 {
            return Some(());
        }
    }
}

/// A field of a head.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// One answer.
struct Answering<'a> {
    socket: &'a TcpStream,
    shared: &'a Shared,
    path: &'a str,
    head: &'a str,
}

impl Answering<'_> {
    fn answer(&self, page: Option<Page>) -> Goes {
        let Some(page) = page else { return self.short("404 Not Found", "") };
        let faults = &page.faults;
        if let Some(place) = &faults.redirect {
            return self.short("302 Found", &format!("Location: {place}\r\n"));
        }
        if let Some(status) = faults.status {
            return self.short(&format!("{status} As Told"), "");
        }
        let total = page.body.len() as u64;
        if page.tag.as_deref().is_some_and(|tag| field(self.head, "if-none-match") == Some(tag)) {
            return self.short("304 Not Modified", &fields(&page));
        }
        let mut page = page.clone();
        let (range, status) = match self.range(&page) {
            None => (0..total, "200 OK"),
            Some(range) if range.is_empty() => {
                let said = format!("Content-Range: bytes */{total}\r\n");
                return self.short("416 Range Not Satisfiable", &said);
            }
            Some(range) => (range, "206 Partial Content"),
        };
        if status.starts_with("206") && page.faults.range_tag.is_some() {
            page.tag.clone_from(&page.faults.range_tag);
        }
        let faults = &page.faults;
        let mut head = format!("HTTP/1.1 {status}\r\n{}", fields(&page));
        if status.starts_with("206") {
            let shift = faults.shifts_ranges.unwrap_or(0);
            let (first, last) = (range.start + shift, range.end - 1 + shift);
            let _ = write!(head, "Content-Range: bytes {first}-{last}/{total}\r\n");
        }
        let length = range.end - range.start;
        match faults.length {
            Length::Right => head += &format!("Content-Length: {length}\r\n"),
            Length::Longer(more) => head += &format!("Content-Length: {}\r\n", length + more),
            Length::Shorter(less) => head += &format!("Content-Length: {}\r\n", length - less),
            Length::Chunked => head += "Transfer-Encoding: chunked\r\n",
        }
        self.send_head(&(head + "\r\n"), faults)?;
        if self.head.starts_with("HEAD ") {
            return Ok(());
        }
        self.send_body(&page, range)?;
        // After a wrong length nobody knows where the next answer begins.
        if matches!(faults.length, Length::Longer(_) | Length::Shorter(_)) {
            return Err(Over);
        }
        Ok(())
    }

    /// The range to serve: empty if there is nothing of it, none for everything.
    fn range(&self, page: &Page) -> Option<Range<u64>> {
        let text = field(self.head, "range").filter(|_| !page.faults.ignores_ranges)?;
        if let Some(wanted) = field(self.head, "if-range")
            && page.faults.range_tag.is_none()
            && page.tag.as_deref() != Some(wanted)
        {
            return None;
        }
        let total = page.body.len() as u64;
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let range = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) => first..(last + 1).min(total),
            (Ok(first), Err(_)) => first..total,
            (Err(_), Ok(suffix)) => total.saturating_sub(suffix)..total,
            (Err(_), Err(_)) => return None,
        };
        Some(if range.start < range.end { range } else { 0..0 })
    }

    fn short(&self, status: &str, fields: &str) -> Goes {
        let mut socket = self.socket;
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{fields}\r\n");
        Ok(socket.write_all(text.as_bytes())?)
    }

    fn send_head(&self, head: &str, faults: &Faults) -> Goes {
        let mut socket = self.socket;
        let Some(each) = faults.trickle else { return Ok(socket.write_all(head.as_bytes())?) };
        for byte in head.bytes() {
            socket.write_all(&[byte])?;
            let stopped = self.shared.wait(each, |state| state.stopped).is_some();
            if stopped {
                return Err(Over);
            }
        }
        Ok(())
    }

    fn send_body(&self, page: &Page, range: Range<u64>) -> Goes {
        let faults = &page.faults;
        let mut socket = self.socket;
        let (mut at, mut gone) = (range.start, 0);
        while at < range.end {
            if faults.stall_after == Some(gone) {
                self.stall()?;
            }
            if faults.cut_after.is_some_and(|limit| gone >= limit) {
                return Err(Over);
            }
            // No further than to the next place where something happens.
            let stops = [faults.stall_after, faults.cut_after].into_iter().flatten();
            let stops = stops.filter(|stop| *stop > gone).map(|stop| stop - gone);
            let swap = faults.other_bytes.as_ref().map(|(from, _)| *from);
            let swap = swap.filter(|from| *from > at).map(|from| from - at);
            let most = [PIECE as u64, range.end - at].into_iter().chain(stops).chain(swap);
            let count = most.min().unwrap_or_default();
            let source = match &faults.other_bytes {
                Some((from, other)) if at >= *from => other,
                _ => &page.body,
            };
            let piece = &source[index(at)..index(at + count)];
            if faults.length == Length::Chunked {
                socket.write_all(format!("{count:x}\r\n").as_bytes())?;
            }
            socket.write_all(piece)?;
            if faults.length == Length::Chunked {
                socket.write_all(b"\r\n")?;
            }
            (at, gone) = (at + count, gone + count);
            self.shared.tally(self.path, |tally| tally.sent += count);
        }
        if faults.length == Length::Chunked {
            socket.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    fn stall(&self) -> Goes {
        // At once, or who sees it wait may tell it to go on before it knows what it was told.
        let told = {
            let mut state = self.shared.state();
            state.tallies.entry(self.path.to_owned()).or_default().waiting += 1;
            state.told
        };
        self.shared.changed.notify_all();
        // In steps, so that a connection that the other end closed is noticed.
        let until = Instant::now() + PATIENCE;
        let stopped = loop {
            let step = Duration::from_millis(50);
            match self.shared.wait(step, |state| state.told > told || state.stopped) {
                Some(state) => break state.stopped,
                None if Instant::now() > until || self.is_closed() => break true,
                None => {}
            }
        };
        self.shared.tally(self.path, |tally| tally.waiting -= 1);
        if stopped { Err(Over) } else { Ok(()) }
    }

    fn is_closed(&self) -> bool {
        let _ = self.socket.set_nonblocking(true);
        let closed = matches!(self.socket.peek(&mut [0]), Ok(0));
        let _ = self.socket.set_nonblocking(false);
        closed
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn fields(page: &Page) -> String {
    let mut text = String::new();
    if let Some(tag) = &page.tag {
        let _ = write!(text, "ETag: {tag}\r\n");
    }
    for (name, value) in &page.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let _ = write!(text, "Date: {now}\r\n");
    text
}
