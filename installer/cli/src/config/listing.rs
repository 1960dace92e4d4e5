//! Every key beside what the file says.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use stratus_sections::near;
use stratus_site::WrongValue;
use stratus_site::edit::{self, Editor};
use stratus_site::keys::{self, Absent, Key};

/// The keys of a file, those of some sections or all.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Listing(Vec<Row>);

/// One key, once for each place of the file that says it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its full name, as `networks.private.base`; `<name>` where the file says nothing.
    pub key: String,
    /// What it takes.
    pub takes: String,
    /// What holds without it.
    pub default: String,
    /// What the file says.
    pub current: Option<String>,
    /// What it means.
    pub meaning: &'static str,
    /// A value as it would be written.
    pub example: &'static str,
}

impl Listing {
    /// The keys, and what the file says about each. A section's name may be its beginning, as
    /// `networks`, or lead to one place, as `networks.private`.
    pub fn of(editor: &Editor, section: Option<&str>) -> Result<Self, WrongValue> {
        let mut rows: Vec<Row> = keys::all().flat_map(|key| rows(editor, key)).collect();
        if let Some(section) = section {
            let inside =
                |key: &str| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
            let pattern = |row: &Row| inside(&row.key);
            if !rows.iter().any(pattern) {
                let known = keys::SECTIONS.iter().map(|(name, _)| *name);
                let cure = near::cure(section, known, "sections");
                return Err(WrongValue(format!("there is no section `{section}`; {cure}")));
            }
            rows.retain(pattern);
        }
        Ok(Self(rows))
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["KEY", "DEFAULT", "CURRENT", "MEANING"]);
        for row in &self.0 {
            let current = row.current.as_deref().unwrap_or("-");
            table.add_row([&row.key, &row.default, &one_line(current), row.meaning]);
        }
        table.to_string()
    }
}

fn rows(editor: &Editor, key: &'static Key) -> Vec<Row> {
    let row = |name: String, current: Option<String>| Row {
        key: name,
        takes: key.kind.to_string(),
        default: match key.absent {
            Absent::Value(value) => value.trim_matches('"').to_owned(),
            other => other.to_string(),
        },
        current,
        meaning: key.meaning,
        example: key.example,
    };
    let places = editor.places(key);
    if places.is_empty() {
        return vec![row(key.path().replace('*', "<name>"), None)];
    }
    places.iter().map(|path| row(edit::shown(path), editor.value(path))).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
