//! The ledger: every version of every record that oned ever showed, in one SQLite file.
//!
//! It only grows: triggers refuse every change and deletion of what it noted, and nothing is taken
//! out with age. A feed is one transaction, synced before it counts: killed at any point, or on a
//! full disk, it leaves what was there before, and the next feed reads the same again.
//!
//! The format has a version; a ledger of another version is refused, never guessed at.

mod feed;
mod gaps;
mod publication;
mod query;
mod row;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use feed::{Added, Fed, Feed, Origin};
pub use gaps::{Doubtful, Gaps, Unfed, Vanished};
pub use publication::{PublishedKey, PublishedRun};
pub use query::{FeedTime, MachineHistory};

const SCHEMA: &str = include_str!("schema.sql");
/// "stra", so that no other SQLite file is taken for a ledger.
const APPLICATION: i64 = 0x7374_7261;
const VERSION: i64 = 1;

/// Why the ledger cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such file.
    #[error("there is no ledger `{0}`")]
    Missing(PathBuf),
    /// The file is something else, or of another version.
    #[error("`{path}` is no ledger that this version reads: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// The disk, or the file system's quota, is full.
    #[error("there is no room for the ledger `{0}`; nothing was noted, nothing is lost")]
    Full(PathBuf),
    /// Another process is feeding it.
    #[error("the ledger `{0}` is in use by another feed")]
    Busy(PathBuf),
    /// Anything else.
    #[error("the ledger `{path}` cannot be used")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
}

/// The ledger. Clones share the file.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: SqlitePool,
    path: PathBuf,
}

impl Ledger {
    /// Opens a ledger, and makes it if it is not there. Its folder must be there.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::connect(path, true).await
    }

    /// Opens a ledger that is there.
    pub async fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::Missing(path.to_owned()));
        }
        Self::connect(path, false).await
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, LedgerError> {
        if create {
            private(path).map_err(|e| failed(path, sqlx::Error::Io(e)))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
        let pool = pool.map_err(|e| failed(path, e))?;
        let ledger = Self { pool, path: path.to_owned() };
        ledger.prepare().await?;
        Ok(ledger)
    }

    /// Makes the tables in a new file, and refuses what is no ledger.
    async fn prepare(&self) -> Result<(), LedgerError> {
        let fail = |e| failed(&self.path, e);
        let foreign = |reason: String| LedgerError::Foreign { path: self.path.clone(), reason };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fail)?;
        let number = |sql| sqlx::query_scalar::<_, i64>(sql);
        let version = number("PRAGMA user_version").fetch_one(&mut *transaction).await;
        let kind = number("PRAGMA application_id").fetch_one(&mut *transaction).await;
        match (version.map_err(fail)?, kind.map_err(fail)?) {
            (VERSION, APPLICATION) => return Ok(()),
            (0, 0) => {}
            (version, APPLICATION) => {
                return Err(foreign(format!("it has version {version}, not {VERSION}")));
            }
            _ => return Err(foreign("another program's database".to_owned())),
        }
        let tables = number("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *transaction);
        if tables.await.map_err(fail)? > 0 {
            return Err(foreign("another program's database".to_owned()));
        }
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await.map_err(fail)?;
        for pragma in ["PRAGMA application_id = 1937011297", "PRAGMA user_version = 1"] {
            sqlx::raw_sql(pragma).execute(&mut *transaction).await.map_err(fail)?;
        }
        transaction.commit().await.map_err(fail)
    }

    fn fail(&self) -> impl Fn(sqlx::Error) -> LedgerError + use<> {
        let path = self.path.clone();
        move |error| failed(&path, error)
    }
}

/// Makes an empty file that only its owner may read, unless there is one: it names people.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => give_to_its_folder(&other?, path),
    }
}

/// Gives a new file to whom its folder belongs, where root made it: after a feed by hand the
/// account of the timer goes on, and the monitor's reads.
///
/// # Errors
/// The folder cannot be looked at, or its file system has no owners.
pub fn give_to_its_folder(file: &std::fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::metadata(folder)?;
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

fn failed(path: &Path, source: sqlx::Error) -> LedgerError {
    let path = path.to_owned();
    if let sqlx::Error::Io(error) = &source
        && matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    {
        return LedgerError::Full(path);
    }
    let code = source.as_database_error().and_then(|e| e.code()?.parse::<u32>().ok());
    // The low byte is the kind; writing the journal of a full disk shows as an I/O error on writing
    // (778) or on growing the shared index (4874).
    match code {
        Some(778 | 4874) => LedgerError::Full(path),
        Some(code) if code & 0xff == 13 => LedgerError::Full(path),
        Some(code) if matches!(code & 0xff, 5 | 6) => LedgerError::Busy(path),
        Some(code) if code & 0xff == 26 => {
            LedgerError::Foreign { path, reason: "it is no SQLite file".to_owned() }
        }
        _ => LedgerError::Database { path, source },
    }
}
