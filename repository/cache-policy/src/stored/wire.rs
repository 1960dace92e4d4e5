//! The form in which a stored response is written.

use super::{BYTE_LIMIT, Exchange, FIELD_LIMIT, Memo, Stored};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Why a written response is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The status code.
    #[error("`{0}` is no final status code")]
    Status(u16),
    /// A name.
    #[error("`{0}` is no field name")]
    Name(String),
    /// A value.
    #[error("the value `{0}` holds characters that no field value has")]
    Value(String),
    /// More than the limits.
    #[error("a response has more than {FIELD_LIMIT} fields or {BYTE_LIMIT} bytes in them")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
    status: u16,
    headers: Bounded<(Name, Value)>,
    selecting: Bounded<(Name, Option<Latin>)>,
    requested_at: Timestamp,
    received_at: Timestamp,
    date: Timestamp,
}

impl From<Stored> for Wire {
    fn from(stored: Stored) -> Self {
        let header = |(n, v): (&HeaderName, &HeaderValue)| (Name(n.clone()), Value(v.clone()));
        let selecting = stored.selecting.into_iter();
        Self {
            status: stored.status.as_u16(),
            headers: Bounded(stored.headers.iter().map(header).collect()),
            selecting: Bounded(selecting.map(|(n, v)| (Name(n), v.map(Latin))).collect()),
            requested_at: stored.exchange.requested_at,
            received_at: stored.exchange.received_at,
            date: stored.date,
        }
    }
}

impl TryFrom<Wire> for Stored {
    type Error = WireError;

    fn try_from(wire: Wire) -> Result<Self, WireError> {
        let mut headers = HeaderMap::with_capacity(wire.headers.0.len());
        for (name, value) in wire.headers.0 {
            headers.append(name.0, value.0);
        }
        let selecting = wire.selecting.0.into_iter();
        let selecting = selecting.map(|(name, value)| (name.0, value.map(|v| v.0))).collect();
        let exchange = Exchange { requested_at: wire.requested_at, received_at: wire.received_at };
        let status = StatusCode::from_u16(wire.status).ok().filter(|s| !s.is_informational());
        let status = status.ok_or(WireError::Status(wire.status))?;
        let (date, memo) = (wire.date, Memo::default());
        let stored = Self { status, headers, selecting, exchange, date, memo };
        if stored.fits() { Ok(stored) } else { Err(WireError::TooLarge) }
    }
}

/// A field name, made from the text without a copy on the way: a start reads very many.
struct Name(HeaderName);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = |text: &str| {
            HeaderName::from_bytes(text.as_bytes()).map_err(|_| WireError::Name(text.to_owned()))
        };
        deserializer.deserialize_str(Text(name)).map(Self)
    }
}

/// A field value.
struct Value(HeaderValue);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = |text: &str| {
            HeaderValue::try_from(bytes(text)?).map_err(|_| WireError::Value(text.to_owned()))
        };
        deserializer.deserialize_str(Text(value)).map(Self)
    }
}

/// Bytes, each as the character of its number.
struct Latin(Vec<u8>);

impl Serialize for Latin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(&self.0))
    }
}

impl<'de> Deserialize<'de> for Latin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(bytes)).map(Self)
    }
}

fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(ascii) if ascii.is_ascii() => ascii.to_owned(),
        _ => value.iter().copied().map(char::from).collect(),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, WireError> {
    if text.is_ascii() {
        return Ok(text.as_bytes().to_vec());
    }
    let byte = |c| u8::try_from(c).map_err(|_| WireError::Value(text.to_owned()));
    text.chars().map(byte).collect()
}

/// Makes something of a text where it lies.
struct Text<F>(F);

impl<T, F: Fn(&str) -> Result<T, WireError>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

/// A list that stops being read at [`FIELD_LIMIT`].
struct Bounded<T>(Vec<T>);

impl<T: Serialize> Serialize for Bounded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(std::marker::PhantomData))
    }
}

struct BoundedVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for BoundedVisitor<T> {
    type Value = Bounded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {FIELD_LIMIT} fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            if list.len() == FIELD_LIMIT {
                return Err(A::Error::custom(WireError::TooLarge));
            }
            list.push(item);
        }
        Ok(Bounded(list))
    }
}
