//! What `stratus-config` does with files and tables.

mod files;
mod listing;
mod old;

pub use files::{read, read_if_there, read_old, replace, write_import};
pub use listing::{Listing, Row};
pub use old::{fate_table, fates};

use serde_json::{Value, json};
use stratus_sections::Invalid;

/// The problems of a file as data.
pub fn problems(report: &Invalid, text: &str) -> Value {
    let one = |problem: &stratus_sections::Problem| {
        let before = text.get(..problem.span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        json!({ "line": line, "column": column, "message": problem.message, "cure": problem.cure })
    };
    json!({ "problems": report.problems().iter().map(one).collect::<Vec<_>>() })
}
