//! An origin that answers what a row tells it to, and remembers what it was asked.

use crate::message::{self, Fields};
use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long a held reply waits before it goes out in any case.
const HELD_AT_MOST: Duration = Duration::from_secs(30);

/// One answer of the origin.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    interim: Vec<(u16, Vec<String>)>,
    status: u16,
    fields: Vec<String>,
    body: Option<Vec<u8>>,
    dated: bool,
    held: bool,
    late: bool,
}

/// An answer with these fields. `{60}` in a value is the date in 60 seconds, `{-60}` the one 60
/// seconds ago. `Date` is now and `Content-Length` right unless they are among the fields.
pub(crate) fn reply(status: u16, fields: &[&str]) -> Reply {
    Reply {
        interim: Vec::new(),
        status,
        fields: fields.iter().map(|field| message::with_dates(field)).collect(),
        body: None,
        dated: true,
        held: false,
        late: false,
    }
}

impl Reply {
    /// With this content instead of `answer N`, N counting from 1 at each path.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Goes out only when the row releases it.
    pub(crate) fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// The interim responses go out at once, the final one when the row releases it.
    pub(crate) fn late(mut self) -> Self {
        self.late = true;
        self
    }

    /// Without `Date`.
    pub(crate) fn undated(mut self) -> Self {
        self.dated = false;
        self
    }

    /// With an interim response before it.
    pub(crate) fn after(mut self, status: u16, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| message::with_dates(field)).collect();
        self.interim.push((status, fields));
        self
    }

    fn write(self, number: usize, asked: &Asked, to: &mut TcpStream) -> std::io::Result<()> {
        let mut text = String::new();
        let has = |name: &str| self.fields.iter().any(|field| message::is_named(field, name));
        let body = self.body.clone().unwrap_or_else(|| format!("answer {number}").into_bytes());
        text += &format!("HTTP/1.1 {} Scripted\r\n{}", self.status, lines(&self.fields));
        if self.dated && !has("date") {
            text += &format!("date: {}\r\n", message::date(0));
        }
        let bodiless = matches!(self.status, 204 | 304);
        if !bodiless && !has("content-length") && !has("transfer-encoding") {
            text += &format!("content-length: {}\r\n", body.len());
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        if !bodiless && asked.method != "HEAD" {
            bytes.extend(body);
        }
        to.write_all(&bytes)
    }
}

fn lines(fields: &[String]) -> String {
    fields.iter().map(|field| format!("{field}\r\n")).collect()
}

/// What the origin was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// A field's value; its lines joined.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.fields.get(name)
    }
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
    /// So many of those that asked are let go.
    released: usize,
    away: bool,
}

#[derive(Default)]
struct State {
    scripts: Mutex<HashMap<String, Script>>,
    changed: Condvar,
}

/// A server on loopback; its threads end with the test.
pub(crate) struct Origin {
    state: Arc<State>,
    url: String,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A connection that breaks is the cache's affair.
                thread::spawn(move || state.serve(socket));
            }
        });
        Self { state, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// One more answer for a path.
    pub(crate) fn script(&self, path: &str, reply: Reply) {
        let mut scripts = self.state.scripts.lock().unwrap();
        scripts.entry(path.to_owned()).or_default().replies.push_back(reply);
    }

    /// What was asked of a path so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let scripts = self.state.scripts.lock().unwrap();
        scripts.get(path).map(|script| script.asked.clone()).unwrap_or_default()
    }

    /// Waits until a path was asked for so many times.
    pub(crate) fn wait_asked(&self, path: &str, times: usize) -> Vec<Asked> {
        let scripts = self.state.scripts.lock().unwrap();
        let few = |scripts: &mut HashMap<String, Script>| {
            scripts.get(path).is_none_or(|script| script.asked.len() < times)
        };
        let (scripts, late) =
            self.state.changed.wait_timeout_while(scripts, HELD_AT_MOST, few).unwrap();
        assert!(!late.timed_out(), "the origin was not asked for {path} {times} times");
        scripts[path].asked.clone()
    }

    /// From now on a path gets no answer, only closed connections, or answers again.
    pub(crate) fn away(&self, path: &str, away: bool) {
        self.state.scripts.lock().unwrap().entry(path.to_owned()).or_default().away = away;
    }

    /// Lets the held answers of a path go that were asked for.
    pub(crate) fn release(&self, path: &str) {
        let mut scripts = self.state.scripts.lock().unwrap();
        let script = scripts.entry(path.to_owned()).or_default();
        script.released = script.asked.len();
        self.state.changed.notify_all();
    }
}

impl State {
    fn serve(&self, socket: TcpStream) -> std::io::Result<()> {
        let mut from = BufReader::new(socket.try_clone()?);
        let mut to = socket;
        while let Some((start, fields)) = message::head(&mut from)? {
            let mut words = start.split(' ');
            let method = words.next().unwrap_or_default().to_owned();
            let target = words.next().unwrap_or_default();
            let path = target.split('?').next().unwrap_or_default().to_owned();
            let body = message::body(&mut from, &fields, false)?;
            let asked = Asked { method, fields, body };
            let (number, reply) = self.next(&path, &asked);
            let Some(reply) = reply else { return Ok(()) };
            if reply.held {
                self.hold(&path, number);
            }
            for (status, fields) in &reply.interim {
                write!(to, "HTTP/1.1 {status} Interim\r\n{}\r\n", lines(fields))?;
            }
            if reply.late {
                self.hold(&path, number);
            }
            reply.write(number, &asked, &mut to)?;
        }
        Ok(())
    }

    /// The next answer; none while the path is away.
    fn next(&self, path: &str, asked: &Asked) -> (usize, Option<Reply>) {
        let mut scripts = self.scripts.lock().unwrap();
        let script = scripts.entry(path.to_owned()).or_default();
        script.asked.push(asked.clone());
        let number = script.asked.len();
        let unscripted = || reply(418, &["cache-control: no-store"]).body("not in the script");
        let reply = (!script.away).then(|| script.replies.pop_front().unwrap_or_else(unscripted));
        self.changed.notify_all();
        (number, reply)
    }

    fn hold(&self, path: &str, number: usize) {
        let scripts = self.scripts.lock().unwrap();
        let held = |scripts: &mut HashMap<String, Script>| scripts[path].released < number;
        let _ = self.changed.wait_timeout_while(scripts, HELD_AT_MOST, held).unwrap();
    }
}
