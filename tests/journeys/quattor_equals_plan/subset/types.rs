//! Types as `quattor/profiles` and an export declare them, and values held against them.

use super::lexer::{Token, Tokens};
use super::rules::{self, Rule};
use super::statements::Expression;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A type with what else must hold.
#[derive(Clone, Debug)]
pub(super) struct Type {
    kind: Kind,
    rule: Option<Rule>,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Whole(i64, i64),
    Flag,
    Dict,
    Choice(Vec<String>),
    Named(String),
    Record(Record),
    List(Box<Kind>),
    Map(Box<Kind>),
}

#[derive(Clone, Debug, Default)]
struct Record {
    /// Types whose fields it has too.
    others: Vec<String>,
    fields: Vec<(String, Field)>,
    /// Whether it may have more.
    open: bool,
}

#[derive(Clone, Debug)]
struct Field {
    needed: bool,
    wanted: Type,
    default: Option<Value>,
}

/// All types by name.
#[derive(Debug, Default)]
pub(super) struct Types(BTreeMap<String, Type>);

impl Type {
    /// Reads a type; `owner` is what a rule of it is called by.
    pub(super) fn parse(tokens: &mut Tokens, owner: &str) -> Result<Self, String> {
        let mut kind = Kind::parse(tokens, owner)?;
        loop {
            match (tokens.peek(), tokens.beyond()) {
                (Some(Token::Sign('[')), Some(Token::Sign(']'))) => {
                    kind = Kind::List(Box::new(kind));
                }
                (Some(Token::Sign('{')), Some(Token::Sign('}'))) => {
                    kind = Kind::Map(Box::new(kind));
                }
                _ => break,
            }
            tokens.next()?;
            tokens.next()?;
        }
        let mut rule = None;
        if tokens.peek() == Some(&Token::Word("with".to_owned())) {
            tokens.next()?;
            rule = Some(Rule::of(owner, &tokens.until(ends)?));
        }
        Ok(Self { kind, rule })
    }
}

/// Whether a rule ends here: with the type, or where the next field of a record begins.
fn ends(tokens: &Tokens) -> bool {
    match tokens.peek() {
        None | Some(Token::Sign(';' | '}')) => true,
        Some(Token::Word(word)) => word == "include",
        Some(Token::Text(_)) => matches!(tokens.beyond(), Some(Token::Sign('?' | ':'))),
        Some(Token::Sign(_)) => false,
    }
}

impl Kind {
    fn parse(tokens: &mut Tokens, owner: &str) -> Result<Self, String> {
        if tokens.take('{') {
            return Ok(Self::Record(Record::parse(tokens, owner)?));
        }
        Ok(match tokens.word()?.as_str() {
            "string" => Self::Text,
            "boolean" => Self::Flag,
            "dict" => Self::Dict,
            "long" if tokens.take('(') => {
                let range = tokens.word()?;
                tokens.sign(')')?;
                let (low, high) = bounds(&range).ok_or_else(|| tokens.fault("no range"))?;
                Self::Whole(low, high)
            }
            "long" => Self::Whole(i64::MIN, i64::MAX),
            "choice" => {
                tokens.sign('(')?;
                let mut texts = vec![tokens.text()?];
                while tokens.take(',') {
                    texts.push(tokens.text()?);
                }
                tokens.sign(')')?;
                Self::Choice(texts)
            }
            "extensible" => {
                tokens.sign('{')?;
                Self::Record(Record { open: true, ..Record::parse(tokens, owner)? })
            }
            name => Self::Named(name.to_owned()),
        })
    }
}

/// `1..`, `0..5`.
fn bounds(text: &str) -> Option<(i64, i64)> {
    let (low, high) = text.split_once("..")?;
    let high = if high.is_empty() { i64::MAX } else { high.parse().ok()? };
    Some((low.parse().ok()?, high))
}

impl Record {
    /// Behind the opening brace.
    fn parse(tokens: &mut Tokens, owner: &str) -> Result<Self, String> {
        let mut record = Self::default();
        while !tokens.take('}') {
            if tokens.peek() == Some(&Token::Word("include".to_owned())) {
                tokens.next()?;
                record.others.push(tokens.word()?);
                continue;
            }
            let name = tokens.text()?;
            let needed = !tokens.take('?');
            if needed {
                tokens.sign(':')?;
            }
            let wanted = Type::parse(tokens, &format!("{owner}.{name}"))?;
            let mut default = None;
            if tokens.take('=') {
                let value = Expression::parse(tokens)?.constant();
                default = Some(value.map_err(|e| tokens.fault(&e))?);
            }
            record.fields.push((name, Field { needed, wanted, default }));
        }
        Ok(record)
    }
}

impl Types {
    /// Reads `type NAME = …`, behind the sign.
    pub(super) fn declare(&mut self, name: &str, tokens: &mut Tokens) -> Result<(), String> {
        let declared = Type::parse(tokens, name)?;
        match self.0.insert(name.to_owned(), declared) {
            None => Ok(()),
            Some(_) => Err(tokens.fault(&format!("the type {name} is declared twice"))),
        }
    }

    /// Adds what is wrong with a value, and gives it with the defaults of its type.
    pub(super) fn check(
        &self,
        value: &Value,
        wanted: &Type,
        path: &str,
        faults: &mut Vec<String>,
    ) -> Value {
        let before = faults.len();
        let whole = self.kind(value, &wanted.kind, path, faults);
        // A rule may rely on the fields.
        if let (Some(rule), true) = (&wanted.rule, faults.len() == before) {
            faults.extend(rules::broken(rule, &whole).map(|what| format!("{path}: {what}")));
        }
        whole
    }

    fn kind(&self, value: &Value, kind: &Kind, path: &str, faults: &mut Vec<String>) -> Value {
        let good = match (kind, value) {
            (Kind::Named(name), _) => match self.0.get(name) {
                Some(wanted) => return self.check(value, wanted, path, faults),
                None => false,
            },
            (Kind::Record(record), Value::Object(members)) => {
                return self.record(members, record, path, faults);
            }
            (Kind::List(kind), Value::Array(list)) => {
                let one = |(at, v)| self.kind(v, kind, &format!("{path}/{at}"), faults);
                return list.iter().enumerate().map(one).collect();
            }
            (Kind::Map(kind), Value::Object(members)) => {
                let one = |(k, v): (&String, &Value)| {
                    (k.clone(), self.kind(v, kind, &format!("{path}/{k}"), faults))
                };
                return Value::Object(members.iter().map(one).collect());
            }
            (Kind::Choice(texts), Value::String(text)) => texts.contains(text),
            (Kind::Whole(low, high), Value::Number(number)) => {
                number.as_i64().is_some_and(|n| (*low..=*high).contains(&n))
            }
            (Kind::Text, Value::String(_))
            | (Kind::Flag, Value::Bool(_))
            | (Kind::Dict, Value::Object(_)) => true,
            _ => false,
        };
        if !good {
            faults.push(format!("{path}: {value} is not {kind:?}"));
        }
        value.clone()
    }

    fn record(
        &self,
        members: &Map<String, Value>,
        record: &Record,
        path: &str,
        faults: &mut Vec<String>,
    ) -> Value {
        let fields = self.fields(record);
        let mut whole = members.clone();
        for (name, field) in &fields {
            let path = format!("{path}/{name}");
            match members.get(name).or(field.default.as_ref()) {
                Some(value) => {
                    whole.insert(name.clone(), self.check(value, &field.wanted, &path, faults));
                }
                None if field.needed => faults.push(format!("{path}: has to be there")),
                None => {}
            }
        }
        if !record.open {
            let unknown = members.keys().filter(|key| !fields.contains_key(*key));
            faults.extend(unknown.map(|key| format!("{path}/{key}: there is no such field")));
        }
        Value::Object(whole)
    }

    /// The fields of a record with those of the types that it includes.
    fn fields<'a>(&'a self, record: &'a Record) -> BTreeMap<String, &'a Field> {
        let mut fields = BTreeMap::new();
        for other in &record.others {
            if let Some(Type { kind: Kind::Record(other), .. }) = self.0.get(other) {
                fields.append(&mut self.fields(other));
            }
        }
        fields.extend(record.fields.iter().map(|(name, field)| (name.clone(), field)));
        fields
    }
}
