//! A reader of the small part of pan that an export uses, by the rules of the language and not by
//! the writer's. It is not the pan compiler, and takes far less:
//!
//! ```text
//! template     (object | unique | declaration) template NAME ;
//! include      include TEXT ;   include if_exists(TEXT) ;
//! variable     variable NAME (= | ?=) VALUE ;
//! assignment   PATH (= | ?=) VALUE ;   prefix PATH ;
//! value        text, number, true, false, variable, list(…), dict(…), append(…), error(…)
//! fields       type NAME = TYPE ;   bind PATH = TYPE ;   function NAME = { … } ;
//! ```
//!
//! Whatever else a template says is a fault. `statements` makes the tree, `types` holds it against
//! the fields that `quattor/profiles` states, `rules` says again in Rust what stands there in pan
//! between fields.

mod lexer;
mod rules;
mod statements;
mod types;

use serde_json::Value;
use std::path::Path;

/// Stands for a value that an export leaves to a template of the site.
pub(crate) const SECRET: &str = "<secret>";

/// The password of `quattor/profiles/site/stratus/secrets.pan`.
const PASSWORD: &str = "\"example-password\"";

/// The tree of a host's object template, or the first thing that is not of the subset.
pub(crate) fn profile(export: &Path, host: &str) -> Result<Value, String> {
    Ok(marked(&statements::read(export, host)?.tree))
}

/// What of a host's tree no component takes.
pub(crate) fn faults(export: &Path, host: &str) -> Result<Vec<String>, String> {
    let read = statements::read(export, host)?;
    let mut faults = Vec::new();
    for (path, wanted) in &read.binds {
        match statements::at(&read.tree, path)? {
            Some(value) => drop(read.types.check(value, wanted, path, &mut faults)),
            None => faults.push(format!("{path}: has a type and is not there")),
        }
    }
    Ok(faults)
}

/// A tree with the site's password marked.
pub(crate) fn marked(tree: &Value) -> Value {
    let marked = tree.to_string().replace(PASSWORD, &format!("\"{SECRET}\""));
    serde_json::from_str(&marked).expect("a tree stays one")
}
