//! Small values with rules of their own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A value that breaks the rule of its type; `Display` says which rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongValue(pub String);

/// Makes a text type whose only way in is its rule.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $rule:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = WrongValue;
            fn from_str(text: &str) -> Result<Self, WrongValue> {
                $rule(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = WrongValue;
            fn try_from(text: String) -> Result<Self, WrongValue> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// Name of a host by RFC 1123 section 2.1, in lower case: labels of letters, digits and
    /// hyphens, at most 63 characters each and 253 in all.
    HostName,
    host_name
);
text_type!(
    /// A DNS domain, by the rule of host names.
    Domain,
    host_name
);
text_type!(
    /// Name of a network interface as Linux takes it: at most 15 characters, no blank, `/` or `:`.
    InterfaceName,
    interface_name
);
text_type!(
    /// Name of a virtual network: letters, digits, `-`, `_` and `.`, at most 64 characters.
    NetworkName,
    network_name
);

impl HostName {
    /// The first label.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// Whether a name service that knows hosts by whole and by short names takes one for the other.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_address = |host: &Self| host.0.parse::<std::net::IpAddr>().is_ok();
        self.short() == other.short() && !is_address(self) && !is_address(other)
    }
}

fn host_name(text: &str) -> Result<String, WrongValue> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name);
    }
    Err(WrongValue(format!(
        "`{text}` is not a host name: labels of letters, digits and `-`, parted by dots"
    )))
}

fn interface_name(text: &str) -> Result<String, WrongValue> {
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '"' | '\'' | '\\');
    if !text.is_empty() && text.len() <= 15 && text.chars().all(good) && !matches!(text, "." | "..")
    {
        return Ok(text.to_owned());
    }
    Err(WrongValue(format!(
        "`{text}` is not the name of an interface: at most 15 characters, no blank, `/` or `:`"
    )))
}

fn network_name(text: &str) -> Result<String, WrongValue> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err(WrongValue(format!(
        "`{text}` is not a name for a network: letters, digits, `-`, `_`, `.`, at most 64"
    )))
}

/// A MAC address (EUI-48), shown in lower case with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// The address that OpenNebula makes: the prefix and the four octets of the IPv4 address.
    pub fn derived(prefix: MacPrefix, address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([prefix.0[0], prefix.0[1], a, b, c, d])
    }
}

/// The first two octets of made MAC addresses: unicast, and by IEEE 802 locally administered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacPrefix(pub [u8; 2]);

impl Default for MacPrefix {
    /// OpenNebula's own.
    fn default() -> Self {
        Self([0x02, 0x00])
    }
}

fn octets<const N: usize>(text: &str) -> Option<[u8; N]> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    if parts.len() != N || parts.iter().any(|p| p.len() != 2) {
        return None;
    }
    let mut octets = [0; N];
    for (octet, part) in octets.iter_mut().zip(parts) {
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    Some(octets)
}

impl FromStr for MacAddress {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        match octets::<6>(text) {
            None => {
                Err(WrongValue(format!("`{text}` is not a MAC address such as 02:00:c0:a8:00:01")))
            }
            Some(o) if o[0] & 1 == 1 => {
                Err(WrongValue(format!("`{text}` is a group address; a host needs a unicast one")))
            }
            Some(o) => Ok(Self(o)),
        }
    }
}

impl FromStr for MacPrefix {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        match octets::<2>(text) {
            None => Err(WrongValue(format!("`{text}` is not a MAC prefix such as 02:00"))),
            Some(o) if o[0] & 3 != 2 => Err(WrongValue(format!(
                "`{text}` is not for locally made addresses: the second digit must be 2, 6, a or e"
            ))),
            Some(o) => Ok(Self(o)),
        }
    }
}

fn colons(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    for (index, octet) in octets.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        write!(f, "{colon}{octet:02x}")?;
    }
    Ok(())
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        colons(f, &self.0)
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        colons(f, &self.0)
    }
}

macro_rules! by_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = WrongValue;
            fn try_from(text: String) -> Result<Self, WrongValue> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
by_text!(MacAddress);
by_text!(MacPrefix);
