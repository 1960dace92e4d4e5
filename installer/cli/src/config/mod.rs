//! What `stratus-config` does with files and tables.

mod files;
mod listing;
mod old;

pub use files::{print_import, read, read_if_there, read_old, replace, write_import};
pub use listing::{Listing, Row};
pub use old::{fate_table, fates};

use serde_json::{Value, json};
use std::path::Path;
use stratus_sections::Invalid;

/// The problems of a file as data; a good file has none.
pub fn problems(file: &Path, report: &Invalid) -> Value {
    let one = |problem: &stratus_sections::Problem| {
        let (line, column) = report.place(problem);
        json!({
            "file": file,
            "line": line,
            "column": column,
            "message": problem.message,
            "cure": problem.cure,
        })
    };
    json!({ "problems": report.problems().iter().map(one).collect::<Vec<_>>() })
}
