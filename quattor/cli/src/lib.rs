//! `stratus-quattor`: an export on disk.

mod folder;

pub use folder::{Written, write};
