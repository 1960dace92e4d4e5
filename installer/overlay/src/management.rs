//! The management interface of the running server, by OpenVPN's `management-notes.txt`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the socket is tried: it serves one at a time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of one connection.
const LARGEST: u64 = 16 << 20;

/// Why the server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// No server listens.
    #[error("the VPN server is not running: nothing listens on `{}`", .0.display())]
    NotRunning(PathBuf),
    /// The connection broke.
    #[error("the VPN server did not answer on `{}`", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not do what was asked.
    #[error("the VPN server refused `{command}`: {answer}")]
    Refused {
        /// What was asked.
        command: String,
        /// What it said.
        answer: String,
    },
}

/// A connection to the server.
pub struct Management {
    path: PathBuf,
    reader: BufReader<io::Take<UnixStream>>,
    writer: UnixStream,
}

impl Management {
    /// Connects. Somebody else's connection is waited for.
    pub fn connect(path: &Path) -> Result<Self, ManagementError> {
        let begin = Instant::now();
        loop {
            match Self::greeted(path) {
                Err(ManagementError::Broken { .. }) if begin.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                other => return other,
            }
        }
    }

    fn greeted(path: &Path) -> Result<Self, ManagementError> {
        let broken = |source| ManagementError::Broken { path: path.to_owned(), source };
        let writer = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ManagementError::NotRunning(path.to_owned())
            }
            _ => broken(error),
        })?;
        let set = writer
            .set_read_timeout(Some(ANSWER))
            .and_then(|()| writer.set_write_timeout(Some(ANSWER)))
            .and_then(|()| writer.try_clone());
        let reader = BufReader::new(set.map_err(broken)?.take(LARGEST));
        let mut this = Self { path: path.to_owned(), reader, writer };
        // A second connection is not greeted until the first one has ended.
        this.line()?;
        Ok(this)
    }

    /// `status 3`: its lines up to `END`.
    pub fn status(&mut self) -> Result<String, ManagementError> {
        self.lines("status 3")
    }

    /// The newest lines of the log.
    pub fn log(&mut self) -> Result<String, ManagementError> {
        self.lines("log all")
    }

    /// Ends the session of a client; false where it has none.
    pub fn kill(&mut self, common_name: &str) -> Result<bool, ManagementError> {
        let command = format!("kill {common_name}");
        self.say(&command)?;
        let answer = self.answer()?;
        if answer.starts_with("SUCCESS:") {
            return Ok(true);
        }
        if answer.contains("not found") {
            return Ok(false);
        }
        Err(ManagementError::Refused { command, answer })
    }

    fn lines(&mut self, command: &str) -> Result<String, ManagementError> {
        self.say(command)?;
        let mut text = String::new();
        loop {
            let line = self.answer()?;
            if line == "END" {
                return Ok(text);
            }
            if line.starts_with("ERROR:") {
                return Err(ManagementError::Refused { command: command.to_owned(), answer: line });
            }
            text.push_str(&line);
            text.push('\n');
        }
    }

    fn say(&mut self, command: &str) -> Result<(), ManagementError> {
        let line = format!("{command}\n");
        let sent = self.writer.write_all(line.as_bytes());
        sent.map_err(|source| ManagementError::Broken { path: self.path.clone(), source })
    }

    /// The next line that answers; what the server tells by itself is passed over.
    fn answer(&mut self) -> Result<String, ManagementError> {
        loop {
            let line = self.line()?;
            if !line.starts_with('>') {
                return Ok(line);
            }
        }
    }

    fn line(&mut self) -> Result<String, ManagementError> {
        let mut line = Vec::new();
        let got = self.reader.read_until(b'\n', &mut line).and_then(|count| match count {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
        });
        got.map_err(|source| ManagementError::Broken { path: self.path.clone(), source })
    }
}
