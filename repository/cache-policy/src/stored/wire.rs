//! The form in which a stored response is written.

use super::{BYTE_LIMIT, Exchange, FIELD_LIMIT, Stored};
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
    #[error("the value of field `{0}` holds characters that no field value has")]
    Value(String),
    /// More than the limits.
    #[error("a response has more than {FIELD_LIMIT} fields or {BYTE_LIMIT} bytes in them")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
    status: u16,
    headers: Bounded<(String, String)>,
    selecting: Bounded<(String, Option<String>)>,
    requested_at: Timestamp,
    received_at: Timestamp,
    date: Timestamp,
}

impl From<Stored> for Wire {
    fn from(stored: Stored) -> Self {
        let header = |(n, v): (&HeaderName, &HeaderValue)| (n.to_string(), text(v.as_bytes()));
        let selecting = stored.selecting.iter();
        Self {
            status: stored.status.as_u16(),
            headers: Bounded(stored.headers.iter().map(header).collect()),
            selecting: Bounded(
                selecting.map(|(n, v)| (n.to_string(), v.as_deref().map(text))).collect(),
            ),
            requested_at: stored.exchange.requested_at,
            received_at: stored.exchange.received_at,
            date: stored.date,
        }
    }
}

impl TryFrom<Wire> for Stored {
    type Error = WireError;

    fn try_from(wire: Wire) -> Result<Self, WireError> {
        let mut headers = HeaderMap::new();
        for (name, text) in wire.headers.0 {
            let value = bytes(&text).and_then(|b| HeaderValue::from_bytes(&b).ok());
            headers.append(field_name(&name)?, value.ok_or(WireError::Value(name))?);
        }
        let selecting = wire.selecting.0.into_iter().map(|(name, text)| {
            let value = text.map(|t| bytes(&t).ok_or_else(|| WireError::Value(name.clone())));
            Ok((field_name(&name)?, value.transpose()?))
        });
        let exchange = Exchange { requested_at: wire.requested_at, received_at: wire.received_at };
        let status = StatusCode::from_u16(wire.status).ok().filter(|s| !s.is_informational());
        let status = status.ok_or(WireError::Status(wire.status))?;
        let selecting = selecting.collect::<Result<_, WireError>>()?;
        let stored = Self { status, headers, selecting, exchange, date: wire.date };
        if stored.fits() { Ok(stored) } else { Err(WireError::TooLarge) }
    }
}

fn field_name(name: &str) -> Result<HeaderName, WireError> {
    name.parse().map_err(|_| WireError::Name(name.to_owned()))
}

/// Each byte as the character of its number.
fn text(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
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
