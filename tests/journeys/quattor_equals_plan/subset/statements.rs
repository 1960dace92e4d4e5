//! Statements, and the tree that they make.

use super::lexer::{Token, Tokens};
use super::types::{Type, Types};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What the templates of a host say.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) tree: Value,
    pub(super) types: Types,
    /// Paths with the type that they have to be of.
    pub(super) binds: Vec<(String, Type)>,
}

/// Reads an object template with everything that it includes, from the export and from
/// `quattor/profiles`.
pub(super) fn read(export: &Path, host: &str) -> Result<Reading, String> {
    let places =
        [export.to_owned(), export.join("profiles"), crate::root().join("quattor/profiles")];
    let mut reader = Reader { places: places.into(), ..Reader::default() };
    reader.template(host, true)?;
    Ok(reader.reading)
}

#[derive(Default)]
struct Reader {
    places: Vec<PathBuf>,
    reading: Reading,
    variables: BTreeMap<String, Value>,
    read: BTreeSet<String>,
}

/// A template on its way: paths are below the last prefix of the template itself.
struct Template {
    tokens: Tokens,
    prefix: String,
}

/// A value before it is worked out.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Value(Value),
    Variable(String),
    Call(String, Vec<Expression>),
}

impl Reader {
    fn template(&mut self, name: &str, object: bool) -> Result<(), String> {
        if !self.read.insert(name.to_owned()) {
            return Ok(());
        }
        let file = self.file(name).ok_or_else(|| format!("there is no template {name}"))?;
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut tokens = Tokens::of(name, &text)?;
        let kind = tokens.word()?;
        if object != (kind == "object") || !["object", "unique", "declaration"].contains(&&*kind) {
            return Err(
                tokens.fault(&format!("a template of the kind {kind} does not belong here"))
            );
        }
        if (tokens.word()?, tokens.word()?) != ("template".to_owned(), name.to_owned()) {
            return Err(tokens.fault("the template has another name than its file"));
        }
        tokens.sign(';')?;
        let mut template = Template { tokens, prefix: String::new() };
        while template.tokens.peek().is_some() {
            self.statement(&mut template)?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let files = self.places.iter().map(|place| place.join(format!("{name}.pan")));
        files.into_iter().find(|file| file.is_file())
    }

    fn statement(&mut self, template: &mut Template) -> Result<(), String> {
        let tokens = &mut template.tokens;
        let word = match tokens.next()? {
            Token::Text(path) => {
                self.assignment(template, &path)?;
                return template.tokens.sign(';');
            }
            Token::Word(word) => word,
            Token::Sign(sign) => {
                return Err(tokens.fault(&format!("a statement begins with {sign}")));
            }
        };
        match word.as_str() {
            "prefix" => {
                let path = tokens.text()?;
                if !path.starts_with('/') {
                    return Err(tokens.fault("a prefix is an absolute path"));
                }
                path.trim_end_matches('/').clone_into(&mut template.prefix);
            }
            "include" => self.include(tokens)?,
            "variable" => self.variable(tokens)?,
            "type" => {
                let name = tokens.word()?;
                tokens.sign('=')?;
                self.reading.types.declare(&name, tokens)?;
            }
            "bind" => {
                let path = tokens.text()?;
                tokens.sign('=')?;
                let wanted = Type::parse(tokens, &path)?;
                self.reading.binds.push((path, wanted));
            }
            // Only rules of types call one, and `rules` has those in Rust.
            "function" => drop(tokens.until(|t| t.peek() == Some(&Token::Sign(';')))?),
            other => return Err(tokens.fault(&format!("`{other}` is no statement of the subset"))),
        }
        template.tokens.sign(';')
    }

    fn include(&mut self, tokens: &mut Tokens) -> Result<(), String> {
        if tokens.peek() == Some(&Token::Word("if_exists".to_owned())) {
            tokens.next()?;
            tokens.sign('(')?;
            let name = tokens.text()?;
            tokens.sign(')')?;
            return if self.file(&name).is_some() { self.template(&name, false) } else { Ok(()) };
        }
        let name = tokens.text()?;
        self.template(&name, false)
    }

    fn variable(&mut self, tokens: &mut Tokens) -> Result<(), String> {
        let name = tokens.word()?;
        let default = tokens.take('?');
        tokens.sign('=')?;
        let value = Expression::parse(tokens)?;
        if !(default && self.variables.contains_key(&name)) {
            let value = self.value(&value, None).map_err(|e| tokens.fault(&e))?;
            self.variables.insert(name, value);
        }
        Ok(())
    }

    fn assignment(&mut self, template: &mut Template, path: &str) -> Result<(), String> {
        let tokens = &mut template.tokens;
        let default = tokens.take('?');
        tokens.sign('=')?;
        let value = Expression::parse(tokens)?;
        let whole = match (path.starts_with('/'), template.prefix.as_str()) {
            (true, _) => path.to_owned(),
            (false, "") => return Err(tokens.fault("a relative path without a prefix")),
            (false, prefix) => format!("{prefix}/{path}"),
        };
        let here = |e: String| tokens.fault(&e);
        let is = at(&self.reading.tree, &whole).map_err(here)?.cloned();
        if default && is.is_some() {
            return Ok(());
        }
        let appended = matches!(&value, Expression::Call(name, _) if name == "append");
        let value = self.value(&value, is.as_ref()).map_err(here)?;
        if is.is_some_and(|is| is != value && !appended) {
            return Err(here(format!("{whole} is set to two values")));
        }
        set(&mut self.reading.tree, &whole, value).map_err(here)
    }

    /// Works a value out; `is` is what an element is appended to.
    fn value(&self, expression: &Expression, is: Option<&Value>) -> Result<Value, String> {
        let (name, arguments) = match expression {
            Expression::Value(value) => return Ok(value.clone()),
            Expression::Variable(name) => {
                let value = self.variables.get(name).cloned();
                return value.ok_or_else(|| format!("the variable {name} has no value"));
            }
            Expression::Call(name, arguments) => (name, arguments),
        };
        let arguments =
            arguments.iter().map(|a| self.value(a, None)).collect::<Result<Vec<_>, _>>()?;
        called(name, arguments, is)
    }
}

fn called(name: &str, arguments: Vec<Value>, is: Option<&Value>) -> Result<Value, String> {
    match name {
        "list" => Ok(Value::Array(arguments)),
        "dict" => {
            let mut members = Map::new();
            for pair in arguments.chunks(2) {
                let [Value::String(key), value] = pair else {
                    return Err("a dict is made of keys with values".to_owned());
                };
                if !is_key(key) || members.insert(key.clone(), value.clone()).is_some() {
                    return Err(format!("`{key}` is no key, or there twice"));
                }
            }
            Ok(Value::Object(members))
        }
        "append" => {
            let mut list = match is {
                None => Vec::new(),
                Some(Value::Array(list)) => list.clone(),
                Some(other) => return Err(format!("append to {other}")),
            };
            let [added] = &arguments[..] else { return Err("append takes one value".to_owned()) };
            list.push(added.clone());
            Ok(Value::Array(list))
        }
        "error" => Err(format!("error: {arguments:?}")),
        other => Err(format!("the function `{other}` is not of the subset")),
    }
}

impl Expression {
    pub(super) fn parse(tokens: &mut Tokens) -> Result<Self, String> {
        let word = match tokens.next()? {
            Token::Text(text) => return Ok(Self::Value(Value::String(text))),
            Token::Word(word) => word,
            Token::Sign(sign) => return Err(tokens.fault(&format!("a value begins with {sign}"))),
        };
        if !tokens.take('(') {
            return Ok(match word.as_str() {
                "true" => Self::Value(json!(true)),
                "false" => Self::Value(json!(false)),
                number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                    Self::Value(numeral(number).ok_or_else(|| tokens.fault("no number"))?)
                }
                name => Self::Variable(name.to_owned()),
            });
        }
        let mut arguments = Vec::new();
        while !tokens.take(')') {
            arguments.push(Self::parse(tokens)?);
            if !tokens.take(',') && tokens.peek() != Some(&Token::Sign(')')) {
                return Err(tokens.fault("arguments have commas between them"));
            }
        }
        Ok(Self::Call(word, arguments))
    }

    /// Its value where it needs no variable.
    pub(super) fn constant(&self) -> Result<Value, String> {
        Reader::default().value(self, None)
    }
}

/// A number; octal with a zero in front.
fn numeral(text: &str) -> Option<Value> {
    let octal = text.len() > 1 && text.starts_with('0');
    i64::from_str_radix(text, if octal { 8 } else { 10 }).ok().map(|number| json!(number))
}

/// What stands at a path.
pub(super) fn at<'a>(tree: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    Ok(keys(path)?.iter().try_fold(tree, |value, key| value.get(key)))
}

fn set(tree: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut place = tree;
    for key in keys(path)? {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let members = place.as_object_mut().ok_or_else(|| format!("{path} is below no dict"))?;
        place = members.entry(key).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// The keys of an absolute path, those in braces escaped.
fn keys(path: &str) -> Result<Vec<String>, String> {
    let (mut keys, mut rest) = (Vec::new(), path.strip_prefix('/').ok_or("no absolute path")?);
    while !rest.is_empty() {
        let (key, behind) = match rest.strip_prefix('{') {
            Some(inside) => {
                let (key, behind) = inside.split_once('}').ok_or("a brace stays open")?;
                if key.is_empty() || !(behind.is_empty() || behind.starts_with('/')) {
                    return Err(format!("{path}: a key in braces"));
                }
                (escape(key), behind)
            }
            None => {
                let end = rest.find('/').unwrap_or(rest.len());
                let key = &rest[..end];
                if !is_key(key) {
                    return Err(format!("{path}: `{key}` is no key"));
                }
                (key.to_owned(), &rest[end..])
            }
        };
        keys.push(key);
        rest = behind.strip_prefix('/').unwrap_or(behind);
    }
    Ok(keys)
}

/// A letter or `_` first, then letters, digits, `_`, `+`, `-` and `.`.
fn is_key(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(rest)
}

/// Letters and digits stay, a digit in front does not; everything else is `_` and its number.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for (at, c) in text.chars().enumerate() {
        if c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()) {
            escaped.push(c);
        } else {
            escaped += &format!("_{:02x}", u32::from(c));
        }
    }
    escaped
}
