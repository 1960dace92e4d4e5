//! Programs of the system: started, heard, and told of when they fail.

use crate::error::Error;
use std::io;
use std::process::{Command, Stdio};

/// A program with its package, for when it is not there.
#[derive(Clone, Copy)]
pub(crate) struct Program(pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const APT_GET: Program = Program("apt-get", "apt");
pub(crate) const APT_CACHE: Program = Program("apt-cache", "apt");
pub(crate) const APT_CONFIG: Program = Program("apt-config", "apt");
pub(crate) const DNF: Program = Program("dnf", "dnf");
pub(crate) const CREATEREPO: Program = Program("createrepo_c", "createrepo-c or createrepo_c");
pub(crate) const RPM: Program = Program("rpm", "rpm");
pub(crate) const RPMKEYS: Program = Program("rpmkeys", "rpm");
pub(crate) const GPG: Program = Program("gpg", "gnupg or gnupg2");
pub(crate) const GPGV: Program = Program("gpgv", "gpgv or gnupg2");
pub(crate) const GPGCONF: Program = Program("gpgconf", "gnupg or gnupg2");

impl Program {
    pub(crate) fn command(self) -> Command {
        let mut command = Command::new(self.0);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn started(
        self,
        done: io::Result<std::process::Output>,
    ) -> Result<std::process::Output, Error> {
        done.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoProgram { program: self.0, package: self.1 },
            _ => Error::File { path: self.0.into(), error },
        })
    }

    /// What it prints; it must end well.
    pub(crate) fn output(self, what: &str, command: &mut Command) -> Result<String, Error> {
        let done = self.started(command.output())?;
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let both = format!("{}{said}", String::from_utf8_lossy(&done.stdout));
        Err(self.failed(what, done.status, &both))
    }

    /// Runs it for people to see: its output goes where messages go.
    pub(crate) fn show(self, what: &str, command: &mut Command) -> Result<(), Error> {
        let screen = || {
            let screen = rustix::io::dup(io::stderr()).map(Stdio::from);
            screen.unwrap_or_else(|_| Stdio::null())
        };
        let done = self.started(command.stdout(screen()).stderr(screen()).output())?;
        if done.status.success() {
            return Ok(());
        }
        Err(self.failed(what, done.status, "what it said is above"))
    }

    fn failed(self, what: &str, status: std::process::ExitStatus, said: &str) -> Error {
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let said = lines[lines.len().saturating_sub(12)..].join("\n");
        let (what, program) = (what.to_owned(), self.0.to_owned());
        Error::Program { what, program, status: status.to_string(), said }
    }
}
