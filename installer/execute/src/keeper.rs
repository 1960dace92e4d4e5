//! Keeps the site's lock and journal on the front-end: one process there, one task here.
//!
//! Records that wait together share one sync. The process gives the lock up when the connection
//! ends, or when it heard nothing for [`LEASE`].

use crate::error::{HostError, Trouble};
use crate::host::{Host, Running, wrapped};
use crate::journal::{Journal, NotKept, Record};
use crate::scripts::quote;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long the lock of somebody who fell silent is respected.
pub const LEASE: Duration = Duration::from_mins(1);
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// A disk that takes longer to sync one line is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Login.
    pub who: String,
    /// Host that the run was started on.
    pub from: String,
    /// Since when.
    pub since: Timestamp,
    /// Process there.
    pub pid: u32,
}

/// Why the lock was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Somebody has it.
    #[error("{} works on this site since {} (from {}, process {}); wait for the end, or end that process: its lock ends with it", .0.who, .0.since.strftime("%Y-%m-%d %H:%M:%S UTC"), .0.from, .0.pid)]
    Held(Holder),
    /// Somebody has it who did not yet say who it is.
    #[error("somebody began to work on this site this moment; try again")]
    HeldByUnknown,
    /// The front-end did not do it.
    #[error(transparent)]
    Host(#[from] HostError),
}

type Waiting = oneshot::Sender<Result<(), NotKept>>;

/// The lock, and the journal of this run.
#[derive(Clone, Debug)]
pub struct Keeper {
    lines: mpsc::Sender<(String, Waiting)>,
}

impl Keeper {
    /// Takes the lock and begins the journal file `name`.
    pub async fn take(
        frontend: &dyn Host,
        root: &str,
        holder: &Holder,
        name: &str,
    ) -> Result<Self, NotTaken> {
        let host = frontend.name();
        let here = |text: String| Trouble::Here(text).of(host);
        let who = serde_json::to_string(holder).map_err(|e| here(e.to_string()))?;
        let script = wrapped(&format!(
            "R={} HOLDER={} NAME={} LEASE={}\n{}",
            quote(root),
            quote(&who),
            quote(name),
            LEASE.as_secs(),
            include_str!("keeper.sh")
        ));
        let mut running = frontend.start(script.len()).await?;
        let broken = || Trouble::Broken { command: "taking the lock of the site".into() }.of(host);
        running.stdin.write_all(script.as_bytes()).await.map_err(|_| broken())?;
        running.stdin.flush().await.map_err(|_| broken())?;
        let mut said = BufReader::new(running.stdout);
        let answer = timeout(PATIENCE, said.fill_line()).await;
        let answer = answer.map_err(|_| broken())?.map_err(|_| broken())?;
        match answer.as_str() {
            "mine" => {}
            "held" => {
                let line = said.fill_line().await.unwrap_or_default();
                return Err(
                    serde_json::from_str(&line).map_or(NotTaken::HeldByUnknown, NotTaken::Held)
                );
            }
            _ => {
                let mut text = Vec::new();
                let _ = timeout(PATIENCE, running.stderr.take(4096).read_to_end(&mut text)).await;
                let said = String::from_utf8_lossy(&text);
                let own = |l: &&str| !l.starts_with('\u{1}');
                let last = said.lines().filter(own).collect::<Vec<_>>().join("\n");
                let command = "taking the lock of the site".into();
                return Err(Trouble::Failed { status: 1, command, last }.of(host).into());
            }
        }
        let (lines, waiting) = mpsc::channel(1024);
        let stdin = running.stdin;
        let rest = Running {
            stdin,
            stdout: Box::new(said),
            stderr: running.stderr,
            exit: running.exit,
            keep: running.keep,
        };
        tokio::spawn(serve(rest, waiting));
        Ok(Self { lines })
    }
}

#[async_trait::async_trait]
impl Journal for Keeper {
    async fn keep(&self, record: &Record) -> Result<(), NotKept> {
        let line = serde_json::to_string(record).map_err(|e| NotKept(e.to_string()))?;
        let (done, wait) = oneshot::channel();
        let gone = || NotKept("the connection to the front-end is gone".into());
        self.lines.send((line, done)).await.map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }
}

/// Writes what comes until nobody can send any more; then the lock ends with the input.
async fn serve(running: Running, mut waiting: mpsc::Receiver<(String, Waiting)>) {
    let Running { mut stdin, stdout, exit, keep, .. } = running;
    let mut said = BufReader::new(stdout);
    let mut tick = interval(SIGN_OF_LIFE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            line = waiting.recv() => line,
            _ = tick.tick() => {
                if stdin.write_all(b"P\n").await.is_err() || stdin.flush().await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Some((line, done)) = first else { break };
        let mut lines = vec![line];
        let mut all = vec![done];
        while let Ok((line, done)) = waiting.try_recv() {
            lines.push(line);
            all.push(done);
        }
        let kept = write(&mut *stdin, &mut said, &lines).await;
        let failed = kept.is_err();
        for done in all {
            let _ = done.send(kept.clone());
        }
        if failed {
            return;
        }
    }
    drop(stdin);
    let _ = timeout(Duration::from_secs(10), exit).await;
    drop(keep);
}

async fn write(
    stdin: &mut (dyn tokio::io::AsyncWrite + Send + Unpin),
    said: &mut (dyn Lines + Send),
    lines: &[String],
) -> Result<(), NotKept> {
    let mut text = String::new();
    for line in lines {
        text.push_str("R ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("S\n");
    let gone = |e: std::io::Error| NotKept(format!("the connection to the front-end broke: {e}"));
    stdin.write_all(text.as_bytes()).await.map_err(gone)?;
    stdin.flush().await.map_err(gone)?;
    let answer = timeout(PATIENCE, said.fill_line()).await;
    match answer.map_err(|_| NotKept("the front-end's disk does not answer".into()))? {
        Ok(line) if line == "kept" => Ok(()),
        Ok(line) if line.is_empty() => Err(NotKept("the front-end gave the lock up".into())),
        Ok(line) => Err(NotKept(format!("the front-end says: {line}"))),
        Err(error) => Err(gone(error)),
    }
}

/// Lines of at most 64 KiB.
#[async_trait::async_trait]
trait Lines {
    async fn fill_line(&mut self) -> std::io::Result<String>;
}

#[async_trait::async_trait]
impl<R: tokio::io::AsyncRead + Send + Unpin> Lines for BufReader<R> {
    async fn fill_line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        (&mut *self).take(64 << 10).read_until(b'\n', &mut line).await?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
