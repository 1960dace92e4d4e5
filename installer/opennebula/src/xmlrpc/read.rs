//! Text to values, within bounds: nothing here panics, recurses without end, or repeats what it
//! could not read.

use quick_xml::{Reader, events::Event};

use super::Value;

/// How deep values may nest. oned needs 2.
const MAX_DEPTH: usize = 16;
/// How many values one document may hold. oned's longest list, its methods, has about 500.
const MAX_VALUES: usize = 100_000;

/// Why a document is not XML-RPC. It never repeats the document, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("it is not UTF-8 text")]
    NotUtf8,
    /// The text is not well-formed XML.
    #[error("it is not well-formed XML (byte {0})")]
    NotXml(u64),
    /// A document type declaration, which XML-RPC has no use for.
    #[error("it has a document type declaration")]
    Doctype,
    /// Another element than the one that belongs here.
    #[error("at byte {position} `<{expected}>` is missing")]
    Missing {
        /// The element that belongs here.
        expected: &'static str,
        /// Byte in the document.
        position: u64,
    },
    /// An element that holds no number, flag or reference.
    #[error("the value before byte {0} cannot be read")]
    BadValue(u64),
    /// A bound was passed.
    #[error("it nests too deep or holds too many values")]
    TooMuch,
}

/// A call, as a server reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodCall {
    /// Name of the method.
    pub method: String,
    /// Its parameters in order.
    pub parameters: Vec<Value>,
}

/// An answer: a value, or a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// What the method returned.
    Value(Value),
    /// The call itself was wrong.
    Fault {
        /// Code of the fault; negative with oned.
        code: i64,
        /// Its text.
        message: String,
    },
}

/// Reads an answer.
pub fn read_response(bytes: &[u8]) -> Result<Response, Malformed> {
    let mut source = Source::new(bytes)?;
    source.open("methodResponse")?;
    let response = match source.next()? {
        Token::Open(name) if name == "params" => {
            source.open("param")?;
            let value = source.value(0)?;
            source.close("param")?;
            source.close("params")?;
            Response::Value(value)
        }
        Token::Open(name) if name == "fault" => {
            let value = source.value(0)?;
            source.close("fault")?;
            fault(value).ok_or(Malformed::BadValue(source.position()))?
        }
        _ => return Err(source.missing("params")),
    };
    source.close("methodResponse")?;
    source.end()?;
    Ok(response)
}

/// Reads a call.
pub fn read_call(bytes: &[u8]) -> Result<MethodCall, Malformed> {
    let mut source = Source::new(bytes)?;
    source.open("methodCall")?;
    source.open("methodName")?;
    let method = source.text("methodName")?.trim().to_owned();
    let mut parameters = Vec::new();
    match source.next()? {
        Token::Open(name) if name == "params" => loop {
            match source.next()? {
                Token::Open(name) if name == "param" => {
                    parameters.push(source.value(0)?);
                    source.close("param")?;
                }
                Token::Close(name) if name == "params" => break source.close("methodCall")?,
                _ => return Err(source.missing("param")),
            }
        },
        Token::Close(name) if name == "methodCall" => {}
        _ => return Err(source.missing("params")),
    }
    source.end()?;
    Ok(MethodCall { method, parameters })
}

fn fault(value: Value) -> Option<Response> {
    let Value::Struct(members) = value else { return None };
    let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
    match (member("faultCode")?, member("faultString")?) {
        (Value::Integer(code), Value::Text(message)) => {
            Some(Response::Fault { code: *code, message: message.clone() })
        }
        _ => None,
    }
}

enum Token {
    Open(String),
    Close(String),
    Text(String),
    End,
}

struct Source<'a> {
    reader: Reader<&'a [u8]>,
    /// The end of an empty element, still to be told.
    pending: Option<String>,
    values: usize,
}

impl<'a> Source<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotUtf8)?;
        Ok(Self { reader: Reader::from_str(text), pending: None, values: 0 })
    }

    fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    fn missing(&self, expected: &'static str) -> Malformed {
        Malformed::Missing { expected, position: self.position() }
    }

    /// The next token, text included.
    fn token(&mut self) -> Result<Token, Malformed> {
        if let Some(name) = self.pending.take() {
            return Ok(Token::Close(name));
        }
        loop {
            let position = self.reader.buffer_position();
            match self.reader.read_event().map_err(|_| Malformed::NotXml(position))? {
                Event::Start(start) => return Ok(Token::Open(name(start.name()))),
                Event::End(end) => return Ok(Token::Close(name(end.name()))),
                Event::Empty(empty) => {
                    let name = name(empty.name());
                    self.pending = Some(name.clone());
                    return Ok(Token::Open(name));
                }
                Event::Text(text) => return Ok(Token::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Token::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => {
                    if let Some(character) =
                        reference.resolve_char_ref().map_err(|_| Malformed::NotXml(position))?
                    {
                        return Ok(Token::Text(character.to_string()));
                    }
                    let resolved = quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or(Malformed::NotXml(position))?;
                    return Ok(Token::Text(resolved.to_owned()));
                }
                Event::DocType(_) => return Err(Malformed::Doctype),
                Event::Eof => return Ok(Token::End),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The next token that is not blank.
    fn next(&mut self) -> Result<Token, Malformed> {
        loop {
            match self.token()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, expected: &'static str) -> Result<(), Malformed> {
        match self.next()? {
            Token::Open(name) if name == expected => Ok(()),
            _ => Err(self.missing(expected)),
        }
    }

    fn close(&mut self, expected: &'static str) -> Result<(), Malformed> {
        match self.next()? {
            Token::Close(name) if name == expected => Ok(()),
            _ => Err(self.missing(expected)),
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        match self.next()? {
            Token::End => Ok(()),
            _ => Err(Malformed::NotXml(self.position())),
        }
    }

    /// All text up to the end of the element that is open.
    fn text(&mut self, element: &'static str) -> Result<String, Malformed> {
        let mut text = String::new();
        loop {
            match self.token()? {
                Token::Text(more) => text.push_str(&more),
                Token::Close(_) => return Ok(text),
                Token::Open(_) | Token::End => return Err(self.missing(element)),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.open("value")?;
        self.value_content(depth)
    }

    /// The value whose `<value>` has just been opened.
    fn value_content(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.values += 1;
        if depth >= MAX_DEPTH || self.values > MAX_VALUES {
            return Err(Malformed::TooMuch);
        }
        let mut untyped = String::new();
        loop {
            match self.token()? {
                Token::Text(text) => untyped.push_str(&text),
                Token::Close(_) => return Ok(Value::Text(untyped)),
                Token::Open(_) if !untyped.trim().is_empty() => return Err(self.missing("value")),
                Token::Open(kind) => {
                    let value = self.typed(&kind, depth)?;
                    self.close("value")?;
                    return Ok(value);
                }
                Token::End => return Err(self.missing("value")),
            }
        }
    }

    fn typed(&mut self, kind: &str, depth: usize) -> Result<Value, Malformed> {
        match kind {
            "array" => return self.array(depth),
            "struct" => return self.members(depth),
            _ => {}
        }
        let text = self.text("value")?;
        let bad = Malformed::BadValue(self.position());
        match kind {
            "string" => Ok(Value::Text(text)),
            "int" | "i4" | "i8" => text.trim().parse().map(Value::Integer).map_err(|_| bad),
            "boolean" => match text.trim() {
                "0" => Ok(Value::Boolean(false)),
                "1" => Ok(Value::Boolean(true)),
                _ => Err(bad),
            },
            "double" => text.trim().parse().map(Value::Double).map_err(|_| bad),
            "nil" => Ok(Value::Nil),
            _ => Err(bad),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.open("data")?;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Token::Open(name) if name == "value" => items.push(self.value_content(depth + 1)?),
                Token::Close(_) => break,
                _ => return Err(self.missing("value")),
            }
        }
        self.close("array")?;
        Ok(Value::Array(items))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = Vec::new();
        loop {
            match self.next()? {
                Token::Open(name) if name == "member" => {
                    self.open("name")?;
                    let name = self.text("name")?;
                    members.push((name, self.value(depth + 1)?));
                    self.close("member")?;
                }
                Token::Close(_) => return Ok(Value::Struct(members)),
                _ => return Err(self.missing("member")),
            }
        }
    }
}

fn name(name: quick_xml::name::QName<'_>) -> String {
    name.as_ref().to_string()
}
