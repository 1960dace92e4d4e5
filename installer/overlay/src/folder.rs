//! The folder on disk: written beside, synced, renamed; one administrator at a time.
//!
//! ```text
//! .        0711  so that the server's account gets to what is its own
//! pki/     0700  register.json, lock, authority-N.pem, list-N.pem, server-SERIAL.pem,
//!                tls-crypt-v2.key, clients/SERIAL.pem; of WireGuard wireguard/register.json,
//!                wireguard/server-KEY.key, wireguard/clients/KEY.keys
//! server/  0755  what the server reads (see `derived`)
//! names/   0755  hosts(5) of burst nodes, for the site's name service, which reads every file there
//! joined/        what the server notes about joined machines; belongs to its account
//! ```

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// How long another administrator is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest file that is read. A register of ten thousand nodes has about 4 MiB.
const LARGEST: u64 = 64 << 20;
/// Most files that are open at once.
const MOST_PENDING: usize = 256;
/// Files that are synced at once.
const SYNCS: usize = 16;

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Reading or writing failed.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else is at work.
    #[error("another administrator is changing `{}`", .0.display())]
    Busy(PathBuf),
    /// A file is larger than any that is written here.
    #[error("`{}` is larger than {LARGEST} bytes", .0.display())]
    TooLarge(PathBuf),
}

pub(crate) type Result<T> = std::result::Result<T, FolderError>;

pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { what, path, source }
}

/// The folder, locked while the value lives.
pub(crate) struct Folder {
    root: PathBuf,
    _lock: File,
    /// Written beside, without their names yet.
    pending: Vec<(NamedTempFile, PathBuf)>,
    changed: BTreeSet<PathBuf>,
}

impl Folder {
    /// Makes what is missing for OpenVPN and takes the lock.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        Self::with(root, &[("pki/clients", 0o700), ("server/ccd", 0o755), ("server/join", 0o755)])
    }

    /// Makes what is missing, with these folders besides, and takes the lock: one for every kind of
    /// overlay.
    pub(crate) fn with(root: &Path, folders: &[(&str, u32)]) -> Result<Self> {
        make(root, 0o711)?;
        let common = [("pki", 0o700), ("server", 0o755), ("names", 0o755)];
        for (folder, mode) in common.iter().chain(folders) {
            make(&root.join(folder), *mode)?;
        }
        let lock = lock(&root.join("pki/lock"))?;
        let (pending, changed) = (Vec::new(), BTreeSet::new());
        Ok(Self { root: root.to_owned(), _lock: lock, pending, changed })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads a file below the root; none where there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        read(&self.path(name))
    }

    /// Writes a file, unless it has this content and mode already. It gets its name, and is
    /// durable, with [`Folder::sync`].
    pub(crate) fn write(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<bool> {
        let path = self.path(name);
        let same_mode =
            fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & 0o7777 == mode);
        if same_mode && read(&path)?.is_some_and(|there| *there == content) {
            return Ok(false);
        }
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        // Not a name that a listing of the folder would take for a client's.
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(&folder)
            .map_err(io("write in", &folder))?;
        file.write_all(content)
            // What the process's mask took away is given back.
            .and_then(|()| file.as_file().set_permissions(Permissions::from_mode(mode)))
            .map_err(io("write", &path))?;
        self.pending.push((file, path));
        if self.pending.len() >= MOST_PENDING {
            self.name()?;
        }
        Ok(true)
    }

    /// Removes every file of a folder that is not named, leftovers of killed runs among them. To be
    /// called after [`Folder::sync`].
    pub(crate) fn keep_only(&mut self, folder: &str, names: &BTreeSet<String>) -> Result<()> {
        let path = self.path(folder);
        for entry in fs::read_dir(&path).map_err(io("list", &path))? {
            let entry = entry.map_err(io("list", &path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !names.contains(&name) {
                fs::remove_file(entry.path()).map_err(io("remove", &entry.path()))?;
                self.changed.insert(path.clone());
            }
        }
        Ok(())
    }

    /// Syncs what was written, many files at once since a journal takes them together, and gives
    /// each its name.
    fn name(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let share = pending.len().div_ceil(SYNCS).max(1);
        let synced: io::Result<()> = std::thread::scope(|scope| {
            let sync = |files: &[(NamedTempFile, PathBuf)]| {
                files.iter().try_for_each(|(file, _)| file.as_file().sync_data())
            };
            let running: Vec<_> =
                pending.chunks(share).map(|files| scope.spawn(move || sync(files))).collect();
            running.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")))
            })
        });
        synced.map_err(io("sync", &self.root))?;
        for (file, path) in pending {
            make_newer(file.as_file(), &path).map_err(io("write", &path))?;
            file.persist(&path).map_err(|error| io("write", &path)(error.error))?;
            self.changed.insert(path.parent().unwrap_or(&self.root).to_owned());
        }
        Ok(())
    }

    /// Makes every change durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.name()?;
        for folder in std::mem::take(&mut self.changed) {
            File::open(&folder).and_then(|f| f.sync_all()).map_err(io("sync", &folder))?;
        }
        Ok(())
    }
}

/// Gives a file a later second than the one it replaces has: `openvpn` takes a revocation list of the
/// same size and second for the one that it has read.
fn make_newer(file: &File, replaced: &Path) -> io::Result<()> {
    let Ok(replaced) = fs::metadata(replaced) else { return Ok(()) };
    if file.metadata()?.mtime() > replaced.mtime() {
        return Ok(());
    }
    file.set_modified(replaced.modified()? + Duration::from_secs(1))
}

/// Reads a file; none where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("read", path)(error)),
    };
    let mut content = Zeroizing::new(Vec::new());
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(io("read", path))?;
    if content.len() as u64 > LARGEST {
        return Err(FolderError::TooLarge(path.to_owned()));
    }
    Ok(Some(content))
}

fn make(folder: &Path, mode: u32) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
    // The mask may have taken bits away that the server's account needs.
    let set = made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)));
    set.map_err(io("make", folder))
}

fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io("open", path))?;
    let begin = Instant::now();
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {}
            Err(error) => return Err(io("lock", path)(error.into())),
        }
        if begin.elapsed() > PATIENCE {
            return Err(FolderError::Busy(path.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
