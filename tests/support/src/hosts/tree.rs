//! All files of a host at one moment, to tell what changed between two.

use rustix::process::Pid;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What moves by itself on a host on which nobody does anything.
const MOVES: [&str; 14] = [
    "/etc/.pwd.lock",
    "/root/.cache",
    "/tmp",
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    "/var/lib/apt/lists/lock",
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/private/systemd",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/timers",
    "/var/lib/systemd/timesync",
    "/var/log",
    "/var/tmp",
];

/// Every file, folder and link of a host: kind, mode, owner, group, size and contents, by path. Times
/// are left out, and so are the places that change by themselves (logs, caches, `/tmp`, `/run`).
#[derive(Clone, Debug)]
pub struct Tree {
    /// What is below the host's own files.
    base: PathBuf,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    size: u64,
    contents: Contents,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Contents {
    /// A file of the base root that nobody touched: reading it is for when somebody has to know.
    Base,
    File([u8; 32]),
    Link(PathBuf),
    Other,
}

impl Tree {
    /// The files that a host's first process sees. `upper` has all that was written since the base.
    pub(super) fn of(leader: Pid, upper: &Path, base: &Path) -> Self {
        let process = PathBuf::from(format!("/proc/{}", leader.as_raw_pid()));
        let mounts = fs::read_to_string(process.join("mountinfo")).expect("the host's mounts");
        let mut skipped: Vec<String> = MOVES.map(str::to_owned).to_vec();
        let mounts = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        skipped.extend(mounts.filter(|at| *at != "/").map(str::to_owned));
        let mut tree = Self { base: base.to_owned(), entries: BTreeMap::new() };
        let walk = Walk { root: &process.join("root"), upper, skipped: &skipped };
        walk.folder("", &mut tree.entries);
        tree
    }

    /// The same without a folder or file and all below it.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.entries.retain(|known, _| !is_below(known, path));
        self
    }

    /// What is different later, a line each: `+` new, `-` gone, `~` changed, with what it was and is.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, was) in &self.entries {
            match later.entries.get(path) {
                None => lines.push(format!("- {path}")),
                Some(is) if self.same(path, was, is) => {}
                Some(is) => lines.push(format!("~ {path}: {} -> {}", was.show(), is.show())),
            }
        }
        let new = later.entries.keys().filter(|path| !self.entries.contains_key(*path));
        lines.extend(new.map(|path| format!("+ {path}")));
        lines
    }

    /// Every entry, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.entries.iter().map(|(path, entry)| format!("{path}: {}", entry.show())).collect()
    }

    fn same(&self, path: &str, one: &Entry, other: &Entry) -> bool {
        let known = |entry: &Entry| match &entry.contents {
            Contents::Base => digest(&self.base.join(path.trim_start_matches('/')))
                .map_or(Contents::Other, Contents::File),
            contents => contents.clone(),
        };
        one == other
            || (one.mode, one.owner, one.size) == (other.mode, other.owner, other.size)
                && known(one) == known(other)
    }
}

impl Entry {
    fn show(&self) -> String {
        let contents = match &self.contents {
            Contents::Base => "as in the base".to_owned(),
            Contents::File(digest) => digest[..6].iter().map(|b| format!("{b:02x}")).collect(),
            Contents::Link(target) => format!("-> {}", target.display()),
            Contents::Other => "-".to_owned(),
        };
        let (user, group) = self.owner;
        format!("{:o} {user}:{group} {} bytes {contents}", self.mode, self.size)
    }
}

struct Walk<'a> {
    root: &'a Path,
    upper: &'a Path,
    skipped: &'a [String],
}

impl Walk<'_> {
    /// Adds what is in a folder. What goes away meanwhile was never there.
    fn folder(&self, path: &str, entries: &mut BTreeMap<String, Entry>) {
        let folder = self.root.join(path.trim_start_matches('/'));
        for found in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = format!("{path}/{}", found.file_name().to_string_lossy());
            if self.skipped.contains(&path) {
                continue;
            }
            let Ok(about) = found.metadata() else { continue };
            let Ok(entry) = self.entry(&path, &found.path(), &about) else { continue };
            if about.is_dir() {
                self.folder(&path, entries);
            }
            entries.insert(path, entry);
        }
    }

    fn entry(&self, path: &str, file: &Path, about: &Metadata) -> io::Result<Entry> {
        let written = || self.upper.join(path.trim_start_matches('/')).symlink_metadata().is_ok();
        let kind = about.file_type();
        let contents = if kind.is_symlink() {
            Contents::Link(fs::read_link(file)?)
        } else if !kind.is_file() {
            Contents::Other
        } else if written() {
            Contents::File(digest(file)?)
        } else {
            Contents::Base
        };
        // The size of a folder is the file system's business, and sockets and devices have none.
        let sized = kind.is_file();
        Ok(Entry {
            mode: about.mode(),
            owner: (about.uid(), about.gid()),
            size: if sized { about.size() } else { 0 },
            contents,
        })
    }
}

fn digest(file: &Path) -> io::Result<[u8; 32]> {
    let (mut digest, mut file) = (Sha256::new(), File::open(file)?);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().into()),
            length => digest.update(&buffer[..length]),
        }
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
