//! Data on standard output, everything else on standard error.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Prints one line of data.
///
/// A reader that went away (`| head -1`, `| grep -q`) is no failure, and no reason to leave what the
/// command is to find out undone: its exit code is that of the result, read or not.
///
/// # Errors
/// Standard output cannot be written for another reason, such as a full disk.
pub fn print_line(text: &str) -> io::Result<()> {
    line_to(&mut io::stdout().lock(), text)
}

fn line_to(out: &mut impl Write, text: &str) -> io::Result<()> {
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    unless_unread(written)
}

/// Takes a reader that is gone for one that has read enough.
pub(crate) fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints data as JSON: set in lines on a terminal, one line otherwise.
pub fn print_json(data: &impl Serialize) -> io::Result<()> {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(data)
    } else {
        serde_json::to_string(data)
    };
    print_line(&text.map_err(io::Error::other)?)
}

/// Tells the person something that is not data. Lost where standard error is closed.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells the person something that may need attention.
pub fn warn(text: &str) {
    note(&format!("warning: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails each write in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure_and_a_full_disk_is() {
        line_to(&mut Failing(io::ErrorKind::BrokenPipe), "text").unwrap();
        let full = line_to(&mut Failing(io::ErrorKind::StorageFull), "text").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let mut out = Vec::new();
        line_to(&mut out, "text").unwrap();
        assert_eq!(out, b"text\n");
    }
}
