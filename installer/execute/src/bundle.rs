//! The bundle for somebody who helps: journal, plan, facts, versions and outputs in one tar.gz, with
//! no secret in it.

use crate::redact::Redactor;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// One file of a bundle, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, `journal/2026-11-21.jsonl`; ASCII, at most 100 bytes.
    pub name: String,
    /// Its content, before secrets are taken out.
    pub text: String,
}

/// Writes a bundle. `when` is the time of its files, seconds since 1970.
pub fn write(into: impl Write, parts: &[Part], redactor: &Redactor, when: u64) -> io::Result<()> {
    let mut gzip = GzEncoder::new(into, Compression::default());
    for part in parts {
        let text = redactor.clean(&part.text);
        gzip.write_all(&header(&part.name, text.len(), when)?)?;
        gzip.write_all(text.as_bytes())?;
        gzip.write_all(&[0; 512][..(512 - text.len() % 512) % 512])?;
    }
    gzip.write_all(&[0; 1024])?;
    gzip.finish()?.flush()
}

/// The header of a file by POSIX.1-1988 (ustar).
fn header(name: &str, size: usize, when: u64) -> io::Result<[u8; 512]> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` {why}"));
    if name.len() > 100 || !name.is_ascii() {
        return Err(bad("is too long or not ASCII for the name of a file in a bundle"));
    }
    if size >= 1 << 33 {
        return Err(bad("is too large for a bundle"));
    }
    let mut header = [0; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, &format!("{:011o}", when & 0o77_777_777_777));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn tar_reads_it_and_finds_no_canary() {
        let mut redactor = Redactor::default();
        redactor.add("canary-known");
        let text = "journal\npassword = canary-guessed\nit was canary-known\n";
        let long = "x".repeat(512);
        let parts = [("journal/a.jsonl", text), ("plan.json", &long), ("empty", "")]
            .map(|(name, text)| Part { name: name.into(), text: text.into() });
        let mut bundle = Vec::new();
        write(&mut bundle, &parts, &redactor, 1_700_000_000).unwrap();
        let tar = |arguments: &[&str]| {
            let mut child = Command::new("tar")
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&bundle).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(tar(&["tz"]), "journal/a.jsonl\nplan.json\nempty\n");
        let all = tar(&["xzO"]);
        assert!(all.starts_with("journal\n") && all.contains(&long) && !all.contains("canary"));
    }
}
