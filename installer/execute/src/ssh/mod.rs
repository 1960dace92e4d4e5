//! A host behind the system's own ssh, with the administrator's own configuration.
//!
//! One connection for each host is shared by all that runs there. Host keys are always checked;
//! unknown ones are learned only when told so, into a file of our own.

mod configuration;
mod words;

use crate::error::{HostError, Trouble};
use crate::host::{Host, Running, taker};
use futures_util::FutureExt;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use stratus_site::{HostName, Sudo};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

pub use configuration::{HostKeys, Way};
pub use words::{LearnedKey, learned_keys};

/// Programs at once over one connection; sshd's own limit is 10 (`MaxSessions`).
const CHANNELS: usize = 8;

/// A host that is reached by ssh.
pub struct Ssh {
    name: HostName,
    link: Mutex<Option<Link>>,
    way: Arc<Way>,
    channels: Arc<Semaphore>,
}

#[derive(Clone)]
struct Link {
    session: Arc<Session>,
    sudo: bool,
    /// The folder of the connection's socket: without it ssh could not be told to end. Fields are
    /// dropped in their order, so it goes last.
    way: Arc<Way>,
}

impl Ssh {
    /// A host; the connection is made when it is first needed.
    pub fn new(name: HostName, way: Arc<Way>) -> Self {
        Self { name, link: Mutex::new(None), way, channels: Arc::new(Semaphore::new(CHANNELS)) }
    }

    async fn link(&self) -> Result<Link, HostError> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link
            && link.session.check().await.is_ok()
        {
            return Ok(link.clone());
        }
        let session = Arc::new(self.connect().await?);
        let sudo = self.needs_sudo(&session).await?;
        Ok(link.insert(Link { session, sudo, way: self.way.clone() }).clone())
    }

    async fn connect(&self) -> Result<Session, HostError> {
        let way = &self.way;
        let mut builder = SessionBuilder::default();
        builder
            .config_file(way.config_file())
            .known_hosts_check(if way.keys.learn { KnownHosts::Add } else { KnownHosts::Strict })
            .connect_timeout(way.ssh.connect_timeout.max(Duration::from_secs(1)))
            .control_directory(way.folder())
            .control_persist(ControlPersist::IdleFor(NonZeroUsize::new(60).expect("60 is not 0")));
        if let Some(user) = &way.ssh.user {
            builder.user(user.clone());
        }
        if let Some(port) = way.ssh.port {
            builder.port(port);
        }
        if let Some(key) = &way.ssh.key {
            builder.keyfile(key);
        }
        if let Some(jump) = &way.ssh.jump_host {
            builder.jump_hosts([jump]);
        }
        // ssh's own limit ends with the connection; a server that accepts and then says nothing
        // would hold us for ever.
        let limit = way.ssh.connect_timeout * 2 + Duration::from_secs(10);
        match timeout(limit, builder.connect_mux(self.name.as_str())).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => {
                let text = words::whole(&error);
                Err(words::trouble(&text, way.ssh.jump_host.as_deref()).of(&self.name))
            }
            Err(_) => {
                let text =
                    format!("it accepts connections and says nothing for {} s", limit.as_secs());
                Err(Trouble::Unreachable(text).of(&self.name))
            }
        }
    }

    async fn needs_sudo(&self, session: &Session) -> Result<bool, HostError> {
        let wanted = self.way.ssh.sudo;
        let who = self.ask(session, "id -u && id -un").await?;
        let mut lines = who.lines();
        let (uid, user) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if uid.parse::<u32>().is_err() || user.is_empty() {
            let reason = format!("`{}`", who.trim().chars().take(80).collect::<String>());
            return Err(Trouble::Answer { command: "id".into(), reason }.of(&self.name));
        }
        match wanted {
            Sudo::Never if uid != "0" => {
                Err(Trouble::NotRoot(format!("it is {user}, and sudo is never used"))
                    .of(&self.name))
            }
            Sudo::Never => Ok(false),
            Sudo::Auto if uid == "0" => Ok(false),
            Sudo::Auto | Sudo::Always => {
                let said = self.ask(session, "sudo -n true 2>&1 && echo root").await?;
                words::sudo(&said, user).map(|()| true).map_err(|t| t.of(&self.name))
            }
        }
    }

    /// What a small command prints.
    async fn ask(&self, session: &Session, command: &str) -> Result<String, HostError> {
        let broken = |_| Trouble::Broken { command: command.to_owned() }.of(&self.name);
        let line = format!("sh -c '{command}'");
        let mut ask = session.raw_command(line);
        let output = timeout(Duration::from_secs(20), ask.output());
        let output = output.await.map_err(|_| {
            let after = Duration::from_secs(20);
            Trouble::Silent { after, command: command.to_owned() }.of(&self.name)
        })?;
        let stdout = output.map_err(broken)?.stdout;
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    }
}

#[async_trait::async_trait]
impl Host for Ssh {
    fn name(&self) -> &HostName {
        &self.name
    }

    async fn start(&self, script_bytes: usize) -> Result<Running, HostError> {
        let broken = || Trouble::Broken { command: "starting sh".into() }.of(&self.name);
        let channel = self.channels.clone().acquire_owned().await.map_err(|_| broken())?;
        let link = self.link().await?;
        let sudo = if link.sudo { "sudo -n -- " } else { "" };
        let line = format!("{sudo}sh -c '{}'", taker(script_bytes));
        let mut child = Session::to_raw_command(link.session.clone(), line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(|_| broken())?;
        let (stdin, stdout, stderr) = (
            child.stdin().take().ok_or_else(broken)?,
            child.stdout().take().ok_or_else(broken)?,
            child.stderr().take().ok_or_else(broken)?,
        );
        let (session, name) = (link.session, self.name.clone());
        let exit = async move {
            match child.wait().await {
                Ok(status) => Ok(status.code().unwrap_or(255)),
                // The protocol has one word for a killed program and a broken connection.
                Err(openssh::Error::RemoteProcessTerminated) if session.check().await.is_ok() => {
                    Ok(137)
                }
                Err(_) => Err(Trouble::Broken { command: "a program".into() }.of(&name)),
            }
        };
        Ok(Running {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            exit: exit.boxed(),
            keep: Box::new((channel, link.way)),
        })
    }

    async fn renew(&self) {
        // The connection ends when the last that uses it has ended.
        self.link.lock().await.take();
    }
}
