//! Join tokens: who has one may make one machine a burst node, once and before it expires.
//!
//! The machine makes a secret of its own when it first boots and sends both, `token.secret`, as the
//! password of OpenVPN; one that becomes a host of OpenNebula adds its [`HostKey`],
//! `token.secret.key`. The first secret that comes with a token is the machine's from then on: the
//! same token with another secret is a replay.

use crate::host_key::HostKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// SHA-256 of its text, hexadecimal.
    pub hash: String,
    /// Until when it may be used for the first time.
    pub expires: Timestamp,
}

/// Which machine used a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// SHA-256 of the machine's secret, hexadecimal.
    pub machine: String,
    /// When it joined.
    pub at: Timestamp,
    /// The key of its ssh server, if it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostKey>,
}

/// Why a machine may not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No password, or none of this form.
    #[error("no join token was sent, and this certificate needs one")]
    Missing,
    /// Another token.
    #[error("the join token is not that of this certificate")]
    Wrong,
    /// Too late.
    #[error("the join token expired before it was used")]
    Expired,
    /// Another machine was first.
    #[error("the join token was used by another machine before")]
    Replayed,
}

/// A token from random bytes: its text, and what is kept.
pub fn make(random: [u8; 24], expires: Timestamp) -> (Zeroizing<String>, TokenRecord) {
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random));
    let record = TokenRecord { hash: hash(&text), expires };
    (text, record)
}

/// Judges a password. What comes back is to be kept: on the first use it is new.
pub fn judge(
    record: &TokenRecord,
    joined: Option<Joined>,
    password: &str,
    now: Timestamp,
) -> Result<Joined, Refusal> {
    let (token, secret) = password.split_once('.').ok_or(Refusal::Missing)?;
    // A machine's secret that can be guessed is none.
    if token.is_empty() || secret.len() < 32 {
        return Err(Refusal::Missing);
    }
    if !same(&record.hash, &hash(token)) {
        return Err(Refusal::Wrong);
    }
    let machine = hash(secret);
    match joined {
        Some(joined) if same(&joined.machine, &machine) => Ok(joined),
        Some(_) => Err(Refusal::Replayed),
        None if now > record.expires => Err(Refusal::Expired),
        None => {
            let sent = secret.split_once('.').map(|(_, key)| key);
            let host_key = sent.and_then(|key| HostKey::from_sent(key).ok());
            Ok(Joined { machine, at: now, host_key })
        }
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_key_that_comes_with_a_secret_is_part_of_it() {
        let (text, record) = make([5; 24], at("2026-01-02T00:00:00Z"));
        let now = at("2026-01-01T00:00:00Z");
        let key = "CojKrhBuua1luXF1afih+72NKSn6/1iKhej9JsKiXVa".to_owned();
        let with = |key: &str| format!("{}.{}.{key}", *text, "a".repeat(40));
        let joined = judge(&record, None, &with(&key), now).unwrap();
        assert_eq!(joined.host_key, HostKey::from_sent(&key).ok());
        assert!(joined.host_key.is_some());
        let other = with(&key.replace('Z', "Y").replace('j', "k"));
        assert_eq!(judge(&record, Some(joined), &other, now), Err(Refusal::Replayed));
        // What is no key is part of the secret alone.
        let strange = judge(&record, None, &with("none\nb"), now).unwrap();
        assert_eq!(strange.host_key, None);
        // OpenVPN without PKCS #11 takes 127 letters.
        assert!(with(&key).len() + "abc".len() <= 127);
    }

    #[test]
    fn a_token_is_used_once_and_expires() {
        let (text, record) = make([5; 24], at("2026-01-02T00:00:00Z"));
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-03T00:00:00Z"));
        let one = format!("{}.{}", *text, "a".repeat(40));
        let other = format!("{}.{}", *text, "b".repeat(40));
        assert_eq!(judge(&record, None, &one, late), Err(Refusal::Expired));
        let joined = judge(&record, None, &one, early).unwrap();
        assert_eq!(joined.at, early);
        // The machine that joined stays, also after the token's end; no other one joins.
        assert_eq!(judge(&record, Some(joined.clone()), &one, late), Ok(joined.clone()));
        assert_eq!(judge(&record, Some(joined), &other, early), Err(Refusal::Replayed));
        let wrong = format!("x{one}");
        assert_eq!(judge(&record, None, &wrong, early), Err(Refusal::Wrong));
        for missing in ["", ".", &text, &format!("{}.short", *text), &one[text.len()..]] {
            assert_eq!(judge(&record, None, missing, early), Err(Refusal::Missing), "{missing}");
        }
    }
}
