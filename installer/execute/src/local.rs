//! The machine itself.

use crate::error::{HostError, Trouble};
use crate::host::{Host, Running, taker};
use futures_util::FutureExt;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use stratus_site::HostName;
use tokio::process::Command;

/// The machine that we run on, as a host.
#[derive(Clone, Debug)]
pub struct Local {
    name: HostName,
    environment: Vec<(String, String)>,
}

impl Local {
    /// Under this name.
    pub fn new(name: HostName) -> Self {
        Self { name, environment: Vec::new() }
    }

    /// With a variable for every program.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }
}

#[async_trait::async_trait]
impl Host for Local {
    fn name(&self) -> &HostName {
        &self.name
    }

    async fn start(&self, script_bytes: usize) -> Result<Running, HostError> {
        let here = |e: std::io::Error| {
            Trouble::Here(format!("setsid (util-linux) does not start: {e}")).of(&self.name)
        };
        let root = rustix::process::geteuid().is_root();
        // A session of its own, without a terminal: Ctrl-C there is for us, and a program that wants
        // to set the terminal (sudo and apt do) would be stopped for ever in the background.
        let mut command = Command::new("setsid");
        if !root {
            command.args(["sudo", "-n", "--"]);
        }
        let mut child = command
            .args(["sh", "-c"])
            .arg(taker(script_bytes))
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(here)?;
        let no_pipe = || Trouble::Here("sh has no pipe".into()).of(&self.name);
        let (stdin, stdout, stderr) = (
            child.stdin.take().ok_or_else(no_pipe)?,
            child.stdout.take().ok_or_else(no_pipe)?,
            child.stderr.take().ok_or_else(no_pipe)?,
        );
        let name = self.name.clone();
        let exit = async move {
            let status = child
                .wait()
                .await
                .map_err(|e| Trouble::Here(format!("sh cannot be waited for: {e}")).of(&name))?;
            Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
        };
        Ok(Running {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            exit: exit.boxed(),
            keep: Box::new(()),
        })
    }

    async fn renew(&self) {}
}

/// Whether a host is this machine: it has its name, or one of its addresses.
pub fn is_this_machine(host: &HostName, addresses: &[IpAddr]) -> bool {
    let uname = rustix::system::uname();
    let own = uname.nodename().to_string_lossy();
    host.as_str() == own.trim_end_matches('.').to_ascii_lowercase()
        || addresses.iter().any(|a| a.is_loopback() || is_own_address(*a))
}

/// An address that a socket can be bound to is one of this machine. No port is taken, nothing is sent.
fn is_own_address(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && UdpSocket::bind((address, 0)).is_ok()
}
