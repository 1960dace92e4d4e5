//! The index in SQLite: one file, beside the tree or on a server's own disk.
//!
//! The rows have what is filtered and sorted by; the record is kept beside them as JSON, and read
//! only at start. Many rows go in as one JSON array that SQLite takes apart itself, which is as
//! quick as its own bulk import.

use super::words::match_expression;
use super::{Hits, Index};
use crate::{Record, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use stratus_model::{AppliancePath, Subject};
use stratus_repository_api::search::{Cursor, SearchQuery, Sort, SortKey, StatusFilter};

/// Changes with the tables below; another one is thrown away and made again.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE endorser (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE appliance (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    os TEXT NOT NULL,
    arch TEXT NOT NULL,
    endorser INTEGER NOT NULL REFERENCES endorser (id),
    published INTEGER NOT NULL,
    size INTEGER NOT NULL,
    valid INTEGER NOT NULL,
    deprecated INTEGER NOT NULL
);
CREATE INDEX appliance_name ON appliance (name, path, valid, deprecated);
CREATE INDEX appliance_published ON appliance (published, path, valid, deprecated);
CREATE INDEX appliance_size ON appliance (size, path, valid, deprecated);
CREATE INDEX appliance_os ON appliance (os, arch, kind, valid, deprecated);
CREATE INDEX appliance_arch ON appliance (arch, kind, valid, deprecated);
CREATE INDEX appliance_kind ON appliance (kind, valid, deprecated);
CREATE INDEX appliance_endorser ON appliance (endorser, valid, deprecated);
CREATE TABLE record (id INTEGER PRIMARY KEY REFERENCES appliance (id), json TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
";

const PUT: [&str; 5] = [
    "INSERT INTO endorser (text) SELECT DISTINCT value ->> 'endorser' FROM json_each(?)
     WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO appliance
         (path, name, kind, os, arch, endorser, published, size, valid, deprecated)
     SELECT value ->> 'path', value ->> 'name', value ->> 'type', value ->> 'os',
         value ->> 'arch', e.id, value ->> 'published', value ->> 'size', value ->> 'valid',
         value ->> 'deprecated'
     FROM json_each(?) JOIN endorser e ON e.text = value ->> 'endorser'
     WHERE true ON CONFLICT (path) DO UPDATE SET
         name = excluded.name, kind = excluded.kind, os = excluded.os, arch = excluded.arch,
         endorser = excluded.endorser, published = excluded.published, size = excluded.size,
         valid = excluded.valid, deprecated = excluded.deprecated",
    "INSERT OR REPLACE INTO record (id, json)
     SELECT a.id, value ->> 'record' FROM json_each(?) JOIN appliance a ON a.path = value ->> 'path'",
    "DELETE FROM words WHERE rowid IN
     (SELECT a.id FROM json_each(?) JOIN appliance a ON a.path = value ->> 'path')",
    "INSERT INTO words (rowid, text)
     SELECT a.id, value ->> 'text' FROM json_each(?) JOIN appliance a ON a.path = value ->> 'path'",
];

const REMOVE: [&str; 3] = [
    "DELETE FROM words WHERE rowid IN
     (SELECT id FROM appliance WHERE path IN (SELECT value FROM json_each(?)))",
    "DELETE FROM record WHERE id IN
     (SELECT id FROM appliance WHERE path IN (SELECT value FROM json_each(?)))",
    "DELETE FROM appliance WHERE path IN (SELECT value FROM json_each(?))",
];

/// Records that one statement takes.
const BATCH: usize = 1000;

/// An index file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A row on its way in.
#[derive(Serialize)]
struct Row_<'a> {
    path: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    os: &'a str,
    arch: &'a str,
    endorser: String,
    published: i64,
    size: i64,
    valid: i64,
    deprecated: bool,
    text: String,
    record: String,
}

impl Sqlite {
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
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&writer).await?;
        if version == 0 {
            let mut transaction = writer.begin().await?;
            sqlx::raw_sql(TABLES).execute(&mut *transaction).await?;
            let mut set = QueryBuilder::new("PRAGMA user_version = ");
            set.push(VERSION);
            set.build().execute(&mut *transaction).await?;
            transaction.commit().await?;
        } else if version != VERSION {
            writer.close().await;
            return Err(sqlx::Error::Protocol(format!("the index has version {version}")));
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true).pragma("cache_size", "-8192"))
            .await?;
        Ok(Self { writer, readers })
    }

    async fn run_all(&self, statements: &[&'static str], json: &str) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        for statement in statements {
            sqlx::query(*statement).bind(json).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

/// What the row of a record says.
fn row(record: &Record) -> Result<Row_<'_>, serde_json::Error> {
    let endorser = [record.endorser.as_ref().map(Subject::as_str), record.email.as_deref()];
    let endorser: Vec<&str> = endorser.into_iter().flatten().collect();
    let texts = [
        Some(record.name()),
        record.title.as_deref(),
        record.description.as_deref(),
        record.user.as_deref(),
    ];
    let mut text: Vec<&str> = texts.into_iter().flatten().collect();
    text.extend(&endorser);
    Ok(Row_ {
        path: record.path.as_str(),
        name: record.name(),
        kind: &record.labels.kind,
        os: &record.labels.os,
        arch: &record.labels.arch,
        published: record.published.as_millisecond(),
        size: i64::try_from(record.compressed.bytes).unwrap_or(i64::MAX),
        valid: record.valid.map_or(i64::MAX, Timestamp::as_millisecond),
        deprecated: record.deprecated.is_some(),
        text: text.join("\n"),
        record: serde_json::to_string(record)?,
        endorser: endorser.join("\n").to_lowercase(),
    })
}

/// `WHERE` and all that follows it but the order.
fn conditions(sql: &mut QueryBuilder<sqlx::Sqlite>, query: &SearchQuery, now: Timestamp) {
    sql.push(" WHERE true");
    let now = now.as_millisecond();
    match query.status {
        StatusFilter::Valid => {
            sql.push(" AND a.deprecated = 0 AND a.valid > ").push_bind(now);
        }
        StatusFilter::Expired => {
            sql.push(" AND a.deprecated = 0 AND a.valid <= ").push_bind(now);
        }
        StatusFilter::Deprecated => {
            sql.push(" AND a.deprecated = 1");
        }
        StatusFilter::All => {}
    }
    for (column, value) in [(" AND a.os = ", &query.os), (" AND a.arch = ", &query.arch)] {
        if let Some(value) = value {
            sql.push(column).push_bind(value.clone());
        }
    }
    if let Some(kind) = &query.kind {
        // Sub-types begin with the type and a dot; `/` is the character after the dot.
        sql.push(" AND (a.kind = ").push_bind(kind.clone());
        sql.push(" OR (a.kind > ").push_bind(format!("{kind}."));
        sql.push(" AND a.kind < ").push_bind(format!("{kind}/")).push("))");
    }
    if let Some(endorser) = &query.endorser {
        sql.push(" AND a.endorser IN (SELECT id FROM endorser WHERE instr(text, ");
        sql.push_bind(endorser.to_lowercase()).push(") > 0)");
    }
    if let Some(expression) = match_expression(&query.words()) {
        sql.push(" AND a.id IN (SELECT rowid FROM words WHERE words MATCH ");
        sql.push_bind(expression).push(")");
    }
}

const fn column(key: SortKey) -> &'static str {
    match key {
        SortKey::Name => "a.name",
        SortKey::Published => "a.published",
        SortKey::Size => "a.size",
    }
}

/// After the cursor, in order, one more than a page.
fn order(sql: &mut QueryBuilder<sqlx::Sqlite>, query: &SearchQuery) {
    let Sort { key, descending } = query.sort;
    let column = column(key);
    if let Some(cursor) = &query.after {
        let than = if descending { " < (" } else { " > (" };
        sql.push(" AND (").push(column).push(", a.path)").push(than);
        match key {
            SortKey::Name => sql.push_bind(cursor.key.clone()),
            SortKey::Published | SortKey::Size => {
                sql.push_bind(i64::from_str(&cursor.key).unwrap_or_default())
            }
        };
        sql.push(", ").push_bind(cursor.path.clone()).push(")");
    }
    let way = if descending { " DESC" } else { " ASC" };
    sql.push(" ORDER BY ").push(column).push(way).push(", a.path").push(way);
    sql.push(" LIMIT ").push_bind(i64::from(query.limit) + 1);
}

#[async_trait]
impl Index for Sqlite {
    async fn load(&self) -> Result<Vec<Record>, StoreError> {
        let texts: Vec<String> = sqlx::query_scalar("SELECT json FROM record")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::index("read"))?;
        // What an older server wrote and this one cannot read is read from the tree again.
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    async fn put(&self, records: &[Arc<Record>]) -> Result<(), StoreError> {
        for batch in records.chunks(BATCH) {
            let format = |source| StoreError::Format { what: "record".into(), source };
            let rows: Vec<Row_<'_>> =
                batch.iter().map(|r| row(r)).collect::<Result<_, _>>().map_err(format)?;
            let json = serde_json::to_string(&rows).map_err(format)?;
            self.run_all(&PUT, &json).await.map_err(StoreError::index("write"))?;
        }
        if records.len() >= BATCH {
            let tidy = sqlx::raw_sql(
                "INSERT INTO words (words) VALUES ('optimize'); PRAGMA optimize = 0x10002;",
            );
            tidy.execute(&self.writer).await.map_err(StoreError::index("tidy"))?;
        }
        Ok(())
    }

    async fn remove(&self, paths: &[AppliancePath]) -> Result<(), StoreError> {
        for batch in paths.chunks(BATCH) {
            let texts: Vec<&str> = batch.iter().map(AppliancePath::as_str).collect();
            let json = serde_json::to_string(&texts)
                .map_err(|source| StoreError::Format { what: "path".into(), source })?;
            self.run_all(&REMOVE, &json).await.map_err(StoreError::index("write"))?;
        }
        Ok(())
    }

    async fn search(&self, query: &SearchQuery, now: Timestamp) -> Result<Hits, StoreError> {
        let failed = StoreError::index;
        let mut count = QueryBuilder::new("SELECT count(*) FROM appliance a");
        conditions(&mut count, query, now);
        let total: i64 =
            count.build_query_scalar().fetch_one(&self.readers).await.map_err(failed("search"))?;
        let mut page = QueryBuilder::new("SELECT a.path, ");
        page.push("CAST(").push(column(query.sort.key)).push(" AS TEXT) FROM appliance a");
        conditions(&mut page, query, now);
        order(&mut page, query);
        let rows = page.build().fetch_all(&self.readers).await.map_err(failed("search"))?;
        let mut hits = Hits { total: u64::try_from(total).unwrap_or(0), ..Hits::default() };
        let limit = usize::from(query.limit);
        for row in rows.iter().take(limit) {
            let path: String = row.try_get(0).map_err(failed("search"))?;
            hits.paths.extend(AppliancePath::parse(&path).ok());
        }
        if rows.len() > limit
            && let Some(last) = rows.get(limit.saturating_sub(1))
        {
            hits.next = Some(Cursor {
                sort: query.sort,
                key: last.try_get(1).map_err(failed("search"))?,
                path: last.try_get(0).map_err(failed("search"))?,
            });
        }
        Ok(hits)
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM appliance LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map(drop)
            .map_err(StoreError::index("read"))
    }
}
