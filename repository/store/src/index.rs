//! Searching what is published. The tree is the truth: an index can be thrown away.
//!
//! An [`Index`] keeps records for a quick start and answers searches; another database takes its
//! place behind the same trait.

mod sqlite;
mod words;

pub(crate) use sqlite::Sqlite;

use crate::{Record, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use stratus_model::AppliancePath;
use stratus_repository_api::search::{Cursor, SearchQuery};

/// A page of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How many appliances fit the query, on all pages.
    pub total: u64,
    /// Those of this page.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
}

/// What an index answers: places, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    pub(crate) total: u64,
    pub(crate) paths: Vec<AppliancePath>,
    pub(crate) next: Option<Cursor>,
}

#[async_trait]
pub(crate) trait Index: Send + Sync {
    /// All records, as they were last noted.
    async fn load(&self) -> Result<Vec<Record>, StoreError>;
    /// Notes records, new or changed, all or none.
    async fn put(&self, records: &[Arc<Record>]) -> Result<(), StoreError>;
    /// Forgets places, all or none.
    async fn remove(&self, paths: &[AppliancePath]) -> Result<(), StoreError>;
    /// One page of what fits the query at this time.
    async fn search(&self, query: &SearchQuery, now: Timestamp) -> Result<Hits, StoreError>;
    /// Whether the index answers.
    async fn check(&self) -> Result<(), StoreError>;
}
