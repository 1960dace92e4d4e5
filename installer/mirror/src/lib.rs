//! A signed directory of packages for hosts without internet.
//!
//! [`make`] resolves and downloads with the package managers themselves, each in a root of its own
//! with the keys of the repositories in question; [`open`] checks the signature and every file before
//! anybody uses one.
//!
//! ```text
//! DIR/key.asc                        the key that signs it
//! DIR/SHA256SUMS, SHA256SUMS.asc     every other file, and the signature
//! DIR/mirror.json                    what is there for which system
//! DIR/debian-12-x86_64/              a repository as apt reads it: Packages, Release, InRelease, pool/
//! DIR/almalinux-9-x86_64/            one as dnf does: repodata/, repodata/repomd.xml.asc, pool/
//! DIR/.work/                         what a run that was cut off goes on from
//! ```

mod apt;
mod directory;
mod dnf;
mod error;
mod files;
mod make;
mod programs;
mod signing;

pub use directory::open;
pub use error::Error;
pub use make::{Made, MadePart, Wish, make};
pub use signing::{Signer, fingerprint};
