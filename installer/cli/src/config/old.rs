//! What became of the keys of a historical file, for people and as data.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use stratus_site::import::{Fate, Import};

/// One row for each old key.
pub fn fate_table(import: &Import) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["LINE", "OLD KEY", "VALUE", "BECAME"]);
    for fate in &import.fates {
        let (key, value) = (cut(&shown(&fate.key)), cut(&shown(&fate.value)));
        table.add_row([fate.line.to_string(), key, value, end(fate)]);
    }
    table.to_string()
}

fn end(fate: &Fate) -> String {
    match (&fate.became, fate.why.as_str()) {
        (Some(what), "") => what.clone(),
        (Some(what), why) => format!("{what} ({})", shown(why)),
        (None, why) => format!("left out: {}", shown(why)),
    }
}

/// The same as data.
pub fn fates(import: &Import) -> Value {
    let one = |fate: &Fate| {
        json!({
            "line": fate.line,
            "section": fate.section,
            "key": fate.key,
            "value": fate.value,
            "became": fate.became,
            "why": fate.why,
        })
    };
    let notes = import.notes.iter().map(|(line, text)| json!({ "line": line, "text": text }));
    json!({
        "keys": import.fates.iter().map(one).collect::<Vec<_>>(),
        "notes": notes.collect::<Vec<_>>(),
        "secrets": import.secrets.iter().map(|s| &s.file).collect::<Vec<_>>(),
    })
}

/// What fits into a column; whole values are in the new file.
fn cut(text: &str) -> String {
    const MOST: usize = 120;
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(MOST).collect();
    if characters.next().is_none() { start } else { format!("{start}…") }
}

/// One line, without anything a terminal would act on.
fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
