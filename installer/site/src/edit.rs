//! Reading and changing single values of a site file, with comments and order kept.
//!
//! All of it is text in, text out; whether the changed file makes sense is for
//! [`Site::parse`](crate::Site::parse) to say.

use crate::keys::{self, Key, Kind};
use crate::values::WrongValue;
use stratus_sections::near;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// The parts of a key such as `nodes.override."node07.example.org".bridge`.
pub fn path(text: &str) -> Result<Vec<String>, WrongValue> {
    let parts = toml_edit::Key::parse(text);
    let parts =
        parts.map_err(|_| WrongValue(format!("`{text}` is no key such as `nodes.share`")))?;
    Ok(parts.iter().map(|part| part.get().to_owned()).collect())
}

/// The key that a path leads to; an unknown one is refused with the nearest known.
pub fn known(path: &[String]) -> Result<&'static Key, WrongValue> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(key) = Key::find(&parts) {
        return Ok(key);
    }
    let shown = shown(path);
    let Some((last, above)) = parts.split_last() else {
        return Err(WrongValue("no key is named".to_owned()));
    };
    let beside = |key: &&Key| {
        let whole: Vec<&str> = above.iter().copied().chain([key.name]).collect();
        Key::find(&whole).is_some_and(|found| found == *key)
    };
    let names: Vec<&str> = keys::all().filter(beside).map(|key| key.name).collect();
    let cure = if names.is_empty() {
        let sections = keys::SECTIONS.iter().map(|(name, _)| *name);
        near::cure(&above.join("."), sections, "sections")
    } else {
        near::cure(last, names.into_iter(), "keys there")
    };
    Err(WrongValue(format!("there is no key `{shown}`; {cure}")))
}

/// A path as it is written, quoted where it must be.
pub fn shown(path: &[String]) -> String {
    let part = |part: &String| toml_edit::Key::new(part).display_repr().into_owned();
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// A file to look things up in.
#[derive(Clone, Debug)]
pub struct Editor(DocumentMut);

impl Editor {
    /// Reads the file. Only its syntax matters.
    pub fn open(text: &str) -> Result<Self, WrongValue> {
        let read = text.parse();
        read.map(Self).map_err(|e: toml_edit::TomlError| WrongValue(e.to_string()))
    }

    /// An empty file.
    pub(crate) fn empty() -> Self {
        Self(DocumentMut::new())
    }

    /// The text with all changes.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// What the file says at the path: texts without quotes, all else as in the file.
    pub fn value(&self, path: &[String]) -> Option<String> {
        let item = self.item(path)?;
        Some(match item {
            Item::Value(Value::String(text)) => text.value().clone(),
            Item::Value(value) => value.clone().decorated("", "").to_string(),
            Item::Table(table) if table.iter().any(|(_, inner)| inner.is_table_like()) => {
                whole(path, table)
            }
            Item::Table(table) => table.to_string().trim().to_owned(),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter().map(|t| t.to_string().trim().to_owned());
                tables.collect::<Vec<_>>().join("\n\n")
            }
            Item::None => return None,
        })
    }

    /// The same as data; null where the file says nothing.
    pub fn json(&self, path: &[String]) -> serde_json::Value {
        self.item(path).map_or(serde_json::Value::Null, json)
    }

    /// Whether the path leads to a whole section rather than a value.
    pub fn is_section(&self, path: &[String]) -> bool {
        matches!(self.item(path), Some(Item::Table(_) | Item::ArrayOfTables(_)))
    }

    /// The paths in the file that lead to this key; several where names are chosen by people.
    pub fn places(&self, key: &Key) -> Vec<Vec<String>> {
        let mut places = vec![(Vec::new(), self.0.as_item())];
        for part in key.section.split('.').chain([key.name]) {
            places = places.into_iter().flat_map(|(path, item)| below(path, item, part)).collect();
        }
        places.into_iter().map(|(path, _)| path).collect()
    }

    /// Sets the value at the path to what the words say, by the key's kind.
    pub fn set(&mut self, path: &[String], words: &[String]) -> Result<(), WrongValue> {
        let value = value_of(known(path)?, words)?;
        self.put(path, value)
    }

    /// Sets the value at the path.
    pub fn put(&mut self, path: &[String], mut value: Value) -> Result<(), WrongValue> {
        let Some((name, above)) = path.split_last() else { return Ok(()) };
        let table = table_at(self.0.as_table_mut(), above)
            .ok_or_else(|| WrongValue(format!("`{}` is no section", shown(above))))?;
        match table.get_mut(name) {
            Some(item) => {
                if let Some(old) = item.as_value() {
                    *value.decor_mut() = old.decor().clone();
                }
                *item = Item::Value(value);
            }
            None => {
                table.insert(name, Item::Value(value));
            }
        }
        Ok(())
    }

    /// Takes out what is at the path; false where nothing is.
    pub fn unset(&mut self, path: &[String]) -> bool {
        let Some((name, above)) = path.split_last() else { return false };
        if self.item(path).is_none() {
            return false;
        }
        table_at(self.0.as_table_mut(), above).is_some_and(|table| table.remove(name).is_some())
    }

    fn item(&self, path: &[String]) -> Option<&Item> {
        let mut item = self.0.as_item();
        for part in path {
            item = match item {
                Item::ArrayOfTables(_) | Item::Value(Value::Array(_)) => {
                    item.get(part.parse::<usize>().ok()?)?
                }
                _ => item.get(part.as_str())?,
            };
        }
        Some(item)
    }
}

/// A section with sections inside, each under its full name.
fn whole(path: &[String], table: &toml_edit::Table) -> String {
    let mut root = table.clone();
    for part in path.iter().rev() {
        let mut around = toml_edit::Table::new();
        around.set_implicit(true);
        around.insert(part, Item::Table(root));
        root = around;
    }
    let mut document = DocumentMut::new();
    *document.as_table_mut() = root;
    document.to_string().trim().to_owned()
}

fn json(item: &Item) -> serde_json::Value {
    use serde_json::Value as Json;
    let object = |table: &dyn TableLike| {
        Json::Object(table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect())
    };
    let value = |value: &Value| match value {
        Value::String(text) => Json::from(text.value().as_str()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Float(number) => Json::from(*number.value()),
        Value::Boolean(flag) => Json::from(*flag.value()),
        Value::Datetime(time) => Json::from(time.value().to_string()),
        Value::Array(list) => list.iter().map(|v| json(&Item::Value(v.clone()))).collect(),
        Value::InlineTable(table) => object(table),
    };
    match item {
        Item::None => Json::Null,
        Item::Value(v) => value(v),
        Item::Table(table) => object(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| object(table)).collect(),
    }
}

/// Where `part` of a key's pattern leads from an item: `*` to every name, a list to each number.
fn below<'a>(path: Vec<String>, item: &'a Item, part: &str) -> Vec<(Vec<String>, &'a Item)> {
    let longer = |name: &str| {
        let mut path = path.clone();
        path.push(name.to_owned());
        path
    };
    if let Some(tables) = item.as_array_of_tables() {
        let one = |(number, table): (usize, &'a Table)| {
            table.get(part).map(|item| {
                ([path.clone(), vec![number.to_string(), part.to_owned()]].concat(), item)
            })
        };
        return tables.iter().enumerate().filter_map(one).collect();
    }
    let Some(table) = item.as_table_like() else { return Vec::new() };
    match part {
        "*" => table.iter().map(|(name, item)| (longer(name), item)).collect(),
        _ => table.get(part).map(|item| (longer(part), item)).into_iter().collect(),
    }
}

/// The table at a path, made where it is not there.
fn table_at<'a>(root: &'a mut Table, path: &[String]) -> Option<&'a mut dyn TableLike> {
    let mut here: &mut dyn TableLike = root;
    let mut parts = path.iter().peekable();
    while let Some(part) = parts.next() {
        if !here.contains_key(part) {
            let mut table = Table::new();
            table.set_implicit(parts.peek().is_some());
            here.insert(part, Item::Table(table));
        }
        let item = here.get_mut(part)?;
        here = if item.is_array_of_tables() {
            let number: usize = parts.next()?.parse().ok()?;
            item.as_array_of_tables_mut()?.get_mut(number)?
        } else {
            item.as_table_like_mut()?
        };
    }
    Some(here)
}

/// What the words say, as the kind of the key has it.
fn value_of(key: &Key, words: &[String]) -> Result<Value, WrongValue> {
    let joined = words.join(" ");
    let literal = || joined.parse::<Value>().ok().map(|value| value.decorated(" ", ""));
    let wrong = || {
        let (name, kind, example) = (key.name, key.kind, key.example);
        WrongValue(format!("`{joined}` does not suit `{name}`, a {kind} such as {example}"))
    };
    let text = || match literal() {
        Some(Value::String(quoted)) => Value::from(quoted.into_value()),
        _ => Value::from(joined.clone()),
    };
    match key.kind {
        Kind::Text | Kind::File | Kind::SecretFile => Ok(text()),
        Kind::Number => literal().filter(Value::is_integer).ok_or_else(wrong),
        Kind::Size | Kind::Duration | Kind::NumberOrText => {
            Ok(literal().filter(Value::is_integer).unwrap_or_else(text))
        }
        Kind::Flag => literal().filter(Value::is_bool).ok_or_else(wrong),
        Kind::FlagOrTable => {
            literal().filter(|v| v.is_bool() || v.is_inline_table()).ok_or_else(wrong)
        }
        Kind::Texts | Kind::List => match literal() {
            Some(list @ Value::Array(_)) => Ok(list),
            _ => Ok(Value::Array(words.iter().map(String::as_str).collect::<Array>())),
        },
        Kind::Numbers => match literal() {
            Some(list @ Value::Array(_)) => Ok(list),
            _ => {
                let numbers: Result<Vec<i64>, _> = words.iter().map(|w| w.parse()).collect();
                Ok(Value::Array(numbers.map_err(|_| wrong())?.into_iter().collect()))
            }
        },
        Kind::Tables => literal().filter(|v| v.is_inline_table() || v.is_array()).ok_or_else(wrong),
    }
}

/// An inline table of texts.
pub(crate) fn inline(pairs: &[(&str, &str)]) -> Value {
    Value::InlineTable(
        pairs.iter().map(|(key, value)| (*key, Value::from(*value))).collect::<InlineTable>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# our site\n[nodes]\nhosts = [\"a\"] # all\n# fast\nshare = \"ssh\"   # for now\n\n[networks.private]\nbase = \"10.0.0.0/24\"\n";

    fn set(key: &str, words: &[&str]) -> Result<String, WrongValue> {
        let mut editor = Editor::open(FILE).unwrap();
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        editor.set(&path(key)?, &words)?;
        Ok(editor.text())
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let changed = set("nodes.share", &["nfs"]).unwrap();
        assert_eq!(changed, FILE.replace("\"ssh\" ", "\"nfs\" "));
        let more = set("nodes.hosts", &["a", "b[1-3]"]).unwrap();
        assert_eq!(more, FILE.replace("[\"a\"]", "[\"a\", \"b[1-3]\"]"));
        let new = set("nodes.override.\"x.y\".bridge", &["br1"]).unwrap();
        assert!(new.contains("[nodes.override.\"x.y\"]\nbridge = \"br1\"\n"), "{new}");
        let port = set("monitor.port", &["99"]).unwrap();
        assert!(port.ends_with("\n[monitor]\nport = 99\n"), "{port}");
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let error = set("nodes.shar", &["nfs"]).unwrap_err().to_string();
        assert!(error.contains("did you mean `share`?"), "{error}");
        let error = set("nods.share", &["nfs"]).unwrap_err().to_string();
        assert!(error.contains("did you mean `nodes`?"), "{error}");
        let error = set("monitor.port", &["many"]).unwrap_err().to_string();
        assert!(error.contains("a number such as 8444"), "{error}");
    }

    #[test]
    fn values_are_found_by_their_path() {
        let mut editor =
            Editor::open("[[cache.upstreams]]\nurl = \"https://a\"\n[n]\nx = [1, 2]\n").unwrap();
        assert_eq!(
            editor.value(&path("cache.upstreams.0.url").unwrap()).as_deref(),
            Some("https://a")
        );
        assert_eq!(editor.value(&path("n.x").unwrap()).as_deref(), Some("[1, 2]"));
        assert_eq!(editor.value(&path("n.y").unwrap()), None);
        let key = known(&path("cache.upstreams.0.url").unwrap()).unwrap();
        assert_eq!(editor.places(key), [["cache", "upstreams", "0", "url"]]);
        assert!(editor.unset(&path("n.x").unwrap()) && !editor.unset(&path("n.x").unwrap()));
    }
}
