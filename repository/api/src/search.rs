//! The search query, its cursor, its answers: `GET /api/v1/appliances`.
//!
//! Paging is by keyset: the answer carries an opaque cursor that holds the sort key and the path of
//! its last appliance, so a page never shifts when something is published meanwhile.

mod answer;
mod query;

pub use answer::{
    ApplianceDetail, ApplianceSummary, Checksum, CompressedFile, Links, Minimum, Page, Validity,
    VersionLink,
};
pub use query::{
    Cursor, LIMIT_DEFAULT, LIMIT_MAX, SearchError, SearchQuery, Sort, SortKey, StatusFilter,
};

#[cfg(test)]
pub(crate) use answer::tests::example;
