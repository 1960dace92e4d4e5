//! Data on standard output, everything else on standard error.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Prints one line of data.
///
/// Unlike `println!` it fails where the reader is gone (`| head`), and [`run`](crate::run) then ends
/// the command quietly.
pub fn print_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
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
