//! A poor line: a relay for datagrams that keeps each back for a while and loses some.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::VecDeque;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a line does to each datagram.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// How long it keeps one back.
    pub delay: Duration,
    /// How many in a thousand it loses.
    pub loses: u64,
}

/// A relay that runs until it is dropped.
pub struct Relay {
    counts: Arc<Counts>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
}

impl Relay {
    /// Starts one in a network namespace.
    pub(super) fn start(namespace: &str, port: u16, to: SocketAddr, line: Line) -> Self {
        let counts = Arc::new(Counts::default());
        let path = Path::new("/run/netns").join(namespace);
        let (tell, told) = mpsc::channel();
        let theirs = counts.clone();
        let worker = std::thread::spawn(move || {
            let namespace = File::open(path).expect("the relay's network namespace");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("the relay's network namespace can be entered");
            let front = socket(port);
            tell.send(()).expect("the test waits");
            Work { front, to, line, clients: Vec::new(), waiting: VecDeque::new(), dice: 1 }
                .run(&theirs);
        });
        told.recv().expect("the relay listens");
        Self { counts, worker: Some(worker) }
    }

    /// How many datagrams went through, and how many were lost.
    pub fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.counts.passed), read(&self.counts.lost))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn socket(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a port of the relay");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    socket
}

/// Who a datagram is for, by the place in the list of clients.
enum Towards {
    Site(usize),
    Client(usize),
}

struct Work {
    front: UdpSocket,
    to: SocketAddr,
    line: Line,
    /// Each client's address, and the socket that stands for it at the site.
    clients: Vec<(SocketAddr, UdpSocket)>,
    /// All are kept back equally long: the first one is the next.
    waiting: VecDeque<(Instant, Towards, Vec<u8>)>,
    dice: u64,
}

impl Work {
    fn run(mut self, counts: &Counts) {
        while !counts.stop.load(Ordering::Relaxed) {
            self.wait();
            let mut buffer = [0; 9000];
            while let Ok((length, from)) = self.front.recv_from(&mut buffer) {
                let client = self.client(from);
                self.take(counts, Towards::Site(client), &buffer[..length]);
            }
            for client in 0..self.clients.len() {
                while let Ok(length) = self.clients[client].1.recv(&mut buffer) {
                    self.take(counts, Towards::Client(client), &buffer[..length]);
                }
            }
            self.send();
        }
    }

    /// Until something came, or something is due.
    fn wait(&self) {
        let due =
            self.waiting.front().map(|(due, ..)| due.saturating_duration_since(Instant::now()));
        let patience = due.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
        let sockets = std::iter::once(&self.front).chain(self.clients.iter().map(|(_, s)| s));
        let mut events: Vec<PollFd<'_>> = sockets.map(|s| PollFd::new(s, PollFlags::IN)).collect();
        let patience = Timespec::try_from(patience).expect("a short time");
        // An interrupted wait is a short one.
        let _ = poll(&mut events, Some(&patience));
    }

    fn client(&mut self, from: SocketAddr) -> usize {
        if let Some(known) = self.clients.iter().position(|(address, _)| *address == from) {
            return known;
        }
        let socket = socket(0);
        socket.connect(self.to).expect("the site has a route");
        self.clients.push((from, socket));
        self.clients.len() - 1
    }

    /// Loses it or keeps it back. The dice fall the same way in each run.
    fn take(&mut self, counts: &Counts, towards: Towards, datagram: &[u8]) {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (self.dice >> 33) % 1000 < self.line.loses {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        counts.passed.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back((Instant::now() + self.line.delay, towards, datagram.to_vec()));
    }

    fn send(&mut self) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, towards, datagram)) = self.waiting.pop_front() else { return };
            // What cannot be sent is lost, as on any line.
            let _ = match towards {
                Towards::Site(client) => self.clients[client].1.send(&datagram),
                Towards::Client(client) => self.front.send_to(&datagram, self.clients[client].0),
            };
        }
    }
}
