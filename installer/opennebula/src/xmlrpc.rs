//! XML-RPC as oned speaks it: calls and answers as text, without any transport.
//!
//! # Why our own reader
//!
//! The recordings show all that ever comes: one array of `boolean`, `string`, `i4` and `i8`, or
//! one fault. The `dxr` library reads every one of them, once its `i8` feature is on (without it,
//! every error that oned tells is unreadable). But its error for an answer that it cannot read
//! carries the whole answer, and a user pool is full of password digests and login tokens. An
//! error of ours names a byte, never a text; depth and number of values have bounds that we
//! state; and the test simulator needs the server's side, in oned's own line ends. What remains
//! to be written for this is small.

mod read;
mod write;

pub use read::{Malformed, MethodCall, Response, read_call, read_response};
pub use write::{write_call, write_fault, write_response};

/// A value of XML-RPC: the kinds that oned takes or gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `int`, `i4` or `i8`.
    Integer(i64),
    /// `boolean`.
    Boolean(bool),
    /// `double`.
    Double(f64),
    /// `string`, or text without a type.
    Text(String),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`, in the order of its members.
    Struct(Vec<(String, Value)>),
    /// `nil`, an extension that other clients send.
    Nil,
}

impl Value {
    /// The number, if it is one that fits an identifier of oned.
    pub fn as_id(&self) -> Option<i32> {
        match self {
            Self::Integer(number) => i32::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for error messages: never its content.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Boolean(_) => "boolean",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Struct(_) => "struct",
            Self::Nil => "nil",
        }
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
