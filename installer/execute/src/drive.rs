//! Runs work on a host: sends the program, hears what it says, and ends it when it hangs.

use crate::error::{HostError, Trouble};
use crate::host::{Heard, Host, Output, Running, Work, wrapped};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Most bytes of standard error that are kept: its end.
const STDERR_KEPT: usize = 16 << 10;

/// Who attends to work while it runs.
#[derive(Clone)]
pub struct Attention<'a> {
    /// Is told what is heard.
    pub heard: &'a (dyn Fn(Heard) + Send + Sync),
    /// Becomes true when the work shall end at once.
    pub abort: Option<watch::Receiver<bool>>,
}

impl Attention<'_> {
    /// Nobody listens.
    pub fn none() -> Self {
        Self { heard: &|_| (), abort: None }
    }

    async fn aborted(&self) {
        if let Some(mut abort) = self.abort.clone()
            && abort.wait_for(|a| *a).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// How long after its end a program's outputs are waited for, since the last byte.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs work and gives whatever it left, with any exit status.
pub async fn run(
    host: &dyn Host,
    work: &Work,
    attention: &Attention<'_>,
) -> Result<Output, HostError> {
    let script = wrapped(&work.script);
    let running = tokio::select! {
        running = host.start(script.len()) => running?,
        () = attention.aborted() => {
            return Err(Trouble::Aborted { command: work.what.clone() }.of(host.name()));
        }
    };
    let mut drive = Drive::new(work);
    let ended = drive.attend(running, script.as_bytes(), attention).await;
    match ended {
        Ok(status) => Ok(drive.output(status)),
        Err(trouble) => {
            let hangs = !matches!(trouble, Trouble::Broken { .. });
            if let Some(group) = drive.group.filter(|_| hangs) {
                end_group(host, group).await;
            }
            Err(trouble.of(host.name()))
        }
    }
}

/// Runs work that must succeed.
pub async fn run_well(
    host: &dyn Host,
    work: &Work,
    attention: &Attention<'_>,
) -> Result<Output, HostError> {
    let output = run(host, work, attention).await?;
    if output.status == 0 {
        return Ok(output);
    }
    let command = output.doing.clone().unwrap_or_else(|| work.what.clone());
    let last = last_lines(&output.stderr, 12);
    Err(Trouble::Failed { status: output.status, command, last }.of(host.name()))
}

/// Ends what a hanging program started. Best effort: the host may be gone.
async fn end_group(host: &dyn Host, group: u32) {
    let script = include_str!("end_group.sh").replace("#GROUP#", &group.to_string());
    let end = async {
        let Ok(mut running) = host.start(script.len()).await else { return };
        let _ = running.stdin.write_all(script.as_bytes()).await;
        drop(running.stdin);
        let _ = running.exit.await;
    };
    let _ = timeout(Duration::from_secs(10), end).await;
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

struct Drive<'a> {
    work: &'a Work,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    line: Vec<u8>,
    doing: Option<String>,
    group: Option<u32>,
    /// The program said that it is at its end.
    ended: bool,
}

impl<'a> Drive<'a> {
    fn new(work: &'a Work) -> Self {
        Self {
            work,
            stdout: Vec::new(),
            stderr: Vec::new(),
            line: Vec::new(),
            doing: None,
            group: None,
            ended: false,
        }
    }

    fn command(&self) -> String {
        self.doing.clone().unwrap_or_else(|| self.work.what.clone())
    }

    async fn attend(
        &mut self,
        running: Running,
        script: &[u8],
        attention: &Attention<'_>,
    ) -> Result<i32, Trouble> {
        let Running { mut stdin, mut stdout, mut stderr, mut exit, keep: _keep } = running;
        let work = self.work;
        let heard = attention.heard;
        // A program that ends without reading all of its input is no failure of ours.
        let feed = async move {
            let _ = stdin.write_all(script).await;
            let _ = stdin.write_all(&work.payload).await;
            drop(stdin);
            std::future::pending::<()>().await;
        };
        let aborted = attention.aborted();
        tokio::pin!(feed, aborted);
        let begun = Instant::now();
        let mut last = begun;
        let mut remarked = last;
        let (mut out, mut err, mut silent) = (true, true, false);
        let (mut a, mut b) = (vec![0; 16 << 10], vec![0; 4 << 10]);
        loop {
            let limit = (last + work.deadlines.silence).min(begun + work.deadlines.total);
            tokio::select! {
                // What was said counts before what time it is: on a busy machine both are ready.
                biased;
                () = &mut feed => {}
                () = &mut aborted => return Err(Trouble::Aborted { command: self.command() }),
                n = read(&mut *stdout, &mut a), if out => {
                    out = n > 0;
                    last = Instant::now();
                    self.take_stdout(&a[..n])?;
                }
                n = read(&mut *stderr, &mut b), if err => {
                    err = n > 0;
                    last = Instant::now();
                    self.take_stderr(&b[..n], heard);
                }
                // Only now: ssh throws away what is still on its way when somebody has heard the exit.
                ended = &mut exit, if silent || !(out || err) => {
                    return ended.map_err(|e| self.broken(e.trouble));
                }
                // A child that the program left behind may hold its outputs open for ever.
                () = sleep_until(last + LAST_WORDS), if self.ended && !silent => silent = true,
                () = sleep_until(limit) => return Err(self.late(begun, last)),
                () = sleep_until(last.max(remarked) + work.deadlines.remark) => {
                    remarked = Instant::now();
                    heard(Heard::Silent(last.elapsed()));
                }
            }
        }
    }

    fn late(&self, begun: Instant, last: Instant) -> Trouble {
        let command = self.command();
        if begun.elapsed() >= self.work.deadlines.total {
            return Trouble::TooLong { after: begun.elapsed(), command };
        }
        Trouble::Silent { after: last.elapsed(), command }
    }

    fn broken(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Broken { .. } => Trouble::Broken { command: self.command() },
            other => other,
        }
    }

    fn take_stdout(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.stdout.len() + bytes.len() > self.work.stdout_limit {
            let reason = format!("longer than {} bytes", self.work.stdout_limit);
            return Err(Trouble::Answer { command: self.command(), reason });
        }
        self.stdout.extend_from_slice(bytes);
        Ok(())
    }

    fn take_stderr(&mut self, bytes: &[u8], heard: &(dyn Fn(Heard) + Send + Sync)) {
        for byte in bytes {
            if *byte != b'\n' {
                // A line without an end must not fill the memory.
                if self.line.len() < STDERR_KEPT {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, heard);
        }
    }

    fn take_line(&mut self, line: &[u8], heard: &(dyn Fn(Heard) + Send + Sync)) {
        // What a program said last need not end its line; ours then stands behind it.
        if let Some(at) = line.iter().skip(1).position(|b| *b == 1) {
            self.take_line(&line[..=at], heard);
            return self.take_line(&line[at + 1..], heard);
        }
        let text = String::from_utf8_lossy(line);
        if let Some(doing) = text.strip_prefix("\u{1}doing ") {
            self.doing = Some(doing.to_owned());
            heard(Heard::Doing(doing.to_owned()));
        } else if text == "\u{1}end" {
            self.ended = true;
        } else if let Some(group) = text.strip_prefix("\u{1}group ") {
            // The number of a whole group of processes that a host could make us end: never 0 or 1.
            self.group = group.trim().parse().ok().filter(|g| *g > 1);
        } else {
            self.stderr.extend_from_slice(line);
            self.stderr.push(b'\n');
            let surplus = self.stderr.len().saturating_sub(STDERR_KEPT);
            self.stderr.drain(..surplus);
        }
    }

    fn output(mut self, status: i32) -> Output {
        let rest = std::mem::take(&mut self.line);
        if !rest.is_empty() {
            self.take_line(&rest, &|_| ());
        }
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        Output { status, stdout: self.stdout, stderr, doing: self.doing }
    }
}

/// Bytes read; a broken stream is an ended one, its reason comes with the exit.
async fn read(from: &mut (dyn AsyncRead + Send + Unpin), into: &mut [u8]) -> usize {
    from.read(into).await.unwrap_or(0)
}
