//! The key of a burst node's ssh server, as the node told it when it joined.
//!
//! A machine makes its own key, and sends the public half after its secret: `token.secret.key`. It
//! came through TLS, from whoever used the join token, so the front-end trusts it exactly as far as
//! it trusts the machine; and no private key lies in user-data, which others of a cloud may read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the text of every such key begins with (RFC 8709): its kind, and the first bits of the length
/// of what follows. The remaining letters are the key.
pub const PREFIX: &str = "AAAAC3NzaC1lZDI1NTE5AAAAI";
const LENGTH: usize = 43;
/// Length and name of the kind, length and bytes of the key.
const BYTES: usize = 4 + 11 + 4 + 32;

/// An Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey(String);

/// The text is not such a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 key")]
pub struct NoKey;

impl HostKey {
    /// From what a node sends: the text of the key without [`PREFIX`].
    pub fn from_sent(sent: &str) -> Result<Self, NoKey> {
        Self::try_from(format!("{PREFIX}{sent}"))
    }
}

impl TryFrom<String> for HostKey {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        let whole = text.len() == PREFIX.len() + LENGTH && text.starts_with(PREFIX);
        let bytes = STANDARD.decode(&text).map_err(|_| NoKey)?;
        // The first bits of the 26th letter belong to the length.
        let is_key = bytes.len() == BYTES && bytes[BYTES - 33] == 32;
        if whole && is_key { Ok(Self(text)) } else { Err(NoKey) }
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.0
    }
}

/// As known_hosts has it after the names.
impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssh-ed25519 {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_that_ssh_keygen_made() {
        let text = "AAAAC3NzaC1lZDI1NTE5AAAAICojKrhBuua1luXF1afih+72NKSn6/1iKhej9JsKiXVa";
        let key = HostKey::from_sent(text.strip_prefix(PREFIX).unwrap()).unwrap();
        assert_eq!(key.to_string(), format!("ssh-ed25519 {text}"));
        let kept = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<HostKey>(&kept).unwrap(), key);
        for wrong in
            ["", "A", "host ssh-rsa AAAA", &"A".repeat(42), &"A".repeat(44), &"z".repeat(43)]
        {
            assert_eq!(HostKey::from_sent(wrong), Err(NoKey), "{wrong}");
        }
    }

    proptest! {
        /// It becomes part of a line of known_hosts.
        #[test]
        fn whatever_is_sent_no_line_is_broken(sent in any::<String>()) {
            if let Ok(key) = HostKey::from_sent(&sent) {
                prop_assert!(key.to_string().chars().all(|c| c == ' ' || c.is_ascii_graphic()));
                prop_assert_eq!(key.to_string().split(' ').count(), 2);
            }
        }
    }
}
