//! Running other programs, with the command and what it said in every error.

use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// A program, without input and with a language that does not depend on who runs us.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}

/// Runs a command and gives its standard output.
pub(crate) fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    Ok(finished(command)?.stdout)
}

/// The same as text.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    String::from_utf8(bytes(command)?).with_context(|| format!("{} printed no text", show(command)))
}

/// Runs a command; what it prints is only told if it fails.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    finished(command).map(drop)
}

fn finished(command: &mut Command) -> Result<Output> {
    let out = command.output().with_context(|| {
        let program = command.get_program().display().to_string();
        format!("cannot start `{program}`; `cargo xtask setup` installs what a release needs")
    })?;
    if !out.status.success() {
        let said = [&out.stdout[..], &out.stderr[..]].concat();
        bail!("`{}` ended with {}:\n{}", show(command), out.status, String::from_utf8_lossy(&said));
    }
    Ok(out)
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
