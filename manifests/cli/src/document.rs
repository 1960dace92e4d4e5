//! Reading the documents that people name on the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use stratus_manifest::{ReadError, SIZE_LIMIT};
use stratus_terminal::{Exit, Failure};

/// Reads a file, one byte more than the limit at most, so that a huge one is refused and not kept;
/// `-` is standard input. Exit code 2 where it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    read_up_to(path, SIZE_LIMIT + 1)
}

/// Reads at most `limit` bytes of a file.
pub fn read_up_to(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let content = if path == Path::new("-") {
        limited(io::stdin().lock(), limit)
    } else {
        File::open(path).and_then(|file| limited(file, limit))
    };
    content
        .map_err(|error| Failure::usage(format!("cannot read `{}`", path.display())).because(error))
}

fn limited(source: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A document that is malformed or breaks rules, with each problem as `file:line:column: rule`.
pub fn broken(path: &Path, error: &ReadError) -> Failure {
    let problems: Vec<String> =
        error.problems().iter().map(|p| format!("{}:{p}", path.display())).collect();
    Failure::new(Exit::Failed, format!("`{}` cannot be used as a manifest", path.display()))
        .because(problems.join("\n"))
}
