//! Network namespaces with cables and callers.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use stratus_tests::{run, tool};

/// A network namespace, gone with the value. Needs root.
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn new(kind: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let made = Self(format!("stratus-{}-{kind}-{number}", std::process::id()));
        run(tool("ip", "iproute2").args(["netns", "add", &made.0])).good();
        made.ip("link set lo up");
        made
    }

    /// A command inside.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = tool("ip", "iproute2");
        command.args(["netns", "exec", &self.0]).args(words);
        command
    }

    pub(crate) fn ip(&self, words: &str) -> String {
        run(tool("ip", "iproute2").args(["-n", &self.0]).args(words.split(' '))).good().stdout
    }

    /// A cable between two namespaces.
    pub(crate) fn cable(&self, device: &str, other: &Self, theirs: &str) {
        let words = format!("link add {device} type veth peer name {theirs} netns {}", other.0);
        self.ip(&words);
        self.ip(&format!("link set {device} up"));
        other.ip(&format!("link set {theirs} up"));
    }

    /// Listens on ports and tells each caller the caller's address.
    pub(crate) fn listen(&self, ports: &[u16]) -> Listener {
        const PROGRAM: &str = "
import socket, sys, threading
def serve(s):
    while True:
        c, a = s.accept()
        c.sendall((a[0] + '\\n').encode()); c.close()
for p in sys.argv[1:]:
    s = socket.create_server(('', int(p)))
    threading.Thread(target=serve, args=(s,)).start()
print('ready', flush=True)";
        let mut command = self.command(&["python3", "-c", PROGRAM]);
        command.args(ports.iter().map(ToString::to_string)).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Listener(child)
    }

    /// What a listener says to a connection from here; none where there is no connection.
    pub(crate) fn call(&self, address: &str, port: u16) -> Option<String> {
        let script = format!("exec 3<>/dev/tcp/{address}/{port} && cat <&3");
        let out = run(&mut self.command(&["timeout", "3", "bash", "-c", &script]));
        (out.code == 0).then(|| out.stdout.trim().to_owned())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run(tool("ip", "iproute2").args(["netns", "delete", &self.0]));
    }
}

pub(crate) struct Listener(pub(crate) Child);

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
