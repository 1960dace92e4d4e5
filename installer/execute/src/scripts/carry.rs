//! The programs that take packages on a host.

use super::program::Program;
use super::{CARRY, Unfit};
use crate::host::{Deadlines, Work};
use stratus_plan::offline::{Stored, index_text};

/// A piece of a file on its way.
pub(crate) struct Piece<'a> {
    /// The file, below the place of packages.
    pub(crate) file: &'a str,
    /// Where the piece begins.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// SHA-256 of the whole file, where this piece is the last one.
    pub(crate) ends: Option<&'a str>,
}

/// A path below a folder, without surprises.
fn below(file: &str) -> Result<&str, Unfit> {
    let good = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '-' | '/' | '^' | '%')
    };
    let plain = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']);
    if file.len() < 1000 && file.chars().all(good) && file.split('/').all(plain) {
        return Ok(file);
    }
    Err(Unfit { value: file.to_owned(), reason: "is not the name of a package's file" })
}

/// Asks what is installed and what was carried before.
pub(crate) fn ask(root: &str, deadlines: Deadlines) -> Result<Work, Unfit> {
    let mut program = Program::new(root)?;
    program.uses(CARRY).call("cargo", &[]);
    let work = program.work("asking which packages are there".into(), deadlines);
    Ok(Work { stdout_limit: 16 << 20, ..work })
}

/// Takes pieces. `what` says how far it is, for people.
pub(crate) fn put(
    pieces: &[Piece],
    what: String,
    root: &str,
    deadlines: Deadlines,
) -> Result<Work, Unfit> {
    let mut program = Program::new(root)?;
    program.uses(CARRY).call("doing", &[&what]);
    for piece in pieces {
        let (length, digest) = program.carry(piece.bytes);
        let file = below(piece.file)?;
        program.call("piece", &[file, &piece.offset.to_string(), &length, &digest]);
        if let Some(digest) = piece.ends {
            program.call("whole_now", &[file, digest]);
        }
    }
    Ok(program.work(what, deadlines))
}

/// Everything is there: `files` stay and others go.
pub(crate) fn settle(
    index: &[Stored],
    files: &[&str],
    (name, seen): (&str, &str),
    root: &str,
    deadlines: Deadlines,
) -> Result<Work, Unfit> {
    let mut program = Program::new(root)?;
    let (length, digest) = program.carry(index_text(index).as_bytes());
    let mut words = vec![name, seen, &length, &digest];
    for file in files {
        words.push(below(file)?);
    }
    program.uses(CARRY).call("carried_all", &words);
    Ok(program.work("looking whether all packages arrived".into(), deadlines))
}
