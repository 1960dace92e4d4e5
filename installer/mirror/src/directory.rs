//! A directory of packages as whoever uses it sees it: nothing of it counts before the signature and
//! every digest are good.

use crate::error::Error;
use crate::{files, signing};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use stratus_plan::offline::{FORMAT, Mirror, Offline, Part, Stored};

pub(crate) const SUMS: &str = "SHA256SUMS";
pub(crate) const SIGNATURE: &str = "SHA256SUMS.asc";
pub(crate) const LIST: &str = "mirror.json";
pub(crate) const KEY: &str = "key.asc";

/// Longest list that is read.
const LONGEST: u64 = 64 << 20;

/// Reads a directory that this key (ASCII armour) signed. Every file of it is compared with its
/// signed digest; the first that differs is told.
pub fn open(folder: &Path, key: &str) -> Result<Offline, Error> {
    let sums = folder.join(SUMS);
    let text = read(&sums)?;
    let signature = folder.join(SIGNATURE);
    if !signature.is_file() {
        return Err(Error::untrusted(&signature, "the signature is missing"));
    }
    signing::check(key, &signature, &sums)?;
    if read(&sums)? != text {
        return Err(Error::untrusted(&sums, "it changes while it is read"));
    }
    let listed = parse(&text).map_err(|reason| Error::untrusted(&sums, reason))?;
    for (file, sha256) in &listed {
        let path = folder.join(file);
        if !path.is_file() {
            return Err(Error::untrusted(&path, "it is missing"));
        }
        if files::measured(&path)?.0 != *sha256 {
            return Err(Error::untrusted(&path, "it is not what was signed: its SHA-256 differs"));
        }
    }
    let list = folder.join(LIST);
    let text = read(&list)?;
    if listed.get(LIST) != Some(&hex::encode(Sha256::digest(&text))) {
        return Err(Error::untrusted(&list, "it is not what was signed"));
    }
    let mirror: Mirror =
        serde_json::from_str(&text).map_err(|e| Error::untrusted(&list, e.to_string()))?;
    if mirror.format != FORMAT {
        let reason = format!("its format is {}, and this version reads {FORMAT}", mirror.format);
        return Err(Error::untrusted(&list, reason));
    }
    for (name, part) in &mirror.parts {
        whole(name, part, &listed).map_err(|reason| Error::untrusted(&list, reason))?;
    }
    Ok(Offline { key: key.to_owned(), mirror })
}

/// What a part names is what the signed list has.
fn whole(name: &str, part: &Part, listed: &BTreeMap<String, String>) -> Result<(), String> {
    for Stored { file, sha256, .. } in
        part.index.iter().chain(part.packages.iter().map(|p| &p.stored))
    {
        if listed.get(&format!("{name}/{file}")) != Some(sha256) {
            return Err(format!("{name}/{file} is not as {SUMS} has it"));
        }
    }
    let count = part.packages.len();
    let out = part.sets.iter().flat_map(|set| &set.packages).find(|at| **at >= count);
    out.map_or(Ok(()), |at| Err(format!("{name} has no package {at}")))
}

fn read(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let file = File::open(path).map_err(Error::file(path))?;
    file.take(LONGEST).read_to_string(&mut text).map_err(Error::file(path))?;
    Ok(text)
}

/// Lines of `sha256sum`: digest, two blanks, path below the directory.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut listed = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = || format!("line {}: not a digest and a path", number + 1);
        let (digest, file) = line.split_once("  ").ok_or_else(wrong)?;
        let hexadecimal = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
        if !hexadecimal || !file.split('/').all(plain) {
            return Err(wrong());
        }
        listed.insert(file.to_owned(), digest.to_owned());
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_files_below_the_directory_only() {
        let digest = "a".repeat(64);
        let good = parse(&format!("{digest}  debian-12-x86_64/pool/a.deb\n")).unwrap();
        assert_eq!(good["debian-12-x86_64/pool/a.deb"], digest);
        for bad in ["/etc/passwd", "../a", "a/../b", "", "a//b"] {
            assert!(parse(&format!("{digest}  {bad}\n")).is_err(), "{bad}");
        }
        assert_eq!(parse("abc  a\n").unwrap_err(), "line 1: not a digest and a path");
    }

    #[test]
    fn a_part_names_nothing_that_is_not_signed() {
        let stored = Stored { file: "InRelease".into(), bytes: 1, sha256: "b".into() };
        let part = Part { index: vec![stored], ..Part::default() };
        let listed = BTreeMap::from([("x/InRelease".to_owned(), "a".to_owned())]);
        assert!(whole("x", &part, &listed).unwrap_err().contains("x/InRelease"));
    }
}
