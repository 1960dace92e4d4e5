//! The index: records noted in a file for a quick start. The tree is the truth, so it can be thrown
//! away; searches are answered from memory.

use crate::{Record, StoreError};
use sqlx::QueryBuilder;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stratus_model::AppliancePath;

/// Changes with the table below; another one is thrown away and made again.
const VERSION: i64 = 2;

const TABLE: &str = "CREATE TABLE record (path TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID";

/// Records that one statement takes: as one JSON array, which SQLite takes apart itself. That is as
/// quick as its own bulk import.
const BATCH: usize = 1000;

/// An index file, in SQLite.
#[derive(Debug)]
pub(crate) struct Index(SqlitePool);

impl Index {
    /// Opens the file, or makes it again where it is of another version or damaged.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        match Self::connect(file).await {
            Ok(index) => Ok(index),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the index is made again");
                for ending in ["", "-wal", "-shm"] {
                    let mut name = file.as_os_str().to_owned();
                    name.push(ending);
                    let path = PathBuf::from(name);
                    match std::fs::remove_file(&path) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                            return Err(StoreError::io("remove", &path)(e));
                        }
                        _ => {}
                    }
                }
                Self::connect(file).await.map_err(StoreError::index("open"))
            }
        }
    }

    async fn connect(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A power cut may cost the last commits, never the file; the tree has them.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        if version == 0 {
            let mut transaction = pool.begin().await?;
            sqlx::raw_sql(TABLE).execute(&mut *transaction).await?;
            let mut set = QueryBuilder::new("PRAGMA user_version = ");
            set.push(VERSION);
            set.build().execute(&mut *transaction).await?;
            transaction.commit().await?;
        } else if version != VERSION {
            pool.close().await;
            return Err(sqlx::Error::Protocol(format!("the index has version {version}")));
        }
        Ok(Self(pool))
    }

    /// All records, as they were last noted.
    pub(crate) async fn load(&self) -> Result<Vec<Record>, StoreError> {
        let texts: Vec<String> = sqlx::query_scalar("SELECT json FROM record")
            .fetch_all(&self.0)
            .await
            .map_err(StoreError::index("read"))?;
        // What an older server wrote and this one cannot read is read from the tree again.
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Notes records, new or changed.
    pub(crate) async fn put(&self, records: &[Arc<Record>]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT OR REPLACE INTO record (path, json)
            SELECT value ->> 'path', value FROM json_each(?)";
        for batch in records.chunks(BATCH) {
            let records: Vec<&Record> = batch.iter().map(Arc::as_ref).collect();
            let json = serde_json::to_string(&records)
                .map_err(|source| StoreError::Format { what: "record".into(), source })?;
            self.run(SQL, &json).await?;
        }
        Ok(())
    }

    /// Forgets places.
    pub(crate) async fn remove(&self, paths: &[AppliancePath]) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM record WHERE path IN (SELECT value FROM json_each(?))";
        for batch in paths.chunks(BATCH) {
            let texts: Vec<&str> = batch.iter().map(AppliancePath::as_str).collect();
            let json = serde_json::to_string(&texts)
                .map_err(|source| StoreError::Format { what: "path".into(), source })?;
            self.run(SQL, &json).await?;
        }
        Ok(())
    }

    async fn run(&self, sql: &'static str, json: &str) -> Result<(), StoreError> {
        let done = sqlx::query(sql).bind(json).execute(&self.0).await;
        done.map(drop).map_err(StoreError::index("write"))
    }

    /// Whether the index answers.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let one = sqlx::query("SELECT 1 FROM record LIMIT 1").fetch_optional(&self.0).await;
        one.map(drop).map_err(StoreError::index("read"))
    }
}
