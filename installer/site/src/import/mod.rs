//! From the historical `stratuslab.cfg` to a site file.
//!
//! Every key of the old file gets a [`Fate`]: what it became, or why it was left out. What was left
//! out stands as a comment at the end of the new file, so that nothing is lost; secrets come as
//! contents of files of their own. The new file may still lack something, because the old one had
//! placeholders: [`Site::parse`](crate::Site::parse) then says what.

mod dropped;
mod hosts;
mod ini;
mod networks;
mod services;
mod work;

use work::Work;

/// What became of an old file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The site file.
    pub toml: String,
    /// Files that belong beside it.
    pub secrets: Vec<Secret>,
    /// What became of each key, in the order of the old file.
    pub fates: Vec<Fate>,
    /// What was odd, with its line; 0 where it is about the file as a whole.
    pub notes: Vec<(usize, String)>,
    /// How many of the keys the old programs knew. A file with none is something else.
    pub known: usize,
}

/// A secret with its file.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Name of the file.
    pub file: String,
    /// Its content.
    pub content: String,
}

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The old section.
    pub section: String,
    /// The old key.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// Its value; a secret is not shown.
    pub value: String,
    /// What it became; none where it was left out.
    pub became: Option<String>,
    /// Why it was left out, or what to look at.
    pub why: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({}, …)", self.file)
    }
}

/// Reads the old file and writes the new one. Never fails: what cannot be used is told.
pub fn import(text: &str) -> Import {
    let mut work = Work::new(ini::read(text));
    hosts::general(&mut work);
    hosts::frontend(&mut work);
    hosts::nodes(&mut work);
    networks::all(&mut work);
    services::identity(&mut work);
    services::repository(&mut work);
    dropped::rest(&mut work);
    work.finish()
}
