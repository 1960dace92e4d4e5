//! Serial numbers of certificates.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A serial number: 127 random bits, so that it is positive and cannot be guessed (RFC 5280,
/// 4.1.2.2). Shown in hexadecimal; OpenVPN's log has it in decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(u128);

impl Serial {
    /// From 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self((u128::from_be_bytes(bytes) >> 1).max(1))
    }

    /// From the decimal digits of OpenVPN's log and environment.
    pub fn from_decimal(digits: &str) -> Option<Self> {
        digits.parse().ok().filter(|number| *number > 0).map(Self)
    }

    /// The number.
    pub fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = u128::from_str_radix(text, 16).ok().filter(|n| *n > 0 && text.len() == 32);
        number.map(Self).ok_or_else(|| format!("`{text}` is no serial number of 32 hex digits"))
    }
}

impl TryFrom<String> for Serial {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}
