//! oned's XML, piece by piece, without a tree of it.
//!
//! A pool of 20,000 machines is about 50 MB of text; a tree of it would be several times that. What
//! oned writes is the simple part of XML: elements, text, CDATA, the five entities and character
//! references. A document type declaration or a processing instruction inside the document is
//! refused, attributes are passed over, and nesting has a bound.

use std::borrow::Cow;

/// How deep elements may nest; oned needs 8.
const DEPTH: usize = 24;

/// Why a text is not what oned writes. It names a byte, never the text, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {byte}: {what}")]
pub struct ScanError {
    /// Where, from 0.
    pub byte: usize,
    /// What was wrong.
    pub what: &'static str,
}

/// What comes while a pool is read. Paths begin below the object: `["TEMPLATE", "CPU"]`.
#[derive(Debug)]
pub enum Visit<'p, 'a> {
    /// An object begins.
    Begin,
    /// An element inside it begins.
    Open(&'p [&'a str]),
    /// An element without elements inside ended; its text.
    Leaf(&'p [&'a str], Cow<'a, str>),
    /// The object ended.
    End,
}

/// Goes through the objects of a pool; answers how many there were.
pub fn pool<'a>(
    text: &'a str,
    pool: &str,
    object: &str,
    mut visit: impl FnMut(Visit<'_, 'a>),
) -> Result<usize, ScanError> {
    let mut scanner = Scanner { text, at: 0, open: Vec::with_capacity(DEPTH), ends: false };
    let mut count = 0;
    // Text of the element that began last, as long as nothing began inside of it.
    let mut leaf: Option<Cow<'a, str>> = None;
    let mut seen_root = false;
    while let Some(piece) = scanner.next()? {
        let inside = scanner.open.get(1).is_some_and(|name| *name == object);
        match piece {
            Piece::Open => {
                if scanner.open.len() == 1 {
                    if seen_root || scanner.open[0] != pool {
                        return Err(scanner.error("another element than that of the pool"));
                    }
                    seen_root = true;
                }
                leaf = Some(Cow::Borrowed(""));
                match scanner.open.len() {
                    2 if inside => visit(Visit::Begin),
                    3.. if inside => visit(Visit::Open(&scanner.open[2..])),
                    _ => {}
                }
            }
            Piece::Text(more) => {
                if let Some(leaf) = &mut leaf {
                    if leaf.is_empty() {
                        *leaf = more;
                    } else if !more.is_empty() {
                        leaf.to_mut().push_str(&more);
                    }
                }
            }
            Piece::Close => {
                let text = leaf.take();
                match (scanner.open.len(), text) {
                    (3.., Some(text)) if inside => visit(Visit::Leaf(&scanner.open[2..], text)),
                    (2, _) if inside => {
                        count += 1;
                        visit(Visit::End);
                    }
                    _ => {}
                }
                scanner.open.pop();
            }
        }
    }
    if seen_root { Ok(count) } else { Err(scanner.error("the element of the pool is missing")) }
}

enum Piece<'a> {
    Open,
    Text(Cow<'a, str>),
    /// The innermost element ends; it is still on the stack.
    Close,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    open: Vec<&'a str>,
    /// The innermost element was an empty one: its end is still to be told.
    ends: bool,
}

impl<'a> Scanner<'a> {
    fn error(&self, what: &'static str) -> ScanError {
        ScanError { byte: self.at, what }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Result<Option<Piece<'a>>, ScanError> {
        if std::mem::take(&mut self.ends) {
            return Ok(Some(Piece::Close));
        }
        loop {
            let rest = self.rest();
            let Some(first) = rest.bytes().next() else {
                return if self.open.is_empty() {
                    Ok(None)
                } else {
                    Err(self.error("the text breaks off inside an element"))
                };
            };
            if first != b'<' {
                if let Some(piece) = self.characters()? {
                    return Ok(Some(piece));
                }
                continue;
            }
            if let Some(inside) = rest.strip_prefix("<![CDATA[") {
                let end = inside.find("]]>").ok_or(self.error("CDATA does not end"))?;
                if self.open.is_empty() {
                    return Err(self.error("text outside of the pool"));
                }
                self.at += 12 + end;
                return Ok(Some(Piece::Text(Cow::Borrowed(&inside[..end]))));
            }
            if let Some(inside) = rest.strip_prefix("<!--") {
                let end = inside.find("-->").ok_or(self.error("a comment does not end"))?;
                self.at += 7 + end;
                continue;
            }
            if rest.starts_with("<?") && self.at == 0 {
                let end = rest.find("?>").ok_or(self.error("the declaration does not end"))?;
                self.at += end + 2;
                continue;
            }
            return self.tag().map(Some);
        }
    }

    fn characters(&mut self) -> Result<Option<Piece<'a>>, ScanError> {
        let rest = self.rest();
        let end = rest.find('<').unwrap_or(rest.len());
        let raw = &rest[..end];
        if self.open.is_empty() {
            if !raw.trim().is_empty() {
                return Err(self.error("text outside of the pool"));
            }
            self.at += end;
            return Ok(None);
        }
        let text = unescape(raw).ok_or(self.error("an entity that nobody declared"))?;
        self.at += end;
        Ok(Some(Piece::Text(text)))
    }

    fn tag(&mut self) -> Result<Piece<'a>, ScanError> {
        let rest = self.rest();
        let end = tag_end(rest).ok_or(self.error("a tag does not end"))?;
        let inside = &rest[1..end];
        if let Some(name) = inside.strip_prefix('/') {
            if self.open.last() != Some(&name.trim_end()) {
                return Err(self.error("an end that belongs to no element"));
            }
            self.at += end + 1;
            return Ok(Piece::Close);
        }
        let bare = inside.strip_suffix('/').unwrap_or(inside);
        let name = bare.split([' ', '\t', '\r', '\n']).next().unwrap_or_default();
        if !is_name(name) {
            return Err(self.error("something that is neither element nor text"));
        }
        if self.open.len() >= DEPTH {
            return Err(self.error("elements nest too deep"));
        }
        self.open.push(name);
        self.at += end + 1;
        self.ends = bare.len() < inside.len();
        Ok(Piece::Open)
    }
}

/// Where a tag ends, counted from its `<`; a `>` inside quotes is none.
fn tag_end(rest: &str) -> Option<usize> {
    let first = rest.find('>')?;
    // oned writes no attributes, so this is nearly always all.
    if !rest.as_bytes()[..first].iter().any(|byte| matches!(byte, b'"' | b'\'')) {
        return Some(first);
    }
    let mut quote = 0;
    rest.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        match (quote, byte) {
            (0, b'>') => return Some(at),
            (0, b'"' | b'\'') => quote = byte,
            (open, close) if open == close => quote = 0,
            _ => {}
        }
        None
    })
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

/// Text with its references resolved; `None` where one is unknown.
pub fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let Some(first) = raw.find('&') else { return Some(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(after) = rest.strip_prefix('&') {
        let end = after.bytes().take(12).position(|b| b == b';')?;
        text.push(reference(&after[..end])?);
        rest = &after[end + 1..];
        let plain = rest.find('&').unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Some(Cow::Owned(text))
}

fn reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
