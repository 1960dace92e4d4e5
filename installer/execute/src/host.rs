//! A host that work can be given to.

use crate::error::HostError;
use futures_util::future::BoxFuture;
use std::time::Duration;
use stratus_site::HostName;
use tokio::io::{AsyncRead, AsyncWrite};

/// A script with its payload. The script reads the payload from its standard input.
#[derive(Clone, Debug)]
pub struct Work {
    /// What it does, for messages: `installing nfs-common`.
    pub what: String,
    /// A POSIX shell program.
    pub script: String,
    /// Bytes for the script; the only place for a secret.
    pub payload: Vec<u8>,
    /// How long it may take.
    pub deadlines: Deadlines,
    /// Most bytes of its standard output.
    pub stdout_limit: usize,
}

/// How long work may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// After this long without a byte from the host, it is said that it is silent.
    pub remark: Duration,
    /// After this long without a byte, the work is ended.
    pub silence: Duration,
    /// After this long the work is ended, whatever it says.
    pub total: Duration,
}

impl Deadlines {
    /// Those for a step that may be silent for so long.
    pub fn silent_for(silence: Duration) -> Self {
        Self {
            remark: silence.min(Duration::from_secs(20)),
            silence,
            total: (silence * 12).max(Duration::from_hours(1)),
        }
    }
}

/// What work left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 0 is good.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error, without our own marks.
    pub stderr: String,
    /// What it said last that it was doing.
    pub doing: Option<String>,
}

/// What is heard of work while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It runs this command now.
    Doing(String),
    /// It said nothing for so long.
    Silent(Duration),
}

/// A program that was started on a host.
pub struct Running {
    /// Its standard input.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard error.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Its end: the exit status.
    pub exit: BoxFuture<'static, Result<i32, HostError>>,
    /// What must live as long as the program.
    pub keep: Box<dyn Send + Sync>,
}

/// A host. Programs are given to it as text on their standard input and run as root.
#[async_trait::async_trait]
pub trait Host: Send + Sync {
    /// Its name.
    fn name(&self) -> &HostName;

    /// Starts a program whose text is the first `script_bytes` bytes of its standard input.
    async fn start(&self, script_bytes: usize) -> Result<Running, HostError>;

    /// Gives the connection up; the next program starts over a new one.
    async fn renew(&self);
}

/// The command of a host's shell that takes a program from its standard input. `head` reads not a
/// byte further, so that what follows is the program's own input.
pub(crate) fn taker(script_bytes: usize) -> String {
    format!("eval \"$(head -c {script_bytes})\"")
}

/// A script as it is sent: in braces, so that one that was cut off by a broken connection is a
/// syntax error and nothing of it runs; telling its process group, so that it can be ended, and its
/// end, because what it left running may hold its outputs open.
pub(crate) fn wrapped(script: &str) -> String {
    format!(
        "{{\nread -r _ _ _ _ G _ < /proc/$$/stat && printf '\\001group %s\\n' \"$G\" >&2\n\
         trap 'printf \"\\001end\\n\" >&2' EXIT\n{script}\n}}\n"
    )
}
