//! The running interface of the server, by wg(8): kernel or wireguard-go make no difference to it.

use super::PublicKey;
use super::dump::{Dump, parse};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use stratus_network::overlay::wireguard::interface;
use zeroize::Zeroizing;

/// How long `wg` may take; it asks the kernel, or a program on the same host.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of an answer: some 200 for each of many thousand nodes.
const LARGEST: u64 = 16 << 20;

/// Why the server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// There is no such interface.
    #[error("the VPN server is not running: there is no interface `{}`", interface())]
    NotRunning,
    /// wireguard-tools is not there, and so no server either.
    #[error("the VPN server is not running: there is no `wg`, the program of wireguard-tools")]
    NoProgram,
    /// The interface is not this overlay's.
    #[error("the running interface `{}` has the key of another overlay", interface())]
    Foreign,
    /// `wg` could not be run.
    #[error("`wg {what}` could not be run")]
    Io {
        /// What was asked.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// `wg` did not end.
    #[error("`wg {what}` did not end within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was asked.
        what: String,
    },
    /// `wg` does not do what was asked, or answers something else.
    #[error("`wg {what}` failed: {said}")]
    Failed {
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
}

impl RunningError {
    /// Whether there is no server, so that nothing is to be told to one.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotRunning | Self::NoProgram)
    }
}

/// What the running server says about itself.
///
/// # Errors
/// None runs, or `wg` fails.
pub fn dump() -> Result<Dump, RunningError> {
    there()?;
    let said = wg(&["show", interface(), "dump"].map(OsStr::new))?;
    parse(&said).ok_or_else(|| RunningError::Failed {
        what: format!("show {} dump", interface()),
        said: "its answer cannot be understood".to_owned(),
    })
}

/// Has the running server take a file of settings over: peers that are not in it are gone at once, new
/// ones are known, and those that stay notice nothing. Only one that has one of these keys is told:
/// an overlay in another folder, made for a try, spoils no server.
pub(super) fn take_over(settings: &Path, keys: [PublicKey; 2]) -> Result<(), RunningError> {
    if !dump()?.public_key.is_some_and(|key| keys.contains(&key)) {
        return Err(RunningError::Foreign);
    }
    let words = [OsStr::new("syncconf"), OsStr::new(interface()), settings.as_os_str()];
    wg(&words).map(drop)
}

/// Whether there is an interface at all: what `wg` says otherwise differs between kernels.
fn there() -> Result<(), RunningError> {
    let all = wg(&["show", "interfaces"].map(OsStr::new))?;
    let here = all.split_whitespace().any(|name| name == interface());
    if here { Ok(()) } else { Err(RunningError::NotRunning) }
}

fn wg(words: &[&OsStr]) -> Result<Zeroizing<String>, RunningError> {
    let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let what = shown.join(" ");
    let mut command = Command::new("wg");
    command.args(words).env("LC_ALL", "C");
    let ended = match run(&mut command) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(RunningError::NoProgram);
        }
        Err(source) => return Err(RunningError::Io { what, source }),
        Ok(ended) => ended,
    };
    match ended {
        (None, ..) => Err(RunningError::Silent { what }),
        (Some(status), said, _) if status.success() => {
            let said = String::from_utf8_lossy(&said);
            Ok(Zeroizing::new(said.into_owned()))
        }
        (Some(status), _, complaint) => {
            let complaint = String::from_utf8_lossy(&complaint);
            let plain = |c: char| if c.is_control() { ' ' } else { c };
            let said: String = complaint.trim().chars().take(300).map(plain).collect();
            let said = if said.is_empty() { status.to_string() } else { said };
            Err(RunningError::Failed { what, said })
        }
    }
}

type Ended = (Option<ExitStatus>, Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

/// Runs a program to its end; without a status it took too long.
fn run(command: &mut Command) -> io::Result<Ended> {
    let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let out = scope.spawn(|| all(out));
        let err = scope.spawn(|| all(err));
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if begin.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                break None;
            }
            // Its end cannot be awaited with a limit; `wg` takes a few of these.
            thread::sleep(Duration::from_millis(2));
        };
        let read = |thread: thread::ScopedJoinHandle<'_, io::Result<Zeroizing<Vec<u8>>>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")))
        };
        Ok((status, read(out)?, read(err)?))
    })
}

fn all(pipe: Option<impl Read>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut said = Zeroizing::new(Vec::new());
    if let Some(pipe) = pipe {
        pipe.take(LARGEST).read_to_end(&mut said)?;
    }
    Ok(said)
}
