//! A cloud to look at: oned's reading calls for any number of hosts and machines, and the ways in
//! which they go wrong.
//!
//! The bodies have the elements of the recordings in `tests/recordings/oned`, in their order. What
//! changes a cloud is a method here, not a call.

mod answers;
mod demo;
mod render;

use answers::answer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As they should.
    Well,
    /// The connection ends without an answer.
    Away,
    /// The answer comes after so many milliseconds.
    Slow(u64),
    /// The answer is not XML-RPC.
    Nonsense,
    /// The answer breaks off in the middle, as does the document in it.
    Half,
    /// Every pool is empty.
    Empty,
    /// Every call is refused: the five elements of a failure.
    Refused,
}

/// A machine of the cloud.
#[derive(Clone, Debug)]
pub struct CloudMachine {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Login of its owner.
    pub user: String,
    /// oned's numbers of its state.
    pub state: (i32, i32),
    /// Its host; negative for none.
    pub host: i32,
    /// The text of `USER_TEMPLATE/ERROR`.
    pub error: String,
    /// The text of `USER_TEMPLATE/SCHED_MESSAGE`.
    pub waits: String,
}

/// A host of the cloud.
#[derive(Clone, Debug)]
pub struct CloudHost {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// oned's number of its state.
    pub state: i32,
    /// Seconds since it was heard.
    pub silent: i64,
}

#[derive(Debug)]
struct Content {
    hosts: Vec<CloudHost>,
    machines: Vec<CloudMachine>,
    mood: Mood,
    /// The name of everything else.
    odd: Option<String>,
}

struct Shared {
    content: Mutex<Content>,
    ended: AtomicBool,
    looks: AtomicUsize,
    refused: AtomicUsize,
}

/// A running cloud; it ends when dropped.
pub struct Cloud {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Cloud {
    /// A cloud of so many hosts with machines evenly on them.
    ///
    /// # Panics
    /// It cannot listen.
    pub fn start(hosts: i32, machines: i32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the cloud listens");
        let address = listener.local_addr().expect("an address");
        let content = Content {
            hosts: (0..hosts).map(host).collect(),
            machines: (0..machines).map(|id| machine(id, hosts)).collect(),
            mood: Mood::Well,
            odd: None,
        };
        let shared = Arc::new(Shared {
            content: Mutex::new(content),
            ended: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                // A client that goes away is no concern of oned.
                std::thread::spawn(move || drop(connection(stream, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/RPC2", self.address)
    }

    /// How calls go from now on.
    pub fn mood(&self, mood: Mood) {
        self.content().mood = mood;
    }

    /// Changes a machine.
    ///
    /// # Panics
    /// There is no such machine.
    pub fn machine(&self, id: i32, change: impl FnOnce(&mut CloudMachine)) {
        let mut content = self.content();
        change(content.machines.iter_mut().find(|m| m.id == id).expect("a machine"));
    }

    /// Changes a host.
    ///
    /// # Panics
    /// There is no such host.
    pub fn host(&self, id: i32, change: impl FnOnce(&mut CloudHost)) {
        let mut content = self.content();
        change(content.hosts.iter_mut().find(|h| h.id == id).expect("a host"));
    }

    /// Gives every network, image, datastore, cluster and user this name.
    pub fn call_everything(&self, name: &str) {
        self.content().odd = Some(name.to_owned());
    }

    /// Changes every host and every machine.
    pub fn every(&self, host: impl Fn(&mut CloudHost), machine: impl Fn(&mut CloudMachine)) {
        let mut content = self.content();
        content.hosts.iter_mut().for_each(host);
        content.machines.iter_mut().for_each(machine);
    }

    /// Ends a machine: it is in no pool any more.
    pub fn end(&self, id: i32) {
        self.content().machines.retain(|m| m.id != id);
    }

    /// How often its hosts were asked for.
    pub fn looks(&self) -> usize {
        self.shared.looks.load(Ordering::SeqCst)
    }

    /// How many calls were other than reading.
    pub fn changes_asked(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.shared.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the one who listens; it may be gone already.
        let _ = TcpStream::connect(self.address);
    }
}

fn host(id: i32) -> CloudHost {
    CloudHost { id, name: format!("node{:04}", id + 1), state: 2, silent: 5 }
}

fn machine(id: i32, hosts: i32) -> CloudMachine {
    CloudMachine {
        id,
        name: format!("worker-{id}"),
        user: ["alice", "bob", "carol"][usize::try_from(id % 3).unwrap_or(0)].to_owned(),
        state: (3, 3),
        host: if hosts > 0 { id % hosts } else { -1 },
        error: String::new(),
        waits: String::new(),
    }
}

fn connection(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let Some(body) = request(&mut stream)? else { return Ok(()) };
    let mood = shared.content.lock().unwrap_or_else(PoisonError::into_inner).mood;
    let text = match mood {
        Mood::Away => return Ok(()),
        Mood::Nonsense => "<html><body>Welcome to the proxy</body></html>".to_owned(),
        _ => answer(&body, shared, mood),
    };
    if let Mood::Slow(millis) = mood {
        std::thread::sleep(Duration::from_millis(millis));
    }
    let sent =
        if mood == Mood::Half { &text.as_bytes()[..text.len() / 2] } else { text.as_bytes() };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-type: text/xml; charset=utf-8\r\nContent-length: {}\r\n\
         Connection: close\r\n\r\n",
        sent.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(sent)
}

fn request(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text.lines().find_map(|l| l.strip_prefix("content-length:"));
            let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= head + length {
                return Ok(Some(bytes.split_off(head)));
            }
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}
