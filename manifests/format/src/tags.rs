//! A look at the tags alone, before the real parser: how deep they nest, and which do not fit.
//!
//! A parser that meets a wrong end tag knows only that it is wrong. People need to know which
//! element was open there, where it was opened, and what was probably meant; the manifest printed
//! in the project's first report (D4.1) had exactly such a slip. This scan also keeps hostile
//! nesting and document types away from everything behind it. It accepts too much rather than too
//! little: what is well-formed is decided by the parser.

use crate::problem::{Problem, ReadError, ReadErrorKind, printable};

/// Deepest nesting of elements in any document of ours.
pub(crate) const DEPTH: usize = 32;
/// Most attributes of one element. The parser compares each with each.
const ATTRIBUTES: usize = 64;
/// Most namespace declarations of one document. The parser copies them to every element below.
const DECLARATIONS: usize = 256;

/// One piece of markup.
enum Tag<'t> {
    Start(&'t str),
    Empty,
    End(&'t str),
    Doctype,
    Other,
    Unfinished,
}

struct Open<'t> {
    name: &'t str,
    at: usize,
}

/// Refuses a document type, deep nesting, and tags that do not fit each other.
pub(crate) fn check(text: &str) -> Result<(), ReadError> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut position = 0;
    let mut declarations = 0;
    while let Some((at, tag, end)) = next_tag(text, position) {
        if matches!(tag, Tag::Start(_) | Tag::Empty) {
            let inside = &text[at..end];
            declarations += inside.matches("xmlns").count();
            too_many(text, at, inside, declarations)?;
        }
        match tag {
            Tag::Unfinished => {
                let rule = "the tag that begins here is never ended with `>`";
                return Err(fault(ReadErrorKind::NotXml, text, at, rule));
            }
            Tag::Doctype => {
                let rule = "a document type declaration (<!DOCTYPE) is refused; remove it";
                return Err(fault(ReadErrorKind::Doctype, text, at, rule));
            }
            Tag::Start(_) | Tag::Empty if open.len() >= DEPTH => {
                let rule = format!("elements may be nested {DEPTH} deep, not more");
                return Err(fault(ReadErrorKind::TooDeep, text, at, rule));
            }
            Tag::Start(name) => open.push(Open { name, at }),
            Tag::End(name) => match open.pop() {
                Some(top) if top.name == name => {}
                top => return Err(misfit(text, name, at, end, top.as_ref(), open.last())),
            },
            Tag::Empty | Tag::Other => {}
        }
        position = end;
    }
    match open.last() {
        Some(top) => {
            let rule = format!(
                "the document ends while <{}>, opened at {}, is still open; write </{}>",
                printable(top.name),
                place(text, top.at),
                printable(top.name),
            );
            Err(fault(ReadErrorKind::NotXml, text, text.len(), rule))
        }
        None => Ok(()),
    }
}

/// The next markup at or after `from`: where it is, what it is, where it ends. None as soon as
/// something is unfinished, which the parser then explains.
fn next_tag(text: &str, from: usize) -> Option<(usize, Tag<'_>, usize)> {
    let at = from + text[from..].find('<')?;
    let rest = &text[at..];
    let until = |mark: &str| rest.find(mark).map(|i| at + i + mark.len());
    if let Some(comment) = rest.strip_prefix("<!--") {
        let end = comment.find("-->").map(|i| at + 4 + i + 3)?;
        return Some((at, Tag::Other, end));
    }
    if rest.starts_with("<![CDATA[") {
        return Some((at, Tag::Other, until("]]>")?));
    }
    if rest.starts_with("<?") {
        return Some((at, Tag::Other, until("?>")?));
    }
    if rest.starts_with("<!") {
        return Some((at, Tag::Doctype, at + 2));
    }
    if let Some(name) = rest.strip_prefix("</") {
        return Some((at, Tag::End(leading_name(name)), until(">")?));
    }
    let Some(length) = end_of_start_tag(rest) else {
        return Some((at, Tag::Unfinished, text.len()));
    };
    let end = at + length;
    let empty = text[..end].ends_with("/>");
    let tag = if empty { Tag::Empty } else { Tag::Start(leading_name(&rest[1..])) };
    Some((at, tag, end))
}

/// Refuses what makes the parser slow out of proportion.
fn too_many(text: &str, at: usize, tag: &str, declarations: usize) -> Result<(), ReadError> {
    let rule = if tag.bytes().filter(|b| *b == b'=').count() > ATTRIBUTES
        && outside_quotes(tag).filter(|b| *b == b'=').count() > ATTRIBUTES
    {
        format!("an element may have {ATTRIBUTES} attributes, not more")
    } else if declarations > DECLARATIONS {
        format!("a document may have {DECLARATIONS} namespace declarations, not more")
    } else {
        return Ok(());
    };
    Err(fault(ReadErrorKind::TooDeep, text, at, rule))
}

/// The bytes of a start tag that are not inside of attribute values.
pub(crate) fn outside_quotes(tag: &str) -> impl Iterator<Item = u8> {
    let mut quote = None;
    tag.bytes().filter(move |byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), _) if open == *byte => quote = None,
            _ => {}
        }
        quote.is_none()
    })
}

/// Length of a start tag, `>` inside quotes not counted as its end.
fn end_of_start_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (index, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'>') => return Some(index + 1),
            _ => {}
        }
    }
    None
}

fn leading_name(text: &str) -> &str {
    let end = text
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/' | '<' | '='))
        .unwrap_or(text.len());
    &text[..end]
}

/// Says which element was open when a wrong end tag came, and what was probably meant.
fn misfit(
    text: &str,
    name: &str,
    at: usize,
    end: usize,
    top: Option<&Open<'_>>,
    below: Option<&Open<'_>>,
) -> ReadError {
    let found = printable(name);
    let Some(top) = top else {
        let rule = format!("</{found}> closes nothing; no element is open here");
        return fault(ReadErrorKind::NotXml, text, at, rule);
    };
    let open = printable(top.name);
    let next = next_tag(text, end);
    let cure = if below.is_some_and(|b| b.name == top.name) {
        format!("the <{open}> there was probably meant to be </{open}>")
    } else if matches!(next, Some((_, Tag::Start(n), _)) if n == name) {
        format!("the tags of `{found}` seem to be swapped: write <{found}>…</{found}>")
    } else {
        format!("write </{open}> first")
    };
    let opened = place(text, top.at);
    let rule = format!("</{found}> does not close <{open}>, which was opened at {opened}; {cure}");
    fault(ReadErrorKind::NotXml, text, at, rule)
}

fn fault(kind: ReadErrorKind, text: &str, at: usize, rule: impl Into<String>) -> ReadError {
    ReadError::one(kind, Problem::new(line_column(text, at), rule))
}

fn place(text: &str, at: usize) -> String {
    let (line, column) = line_column(text, at);
    format!("{line}:{column}")
}

/// Line and column of a byte offset, both from 1, columns in characters.
pub(crate) fn line_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
