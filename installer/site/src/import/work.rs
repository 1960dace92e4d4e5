//! The old values while they are taken, and the new file while it grows.

use super::ini::{Entry, Ini};
use super::{Fate, Import, Secret};
use crate::edit::Editor;
use crate::read::{is_placeholder, is_well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use toml_edit::Value;

/// What a secret is shown as.
const HIDDEN: &str = "(hidden)";

pub(super) struct Work {
    entries: BTreeMap<String, Entry>,
    fates: BTreeMap<String, (Option<String>, String)>,
    notes: Vec<(usize, String)>,
    secrets: Vec<Secret>,
    /// Keys whose values are not shown, whatever they look like.
    hidden: BTreeSet<String>,
    known: usize,
    editor: Editor,
}

impl Work {
    pub(super) fn new(ini: Ini) -> Self {
        let entries = ini.entries.into_iter().map(|e| (e.key.clone(), e)).collect();
        Self {
            entries,
            fates: BTreeMap::new(),
            notes: ini.notes,
            secrets: Vec::new(),
            hidden: BTreeSet::new(),
            known: 0,
            editor: Editor::empty(),
        }
    }

    /// The value of a key that says something. An empty one and a placeholder get their fate here.
    pub(super) fn value(&mut self, key: &str) -> Option<String> {
        let value = self.entries.get(key)?.value.trim().to_owned();
        if value.is_empty() {
            self.leave(key, "it is empty");
            return None;
        }
        if value.split_whitespace().any(is_placeholder) {
            self.leave(key, "it is a placeholder");
            return None;
        }
        Some(value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A switch in the old spelling; one that is neither on nor off is left out.
    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        let on = match self.value(key)?.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.leave(key, "it is neither true nor false");
                return None;
            }
        };
        Some(on)
    }

    /// Notes that the key became this.
    pub(super) fn became(&mut self, key: &str, what: &str) {
        self.became_but(key, what, "");
    }

    /// As [`Work::became`], with something to look at.
    pub(super) fn became_but(&mut self, key: &str, what: &str, why: &str) {
        if self.has(key) {
            self.fates.insert(key.to_owned(), (Some(what.to_owned()), why.to_owned()));
        }
    }

    /// Notes why the key was left out, unless it has a fate already.
    pub(super) fn leave(&mut self, key: &str, why: &str) {
        if self.has(key) {
            let fate = (None, why.to_owned());
            self.fates.entry(key.to_owned()).or_insert(fate);
        }
    }

    /// Writes a value into the new file.
    pub(super) fn put(&mut self, path: &[&str], value: impl Into<Value>) {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        if let Err(why) = self.editor.put(&path, value.into()) {
            self.notes.push((0, why.to_string()));
        }
    }

    /// Writes the value that `convert` makes of a key, and notes its fate.
    pub(super) fn copy<T: Into<Value>>(
        &mut self,
        key: &str,
        section: &str,
        name: &str,
        convert: impl Fn(&str) -> Result<T, String>,
    ) -> bool {
        let Some(value) = self.value(key) else { return false };
        match convert(&value) {
            Ok(value) => {
                self.put(&[section, name], value);
                self.became(key, &format!("{section}.{name}"));
                true
            }
            Err(why) => {
                self.leave(key, &why);
                false
            }
        }
    }

    /// Puts the value of a key into a file of its own. The name of the file, unless everybody knows
    /// the secret.
    pub(super) fn secret(&mut self, key: &str, what: &str) -> Option<String> {
        self.hidden.insert(key.to_owned());
        let value = self.value(key)?;
        if is_well_known(&value) {
            self.leave(key, "it is a secret that everybody knows; choose a new one");
            return None;
        }
        let file = format!("{}.secret", file_name(key));
        self.secrets.push(Secret { file: file.clone(), content: format!("{value}\n") });
        self.became(key, &format!("{what}file {file}"));
        Some(file)
    }

    /// Notes something about the file as a whole.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push((0, text.to_owned()));
    }

    /// Counts the keys that have a fate so far: the old programs knew them.
    pub(super) fn count_decided(&mut self) {
        self.known += self.fates.len();
    }

    /// Counts another key that the old programs knew.
    pub(super) fn count_known(&mut self) {
        self.known += 1;
    }

    /// The keys that have no fate yet, in the order of the file.
    pub(super) fn open_keys(&self) -> Vec<String> {
        let mut open: Vec<&Entry> =
            self.entries.values().filter(|e| !self.fates.contains_key(&e.key)).collect();
        open.sort_by_key(|e| e.line);
        open.into_iter().map(|e| e.key.clone()).collect()
    }

    pub(super) fn finish(self) -> Import {
        let mut fates: Vec<Fate> = Vec::new();
        for entry in self.entries.into_values() {
            let (became, why) = self.fates.get(&entry.key).cloned().unwrap_or_default();
            let hidden = is_secret(&entry.key, &entry.value) || self.hidden.contains(&entry.key);
            let value = if hidden && !entry.value.is_empty() { HIDDEN.into() } else { entry.value };
            let Entry { section, key, line, .. } = entry;
            fates.push(Fate { section, key, line, value, became, why });
        }
        fates.sort_by_key(|fate| fate.line);
        let mut toml = String::from(
            "# Made from a stratuslab.cfg by `stratus-config import`; `stratus-config check` looks \
             it over.\n\n",
        );
        for (_, text) in self.notes.iter().filter(|(line, _)| *line == 0) {
            let _ = writeln!(toml, "# {}\n", plain(text));
        }
        toml.push_str(&self.editor.text());
        toml.push_str(&remainder(&fates));
        Import { toml, secrets: self.secrets, fates, notes: self.notes, known: self.known }
    }
}

/// What was left out, as comments, so that nothing is lost.
fn remainder(fates: &[Fate]) -> String {
    let mut text = String::new();
    let left = |fate: &&Fate| fate.became.is_none() && !fate.value.is_empty();
    for fate in fates.iter().filter(left) {
        if text.is_empty() {
            text.push_str("\n# What the old file said beyond this:\n");
        }
        let _ = writeln!(
            text,
            "# [{}] {}: {}",
            plain(&fate.section),
            plain(&fate.key),
            plain(&fate.why)
        );
        for line in fate.value.lines() {
            let _ = writeln!(text, "#     {}", plain(line));
        }
    }
    text
}

/// TOML takes no control characters in comments.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a value is not to be shown.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    let named = ["password", "passwd"].iter().any(|word| key.contains(word));
    let path = key.ends_with("_file") || value.starts_with('/');
    let login = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split('/').next().and_then(|l| l.split_once('@')).is_some_and(|(l, _)| l.contains(':'))
    });
    let lower = value.to_lowercase();
    (named && !path) || login || lower.contains("password") || lower.contains("private key-----")
}

/// Whether the name of a key that nobody knows says that its value is a secret.
pub(super) fn sounds_secret(key: &str, value: &str) -> bool {
    const WORDS: [&str; 8] =
        ["secret", "secrets", "password", "passwd", "passphrase", "token", "tokens", "key"];
    let named = key.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| WORDS.contains(&part));
    named && !value.starts_with('/')
}

/// A file name out of a key, which may be any text.
fn file_name(key: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    key.chars().take(64).map(good).collect()
}
