//! What goes wrong with a directory of packages.

use std::io;
use std::path::{Path, PathBuf};

/// What goes wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is not what was signed.
    #[error("{}: {reason}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A program that is needed is not here.
    #[error("`{program}` is not on this machine; it is in the package {package}")]
    NoProgram {
        /// The program.
        program: &'static str,
        /// What brings it.
        package: &'static str,
    },
    /// A program failed.
    #[error("{what}: {program} failed ({status})\n{said}")]
    Program {
        /// What was done: the part.
        what: String,
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last lines that it wrote.
        said: String,
    },
    /// What was asked for cannot be had.
    #[error("{what}: {reason}")]
    Unfit {
        /// The part.
        what: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File { path: path.to_owned(), error }
    }

    pub(crate) fn untrusted(path: &Path, reason: impl Into<String>) -> Self {
        Self::Untrusted { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn unfit(what: &str, reason: impl Into<String>) -> Self {
        Self::Unfit { what: what.to_owned(), reason: reason.into() }
    }
}
