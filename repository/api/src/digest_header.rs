//! `Repr-Digest` and `Want-Repr-Digest` (RFC 9530), which are dictionaries of RFC 8941.
//!
//! Of structured fields only what a digest needs is read: keys, byte sequences, small integers;
//! parameters are skipped.

use base64::{Engine, engine::general_purpose::STANDARD};
use stratus_model::{Algorithm, Digest};

/// Longest header that is looked at, in bytes.
const HEADER_LIMIT: usize = 4096;
/// Most members of a dictionary that are looked at.
const MEMBER_LIMIT: usize = 32;

/// The algorithms that the header has names for, strongest first (RFC 9530 section 5).
const NAMES: [(&str, Algorithm); 4] = [
    ("sha-512", Algorithm::Sha512),
    ("sha-256", Algorithm::Sha256),
    // Deprecated by the RFC; read, never preferred.
    ("sha", Algorithm::Sha1),
    ("md5", Algorithm::Md5),
];

/// Writes `Repr-Digest`: `sha-256=:…:`. Digests whose algorithm has no name there, and the broken
/// ones, are left out; none if nothing remains.
pub fn write(digests: &[Digest]) -> Option<String> {
    let members: Vec<String> = digests
        .iter()
        .filter(|digest| digest.algorithm().is_strong())
        .filter_map(|digest| {
            let name = name(digest.algorithm())?;
            Some(format!("{name}=:{}:", STANDARD.encode(digest.bytes())))
        })
        .collect();
    (!members.is_empty()).then(|| members.join(", "))
}

/// Reads `Repr-Digest`, strongest first. Unknown algorithms are skipped, as section 2 says; none if
/// the header is no dictionary or a value does not have its algorithm's length.
pub fn parse(header: &str) -> Option<Vec<Digest>> {
    let mut found: Vec<Digest> = Vec::new();
    for (key, value) in dictionary(header)? {
        let Some(algorithm) = algorithm(key) else { continue };
        let inner = value.strip_prefix(':')?.strip_suffix(':')?;
        let digest = Digest::new(algorithm, &STANDARD.decode(inner).ok()?).ok()?;
        // Of a repeated key the last value counts (RFC 8941 section 3.2).
        found.retain(|d| d.algorithm() != algorithm);
        found.push(digest);
    }
    found.sort_by_key(|d| std::cmp::Reverse(d.algorithm()));
    Some(found)
}

/// Reads `Want-Repr-Digest`: which of `offered` the client wants most. None where it wants none of
/// them, or the header cannot be read.
pub fn wanted(header: &str, offered: &[Algorithm]) -> Option<Algorithm> {
    let mut wishes: Vec<(u8, Algorithm)> = Vec::new();
    for (key, value) in dictionary(header)? {
        // Section 4: 0 is "not acceptable", 10 the most wanted.
        let weight: u8 = value.parse().ok().filter(|w| *w <= 10)?;
        if let Some(algorithm) = algorithm(key) {
            wishes.retain(|(_, a)| *a != algorithm);
            wishes.push((weight, algorithm));
        }
    }
    wishes
        .into_iter()
        .filter(|(weight, algorithm)| *weight > 0 && offered.contains(algorithm))
        .max()
        .map(|(_, algorithm)| algorithm)
}

fn name(algorithm: Algorithm) -> Option<&'static str> {
    NAMES.iter().find(|(_, a)| *a == algorithm).map(|(name, _)| *name)
}

fn algorithm(name: &str) -> Option<Algorithm> {
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, algorithm)| *algorithm)
}

/// Key and bare item of each member; parameters cut. Neither a byte sequence nor an integer can
/// contain a comma or a semicolon, so splitting at them is right for what we read.
fn dictionary(header: &str) -> Option<Vec<(&str, &str)>> {
    if header.len() > HEADER_LIMIT {
        return None;
    }
    let members: Vec<&str> = header.split(',').collect();
    if members.len() > MEMBER_LIMIT {
        return None;
    }
    members
        .into_iter()
        .map(|member| {
            let (key, value) = member.trim_matches([' ', '\t']).split_once('=')?;
            let value = value.split_once(';').map_or(value, |(value, _)| value).trim_end();
            let good = key.starts_with(|c: char| c.is_ascii_lowercase() || c == '*')
                && key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
            (good && !value.is_empty()).then_some((key, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // RFC 9530 appendix B.1: the digest of `{"hello": "world"}` and a line end.
    const EXAMPLE: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        let digests = parse(EXAMPLE).unwrap();
        assert_eq!(digests.len(), 1);
        assert_eq!(digests[0].algorithm(), Algorithm::Sha256);
        assert_eq!(write(&digests).as_deref(), Some(EXAMPLE));
    }

    #[test]
    fn unknown_algorithms_and_parameters_are_skipped() {
        let header = format!("unixsum=30637, {EXAMPLE};a=1, future=:AAAA:");
        assert_eq!(parse(&header).unwrap().len(), 1);
        assert_eq!(parse("future=:AAAA:"), Some(vec![]));
    }

    #[test]
    fn what_is_no_dictionary_is_none() {
        for header in [
            "",
            "sha-256",
            "sha-256=",
            "sha-256=abc",
            "sha-256=:!!:",
            "sha-256=:AAAA:",
            "SHA-256=:AAAA:",
        ] {
            assert_eq!(parse(header), None, "{header:?}");
        }
        assert_eq!(parse(&"a=1,".repeat(2000)), None);
    }

    #[test]
    fn the_client_gets_the_digest_it_wants_most() {
        let offered = [Algorithm::Sha256, Algorithm::Sha512];
        for (header, expected) in [
            ("sha-256=1", Some(Algorithm::Sha256)),
            ("sha-512=3, sha-256=10, unixsum=0", Some(Algorithm::Sha256)),
            ("sha-512=3, sha-256=3", Some(Algorithm::Sha512)),
            ("sha-256=0", None),
            ("md5=10", None),
            ("sha-256=11", None),
            ("sha-256", None),
            ("sha-256=-1", None),
        ] {
            assert_eq!(wanted(header, &offered), expected, "{header}");
        }
    }

    #[test]
    fn broken_algorithms_are_never_offered() {
        let weak = Digest::from_hex(Algorithm::Md5, &"00".repeat(16)).unwrap();
        assert_eq!(write(&[weak]), None);
        let no_name = Digest::from_hex(Algorithm::Sha384, &"00".repeat(48)).unwrap();
        assert_eq!(write(&[no_name]), None);
    }

    proptest! {
        #[test]
        fn every_digest_comes_back(bytes: [u8; 32]) {
            let digest = Digest::sha256(bytes);
            let header = write(std::slice::from_ref(&digest)).unwrap();
            prop_assert_eq!(parse(&header), Some(vec![digest]));
        }
    }
}
